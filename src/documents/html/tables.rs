//! Tables that hold data, and their rows.

use super::super::grid::{Cell, Row};
use super::kinds::own_parts;
use super::text::text_of;
use super::tree::Tree;

/// Whether a table holds data: one with headings, tables or a single cell a row is there for the layout.
pub(super) fn is_data(tree: &Tree, index: usize) -> bool {
    let inner = tree.below(index);
    let named = |names: &[&str]| {
        let own = inner.iter().map(|inner| tree.element(*inner).name.as_str());
        own.filter(|name| names.contains(name)).count()
    };
    let rows = named(&["tr"]);
    named(&["table", "h1", "h2", "h3"]) == 0 && rows > 0 && named(&["td", "th"]) > rows
}

/// The cells of the row `index`.
pub(super) fn row(tree: &Tree, index: usize, in_head: bool) -> Row {
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
