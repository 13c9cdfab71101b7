//! Lists, one in the other, to items in a row.

use super::super::one_line;
use super::kinds::{BLOCKS, has_blocks, is_mark, is_silent, own_parts};
use super::text::raise;
use super::tree::{Child, Tree};

/// The items of a list and of those in it, and the tables and figures that stand in them.
#[derive(Default)]
pub(super) struct Items {
    pub items: Vec<String>,
    pub others: Vec<usize>,
}

impl Items {
    /// Adds the items of the element `list`.
    pub fn collect(&mut self, tree: &Tree, list: usize) {
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
