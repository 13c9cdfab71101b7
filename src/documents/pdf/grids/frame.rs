//! Lines that touch, and the cells that they part.

use super::super::lines;
use super::super::page::{Glyph, Rect};
use super::Cell;

/// Lines this near are one, in points.
const NEAR: f32 = 3.0;

/// Most slots of a grid.
const MAX_SLOTS: usize = 20_000;

/// Uprights reach this far over the last rule where a table goes on overleaf, in points.
const OPEN: f32 = 6.0;

/// Rules and uprights that touch.
#[derive(Default)]
pub(super) struct Frame {
    rules: Vec<Rect>,
    uprights: Vec<Rect>,
    /// Heights of the rows' borders, and places of the columns'.
    ys: Vec<f32>,
    xs: Vec<f32>,
}

/// The frames with at least two rows and two columns.
pub(super) fn frames(mut rules: Vec<Rect>, mut uprights: Vec<Rect>) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(first) = uprights.pop() {
        let mut frame = Frame {
            uprights: vec![first],
            ..Frame::default()
        };
        // Each line is looked at once, for what touches it comes along.
        let (mut rule, mut upright) = (0, 0);
        while rule < frame.rules.len() || upright < frame.uprights.len() {
            if upright < frame.uprights.len() {
                let line = frame.uprights[upright];
                upright += 1;
                frame
                    .rules
                    .extend(rules.extract_if(.., |rule| touch(rule, &line)));
            } else {
                let line = frame.rules[rule];
                rule += 1;
                frame
                    .uprights
                    .extend(uprights.extract_if(.., |upright| touch(&line, upright)));
            }
        }
        frame.measure();
        if frame.ys.len() > 2 && frame.xs.len() > 2 && frame.ys.len() * frame.xs.len() <= MAX_SLOTS
        {
            frames.push(frame);
        }
    }
    frames
}

fn touch(rule: &Rect, upright: &Rect) -> bool {
    upright.x1 > rule.x0 - NEAR
        && upright.x0 < rule.x1 + NEAR
        && rule.y1 > upright.y0 - NEAR
        && rule.y0 < upright.y1 + NEAR
}

fn middle(one: f32, other: f32) -> f32 {
    (one + other) / 2.0
}

/// Places each once, in order.
fn places(of: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut places: Vec<f32> = of.collect();
    places.sort_by(f32::total_cmp);
    places.dedup_by(|next, kept| *next - *kept < NEAR);
    places
}

impl Frame {
    fn measure(&mut self) {
        self.xs = places(self.uprights.iter().map(|line| middle(line.x0, line.x1)));
        self.ys = places(self.rules.iter().map(|line| middle(line.y0, line.y1)));
        let top = self.uprights.iter().map(|line| line.y0).reduce(f32::min);
        let bottom = self.uprights.iter().map(|line| line.y1).reduce(f32::max);
        if let (Some(top), Some(first)) = (top, self.ys.first())
            && top < first - OPEN
        {
            self.ys.insert(0, top);
        }
        if let (Some(bottom), Some(last)) = (bottom, self.ys.last())
            && bottom > last + OPEN
        {
            self.ys.push(bottom);
        }
    }

    pub fn area(&self) -> Rect {
        let end = |places: &[f32]| {
            let first = places.first().copied().unwrap_or_default();
            (first, places.last().copied().unwrap_or_default())
        };
        let ((x0, x1), (y0, y1)) = (end(&self.xs), end(&self.ys));
        Rect { x0, y0, x1, y1 }
    }

    fn rows(&self) -> usize {
        self.ys.len() - 1
    }

    fn columns(&self) -> usize {
        self.xs.len() - 1
    }

    /// Number of the slot in which `glyph` stands, counted by rows.
    pub fn slot(&self, glyph: &Glyph) -> Option<usize> {
        let column = band(&self.xs, middle(glyph.x0, glyph.x1))?;
        // The middle of the letter, for base lines may touch a rule.
        let row = band(&self.ys, glyph.y - 0.3 * glyph.size)?;
        Some(row * self.columns() + column)
    }

