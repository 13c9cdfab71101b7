//! Files to documents: sections, tables and references; documents to passages.
//!
//! One [`DocumentReader`] a format; what they share (limits, titles, tags) stands in [`read_bytes`]. A
//! file that holds a document a line is read by [`open`], as all others can be.
//! Nothing here knows of vectors, search or answers, and nothing here writes a file.

mod beir;
mod characters;
mod collection;
pub mod crops;
mod csv;
mod error;
pub mod extraction;
mod front_matter;
mod grid;
mod html;
mod json;
mod markdown;
mod metadata;
mod outline;
mod passages;
pub mod pdf;
mod pdf_reader;
mod plain;
mod reader;
mod sentences;
mod table_text;
mod tags;
mod xml;

pub use collection::{Documents, count, open};
pub use crops::named_by as crop_named_by;
pub use csv::CsvReader;
pub use error::DocumentError;
pub use html::HtmlReader;
pub use json::{JSON_VERSION, from_json, to_json};
pub use markdown::MarkdownReader;
pub use metadata::Metadata;
pub use passages::{Passage, PassageOptions, passages};
pub use pdf_reader::PdfReader;
pub use plain::PlainTextReader;
pub use reader::{
    Content, DocumentReader, MAX_DOCUMENT_BYTES, Source, is_supported, read_bytes, read_file,
    reader_for,
};
pub use sentences::sentences;
pub(crate) use tags::is_tags;
pub use tags::{Correction, FolderTags, Origin, Tag, Tags, named_places, topic_words};
pub use xml::XmlReader;

use serde::{Deserialize, Serialize};

use crate::types::Digest;

/// A file that was read: what it says, where it holds and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its name in the library: the path relative to the ingested folder, or the front matter's `id`.
    pub id: String,
    /// Title: of the front matter, else the first heading, else the file's name.
    pub title: String,
    /// Authors, as written.
    pub authors: Vec<String>,
    /// Where it holds and what it is about, each with where that is known from.
    pub tags: Tags,
    /// Date of the content, as written.
    pub date: Option<String>,
    /// Where the document comes from, as written.
    pub source: Option<String>,
    /// Licence of its text, as written.
    pub licence: Option<String>,
    /// Language tag, as written.
    pub language: Option<String>,
    /// Number of pages, where the format has them.
    pub pages: Option<u32>,
    /// Its sections in reading order; each has at least one block.
    pub sections: Vec<Section>,
    /// Its footnotes: what its facts rest on. They are shown, never searched.
    pub references: Vec<Reference>,
    /// SHA-256 of the file.
    pub digest: Digest,
}

/// A headed part of a document, without the parts under deeper headings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The headings over it, outermost first, without the document's title; empty before the first.
    pub headings: Vec<String>,
    /// Depth of its heading: 1 is the top, 0 is before the first heading.
    pub level: u8,
    /// What stands in it, in reading order.
    pub blocks: Vec<Block>,
}

impl Section {
    /// The nearest heading; empty before the first one.
    pub fn heading(&self) -> &str {
        self.headings.last().map_or("", String::as_str)
    }
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Page on which it begins, from 1, where the format has pages.
    pub page: Option<u32>,
    /// What it says.
    pub body: Body,
}

/// What a block says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Running text, on one line.
    Paragraph(String),
    /// The items of a list, nested ones in place; each on one line.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// What stands under a figure, with its number; on one line.
    Caption(String),
}

impl From<Body> for Block {
    /// A block of a format without pages.
    fn from(body: Body) -> Self {
        Block { page: None, body }
    }
}

/// A table; every row has as many cells as the header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The line that names the table, where there is one.
    pub caption: Option<String>,
    /// Column names.
    pub header: Vec<String>,
    /// Rows, top to bottom.
    pub rows: Vec<Vec<String>>,
}

/// A footnote of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The label in the file, for example `isu-planting`.
    pub label: String,
    /// Its text, on one line.
    pub text: String,
}

/// Puts runs of white space into one space and drops those at the ends.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text`, or its first `most` characters with an ellipsis.
fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
