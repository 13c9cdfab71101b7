//! Which columns the cells of tagged rows stand in: browsers leave empty cells out of the tags.

use crate::documents::grid::{Cell, Row};

/// Widest table whose cells are placed, in columns.
const MAX_COLUMNS: usize = 200;

/// A row's cells, each with its left and right border where it has text.
pub(super) type Placed = (Row, Vec<Option<(f32, f32)>>);

/// The rows with empty cells where some are missing.
pub(super) fn filled(mut rows: Vec<Placed>) -> Vec<Row> {
    let free = free_columns(&rows);
    let width = free.iter().map(|(_, width)| *width).max().unwrap_or(0);
    let columns = match width <= MAX_COLUMNS {
        true => columns(&rows, &free, width),
        false => Vec::new(),
    };
    // What reaches down from above stands where it was put, so row follows row.
    let mut hanging = vec![0; width];
    for (row, places) in &mut rows {
        let open: Vec<usize> = (0..width).filter(|at| hanging[*at] == 0).collect();
        let taken: usize = row.cells.iter().map(|cell| cell.columns).sum();
        let starts = match columns.is_empty() || taken >= open.len() {
            true => in_order(&row.cells),
            false => best(&row.cells, places, &columns, &open),
        };
        hanging
            .iter_mut()
            .for_each(|rows: &mut usize| *rows = rows.saturating_sub(1));
        put(row, &starts, &open, &mut hanging);
    }
    rows.into_iter().map(|(row, _)| row).collect()
}

/// Of each row the columns that are free of cells from above, in order of reading, and how wide it is with them.
fn free_columns(rows: &[Placed]) -> Vec<(Vec<usize>, usize)> {
    let mut hanging: Vec<usize> = Vec::new();
    let mut all = Vec::new();
    for (row, _) in rows {
        let mut free = Vec::new();
        let mut at = 0;
        let mut next = hanging.clone();
        next.iter_mut()
            .for_each(|rows| *rows = rows.saturating_sub(1));
        for cell in &row.cells {
            for _ in 0..cell.columns.min(MAX_COLUMNS) {
                if at > MAX_COLUMNS {
                    break;
                }
                while hanging.get(at).is_some_and(|rows| *rows > 0) {
                    at += 1;
                }
                free.push(at);
                next.resize(next.len().max(at + 1), 0);
                next[at] = cell.rows.saturating_sub(1);
                at += 1;
            }
        }
        let reach = hanging.iter().rposition(|rows| *rows > 0);
        all.push((free, at.max(reach.map_or(0, |last| last + 1))));
        hanging = next;
    }
    all
}

/// Borders of the columns, from the rows that have all of their cells; empty where those leave one open.
fn columns(rows: &[Placed], free: &[(Vec<usize>, usize)], width: usize) -> Vec<(f32, f32)> {
    // Of cells in one column; and of parts of wider ones, for columns that have no cell of their own.
    let mut own: Vec<Option<(f32, f32)>> = vec![None; width];
    let mut shared = own.clone();
    let mut hanging = 0;
    for ((row, places), (free, reach)) in rows.iter().zip(free) {
        // A row under one that lacks cells may hang on the wrong ones.
        let is_whole = *reach == width && hanging == 0;
        let mut at = 0;
        for (cell, place) in row.cells.iter().zip(places) {
            let span = cell.columns.min(MAX_COLUMNS);
            let known = if span == 1 { &mut own } else { &mut shared };
            for (part, column) in free.iter().skip(at).take(span).enumerate() {
                if let (true, Some((x0, x1))) = (is_whole, place) {
                    let share = (x1 - x0) / span as f32;
                    let from = x0 + share * part as f32;
                    let (low, high) = known[*column].unwrap_or((from, from + share));
                    known[*column] = Some((low.min(from), high.max(from + share)));
                }
            }
            at += span;
        }
        let deepest = row.cells.iter().map(|cell| cell.rows).max().unwrap_or(1);
        hanging = match *reach == width {
            true => 0,
            false => deepest.max(hanging).saturating_sub(1),
        };
    }
    let columns = own.into_iter().zip(shared);
    let columns: Option<Vec<_>> = columns.map(|(own, shared)| own.or(shared)).collect();
    columns.unwrap_or_default()
}

fn in_order(cells: &[Cell]) -> Vec<usize> {
    let mut at = 0;
    cells
        .iter()
        .map(|cell| {
            let start = at;
            at += cell.columns;
            start
        })
        .collect()
}