    /// For each slot the first slot of its cell: slots that no line parts are one.
    fn owners(&self) -> Vec<usize> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut owners: Vec<usize> = (0..rows * columns).collect();
        for row in 0..rows {
            for column in 0..columns {
                let slot = row * columns + column;
                if column + 1 < columns && !self.has_wall(row, column) {
                    unite(&mut owners, slot, slot + 1);
                }
                if row + 1 < rows && !self.has_floor(row, column) {
                    unite(&mut owners, slot, slot + columns);
                }
            }
        }
        (0..owners.len()).map(|slot| root(&owners, slot)).collect()
    }

    fn has_wall(&self, row: usize, column: usize) -> bool {
        let (x, y) = (self.xs[column + 1], middle(self.ys[row], self.ys[row + 1]));
        self.uprights
            .iter()
            .any(|line| (middle(line.x0, line.x1) - x).abs() < NEAR && line.y0 <= y && line.y1 >= y)
    }

    fn has_floor(&self, row: usize, column: usize) -> bool {
        let (x, y) = (
            middle(self.xs[column], self.xs[column + 1]),
            self.ys[row + 1],
        );
        self.rules
            .iter()
            .any(|line| (middle(line.y0, line.y1) - y).abs() < NEAR && line.x0 <= x && line.x1 >= x)
    }

    /// The cells with what stands in them; `None` where a cell is no rectangle or a word stands in two.
    pub fn cells(&self, glyphs: &[Glyph]) -> Option<Vec<Cell>> {
        let owners = self.owners();
        let columns = self.columns();
        let mut cells: Vec<Cell> = Vec::new();
        let mut of_slot = vec![0; owners.len()];
        for (slot, owner) in owners.iter().enumerate() {
            let (row, column) = (slot / columns, slot % columns);
            if slot == *owner {
                of_slot[slot] = cells.len();
                cells.push(Cell {
                    row,
                    column,
                    rows: 1,
                    columns: 1,
                    area: Rect::default(),
                    glyphs: Vec::new(),
                    lines: Vec::new(),
                });
                continue;
            }
            // The first slot of a cell comes before its others.
            of_slot[slot] = of_slot[*owner];
            let cell = &mut cells[of_slot[slot]];
            if column < cell.column {
                return None;
            }
            cell.rows = row - cell.row + 1;
            cell.columns = cell.columns.max(column - cell.column + 1);
        }
        let slots: usize = cells.iter().map(|cell| cell.rows * cell.columns).sum();
        if slots != owners.len() {
            return None;
        }
        let mut before: Option<(&Glyph, Option<usize>)> = None;
        for glyph in glyphs {
            let cell = self.slot(glyph).map(|slot| of_slot[slot]);
            // In drawings lines go right through words.
            if before.is_some_and(|(last, of)| of != cell && is_one_word(last, glyph)) {
                return None;
            }
            if let Some(cell) = cell {
                cells[cell].glyphs.push(*glyph);
            }
            before = Some((glyph, cell));
        }
        for cell in &mut cells {
            cell.lines = lines::lines(lines::runs(&cell.glyphs));
            cell.area = Rect {
                x0: self.xs[cell.column],
                y0: self.ys[cell.row],
                x1: self.xs[cell.column + cell.columns],
                y1: self.ys[cell.row + cell.rows],
            };
        }
        Some(cells)
    }
}

/// Whether two glyphs, drawn one after the other, belong to one word.
fn is_one_word(one: &Glyph, next: &Glyph) -> bool {
    !one.ch.is_whitespace()
        && !next.ch.is_whitespace()
        && (one.y - next.y).abs() < 0.3 * one.size
        && (next.x0 - one.x1).abs() < 0.1 * one.size
}

fn band(borders: &[f32], at: f32) -> Option<usize> {
    let over = borders.iter().take_while(|border| **border <= at).count();
    (over > 0 && over < borders.len()).then(|| over - 1)
}

fn root(owners: &[usize], mut slot: usize) -> usize {
    while owners[slot] != slot {
        slot = owners[slot];
    }
    slot
}

fn unite(owners: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(owners, one), root(owners, other));
    owners[one.max(other)] = one.min(other);
}
