//! HTML pages: what a reader came for, without what every page of a site has.

mod meta;
mod tree;

use std::collections::HashSet;

use super::grid::{self, Cell, Row};
use super::outline::Outline;
use super::reader::{Content, Source};
use super::{Body, DocumentError, DocumentReader, Reference, one_line};
use tree::{Child, Element, Tree};

/// Elements that are no part of the text.
const SILENT: &[&str] = &[
    "aside",
    "audio",
    "button",
    "canvas",
    "datalist",
    "dialog",
    "embed",
    "footer",
    "form",
    "head",
    "iframe",
    "img",
    "input",
    "link",
    "math-field",
    "menu",
    "meta",
    "nav",
    "noscript",
    "object",
    "script",
    "select",
    "source",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "track",
    "video",
];

/// Roles and class names of what surrounds the text on every page of a site.
const SURROUNDINGS: &[&str] = &[
    "navigation",
    "banner",
    "contentinfo",
    "search",
    "complementary",
    "menu",
    "menubar",
    "toolbar",
    "breadcrumb",
    "breadcrumbs",
    "navbar",
    "sidebar",
    "cookie-banner",
    "share-buttons",
    "skip-link",
    "site-header",
    "site-footer",
    "mw-editsection",
    "noprint",
];

/// Roles and class names of lists of sources.
const REFERENCES: &[&str] = &[
    "references",
    "reflist",
    "bibliography",
    "footnotes",
    "endnotes",
    "doc-endnotes",
    "doc-bibliography",
    "doc-footnote",
];

/// Elements that stand for themselves.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Reads `.html` and `.htm` files.
///
/// The text is the `main` element, else the only `article`, else the body; navigation, asides, footers,
/// forms and scripts are left out. Metadata come from `meta` elements (Dublin Core, Highwire's
/// `citation_`, Open Graph) and, for tags, `almanac:place` (`US/Iowa`), `almanac:crop`, `almanac:topic`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HtmlReader;

impl DocumentReader for HtmlReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["html", "htm"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        Ok(content(source.text()?))
    }
}

/// The content of the page `text`; any text is some page.
pub(super) fn content(text: &str) -> Content {
    let tree = Tree::read(text);
    let root = main_part(&tree);
    let mut writer = Writer {
        tree: &tree,
        outline: Outline::default(),
        references: Vec::new(),
        text: String::new(),
        tops: Vec::new(),
    };
    writer.children(root);
    writer.end_paragraph();
    let heading = match writer.tops.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    Content {
        metadata: meta::metadata(&tree, heading),
        sections: writer.outline.finish(),
        references: writer.references,
    }
}

fn main_part(tree: &Tree) -> usize {
    let is_main = |element: &Element| element.name == "main" || element.has("role", &["main"]);
    let found = |test: &dyn Fn(&Element) -> bool| -> Vec<usize> {
        let all = tree.elements().filter(|(_, element)| test(element));
        all.map(|(index, _)| index).collect()
    };
    if let Some(main) = found(&is_main).first() {
        return *main;
    }
    match found(&|element| element.name == "article").as_slice() {
        [only] => *only,
        _ => 0,
    }
}

/// All text in the element `index`.
fn text_of(tree: &Tree, index: usize) -> String {
    let mut out = String::new();
    add_text(tree, index, &mut out);
    out
}

fn add_text(tree: &Tree, index: usize, out: &mut String) {
    for child in &tree.element(index).children {
        match child {
            Child::Text(text) => out.push_str(text),
            Child::Element(inner) => {
                let element = tree.element(*inner);
                if is_silent(element) || is_mark(tree, *inner) {
                    continue;
                }
                let parts = element.name == "br" || BLOCKS.contains(&element.name.as_str());
                if parts {
                    out.push(' ');
                }
                raise(tree, element, *inner, out);
                if parts {
                    out.push(' ');
                }
            }
        }
    }
}

/// Adds the text of an inline element; `10<sup>3</sup>` must not become 103.
fn raise(tree: &Tree, element: &Element, index: usize, out: &mut String) {
    let start = out.len();
    let after_digit = out.ends_with(|c: char| c.is_ascii_digit());
    add_text(tree, index, out);
    let is_number = |text: &str| {
        text.contains(|c: char| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || "-−–+.".contains(c))
    };
    if element.name == "sup" && after_digit && is_number(&out[start..]) {
        out.insert(start, '^');
    }
}

