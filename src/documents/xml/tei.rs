//! TEI files as GROBID writes them, and plainer ones.

use std::collections::{HashMap, HashSet};

use roxmltree::{Node, NodeId};

use super::super::grid::{self, Cell, Row};
use super::super::outline::Outline;
use super::super::reader::Content;
use super::super::{Block, Body, Reference};
use super::inline::Line;
use super::{at, attribute, below, caption, child, children, references, tei_header, words};

/// Elements that stand for themselves, also in the middle of a paragraph.
const BLOCKS: &[&str] = &[
    "p", "div", "list", "figure", "table", "listBibl", "quote", "note", "ab", "lg",
];

pub(super) fn content(root: Node<'_, '_>) -> Content {
    let mut writer = Writer {
        outline: Outline::default(),
        references: Vec::new(),
        pages: Pages::of(root),
        floats: HashMap::new(),
        placed: HashSet::new(),
    };
    let text = child(root, "text");
    let floats = text.into_iter().flat_map(|text| below(text, "figure"));
    writer.floats = floats
        .filter_map(|float| Some((attribute(float, "id")?, float)))
        .collect();
    if let Some(part) = at(root, &["teiHeader", "profileDesc", "abstract"]) {
        writer.outline.heading(1, "Abstract");
        writer.parts(part, 1);
    }
    for name in ["front", "body", "back"] {
        if let Some(part) = text.and_then(|text| child(text, name)) {
            writer.outline.leave(1);
            writer.parts(part, 0);
        }
    }
    writer.outline.leave(1);
    for float in text.into_iter().flat_map(|text| below(text, "figure")) {
        writer.float(float);
    }
    Content {
        metadata: tei_header::metadata(root),
        sections: writer.outline.finish(),
        references: writer.references,
    }
}

struct Writer<'a, 'i> {
    outline: Outline,
    references: Vec<Reference>,
    pages: Pages,
    /// Figures and tables by id: GROBID puts them at the end, they go to where they are first named.
    floats: HashMap<&'a str, Node<'a, 'i>>,
    placed: HashSet<NodeId>,
}

impl<'a, 'i> Writer<'a, 'i> {
    fn parts(&mut self, node: Node<'a, 'i>, level: u8) {
        for part in node.children().filter(Node::is_element) {
            self.part(part, level);
        }
    }

    fn part(&mut self, node: Node<'a, 'i>, level: u8) {
        match node.tag_name().name() {
            "div" => self.division(node, level),
            "head" | "facsimile" | "fw" | "pb" => {}
            "p" | "ab" => self.paragraph(node, level),
            "list" => self.list(node),
            "figure" | "table" => {
                // One that is named in the text stands where it is named; the rest comes at the end.
                if attribute(node, "id").is_none() {
                    self.float(node);
                }
            }
            "note" => self.note(node, level),
            "listBibl" => {
                let entries = node.children().filter(Node::is_element);
                self.references
                    .extend(entries.filter_map(references::of_tei));
            }
            "formula" => self.push(node, Body::Paragraph(Line::of(node))),
            _ if node.children().any(is_block) => self.parts(node, level),
            _ => self.push(node, Body::Paragraph(Line::of(node))),
        }
    }

    /// GROBID's divisions lie side by side; the numbers of their heads tell how deep they are.
    fn division(&mut self, node: Node<'a, 'i>, level: u8) {
        let Some(head) = child(node, "head").filter(|head| words(*head).is_some()) else {
            return self.parts(node, level);
        };
        let numbered = attribute(head, "n").map_or(0, |number| {
            let parts = number.split('.').filter(|part| !part.trim().is_empty());
            u8::try_from(parts.count()).unwrap_or(u8::MAX)
        });
        let level = level.saturating_add(1).max(numbered);
        self.outline.heading(level, &Line::of(head));
        self.parts(node, level);
    }

    fn paragraph(&mut self, node: Node<'a, 'i>, level: u8) {
        let mut line = Line::default();
        for part in node.children() {
            if is_block(part) {
                self.push(node, Body::Paragraph(line.take()));
                self.part(part, level);
            } else {
                line.push(part);
            }
        }
        self.push(node, Body::Paragraph(line.take()));
        for mark in below(node, "ref") {
            let target = attribute(mark, "target").unwrap_or_default();
            if let Some(float) = self.floats.get(target.trim_start_matches('#')).copied() {
                self.float(float);
            }
        }
    }

    /// Footnotes are kept as references, as in all formats; other notes are text.
    fn note(&mut self, node: Node<'a, 'i>, level: u8) {
        if attribute(node, "place").is_none_or(|place| place != "foot") {
            return self.paragraph(node, level);
        }
        let label = attribute(node, "n").or_else(|| attribute(node, "id"));
        if let Some(text) = words(node) {
            self.references.push(Reference {
                label: label.unwrap_or_default().to_owned(),
                text,
            });
        }
    }

