//! Pieces to a document: title and front matter apart, headings nested, references kept out.

use std::collections::BTreeMap;

use super::body::{Usual, quarter};
use super::flow::{Content, Look, Piece};
use super::headings;
use super::references;
use crate::documents::{Block, Body, Reference, Section};

/// Deepest level of a heading.
const MAX_LEVEL: u8 = 6;

/// Words of a paragraph that can be an abstract without a heading.
const ABSTRACT_WORDS: usize = 60;

/// What the pieces say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Structure {
    pub title: Option<String>,
    /// The lines between the title and the text, for whoever looks for names.
    pub front: Vec<String>,
    pub sections: Vec<Section>,
    pub references: Vec<Reference>,
}

/// What a heading opens, as its words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Abstract,
    /// A part that articles have at the top level.
    Main,
    References,
    Other,
}

fn role(heading: &str) -> Role {
    let words: String = heading
        .trim_start_matches(|ch: char| ch.is_ascii_digit() || matches!(ch, '.' | ' ' | ')' | '|'))
        .trim_end_matches([':', '.'])
        .to_lowercase();
    match &*words {
        "abstract" | "summary" | "synopsis" | "résumé" | "resumen" | "resumo" => Role::Abstract,
        "references"
        | "literature cited"
        | "bibliography"
        | "works cited"
        | "literature"
        | "references cited"
        | "reference"
        | "cited literature"
        | "sources"
        | "referencias"
        | "références"
        | "bibliographie"
        | "literatur"
        | "references and notes"
        | "references and further reading"
        | "selected references" => Role::References,
        "introduction"
        | "background"
        | "methods"
        | "materials and methods"
        | "material and methods"
        | "methods and materials"
        | "results"
        | "discussion"
        | "results and discussion"
        | "conclusion"
        | "conclusions"
        | "acknowledgements"
        | "acknowledgments"
        | "acknowledgement"
        | "acknowledgment"
        | "experimental" => Role::Main,
        _ => Role::Other,
    }
}