fn is_silent(element: &Element) -> bool {
    let is_hidden =
        element.attribute("hidden").is_some() || element.attribute("aria-hidden") == Some("true");
    SILENT.contains(&element.name.as_str())
        || is_hidden
        || element.has("role", SURROUNDINGS)
        || element.has("class", SURROUNDINGS)
}

/// Whether the element is a mark that points to a note: a raised link within the page, in brackets or not.
fn is_mark(tree: &Tree, index: usize) -> bool {
    let element = tree.element(index);
    if element.has("role", &["doc-noteref"]) {
        return true;
    }
    if element.name != "sup" {
        return false;
    }
    tree.below(index).into_iter().any(|inner| {
        let link = tree.element(inner);
        link.name == "a"
            && link
                .attribute("href")
                .is_some_and(|href| href.starts_with('#'))
    })
}

struct Writer<'a> {
    tree: &'a Tree,
    outline: Outline,
    references: Vec<Reference>,
    /// Text that stands in no element of its own so far.
    text: String,
    /// Headings of the first level.
    tops: Vec<String>,
}

impl Writer<'_> {
    fn children(&mut self, index: usize) {
        let tree = self.tree;
        for child in &tree.element(index).children {
            match child {
                Child::Text(text) => self.text.push_str(text),
                Child::Element(inner) => self.element(*inner),
            }
        }
    }

    fn element(&mut self, index: usize) {
        let tree = self.tree;
        let element = tree.element(index);
        if is_silent(element) || is_mark(tree, index) {
            return;
        }
        if element.has("role", REFERENCES) || element.has("class", REFERENCES) {
            self.end_paragraph();
            return self.references(index);
        }
        match element.name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(index),
            "ul" | "ol" | "dl" => self.list(index),
            "table" if is_data(tree, index) => self.table(index),
            "figcaption" => self.caption(index),
            "br" => self.text.push(' '),
            name if BLOCKS.contains(&name) => {
                self.end_paragraph();
                self.children(index);
                self.end_paragraph();
            }
            // A link or a span may be put around whole blocks.
            _ if has_blocks(tree, index) => self.children(index),
            _ => raise(tree, element, index, &mut self.text),
        }
    }

    fn end_paragraph(&mut self) {
        let text = one_line(&std::mem::take(&mut self.text));
        if !text.is_empty() {
            self.outline.push(Body::Paragraph(text));
        }
    }

    fn heading(&mut self, index: usize) {
        self.end_paragraph();
        let text = one_line(&text_of(self.tree, index));
        let level = self
            .tree
            .element(index)
            .name
            .bytes()
            .last()
            .map_or(1, |digit| digit - b'0');
        if text.is_empty() {
            return;
        }
        if level == 1 {
            self.tops.push(text.clone());
        }
        self.outline.heading(level, &text);
    }

    fn caption(&mut self, index: usize) {
        self.end_paragraph();
        let text = one_line(&text_of(self.tree, index));
        if !text.is_empty() {
            self.outline.push(Body::Caption(text));
        }
    }

    /// A list, those in it in their place; what is no text in an item follows the list.
    fn list(&mut self, index: usize) {
        self.end_paragraph();
        let mut found = Items::default();
        found.collect(self.tree, index);
        let items = found.items.into_iter().map(|item| one_line(&item));
        let items: Vec<String> = items.filter(|item| !item.is_empty()).collect();
        if !items.is_empty() {
            self.outline.push(Body::List(items));
        }
        found
            .others
            .into_iter()
            .for_each(|other| self.element(other));
    }

    fn table(&mut self, index: usize) {
        self.end_paragraph();
        let tree = self.tree;
        let mut caption = None;
        let mut rows = Vec::new();
        for part in own_parts(tree, index) {
            let element = tree.element(part);
            match element.name.as_str() {
                "caption" => caption = Some(one_line(&text_of(tree, part))),
                "tr" => rows.push(row(tree, part, false)),
                name @ ("thead" | "tbody" | "tfoot") => {
                    let lines = own_parts(tree, part).into_iter();
                    let lines = lines.filter(|line| tree.element(*line).name == "tr");
                    rows.extend(lines.map(|line| row(tree, line, name == "thead")));
                }
                _ => {}
            }
        }
        let caption = caption.filter(|caption| !caption.is_empty());
        if let Some(table) = grid::table(caption, &rows) {
            self.outline.push(Body::Table(table));
        }
    }

    fn references(&mut self, index: usize) {
        let tree = self.tree;
        let items = tree.below(index).into_iter();
        let items =
            items.filter(|item| matches!(tree.element(*item).name.as_str(), "li" | "p" | "dd"));
        let mut within = HashSet::new();
        for item in items {
            // A paragraph in an item is the item.
            if within.contains(&item) {
                continue;
            }
            within = tree.below(item).into_iter().collect();
            let text = one_line(&text_of(tree, item));
            if !text.is_empty() {
                let number = (self.references.len() + 1).to_string();
                let id = tree.element(item).attribute("id");
                self.references.push(Reference {
                    label: id.unwrap_or(&number).to_owned(),
                    text,
                });
            }
        }
    }
}

