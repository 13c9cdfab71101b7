//! HTML pages: what a reader came for, without what every page of a site has.

mod kinds;
mod lists;
mod meta;
mod tables;
mod text;
mod tree;

use std::collections::HashSet;

use super::grid;
use super::outline::Outline;
use super::reader::{Content, Source};
use super::{Body, DocumentError, DocumentReader, Reference, one_line};
use kinds::{BLOCKS, REFERENCES, has_blocks, is_mark, is_silent, own_parts};
use lists::Items;
use tables::{is_data, row};
use text::{raise, text_of};
use tree::{Child, Element, Tree};

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

#[cfg(test)]
#[path = "../html_tests.rs"]
mod tests;
