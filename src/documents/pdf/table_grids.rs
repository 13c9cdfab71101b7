//! Tables between drawn lines among the lines of text: with their captions and notes.

use super::body::Usual;
use super::captions::{self, Kind};
use super::lines::Line;
use super::tables::{Found, caption_lines, notes};

/// The tables between drawn lines, with the captions and notes that stand at them.
pub(super) fn find(lines: &[Line], count: usize, usual: &Usual) -> Vec<Found> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, line) in lines.iter().enumerate() {
        if let Some(rows) = line.grid.and_then(|grid| rows.get_mut(grid)) {
            rows.push(index);
        }
    }
    let tables = rows.into_iter().enumerate().filter_map(|(grid, rows)| {
        let (first, last) = (*rows.first()?, *rows.last()?);
        let above = caption_above(lines, first, usual);
        let caption = above.unwrap_or_else(|| caption_below(lines, last, usual));
        let notes = match caption.last() {
            Some(end) if *end > last => Vec::new(),
            _ => notes(lines, &rows, lines[last].y, usual),
        };
        Some(Found {
            caption,
            rows,
            notes,
            rules: Vec::new(),
            grid: Some(grid),
        })
    });
    tables.collect()
}

/// The caption that ends right over the line `row`.
fn caption_above(lines: &[Line], row: usize, usual: &Usual) -> Option<Vec<usize>> {
    let starts = (row.saturating_sub(8)..row).rev();
    let start = starts
        .take_while(|at| lines[*at].column == lines[row].column && lines[*at].grid.is_none())
        .find(|at| {
            let before = at.checked_sub(1).map(|before| &lines[before]);
            captions::kind(&lines[*at], before, usual) == Some(Kind::Table)
        })?;
    let caption = caption_lines(lines, start, None, usual);
    (caption.last() == Some(&(row - 1))).then_some(caption)
}

/// The lines of the caption that begins right under the line `row`; none without.
fn caption_below(lines: &[Line], row: usize, usual: &Usual) -> Vec<usize> {
    let is_caption = lines.get(row + 1).is_some_and(|line| {
        line.column == lines[row].column
            && captions::kind(line, Some(&lines[row]), usual) == Some(Kind::Table)
            && !ends_at_grid(lines, row + 1, usual)
    });
    if is_caption {
        caption_lines(lines, row + 1, None, usual)
    } else {
        Vec::new()
    }
}

/// Whether the caption that begins at `start` stands over the next table.
fn ends_at_grid(lines: &[Line], start: usize, usual: &Usual) -> bool {
    let end = caption_lines(lines, start, None, usual).last().copied();
    let next = end.and_then(|end| lines.get(end + 1));
    next.is_some_and(|next| next.grid.is_some())
}
