//! Pieces to a document: title and front matter apart, headings nested, references kept out.

mod front;
mod levels;
mod roles;

use super::body::Usual;
use super::flow::{Content, Look, Piece};
use super::references;
use super::table_cells::append;
use front::{front, front_end, take_byline, take_title};
use levels::Levels;
use roles::{Role, is_back, is_formal, role};

use crate::documents::{Block, Body, Reference, Section, Table};

/// Deepest level of a heading.
const MAX_LEVEL: u8 = 6;

/// What the pieces say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Structure {
    pub title: Option<String>,
    /// The lines between the title and the text, for whoever looks for names.
    pub front: Vec<String>,
    pub sections: Vec<Section>,
    pub references: Vec<Reference>,
}

/// Whether a heading opens the list of sources, as its words tell.
pub(super) fn is_references(heading: &str) -> bool {
    role(heading) == Role::References
}

/// Builds the document.
pub(super) fn build(mut pieces: Vec<Piece>, usual: &Usual) -> Structure {
    let mut structure = Structure::default();
    take_title(&mut pieces, &mut structure, usual);
    take_byline(&mut pieces, &mut structure, usual);
    let has = |role_of: Role| {
        pieces.iter().any(
            |piece| matches!(&piece.kind, Content::Heading { text, .. } if role(text) == role_of),
        )
    };
    // A leaflet names its sources, too.
    let is_article = has(Role::Abstract) || has(Role::References) && has(Role::Main);
    let start = front_end(&pieces, is_article);
    let body = pieces.split_off(start);
    front(pieces, is_article, &mut structure);
    let levels = Levels::of(&body, usual);
    Builder {
        structure: &mut structure,
        path: Vec::new(),
        back: None,
        levels,
        in_references: None,
        entries: Vec::new(),
        is_article,
        outside: None,
    }
    .run(body);
    structure
}

struct Builder<'a> {
    structure: &'a mut Structure,
    /// Open headings with their levels.
    path: Vec<(u8, String)>,
    levels: Levels,
    /// Look of the last heading of the first level, where it stands after the text.
    back: Option<Look>,
    /// Level of the heading of the references, while they last.
    in_references: Option<u8>,
    entries: Vec<references::Line>,
    is_article: bool,
    /// The headings that hold again when the box is left; `None` outside of boxes.
    outside: Option<Vec<(u8, String)>>,
}

