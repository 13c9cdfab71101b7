//! The words in an element.

use super::kinds::{BLOCKS, is_mark, is_silent};
use super::tree::{Child, Element, Tree};

/// All text in the element `index`.
pub(super) fn text_of(tree: &Tree, index: usize) -> String {
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
pub(super) fn raise(tree: &Tree, element: &Element, index: usize, out: &mut String) {
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
