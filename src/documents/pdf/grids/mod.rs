//! Tables whose cells stand between drawn lines: the lines tell the cells, whatever the words look like.
//!
//! Rules and uprights that touch form a grid. Where no line parts two of its slots they are one cell, so
//! that cells of several lines, close rows and spans come out as they were drawn.

mod frame;

use super::join::{self, Vocabulary};
use super::lines::{Line, Run};
use super::page::{Glyph, Page, Rect};
use crate::documents::Table;
use crate::documents::grid::{self, Row};
use frame::frames;

/// Most rules and most uprights of a page that can be tables; more are drawings.
const MAX_LINES: usize = 2_000;

/// Most letters of a cell, and of all cells on average: larger ones are boxes of prose.
const MAX_CELL: usize = 1_200;
const MAX_MEAN: usize = 300;

/// A table between drawn lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub area: Rect,
    /// In the order of rows, then columns.
    cells: Vec<Cell>,
}

/// What lines are drawn in a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    /// Rules of each page.
    pub rules: Vec<Vec<Rect>>,
    /// Tables between lines, in the order of pages.
    pub grids: Vec<Grid>,
}

/// What stands between lines.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
    area: Rect,
    glyphs: Vec<Glyph>,
    lines: Vec<Line>,
}

/// The grids of `page`; their glyphs are taken out of `glyphs`.
pub(super) fn take(page: &Page, glyphs: &mut Vec<Glyph>) -> Vec<Grid> {
    let (rules, uprights) = borders(page);
    if rules.len() > MAX_LINES || uprights.len() > MAX_LINES {
        return Vec::new();
    }
    let mut found: Vec<Grid> = Vec::new();
    for frame in frames(rules, uprights) {
        let area = frame.area();
        if found.iter().any(|grid| overlap(&grid.area, &area)) {
            continue;
        }
        let Some(cells) = frame.cells(glyphs) else {
            continue;
        };
        let grid = Grid { area, cells };
        if grid.is_table() {
            glyphs.retain(|glyph| frame.slot(glyph).is_none());
            found.push(grid);
        }
    }
    found
}

/// All lines that can be borders of cells, across and upright; an outline has two of each.
fn borders(page: &Page) -> (Vec<Rect>, Vec<Rect>) {
    let across = |area: &Rect| {
        [area.y0, area.y1].map(|y| Rect {
            y0: y,
            y1: y,
            ..*area
        })
    };
    let upright = |area: &Rect| {
        [area.x0, area.x1].map(|x| Rect {
            x0: x,
            x1: x,
            ..*area
        })
    };
    let outlines = || page.outlines.iter();
    let mut rules = page.rules.clone();
    rules.extend(outlines().flat_map(across));
    let mut uprights = page.uprights.clone();
    uprights.extend(outlines().flat_map(upright));
    (rules, uprights)
}

fn overlap(one: &Rect, other: &Rect) -> bool {
    one.x0 < other.x1 && one.x1 > other.x0 && one.y0 < other.y1 && one.y1 > other.y0
}

impl Cell {
    fn letters(&self) -> usize {
        self.glyphs.iter().filter(|glyph| glyph.ch != ' ').count()
    }

    fn has_word(&self) -> bool {
        let words = self.lines.iter().flat_map(|line| &line.words);
        let letters = |text: &str| text.chars().filter(|ch| ch.is_alphabetic()).count();
        words.into_iter().any(|word| letters(&word.text) > 2)
    }

    fn is_bold(&self) -> bool {
        self.lines
            .iter()
            .all(|line| line.share(|word| word.style.bold) > 0.6)
    }

    /// Ends of lines, and how many of them had room for the next word.
    fn breaks(&self) -> (usize, usize) {
        let roomy = self.lines.windows(2).filter(|pair| {
            let (line, next) = (&pair[0], &pair[1]);
            let first = next.words.first().map_or(0.0, |word| word.x1 - word.x0);
            line.x1 - line.x0 + first + 2.0 * line.size < self.area.width()
        });
        (self.lines.len().saturating_sub(1), roomy.count())
    }

