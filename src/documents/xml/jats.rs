//! JATS articles (journal articles as PubMed Central and publishers give them out).

use std::collections::{HashMap, HashSet};

use roxmltree::{Node, NodeId};

use super::super::grid::{self, Cell, Row};
use super::super::outline::Outline;
use super::super::reader::Content;
use super::super::{Body, Reference};
use super::inline::Line;
use super::{attribute, below, caption, child, children, jats_front, references, words};

/// Elements that stand for themselves, also in the middle of a paragraph.
const BLOCKS: &[&str] = &[
    "list",
    "def-list",
    "table-wrap",
    "table-wrap-group",
    "table",
    "fig",
    "fig-group",
    "disp-quote",
    "boxed-text",
    "statement",
    "verse-group",
    "preformat",
    "sec",
    "p",
    "ref-list",
    "disp-formula-group",
    "supplementary-material",
    "array",
    "speech",
];

/// Elements that hold nothing to read.
const SILENT: &[&str] = &[
    "title",
    "label",
    "sec-meta",
    "graphic",
    "media",
    "object-id",
    "supplementary-material",
    "alt-text",
    "long-desc",
    "permissions",
    "kwd-group",
    "alternatives",
    "fn",
    "attrib",
];

pub(super) fn content(article: Node<'_, '_>) -> Content {
    let mut writer = Writer::default();
    for group in children(article, "floats-group") {
        let floats = group.children().filter(Node::is_element);
        writer
            .floats
            .extend(floats.filter_map(|float| Some((attribute(float, "id")?, float))));
    }
    if let Some(meta) = child(article, "front").and_then(|front| child(front, "article-meta")) {
        for part in children(meta, "abstract") {
            writer.headed(part, 1, Some("Abstract"));
        }
    }
    for body in children(article, "body") {
        writer.outline.leave(1);
        writer.parts(body, 0);
    }
    for back in children(article, "back") {
        writer.outline.leave(1);
        writer.back(back);
    }
    writer.outline.leave(1);
    for group in children(article, "floats-group") {
        for float in group.children().filter(Node::is_element) {
            writer.float(float);
        }
    }
    Content {
        metadata: jats_front::metadata(article),
        sections: writer.outline.finish(),
        references: writer.references,
    }
}

#[derive(Default)]
struct Writer<'a, 'i> {
    outline: Outline,
    references: Vec<Reference>,
    /// Figures and tables that stand apart, by id; each goes to where it is first named.
    floats: HashMap<&'a str, Node<'a, 'i>>,
    placed: HashSet<NodeId>,
}

impl<'a, 'i> Writer<'a, 'i> {
    /// A part with a heading of `level`: its title, else `name`; without either it goes on as before.
    fn headed(&mut self, node: Node<'a, 'i>, level: u8, name: Option<&str>) {
        let title = child(node, "title").or_else(|| child(child(node, "caption")?, "title"));
        let title = title.map(Line::of).filter(|title| !title.is_empty());
        match title.as_deref().or(name) {
            Some(title) => {
                self.outline.heading(level, title);
                self.parts(node, level);
            }
            None => self.parts(node, level.saturating_sub(1)),
        }
    }

    /// The children of `node`, under a heading of `level`.
    fn parts(&mut self, node: Node<'a, 'i>, level: u8) {
        for part in node.children().filter(Node::is_element) {
            self.part(part, level);
        }
    }

    fn part(&mut self, node: Node<'a, 'i>, level: u8) {
        match node.tag_name().name() {
            name if SILENT.contains(&name) => {}
            "sec" => {
                self.outline.leave(level.saturating_add(1));
                self.headed(node, level.saturating_add(1), None);
            }
            "boxed-text" | "statement" => {
                self.headed(node, level.saturating_add(1), None);
                self.outline.leave(level.saturating_add(1));
            }
            "p" => self.paragraph(node, level),
            "list" => {
                let items = self.items(node, level);
                self.list(items);
            }
            "def-list" => self.list(definitions(node)),
            "table-wrap" => self.table(node),
            "table" | "array" => self.table(node),
            "fig" => self.figure(node),
            "caption" => {}
            "ref-list" => self.bibliography(node),
            "fn-group" => children(node, "fn").for_each(|note| self.parts(note, level)),
            "preformat" | "code" | "verse-group" | "disp-formula" => self.text(Line::of(node)),
            _ if node.children().any(|part| is_block(part)) => self.parts(node, level),
            _ => self.text(Line::of(node)),
        }
    }

    /// Text with lists, tables and figures in it, each in its place.
    fn paragraph(&mut self, node: Node<'a, 'i>, level: u8) {
        let mut line = Line::default();
        for part in node.children() {
            if is_block(part) {
                self.text(line.take());
                self.part(part, level);
            } else {
                line.push(part);
            }
        }
        self.text(line.take());
        for mark in below(node, "xref") {
            let ids = attribute(mark, "rid").unwrap_or_default();
            for id in ids.split_whitespace() {
                if let Some(float) = self.floats.get(id).copied() {
                    self.float(float);
                }
            }
        }
    }