/// Where in `open` each of `cells` begins so that all stand as near to their columns as can be.
fn best(
    cells: &[Cell],
    places: &[Option<(f32, f32)>],
    columns: &[(f32, f32)],
    open: &[usize],
) -> Vec<usize> {
    let last = open.len();
    // The least cost of the cells so far where they end before a column, and where the last one began.
    let mut costs: Vec<f32> = vec![0.0; last + 1];
    let mut begun: Vec<Vec<usize>> = Vec::new();
    for (cell, place) in cells.iter().zip(places) {
        let mut next = vec![f32::INFINITY; last + 1];
        let mut starts = vec![0; last + 1];
        for end in cell.columns..=last {
            let start = end - cell.columns;
            let area = (columns[open[start]].0, columns[open[end - 1]].1);
            let cost = costs[start] + place.map_or(0.0, |place| distance(place, area));
            let before = next[end - 1];
            (next[end], starts[end]) = match cost < before {
                true => (cost, start),
                false => (before, starts[end - 1]),
            };
        }
        costs = next;
        begun.push(starts);
    }
    let mut end = last;
    let mut found = Vec::new();
    for starts in begun.iter().rev() {
        end = starts[end];
        found.push(end);
    }
    found.reverse();
    found
}

/// How far `place` is from `area`; of those that touch it the one with the same middle or left border is nearest.
fn distance(place: (f32, f32), area: (f32, f32)) -> f32 {
    let gap = (area.0 - place.1).max(place.0 - area.1).max(0.0);
    let middle = (place.0 + place.1 - area.0 - area.1).abs() / 2.0;
    gap + 0.01 * middle.min((place.0 - area.0).abs())
}

/// Puts empty cells between those of `row` so that each begins where `starts` says, and notes what hangs down.
fn put(row: &mut Row, starts: &[usize], open: &[usize], hanging: &mut [usize]) {
    let is_header = row.cells.iter().all(|cell| cell.is_header);
    let mut cells = Vec::new();
    let mut at = 0;
    for (cell, start) in row.cells.drain(..).zip(starts) {
        while at < *start {
            cells.push(Cell {
                text: String::new(),
                columns: 1,
                rows: 1,
                is_header,
            });
            at += 1;
        }
        for column in open.iter().skip(at).take(cell.columns) {
            hanging[*column] = cell.rows.saturating_sub(1);
        }
        at += cell.columns;
        cells.push(cell);
    }
    row.cells = cells;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of cells, each with its text, where it stands, and the columns and rows that it spans.
    fn row(cells: &[(&str, (f32, f32), usize, usize)]) -> Placed {
        let cell = |(text, _, columns, rows): &(&str, (f32, f32), usize, usize)| Cell {
            text: (*text).to_owned(),
            columns: *columns,
            rows: *rows,
            is_header: false,
        };
        let places = cells.iter().map(|(_, place, ..)| Some(*place)).collect();
        let cells = cells.iter().map(cell).collect();
        let row = Row {
            cells,
            in_head: false,
        };
        (row, places)
    }

    fn texts(rows: Vec<Placed>) -> Vec<Vec<String>> {
        let texts = |row: Row| row.cells.into_iter().map(|cell| cell.text).collect();
        filled(rows).into_iter().map(texts).collect()
    }

    #[test]
    fn a_cell_that_the_tags_leave_out_is_empty_where_it_is_missing() {
        let found = texts(vec![
            row(&[
                ("Yield", (60.0, 90.0), 1, 1),
                ("Price", (110.0, 140.0), 1, 1),
            ]),
            row(&[
                ("maize", (0.0, 40.0), 1, 1),
                ("9", (70.0, 75.0), 1, 1),
                ("4", (120.0, 125.0), 1, 1),
            ]),
            row(&[("oats", (0.0, 30.0), 1, 1), ("3", (120.0, 125.0), 1, 1)]),
        ]);
        assert_eq!(found[0], ["", "Yield", "Price"]);
        assert_eq!(found[1], ["maize", "9", "4"]);
        assert_eq!(found[2], ["oats", "", "3"]);
    }

    #[test]
    fn cells_that_reach_down_keep_their_columns() {
        let found = texts(vec![
            row(&[
                ("soil", (0.0, 30.0), 1, 2),
                ("clay", (50.0, 80.0), 1, 1),
                ("2", (100.0, 105.0), 1, 1),
                ("3", (150.0, 155.0), 1, 1),
            ]),
            row(&[("5", (150.0, 155.0), 1, 1)]),
            row(&[("all", (0.0, 30.0), 2, 1), ("6", (150.0, 155.0), 1, 1)]),
        ]);
        assert_eq!(found[1], ["", "", "5"], "beside the cell from above");
        assert_eq!(found[2], ["all", "", "6"]);
    }

    #[test]
    fn spans_of_any_size_are_no_harm() {
        let wide = usize::MAX;
        let found = filled(vec![
            row(&[("a", (0.0, 1.0), wide, wide)]),
            row(&[("b", (0.0, 1.0), 1, 1), ("c", (f32::NAN, 1.0), 0, 0)]),
        ]);
        assert_eq!(found.len(), 2);
        assert!(filled(Vec::new()).is_empty());
    }
}
