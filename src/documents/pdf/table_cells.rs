//! Lines of a table that was found to its cells.

use super::join;
use super::lines::{Line, Word, joined};
use super::page::Rect;
use super::tables::{CELL_GAP, Found};
use crate::documents::Table;

/// The cells of `found`.
pub(super) fn read(found: &Found, lines: &[Line]) -> Table {
    let mut rows: Vec<&Line> = found.rows.iter().map(|row| &lines[*row]).collect();
    rows.sort_by(|a, b| a.y.total_cmp(&b.y));
    let cells: Vec<Vec<&[Word]>> = rows.iter().map(|line| line.cells(CELL_GAP)).collect();
    let columns = column_borders(&cells);
    let placed: Vec<Vec<String>> = cells.iter().map(|cells| place(cells, &columns)).collect();
    let header_lines = header_lines(found, &rows);
    let mut header = vec![String::new(); columns.len()];
    for row in &placed[..header_lines] {
        append(&mut header, row);
    }
    let mut body: Vec<Vec<String>> = Vec::new();
    let ruled = ruled_rows(found, &rows, &placed[header_lines..]);
    for (index, row) in placed.iter().enumerate().skip(header_lines) {
        let before = index.checked_sub(1).filter(|_| index > header_lines);
        let goes_on = before.is_some_and(|before| {
            if ruled {
                rules_above(found, rows[before]) == rules_above(found, rows[index])
            } else {
                is_continued(row, rows[index].y - rows[before].y, rows[index].size)
            }
        });
        match body.last_mut() {
            Some(last) if goes_on => append(last, row),
            _ => body.push(row.clone()),
        }
    }
    Table {
        caption: caption(found, lines),
        header,
        rows: body,
    }
}

/// The words of the caption of `found`.
pub(super) fn caption(found: &Found, lines: &[Line]) -> Option<String> {
    let parts: Vec<String> = found.caption.iter().map(|at| lines[*at].text()).collect();
    (!parts.is_empty()).then(|| join::lines(&parts, &join::Vocabulary::default()))
}

fn rules_above(found: &Found, line: &Line) -> usize {
    found.rules.iter().filter(|rule| rule.y0 < line.y).count()
}

/// Whether rules part the rows: they stand between lines of words, not between groups of numbers.
fn ruled_rows(found: &Found, rows: &[&Line], cells: &[Vec<String>]) -> bool {
    let mut bands: Vec<usize> = rows.iter().map(|line| rules_above(found, line)).collect();
    bands.dedup();
    let filled = || cells.iter().flatten().filter(|cell| !cell.is_empty());
    let numbers = filled()
        .filter(|cell| cell.starts_with(|ch: char| ch.is_ascii_digit()))
        .count();
    bands.len() >= 4 && 3 * numbers < filled().count()
}

/// A line without a first cell, close under the row before it, goes on with that row.
fn is_continued(row: &[String], gap: f32, size: f32) -> bool {
    let filled = row.iter().filter(|cell| !cell.is_empty()).count();
    row.len() > 1 && row[0].is_empty() && 2 * filled <= row.len().max(2) && gap < 1.5 * size
}

/// Puts the words of `more` behind those of the cells of `row`.
pub(super) fn append(row: &mut [String], more: &[String]) {
    for (cell, more) in row.iter_mut().zip(more) {
        if !more.is_empty() {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(more);
        }
    }
}

/// How many lines stand over the rule that parts the header from the rows; one without rules.
fn header_lines(found: &Found, rows: &[&Line]) -> usize {
    let widest = found.rules.iter().map(Rect::width).fold(0.0, f32::max);
    let border = found
        .rules
        .iter()
        .filter(|rule| rule.width() > 0.8 * widest)
        .find(|rule| rows.first().is_some_and(|row| row.y < rule.y0))
        .filter(|rule| rows.iter().any(|row| row.y > rule.y1));
    let count = border.map_or(1, |rule| rows.iter().filter(|row| row.y < rule.y0).count());
    count.min(rows.len())
}

/// Borders of the columns: where the cells of the fullest lines overlap.
fn column_borders(rows: &[Vec<&[Word]>]) -> Vec<(f32, f32)> {
    let mut counts: Vec<usize> = rows.iter().map(Vec::len).collect();
    counts.sort_unstable();
    // Not the very fullest: one torn cell must not decide.
    let usual = counts.get(counts.len() * 3 / 4).copied().unwrap_or(1);
    let mut spans: Vec<(f32, f32)> = rows
        .iter()
        .filter(|cells| cells.len() >= usual)
        .flatten()
        .filter_map(|cell| Some((cell.first()?.x0, cell.last()?.x1)))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f32, f32)> = Vec::new();
    for span in spans {
        match columns.last_mut() {
            Some(column) if span.0 < column.1 => column.1 = column.1.max(span.1),
            _ => columns.push(span),
        }
    }
    columns
}

/// One cell a column; a cell goes where it overlaps most.
fn place(cells: &[&[Word]], columns: &[(f32, f32)]) -> Vec<String> {
    let mut row = vec![String::new(); columns.len()];
    for cell in cells {
        let (Some(first), Some(last)) = (cell.first(), cell.last()) else {
            continue;
        };
        let overlap = |column: &(f32, f32)| last.x1.min(column.1) - first.x0.max(column.0);
        let best = (0..columns.len())
            .max_by(|a, b| overlap(&columns[*a]).total_cmp(&overlap(&columns[*b])));
        if let Some(best) = best {
            append(&mut row[best..=best], &[joined(cell)]);
        }
    }
    row
}
