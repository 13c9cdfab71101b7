//! Running heads and feet, page numbers and stamps: what repeats from page to page at the same place.

use std::collections::HashMap;

use super::lines::Run;

/// Rows from the top and from the bottom that may be furniture.
const ROWS: usize = 4;

/// Heads stand in this share of the page from its top, feet in this share from its bottom.
const MARGIN: f32 = 0.16;

/// A row of text near the top or bottom of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub y: f32,
    pub height: f32,
    pub text: String,
    /// Share of the page's height.
    pub place: f32,
}

/// The rows near the top and the bottom of a page.
pub(super) fn rows(runs: &[Run], page_height: f32) -> Vec<Row> {
    // What repeats over the columns of a table that goes on overleaf is its head.
    let mut sorted: Vec<&Run> = runs.iter().filter(|run| run.row.is_none()).collect();
    sorted.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut rows: Vec<Row> = Vec::new();
    for run in sorted {
        let text: String = run.glyphs.iter().map(|glyph| glyph.ch).collect();
        match rows.last_mut() {
            Some(row) if run.y - row.y < 0.5 * run.size => {
                row.text.push(' ');
                row.text.push_str(&text);
            }
            _ => rows.push(Row {
                y: run.y,
                height: run.size,
                text,
                place: run.y / page_height.max(1.0),
            }),
        }
    }
    let count = rows.len();
    rows.into_iter()
        .enumerate()
        .filter(|(index, row)| {
            (*index < ROWS && row.place < MARGIN)
                || (*index + 2 * ROWS >= count && row.place > 1.0 - MARGIN)
        })
        .map(|(_, row)| row)
        .collect()
}

/// What repeats over the pages of a document.
#[derive(Debug, Default)]
pub(super) struct Furniture {
    /// How often a text stands at a height, in steps of four points.
    seen: HashMap<(String, i32), u32>,
    pages: u32,
}

impl Furniture {
    pub fn add_page(&mut self, rows: &[Row]) {
        self.pages += 1;
        for row in rows {
            *self.seen.entry((shape(row), height(row))).or_default() += 1;
        }
    }

    /// Whether `row` is furniture.
    pub fn is(&self, row: &Row) -> bool {
        let shape = shape(row);
        if is_page_number(&shape) && !(0.1..=0.9).contains(&row.place) {
            return true;
        }
        let near = |shift: i32| {
            self.seen
                .get(&(shape.clone(), height(row) + shift))
                .copied()
                .unwrap_or_default()
        };
        let count = near(-1) + near(0) + near(1);
        // A tenth of the pages: running heads change with the chapter.
        count >= 2.max(self.pages / 10) && !shape.is_empty()
    }
}

fn height(row: &Row) -> i32 {
    (row.y / 4.0).round() as i32
}

/// The text of `row` with every number as `#`, without spaces and case.
fn shape(row: &Row) -> String {
    let mut shape = String::new();
    for ch in row.text.chars().filter(|ch| !ch.is_whitespace()) {
        if !ch.is_ascii_digit() {
            shape.extend(ch.to_lowercase());
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}

fn is_page_number(shape: &str) -> bool {
    let bare: String = shape
        .chars()
        .filter(|ch| ch.is_alphanumeric() || *ch == '#')
        .collect();
    matches!(
        &*bare,
        "#" | "page#"
            | "page#of#"
            | "#of#"
            | "p#"
            | "pg#"
            | "#page"
            | "s#"
            | "seite#"
            | "seite#von#"
            | "página#"
            | "pagina#"
    ) || (!bare.is_empty() && bare.len() <= 6 && bare.chars().all(|ch| "ivxl".contains(ch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, y: f32) -> Row {
        Row {
            y,
            height: 10.0,
            text: text.to_owned(),
            place: y / 800.0,
        }
    }

    #[test]
    fn what_repeats_at_one_height_is_furniture_whatever_its_number() {
        let mut furniture = Furniture::default();
        for page in 1..=6 {
            furniture.add_page(&[
                row(&format!("Maize guide {page}"), 30.0),
                row("Body", 90.0 + page as f32),
            ]);
        }
        assert!(furniture.is(&row("Maize guide 17", 31.0)));
        assert!(!furniture.is(&row("Maize guide 17", 100.0)), "elsewhere");
        assert!(!furniture.is(&row("Another line", 30.0)));
    }

    #[test]
    fn a_number_alone_in_the_margin_is_a_page_number() {
        let furniture = Furniture::default();
        for text in ["12", "- 12 -", "Page 3 of 9", "iv", "| 7"] {
            assert!(furniture.is(&row(text, 770.0)), "{text}");
        }
        assert!(!furniture.is(&row("12", 400.0)));
        assert!(!furniture.is(&row("12 kg", 770.0)));
    }
}