    fn text(&mut self, text: String) {
        if !text.is_empty() {
            self.outline.push(Body::Paragraph(text));
        }
    }

    fn list(&mut self, items: Vec<String>) {
        if !items.is_empty() {
            self.outline.push(Body::List(items));
        }
    }

    /// The items of a list, those of lists in it in their place; tables in it follow where it began.
    fn items(&mut self, node: Node<'a, 'i>, level: u8) -> Vec<String> {
        let mut items = Vec::new();
        for item in children(node, "list-item") {
            let mut line = Line::default();
            let mut pending = vec![item];
            let mut inner = Vec::new();
            while let Some(part) = pending.pop() {
                for part in part.children() {
                    match part.tag_name().name() {
                        "list" => inner.extend(self.items(part, level)),
                        "def-list" => inner.extend(definitions(part)),
                        "p" if part.children().any(is_block) => pending.push(part),
                        "label" => {}
                        _ if part.is_element()
                            && is_block(part)
                            && part.tag_name().name() != "p" =>
                        {
                            self.part(part, level);
                        }
                        _ => line.push(part),
                    }
                }
            }
            let text = line.finish();
            if !text.is_empty() {
                items.push(text);
            }
            items.append(&mut inner);
        }
        items
    }

    fn float(&mut self, node: Node<'a, 'i>) {
        if self.placed.insert(node.id()) {
            self.part(node, 0);
        }
    }

    fn figure(&mut self, node: Node<'a, 'i>) {
        if let Some(caption) = captioned(node) {
            self.outline.push(Body::Caption(caption));
        }
    }

    fn table(&mut self, node: Node<'a, 'i>) {
        let caption = captioned(node);
        let mut tables: Vec<Node<'_, '_>> = below(node, "table").collect();
        if matches!(node.tag_name().name(), "table" | "array") {
            tables.push(node);
        }
        let found: Vec<_> = tables
            .into_iter()
            .filter_map(|table| grid::table(caption.clone(), &rows(table)))
            .collect();
        match (found.is_empty(), caption) {
            // A picture of a table: its caption is all that can be read.
            (true, Some(caption)) => self.outline.push(Body::Caption(caption)),
            _ => found
                .into_iter()
                .for_each(|table| self.outline.push(Body::Table(table))),
        }
        for foot in children(node, "table-wrap-foot") {
            self.text(Line::of_notes(foot));
        }
    }

    fn bibliography(&mut self, node: Node<'_, '_>) {
        let found = below(node, "ref").filter_map(references::of_jats);
        self.references.extend(found);
    }

    fn back(&mut self, node: Node<'a, 'i>) {
        for part in node.children().filter(Node::is_element) {
            let name = match part.tag_name().name() {
                "ref-list" => {
                    self.bibliography(part);
                    continue;
                }
                "ack" => Some("Acknowledgements"),
                "glossary" => Some("Glossary"),
                "fn-group" | "notes" => Some("Notes"),
                "app-group" => {
                    let appendices = children(part, "app");
                    appendices.for_each(|appendix| self.headed(appendix, 1, Some("Appendix")));
                    continue;
                }
                "sec" | "app" => None,
                _ => continue,
            };
            self.outline.leave(1);
            if part.tag_name().name() == "fn-group" {
                self.outline.heading(1, name.unwrap_or_default());
                self.part(part, 1);
            } else {
                self.headed(part, 1, name);
            }
        }
    }
}

impl Line {
    /// The notes under a table.
    fn of_notes(node: Node<'_, '_>) -> String {
        let notes = node
            .descendants()
            .filter(|part| part.tag_name().name() == "p");
        let notes: Vec<String> = notes
            .map(Line::of)
            .filter(|note| !note.is_empty())
            .collect();
        notes.join(" ")
    }
}

fn is_block(node: Node<'_, '_>) -> bool {
    node.is_element() && BLOCKS.contains(&node.tag_name().name())
}

fn captioned(node: Node<'_, '_>) -> Option<String> {
    let label = child(node, "label").and_then(words);
    let text = child(node, "caption").map(Line::of).unwrap_or_default();
    caption(label, &text)
}

fn definitions(node: Node<'_, '_>) -> Vec<String> {
    let line = |item: Node<'_, '_>| {
        let term = child(item, "term").map(Line::of)?;
        let meaning = child(item, "def").map(Line::of).unwrap_or_default();
        Some(format!("{term}: {meaning}"))
    };
    children(node, "def-item").filter_map(line).collect()
}

fn rows(table: Node<'_, '_>) -> Vec<Row> {
    let rows = below(table, "tr");
    rows.map(|row| Row {
        cells: row
            .children()
            .filter(|cell| matches!(cell.tag_name().name(), "td" | "th"))
            .map(|cell| Cell {
                text: Line::of(cell),
                columns: span(cell, "colspan"),
                rows: span(cell, "rowspan"),
                is_header: cell.tag_name().name() == "th",
            })
            .collect(),
        in_head: row
            .parent()
            .is_some_and(|parent| parent.tag_name().name() == "thead"),
    })
    .collect()
}

fn span(cell: Node<'_, '_>, name: &str) -> usize {
    attribute(cell, name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}