/// What stands after an article's own text.
fn is_back(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    [
        "acknowledg",
        "funding",
        "conflict of interest",
        "conflicts of interest",
        "competing interest",
        "open access",
        "author contribution",
        "authors contribution",
        "authors’ contribution",
        "data availability",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
}

/// Builds the document.
pub(super) fn build(mut pieces: Vec<Piece>, usual: &Usual) -> Structure {
    let mut structure = Structure::default();
    take_title(&mut pieces, &mut structure, usual);
    take_byline(&mut pieces, &mut structure, usual);
    let is_article = pieces.iter().any(|piece| {
        matches!(&piece.kind, Content::Heading { text, .. }
            if matches!(role(text), Role::Abstract | Role::References))
    });
    let start = front_end(&pieces, is_article);
    let body = pieces.split_off(start);
    front(pieces, is_article, &mut structure);
    let levels = Levels::of(&body);
    Builder {
        structure: &mut structure,
        path: Vec::new(),
        levels,
        in_references: None,
        entries: Vec::new(),
        is_article,
        outside: None,
    }
    .run(body);
    structure
}

/// The largest heading of the first page is the title.
fn take_title(pieces: &mut Vec<Piece>, structure: &mut Structure, usual: &Usual) {
    let Some(page) = pieces.first().map(|piece| piece.page) else {
        return;
    };
    let best = pieces
        .iter()
        .enumerate()
        .take_while(|(_, piece)| piece.page == page)
        .filter_map(|(index, piece)| match &piece.kind {
            Content::Heading { text, look }
                if !look.run_in
                    && role(text) == Role::Other
                    && !is_label(text)
                    && text.chars().filter(|ch| ch.is_alphabetic()).count() >= 6 =>
            {
                Some((index, look.size, text.clone()))
            }
            _ => None,
        })
        // Of equal ones the first: a leaflet's chapters may be as large as its title.
        .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
    let Some((index, size, title)) = best else {
        return;
    };
    if size < quarter(1.1 * usual.size) && index > 2 {
        return;
    }
    structure.title = Some(title);
    let before: Vec<Piece> = pieces.drain(..=index).collect();
    // What stands over the title in the order of reading may be a column beside it.
    let keep = before.into_iter().filter(|piece| {
        !matches!(piece.kind, Content::Heading { .. } | Content::Note(_)) && piece.size > 0.0
    });
    let mut rest: Vec<Piece> = keep
        .filter(|piece| usual.is_size(piece.size) && words(piece) > 25)
        .collect();
    rest.append(pieces);
    *pieces = rest;
}

/// Names and numbers of the series stand alone under the title as headings do.
fn take_byline(pieces: &mut Vec<Piece>, structure: &mut Structure, usual: &Usual) {
    while let [
        Piece {
            kind: Content::Heading { text, look },
            ..
        },
        next,
        ..,
    ] = pieces.as_slice()
        && role(text) == Role::Other
    {
        let plain = !look.bold && !look.caps && look.size <= quarter(1.05 * usual.size);
        let before_heading = matches!(next.kind, Content::Heading { .. });
        let names =
            text.starts_with("By ") || text.contains([',', ';']) && super::front::is_names(text);
        if !(names && !look.caps || plain && before_heading) {
            break;
        }
        structure.front.push(text.clone());
        pieces.remove(0);
    }
}

/// What publishers print over titles.
fn is_label(text: &str) -> bool {
    matches!(
        &*text.to_lowercase(),
        "research article"
            | "original article"
            | "original research"
            | "review article"
            | "review"
            | "mini review"
            | "short communication"
            | "case report"
            | "open access"
            | "article"
            | "research"
            | "original paper"
            | "fact sheet"
            | "factsheet"
            | "technical note"
            | "extension bulletin"
            | "communication"
            | "letter"
            | "contents"
            | "table of contents"
            | "inhaltsverzeichnis"
            | "table des matières"
            | "contenido"
            | "índice"
            | "sommaire"
    )
}

fn words(piece: &Piece) -> usize {
    match &piece.kind {
        Content::Paragraph { text, .. } | Content::Item(text) => text.split(' ').count(),
        _ => 0,
    }
}

/// Where the text begins: in an article at its abstract or introduction, else at the first heading.
fn front_end(pieces: &[Piece], is_article: bool) -> usize {
    let page = pieces.first().map_or(1, |piece| piece.page);
    let headings: Vec<(usize, &str)> = pieces
        .iter()
        .enumerate()
        .take_while(|(_, piece)| piece.page <= page + 1)
        .filter_map(|(index, piece)| match &piece.kind {
            Content::Heading { text, look } if !look.run_in || begins_article(text) => {
                Some((index, text.as_str()))
            }
            _ => None,
        })
        .collect();
    let first = headings.first().map_or(0, |(index, _)| *index);
    let Some((begin, _)) = headings.iter().find(|(_, text)| begins_article(text)) else {
        return first;
    };
    // Headings with prose under them before it are no front matter.
    let with_prose = headings
        .iter()
        .take_while(|(index, _)| index < begin)
        .filter(|(index, _)| pieces.get(index + 1).is_some_and(|next| words(next) > 25))
        .count();
    if is_article && with_prose < 2 {
        *begin
    } else {
        first
    }
}

/// Whether an article's text begins with this heading.
fn begins_article(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    role(heading) == Role::Abstract
        || headings::depth(heading) == Some(1) && heading.starts_with('1')
        || lower.ends_with("introduction")
        || lower.ends_with("background")
}

/// What stands before the text: prose is kept, names and addresses are not part of any section.
fn front(pieces: Vec<Piece>, is_article: bool, structure: &mut Structure) {
    let mut blocks = Vec::new();
    for piece in pieces {
        let page = Some(piece.page);
        let prose = words(&piece);
        match piece.kind {
            Content::Heading { text, .. } => structure.front.push(text),
            Content::Paragraph { text, .. } | Content::Item(text) => {
                let least = if is_article { ABSTRACT_WORDS } else { 8 };
                if prose >= least && !is_formal(&text) {
                    blocks.push(Block {
                        page,
                        body: Body::Paragraph(text),
                    });
                } else {
                    structure.front.push(text);
                }
            }
            Content::Table(table) if !is_article => blocks.push(Block {
                page,
                body: Body::Table(table),
            }),
            Content::Caption(text) if !is_article => blocks.push(Block {
                page,
                body: Body::Caption(text),
            }),
            Content::Table(_) | Content::Caption(_) | Content::Note(_) => {}
        }
    }
    if !blocks.is_empty() {
        let (headings, level) = if is_article {
            (vec!["Abstract".to_owned()], 1)
        } else {
            (Vec::new(), 0)
        };
        structure.sections.push(Section {
            headings,
            level,
            blocks,
        });
    }
}

/// Addresses, dates of receipt, licences: about the paper, not of it.
fn is_formal(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "correspond",
        "e-mail",
        "email:",
        "received",
        "copyright",
        "creative commons",
        "©",
        "licen",
        "cite this",
        "citation:",
        "edited by",
        "reviewed by",
        "keywords",
        "key words",
        "academic editor",
        "department of",
        "doi:",
        "doi.org",
        "published online",
        "issn",
    ]
    .iter()
    .filter(|word| lower.contains(**word))
    .count()
        >= if text.split(' ').count() > 120 { 3 } else { 1 }
}