    fn list(&mut self, node: Node<'_, '_>) {
        let items = below(node, "item").map(|item| {
            let mut line = Line::default();
            let own = item
                .children()
                .filter(|part| part.tag_name().name() != "list");
            own.for_each(|part| line.push(part));
            line.finish()
        });
        let items: Vec<String> = items.filter(|item| !item.is_empty()).collect();
        if !items.is_empty() {
            self.push(node, Body::List(items));
        }
    }

    fn float(&mut self, node: Node<'a, 'i>) {
        if !self.placed.insert(node.id()) {
            return;
        }
        let head = child(node, "head").and_then(words);
        let label = child(node, "label").and_then(words);
        let description = child(node, "figDesc").map(Line::of).unwrap_or_default();
        let name = head.or_else(|| label.map(|label| format!("Figure {label}")));
        let caption = caption(name, &description);
        let tables =
            below(node, "table").chain((node.tag_name().name() == "table").then_some(node));
        let tables: Vec<_> = tables
            .filter_map(|table| grid::table(caption.clone(), &rows(table)))
            .collect();
        let is_picture = tables.is_empty();
        for table in tables {
            self.push(node, Body::Table(table));
        }
        if let Some(caption) = caption.filter(|_| is_picture) {
            self.push(node, Body::Caption(caption));
        }
        for note in children(node, "note") {
            self.push(note, Body::Paragraph(Line::of(note)));
        }
    }

    fn push(&mut self, node: Node<'_, '_>, body: Body) {
        if matches!(&body, Body::Paragraph(text) if text.is_empty()) {
            return;
        }
        let page = self.pages.of_node(node);
        self.outline.push(Block { page, body });
    }
}

fn is_block(node: Node<'_, '_>) -> bool {
    node.is_element() && BLOCKS.contains(&node.tag_name().name())
}

fn rows(table: Node<'_, '_>) -> Vec<Row> {
    let row = |row: Node<'_, '_>| {
        let is_label = attribute(row, "role") == Some("label");
        Row {
            cells: children(row, "cell")
                .map(|cell| Cell {
                    text: Line::of(cell),
                    columns: span(cell, "cols"),
                    rows: span(cell, "rows"),
                    is_header: is_label || attribute(cell, "role") == Some("label"),
                })
                .collect(),
            in_head: is_label,
        }
    };
    below(table, "row").map(row).collect()
}

fn span(cell: Node<'_, '_>, name: &str) -> usize {
    attribute(cell, name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

/// Where pages begin, as far as `coords` and `pb` tell.
struct Pages {
    /// Numbers of elements of the running text with their page, in document order.
    known: Vec<(u32, u32)>,
}

impl Pages {
    fn of(root: Node<'_, '_>) -> Self {
        let body = child(root, "text")
            .into_iter()
            .flat_map(|text| text.descendants());
        let floats = |node: &Node<'_, '_>| {
            let mut over = node.ancestors();
            over.any(|node| matches!(node.tag_name().name(), "figure" | "note" | "listBibl"))
        };
        let known = body
            .filter(Node::is_element)
            .filter_map(|node| Some((node, page(node)?)))
            .filter(|(node, _)| !floats(node))
            .map(|(node, page)| (node.id().get(), page));
        Pages {
            known: known.collect(),
        }
    }

    /// The page on which `node` begins: its own, else the one that stands before it and in it.
    ///
    /// Where the text before it ends on another page than the first mark in it, its first words may
    /// stand on either: no page is better than a wrong one.
    fn of_node(&self, node: Node<'_, '_>) -> Option<u32> {
        let first = || {
            node.first_element_child()
                .filter(|part| part.tag_name().name() == "s")
        };
        if let Some(page) = page(node).or_else(|| page(first()?)) {
            return Some(page);
        }
        let after = self.known.partition_point(|(id, _)| *id < node.id().get());
        let before = after.checked_sub(1).and_then(|index| self.known.get(index));
        match (before, self.known.get(after)) {
            (Some((_, before)), Some((_, after))) => (before == after).then_some(*before),
            _ => None,
        }
    }
}

/// The first page of `coords="5,62.70,289.74,..."`, or the number of a page break.
fn page(node: Node<'_, '_>) -> Option<u32> {
    let text = match node.tag_name().name() {
        "pb" => attribute(node, "n")?,
        _ => attribute(node, "coords")?.split(',').next()?,
    };
    text.trim().parse().ok().filter(|page| *page > 0)
}