    fn text(&self, vocabulary: &Vocabulary) -> String {
        let texts: Vec<String> = self.lines.iter().map(Line::text).collect();
        join::lines(&texts, vocabulary)
    }
}

impl Grid {
    fn is_table(&self) -> bool {
        let filled: Vec<&Cell> = self
            .cells
            .iter()
            .filter(|cell| !cell.lines.is_empty())
            .collect();
        let letters: usize = filled.iter().map(|cell| cell.letters()).sum();
        let prose = filled.iter().any(|cell| cell.letters() > MAX_CELL)
            || letters > MAX_MEAN * filled.len();
        let columns = filled.iter().any(|cell| cell.column > 0);
        // What figures are named by; a drawing has letters and numbers.
        let named = filled.iter().filter(|cell| cell.has_word()).count();
        filled.len() >= 3
            && 2 * filled.len() >= self.cells.len()
            && columns
            && named > 1
            && !prose
            && !self.rows().iter().any(|row| is_listing(row))
            && self.table(None, &Vocabulary::default()).is_some()
    }

    /// The table, with its spans filled in as the other readers do.
    pub fn table(&self, caption: Option<String>, vocabulary: &Vocabulary) -> Option<Table> {
        let mut rows: Vec<Row> = Vec::new();
        for cell in &self.cells {
            rows.resize_with(rows.len().max(cell.row + 1), Row::default);
            rows[cell.row].cells.push(grid::Cell {
                text: cell.text(vocabulary),
                columns: cell.columns,
                rows: cell.rows,
                is_header: cell.is_bold(),
            });
        }
        grid::table(caption, &rows)
    }

    /// The cells with words that begin in each row.
    fn rows(&self) -> Vec<Vec<&Cell>> {
        let mut rows: Vec<Vec<&Cell>> = Vec::new();
        for cell in self.cells.iter().filter(|cell| !cell.lines.is_empty()) {
            match rows.last_mut() {
                Some(row) if row[0].row == cell.row => row.push(cell),
                _ => rows.push(vec![cell]),
            }
        }
        rows
    }

    /// A run for each row, as wide as the grid, that keeps its place on the page; `number` is the grid's.
    pub fn runs(&self, number: usize) -> Vec<Run> {
        let run = |(row, cells): (usize, Vec<&Cell>)| {
            let first = top_line(&cells)?;
            Some(Run {
                glyphs: cells.iter().flat_map(|cell| cell.glyphs.clone()).collect(),
                x0: self.area.x0,
                x1: self.area.x1,
                y: first.y,
                size: first.size,
                row: Some((number, row)),
            })
        };
        self.rows()
            .into_iter()
            .enumerate()
            .filter_map(run)
            .collect()
    }

    /// The row as a line, for what stands around it.
    pub fn line(&self, row: usize) -> Option<Line> {
        let rows = self.rows();
        let cells = rows.get(row)?;
        let first = top_line(cells)?;
        let lines = || cells.iter().flat_map(|cell| &cell.lines);
        Some(Line {
            words: lines().flat_map(|line| line.words.clone()).collect(),
            x0: self.area.x0,
            x1: self.area.x1,
            y: first.y,
            size: first.size,
            ..Line::default()
        })
    }
}

/// Whether the cells of one row hold several rows that only white parts: their lines stand side by side,
/// and end although there is room.
fn is_listing(row: &[&Cell]) -> bool {
    let long: Vec<&&Cell> = row.iter().filter(|cell| cell.lines.len() > 2).collect();
    let level = long.windows(2).all(|pair| {
        let heights = |cell: &Cell| cell.lines.iter().map(|line| line.y).collect::<Vec<_>>();
        let (one, other) = (heights(pair[0]), heights(pair[1]));
        one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1.0)
    });
    let (breaks, roomy) = long
        .iter()
        .map(|cell| cell.breaks())
        .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    long.len() > 1 && level && 2 * roomy > breaks
}

/// The highest line of `cells`.
fn top_line<'a>(cells: &[&'a Cell]) -> Option<&'a Line> {
    let lines = cells.iter().flat_map(|cell| &cell.lines);
    lines.min_by(|a, b| a.y.total_cmp(&b.y))
}

#[cfg(test)]
#[path = "../grids_tests.rs"]
mod tests;