/// The items of a list and of those in it, and the tables and figures that stand in them.
#[derive(Default)]
struct Items {
    items: Vec<String>,
    others: Vec<usize>,
}

impl Items {
    fn collect(&mut self, tree: &Tree, list: usize) {
        let mut term: Option<String> = None;
        for part in own_parts(tree, list) {
            let mut text = String::new();
            let name = tree.element(part).name.as_str();
            if matches!(name, "ul" | "ol" | "dl") {
                self.collect(tree, part);
                continue;
            }
            let place = self.items.len();
            self.item(tree, part, &mut text);
            match (name, term.take()) {
                ("dt", _) => term = Some(one_line(&text)),
                (_, Some(term)) => self.items.insert(place, format!("{term}: {text}")),
                (_, None) => self.items.insert(place, text),
            }
        }
        self.items.extend(term);
    }

    /// Adds the item's own words to `text`; its lists become items after it.
    fn item(&mut self, tree: &Tree, index: usize, text: &mut String) {
        for child in &tree.element(index).children {
            let inner = match child {
                Child::Text(own) => {
                    text.push_str(own);
                    continue;
                }
                Child::Element(inner) => *inner,
            };
            let element = tree.element(inner);
            if is_silent(element) || is_mark(tree, inner) {
                continue;
            }
            match element.name.as_str() {
                "ul" | "ol" | "dl" => self.collect(tree, inner),
                "table" | "figure" => self.others.push(inner),
                name if BLOCKS.contains(&name) || name == "br" => {
                    text.push(' ');
                    self.item(tree, inner, text);
                    text.push(' ');
                }
                _ if has_blocks(tree, inner) => self.item(tree, inner, text),
                _ => raise(tree, element, inner, text),
            }
        }
    }
}

/// The elements right in `index`; groups of terms in a list of definitions are taken apart.
fn own_parts(tree: &Tree, index: usize) -> Vec<usize> {
    let mut parts = Vec::new();
    for child in &tree.element(index).children {
        if let Child::Element(inner) = child {
            let is_group = tree.element(index).name == "dl" && tree.element(*inner).name == "div";
            match is_group {
                true => parts.extend(own_parts(tree, *inner)),
                false => parts.push(*inner),
            }
        }
    }
    parts.retain(|part| !is_silent(tree.element(*part)));
    parts
}

/// Whether a table holds data: one with headings, tables or a single cell a row is there for the layout.
fn is_data(tree: &Tree, index: usize) -> bool {
    let inner = tree.below(index);
    let named = |names: &[&str]| {
        let own = inner.iter().map(|inner| tree.element(*inner).name.as_str());
        own.filter(|name| names.contains(name)).count()
    };
    let rows = named(&["tr"]);
    named(&["table", "h1", "h2", "h3"]) == 0 && rows > 0 && named(&["td", "th"]) > rows
}

fn has_blocks(tree: &Tree, index: usize) -> bool {
    let inner = tree.below(index).into_iter();
    inner
        .map(|inner| tree.element(inner).name.as_str())
        .any(|name| BLOCKS.contains(&name))
}

fn row(tree: &Tree, index: usize, in_head: bool) -> Row {
    let cells = own_parts(tree, index).into_iter();
    let cells = cells.filter(|cell| matches!(tree.element(*cell).name.as_str(), "td" | "th"));
    let span = |cell: usize, name| {
        let text = tree.element(cell).attribute(name);
        text.and_then(|text| text.parse().ok()).unwrap_or(1)
    };
    Row {
        cells: cells
            .map(|cell| Cell {
                text: text_of(tree, cell),
                columns: span(cell, "colspan"),
                rows: span(cell, "rowspan"),
                is_header: tree.element(cell).name == "th",
            })
            .collect(),
        in_head,
    }
}

#[cfg(test)]
#[path = "../html_tests.rs"]
mod tests;