/// The level of each look.
struct Levels(BTreeMap<Look, u8>);

impl Levels {
    fn of(pieces: &[Piece]) -> Levels {
        let mut looks: Vec<(Look, bool)> = Vec::new();
        for piece in pieces {
            if let Content::Heading { text, look } = &piece.kind {
                let main = role(text) != Role::Other && !look.run_in;
                match looks.iter_mut().find(|(known, _)| known == look) {
                    Some(known) => known.1 |= main,
                    None => looks.push((*look, main)),
                }
            }
        }
        // The more it stands out, the higher it is; false sorts first.
        looks.sort_by_key(|(look, _)| {
            (
                look.run_in,
                -look.size,
                !look.bold,
                !look.caps,
                !look.upright,
                look.face.is_none(),
            )
        });
        // Alike but for the face: the one of the main parts first. The sort keeps the order of the rest.
        let alike = |look: &Look| Look {
            face: look.face.map(|_| 0),
            ..*look
        };
        for at in 1..looks.len() {
            let mut at = at;
            while at > 0
                && looks[at].1
                && !looks[at - 1].1
                && alike(&looks[at].0) == alike(&looks[at - 1].0)
            {
                looks.swap(at, at - 1);
                at -= 1;
            }
        }
        let main = looks.iter().rposition(|(look, main)| *main && !look.run_in);
        let mut levels = BTreeMap::new();
        for (index, (look, _)) in looks.iter().enumerate() {
            let level = match main {
                Some(main) if index <= main => 1,
                Some(main) => index - main + 1,
                None => index + 1,
            };
            levels.insert(*look, (level as u8).min(MAX_LEVEL));
        }
        Levels(levels)
    }

    fn level(&self, text: &str, look: &Look) -> u8 {
        if let Some(depth) = headings::depth(text) {
            return (depth as u8).min(MAX_LEVEL);
        }
        if role(text) != Role::Other && !look.run_in || is_back(text) {
            return 1;
        }
        self.0.get(look).copied().unwrap_or(1)
    }
}

struct Builder<'a> {
    structure: &'a mut Structure,
    /// Open headings with their levels.
    path: Vec<(u8, String)>,
    levels: Levels,
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
        let level = self
            .levels
            .level(&text, &look)
            .max((beside + 1).min(MAX_LEVEL));
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
            Content::Table(table) => Body::Table(table),
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
#[path = "structure_tests.rs"]
mod tests;
