//! Files that tell themselves what each of their texts is: headings, paragraphs, items, cells.
//!
//! Browsers write such tags into what they print. `tree` reads them, `texts` puts the glyphs to them. They are
//! believed where one title stands over nested headings and next to all of the text is tagged; the tags of
//! typesetters, which often name only the look of things, fail this, and such a file is read by what it shows.

mod place;
mod texts;
mod tree;

use hayro_syntax::Pdf;

use super::content::Interpreter;
use super::structure::{Structure, is_references};
use crate::documents::grid;
use crate::documents::outline::Outline;
use crate::documents::{Block, Body, Reference};
use texts::{Text, Texts};
use tree::{Part, Row, Tags};

/// Reads the document by its tags; `None` where it has none that can be believed.
pub(super) fn read<'a>(pdf: &'a Pdf, interpreter: &mut Interpreter<'a>) -> Option<Structure> {
    let tags = Tags::of(pdf)?;
    if !has_one_title(&tags.parts) {
        return None;
    }
    let mut texts = Texts::new(&tags);
    for (number, page) in pdf.pages().iter().enumerate() {
        texts.add(number as u32 + 1, &interpreter.page(page), &tags);
    }
    if !texts.are_complete() {
        return None;
    }
    let mut builder = Builder {
        texts: texts.finish(),
        structure: Structure::default(),
        outline: Outline::default(),
        is_headed: false,
        in_references: None,
    };
    for part in tags.parts {
        builder.part(part);
    }
    let mut structure = builder.structure;
    structure.sections = builder.outline.finish();
    for section in &mut structure.sections {
        section.level = u8::try_from(section.headings.len()).unwrap_or(u8::MAX);
    }
    (structure.title.is_some() && !structure.sections.is_empty()).then_some(structure)
}

/// Whether the first heading is the only one of the first level, and others are under it.
fn has_one_title(parts: &[Part]) -> bool {
    let mut levels = parts.iter().filter_map(|part| match part {
        Part::Heading(level, _) => Some(*level),
        _ => None,
    });
    let first = levels.next();
    let rest: Vec<u8> = levels.collect();
    first == Some(1) && !rest.is_empty() && rest.iter().all(|level| *level > 1)
}

struct Builder {
    texts: Vec<Text>,
    structure: Structure,
    outline: Outline,
    /// A heading stood under the title.
    is_headed: bool,
    /// Level of the heading of the references, while they last.
    in_references: Option<u8>,
}

impl Builder {
    fn part(&mut self, part: Part) {
        match part {
            Part::Heading(level, text) => self.heading(level, text),
            Part::Paragraph(text) => {
                let Text { page, text, .. } = self.take(text);
                if !self.is_headed && self.structure.front.len() < 6 {
                    self.structure.front.push(text.clone());
                }
                self.running(page, vec![text], |mut texts| {
                    Body::Paragraph(texts.pop().unwrap_or_default())
                });
            }
            Part::List(items) => {
                let items: Vec<Text> = items.into_iter().map(|item| self.take(item)).collect();
                let page = items.iter().find_map(|item| item.page);
                let texts = items.into_iter().map(|item| item.text).collect();
                self.running(page, texts, Body::List);
            }
            Part::Caption(text) => {
                let Text { page, text, .. } = self.take(text);
                if !text.is_empty() {
                    let body = Body::Caption(text);
                    self.outline.push(Block { page, body });
                }
            }
            Part::Table { caption, rows } => self.table(caption, rows),
        }
    }

    fn take(&mut self, text: usize) -> Text {
        let text = self.texts.get_mut(text);
        text.map(std::mem::take).unwrap_or_default()
    }

    fn heading(&mut self, level: u8, text: usize) {
        let text = self.take(text).text;
        if level == 1 {
            self.structure.title = (!text.is_empty()).then_some(text);
            return;
        }
        if text.is_empty() || self.in_references.is_some_and(|open| level > open) {
            return;
        }
        self.is_headed = true;
        self.in_references = is_references(&text).then_some(level);
        self.outline.heading(level - 1, &text);
    }

    /// Adds a block of running text, or as many sources.
    fn running(
        &mut self,
        page: Option<u32>,
        mut texts: Vec<String>,
        body: fn(Vec<String>) -> Body,
    ) {
        texts.retain(|text| !text.is_empty());
        if self.in_references.is_some() {
            for text in texts {
                let label = (self.structure.references.len() + 1).to_string();
                self.structure.references.push(Reference { label, text });
            }
        } else if !texts.is_empty() {
            let body = body(texts);
            self.outline.push(Block { page, body });
        }
    }

    fn table(&mut self, caption: Vec<usize>, rows: Vec<Row>) {
        let mut page = None;
        let mut named: Vec<String> = Vec::new();
        for part in caption {
            let part = self.take(part);
            page = page.or(part.page);
            named.push(part.text);
        }
        named.retain(|text| !text.is_empty());
        let mut lines = Vec::new();
        for row in rows {
            let repeats = |text: &usize| self.texts.get(*text).is_some_and(|text| text.repeats);
            let in_head = row.in_head || row.cells.iter().any(|cell| repeats(&cell.text));
            let mut cells = Vec::new();
            let mut places = Vec::new();
            for cell in row.cells {
                let text = self.take(cell.text);
                page = page.or(text.page);
                places.push(text.place);
                cells.push(grid::Cell {
                    text: text.text,
                    columns: cell.columns,
                    rows: cell.rows,
                    is_header: cell.is_header,
                });
            }
            lines.push((grid::Row { cells, in_head }, places));
        }
        let caption = (!named.is_empty()).then(|| named.join(" "));
        if let Some(table) = grid::table(caption, &place::filled(lines)) {
            let body = Body::Table(table);
            self.outline.push(Block { page, body });
        }
    }
}
