//! PDF to sections: what the page shows is put back into the order in which it is read.
//!
//! `content` runs a page's drawing operations and notes glyphs and rules; `lines` makes words and lines of them,
//! `grids` tables of what stands between rules, `bullets` marks of lists that are drawn; `columns` and `furniture`
//! find the order of reading and what repeats on each page;
//! `tables`, `captions`, `headings`, `lists`, `labels` and `flow` tell what a line is; `structure` nests the
//! sections. All but `content` are pure functions over places and words.

mod body;
mod bullets;
mod captions;
mod columns;
mod content;
mod error;
mod flow;
mod fonts;
mod front;
mod furniture;
mod grids;
mod guard;
mod headings;
mod join;
mod labels;
mod lines;
mod lists;
mod page;
mod read;
mod references;
mod structure;
mod table_cells;
mod table_grids;
mod tables;
mod tagged;
mod text;

pub use error::PdfError;
pub use read::{MAX_PAGES, PdfContent, read_pdf};