impl Builder<'_> {
    fn run(mut self, pieces: Vec<Piece>) {
        // Where boxes hold much of the text, they are no asides.
        let boxed = pieces.iter().filter(|piece| piece.boxed).count();
        let asides = boxed * 3 < pieces.len();
        for piece in pieces {
            if asides && self.in_references.is_none() {
                self.cross_border(&piece);
            }
            match piece.kind {
                Content::Heading { text, look } => self.heading(text, look),
                kind if self.in_references.is_some() => self.reference(piece.page, kind),
                kind => self.block(piece.page, kind),
            }
        }
        self.end_references();
        self.structure
            .sections
            .retain(|section| !section.blocks.is_empty());
    }

    /// Puts the headings back when a box ends, so that nothing hangs under an aside's heading.
    fn cross_border(&mut self, piece: &Piece) {
        match (piece.boxed, self.outside.take()) {
            (true, None) => self.outside = Some(self.path.clone()),
            (true, outside) => self.outside = outside,
            (false, Some(path)) if path != self.path => {
                self.path = path;
                self.open();
            }
            (false, _) => {}
        }
    }

    /// Begins a section under the current headings.
    fn open(&mut self) {
        self.structure.sections.push(Section {
            headings: self.path.iter().map(|(_, text)| text.clone()).collect(),
            level: self.path.len() as u8,
            blocks: Vec::new(),
        });
    }

    fn heading(&mut self, text: String, look: Look) {
        // An aside stands under the section that it stands beside.
        let beside = self
            .outside
            .as_ref()
            .and_then(|path| path.last())
            .map_or(0, |(level, _)| *level);
        let mut level = self
            .levels
            .level(&text, &look)
            .max((beside + 1).min(MAX_LEVEL));
        match self.back {
            Some(open) if self.levels.is_under(&text, &look, &open) => level = level.max(2),
            _ if level == 1 => self.back = is_back(&text).then_some(look),
            _ => {}
        }
        let role = role(&text);
        if let Some(open) = self.in_references {
            // A line in bold inside an entry is no section; another heading of its rank is.
            if level > open || look.run_in {
                self.entries.push(references::Line::of_text(&text));
                return;
            }
            self.end_references();
        }
        if role == Role::References && !look.run_in {
            self.in_references = Some(level);
            return;
        }
        while self.path.last().is_some_and(|(open, _)| *open >= level) {
            self.path.pop();
        }
        self.path.push((level, text));
        self.open();
    }

    fn reference(&mut self, page: u32, kind: Content) {
        match kind {
            Content::Paragraph { lines, .. } => {
                self.entries.extend(lines.iter().map(references::Line::of));
            }
            Content::Item(text) => self.entries.push(references::Line::of_text(&text)),
            Content::Heading { .. } | Content::Note(_) => {}
            kind @ (Content::Table(_) | Content::Caption(_)) => self.block(page, kind),
        }
    }

    fn end_references(&mut self) {
        if self.in_references.take().is_some() {
            let entries = std::mem::take(&mut self.entries);
            self.structure
                .references
                .extend(references::entries(&entries));
        }
    }

    fn block(&mut self, page: u32, kind: Content) {
        let body = match kind {
            Content::Paragraph { text, .. } => {
                if self.is_front_line(&text) {
                    return;
                }
                Body::Paragraph(text)
            }
            Content::Item(text) => {
                if let Some(Block {
                    body: Body::List(items),
                    page: Some(on),
                }) = self.open_section().blocks.last_mut()
                    && *on == page
                {
                    items.push(text);
                    return;
                }
                Body::List(vec![text])
            }
            Content::Table(table) => {
                let Some(table) = self.continued(page, table) else {
                    return;
                };
                Body::Table(table)
            }
            Content::Caption(text) => Body::Caption(text),
            Content::Note(text) => {
                if page > 1 && !text.is_empty() {
                    let (label, text) = references::note(&text);
                    self.structure.references.push(Reference { label, text });
                }
                return;
            }
            Content::Heading { .. } => return,
        };
        self.open_section().blocks.push(Block {
            page: Some(page),
            body,
        });
    }

    /// Adds the rows of a table that goes on overleaf under the same head; gives other tables back.
    fn continued(&mut self, page: u32, table: Table) -> Option<Table> {
        let last = self.structure.sections.last_mut();
        if let Some(Block {
            body: Body::Table(before),
            page: Some(on),
        }) = last.and_then(|section| section.blocks.last_mut())
            && *on < page
            && table.caption.is_none()
            && before.header == table.header
        {
            let mut rows = table.rows.into_iter().peekable();
            // A row that the page's end cuts goes on without its first cell.
            let is_cut = |row: &Vec<String>| row.first().is_some_and(String::is_empty);
            if let (Some(last), Some(rest)) = (before.rows.last_mut(), rows.next_if(is_cut)) {
                append(last, &rest);
            }
            before.rows.extend(rows);
            return None;
        }
        Some(table)
    }

    /// Keywords and addresses that stand after the abstract.
    fn is_front_line(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let keywords = [
            "keywords",
            "key words",
            "index terms",
            "palabras clave",
            "mots-clés",
            "mots clés",
        ];
        keywords.iter().any(|word| lower.starts_with(word))
            || self.is_article
                && self
                    .path
                    .first()
                    .is_none_or(|(_, text)| role(text) == Role::Abstract)
                && is_formal(text)
    }

    fn open_section(&mut self) -> &mut Section {
        let is_open = self.structure.sections.last().is_some_and(|section| {
            section.headings.len() == self.path.len() || !self.path.is_empty()
        });
        if !is_open {
            self.open();
        }
        let last = self.structure.sections.len() - 1;
        &mut self.structure.sections[last]
    }
}

#[cfg(test)]
#[path = "../structure_tests.rs"]
mod tests;
