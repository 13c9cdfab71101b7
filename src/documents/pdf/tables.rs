//! Tables: where they stand, and their cells.

use super::body::Usual;
use super::captions::{self, Kind};
use super::lines::{Line, joined};
use super::page::{Rect, are_alike};

/// Gap between cells, in sizes of the table's text.
pub(super) const CELL_GAP: f32 = 0.75;

/// Gap that justified prose does not have.
const PROSE_GAP: f32 = 0.9;

/// Gap that makes a line look like a table's even without rules; no heading has one.
pub(super) const WIDE_GAP: f32 = 1.4;

/// A table found among the lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub caption: Vec<usize>,
    pub rows: Vec<usize>,
    /// Small print under it.
    pub notes: Vec<usize>,
    /// Heights of the rules in it.
    pub rules: Vec<Rect>,
}

impl Found {
    /// All lines that belong to it.
    pub fn lines(&self) -> impl Iterator<Item = usize> {
        self.caption
            .iter()
            .chain(&self.rows)
            .chain(&self.notes)
            .copied()
    }
}

/// The tables among `lines`; `rules` are those of each page.
pub(super) fn find(lines: &[Line], rules: &[Vec<Rect>], usual: &Usual) -> Vec<Found> {
    let mut taken = vec![false; lines.len()];
    let mut tables: Vec<Found> = Vec::new();
    for index in 0..lines.len() {
        let before = index.checked_sub(1).map(|before| &lines[before]);
        if taken[index] || captions::kind(&lines[index], before, usual) != Some(Kind::Table) {
            continue;
        }
        let page_rules = rules
            .get(lines[index].page as usize - 1)
            .map_or(&[][..], Vec::as_slice);
        let table = captioned(lines, index, page_rules, usual, &taken);
        if table.rows.is_empty() {
            continue;
        }
        for line in table.lines() {
            taken[line] = true;
        }
        tables.push(table);
    }
    for rows in bare(lines, &taken, usual) {
        for row in &rows {
            taken[*row] = true;
        }
        tables.push(Found {
            caption: Vec::new(),
            rows,
            notes: Vec::new(),
            rules: Vec::new(),
        });
    }
    tables
}

fn is_prose(line: &Line, usual: &Usual) -> bool {
    let width = (line.right - line.left).max(1.0);
    usual.is_size(line.size)
        && line.cells(PROSE_GAP).len() == 1
        && line.x1 - line.x0 > 0.75 * width
        && line.letters() > 20
        && line.share(|word| usual.is_plain(word)) > 0.5
}

/// The table that the caption at `start` names.
fn captioned(lines: &[Line], start: usize, rules: &[Rect], usual: &Usual, taken: &[bool]) -> Found {
    let head = &lines[start];
    let reach = |rule: &&Rect| {
        rule.x0 < head.x0 + 4.0 * usual.size
            && rule.x1 > head.x0 + 4.0 * usual.size
            && rule.width() > 0.3 * (head.right - head.left)
            && rule.y0 > head.y
    };
    let mut below: Vec<Rect> = rules.iter().filter(reach).copied().collect();
    below.sort_by(|a, b| a.y0.total_cmp(&b.y0));
    below.dedup_by(|a, b| (a.y0 - b.y0).abs() < 3.0 && a.width() <= b.width());
    let caption = caption_lines(lines, start, below.first(), usual);
    let last = caption.last().copied().unwrap_or(start);
    let from = lines[last].y;
    let chain = chain(lines, &below, from, head, usual);
    let (mut rows, bottom) = if chain.len() >= 2 {
        let (top, bottom) = (chain[0], chain[chain.len() - 1]);
        (within(lines, head.page, top, bottom, from), bottom.y1)
    } else {
        let rows = following(lines, last + 1, usual);
        let bottom = rows.last().map_or(from, |row| lines[*row].y);
        (rows, bottom)
    };
    if rows.is_empty() {
        rows = preceding(lines, start, usual);
    }
    rows.retain(|row| !taken[*row] && !caption.contains(row));
    let notes = notes(lines, &rows, bottom, usual);
    Found {
        caption,
        rows,
        notes,
        rules: chain,
    }
}

/// The caption's lines: to the first rule, wide gap or line of cells.
fn caption_lines(lines: &[Line], start: usize, rule: Option<&Rect>, usual: &Usual) -> Vec<usize> {
    let head = &lines[start];
    let mut caption = vec![start];
    for index in start + 1..lines.len().min(start + 8) {
        let (line, before) = (&lines[index], &lines[index - 1]);
        let over_rule = rule.is_some_and(|rule| before.y < rule.y0 && line.y > rule.y0);
        let gap = line.y - before.y;
        let is_label = index == start + 1 && head.words.len() <= 3;
        // A title under its label may be set in another size, as far away as it likes.
        let near = gap < 1.35 * line.size.max(head.size) || is_label && gap < 2.2 * usual.leading;
        let like = (line.size / head.size - 1.0).abs() < 0.06 || is_label;
        if line.column != head.column
            || over_rule
            || !near
            || !like
            || line.cells(WIDE_GAP).len() > 1
        {
            break;
        }
        if rule.is_none() && starts_anew(line, before) {
            break;
        }
        caption.push(index);
    }
    caption
}

/// Without rules a caption ends where its last line is short and ends a sentence.
fn starts_anew(line: &Line, before: &Line) -> bool {
    let first = line.words.first().map_or(0.0, |word| word.x1 - word.x0);
    before.x1 + first + 2.0 * before.size < before.right && before.text().ends_with(['.', ')'])
}

/// The rules of the table: from the first below `from`, as long as no prose stands between them.
fn chain(lines: &[Line], below: &[Rect], from: f32, head: &Line, usual: &Usual) -> Vec<Rect> {
    let mut chain: Vec<Rect> = Vec::new();
    for rule in below {
        let top = chain.last().map_or(from, |last| last.y1);
        let between = lines.iter().filter(|line| {
            line.page == head.page
                && line.y > top
                && line.y < rule.y0
                && line.x0 < rule.x1
                && line.x1 > rule.x0
        });
        // In a ruled table cells of words may stand as close as prose.
        let gridded = below.iter().filter(|other| are_alike(other, rule)).count() >= 4
            && rule.y0 - top < 20.0 * usual.leading
            && chain.last().is_none_or(|last| are_alike(last, rule));
        let prose = between
            .map(|line| match captions::kind(line, None, usual) {
                Some(_) => 2,
                None => usize::from(!gridded && is_prose(line, usual)),
            })
            .sum::<usize>();
        let far = chain.is_empty() && rule.y0 - from > 4.0 * usual.leading;
        if prose >= 2 || far {
            break;
        }
        chain.push(*rule);
    }
    chain
}

fn within(lines: &[Line], page: u32, top: Rect, bottom: Rect, from: f32) -> Vec<usize> {
    let (x0, x1) = (top.x0.min(bottom.x0) - 4.0, top.x1.max(bottom.x1) + 4.0);
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| {
            line.page == page
                && line.y > from
                && line.y - 0.3 * line.size < bottom.y1
                && line.x1 > x0
                && line.x0 < x1
                && (line.x0 + line.x1) / 2.0 > x0
                && (line.x0 + line.x1) / 2.0 < x1
        })
        .map(|(index, _)| index)
        .collect()
}

/// Lines from `start` on that look like a table's, where no rules tell.
fn following(lines: &[Line], start: usize, usual: &Usual) -> Vec<usize> {
    let Some(column) = start.checked_sub(1).map(|last| lines[last].column) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    let mut tabular = 0;
    for (index, line) in lines.iter().enumerate().skip(start) {
        let is_cells = line.cells(WIDE_GAP).len() > 1;
        let far = index > start && line.y - lines[index - 1].y > 3.0 * usual.leading;
        let captioned = captions::kind(line, Some(&lines[index - 1]), usual).is_some();
        if line.column != column || far || captioned || is_prose(line, usual) && !is_cells {
            break;
        }
        tabular += usize::from(is_cells);
        rows.push(index);
    }
    while rows
        .last()
        .is_some_and(|row| lines[*row].cells(WIDE_GAP).len() == 1)
    {
        rows.pop();
    }
    if tabular >= 2 { rows } else { Vec::new() }
}

/// Lines before `start` that look like a table's: its caption stands under it.
fn preceding(lines: &[Line], start: usize, usual: &Usual) -> Vec<usize> {
    let mut rows = Vec::new();
    for index in (0..start).rev() {
        let line = &lines[index];
        let far = lines[index + 1].y - line.y > 3.0 * usual.leading;
        if line.column != lines[start].column || far || line.cells(WIDE_GAP).len() < 2 {
            break;
        }
        rows.insert(0, index);
    }
    if rows.len() >= 2 { rows } else { Vec::new() }
}

/// Small print right under the table.
fn notes(lines: &[Line], rows: &[usize], bottom: f32, usual: &Usual) -> Vec<usize> {
    let Some(last) = rows.last() else {
        return Vec::new();
    };
    let (page, column) = (lines[*last].page, lines[*last].column);
    let mut notes = Vec::new();
    let mut y = bottom.max(lines[*last].y);
    for (index, line) in lines.iter().enumerate().skip(last + 1) {
        let small = line.size < 0.94 * usual.size;
        if line.page != page || line.column != column || line.y - y > 2.2 * line.size || !small {
            break;
        }
        let label = captions::kind(line, None, usual);
        if label.is_some() {
            break;
        }
        y = line.y;
        notes.push(index);
    }
    notes
}

/// Runs of at least three lines of cells that stand in the same columns, without a caption.
fn bare(lines: &[Line], taken: &[bool], usual: &Usual) -> Vec<Vec<usize>> {
    let mut tables = Vec::new();
    let mut rows: Vec<usize> = Vec::new();
    for index in 0..=lines.len() {
        let fits = lines.get(index).is_some_and(|line| {
            let near = rows.last().is_none_or(|last| {
                lines[*last].column == line.column
                    && line.y - lines[*last].y < 2.5 * usual.leading
                    && shares_column(&lines[*last], line)
            });
            !taken[index] && near && is_row(line)
        });
        if fits {
            rows.push(index);
            continue;
        }
        if rows.len() >= 3 {
            let end = tables
                .last()
                .and_then(|table: &Vec<usize>| table.last().copied());
            extend(&mut rows, lines, taken, usual, end);
            tables.push(std::mem::take(&mut rows));
        }
        rows.clear();
        if lines
            .get(index)
            .is_some_and(|line| !taken[index] && is_row(line))
        {
            rows.push(index);
        }
    }
    tables
}

/// Takes in the lines of a single cell above and below that are set as small as the table.
fn extend(
    rows: &mut Vec<usize>,
    lines: &[Line],
    taken: &[bool],
    usual: &Usual,
    after: Option<usize>,
) {
    let belongs = |one: usize, other: usize| {
        let (line, next) = (&lines[one], &lines[other]);
        !taken[other]
            && line.column == next.column
            && next.size < 0.93 * usual.size
            && (next.size / line.size - 1.0).abs() < 0.06
            && (next.y - line.y).abs() < 2.5 * usual.leading
            && captions::kind(next, None, usual).is_none()
    };
    while let Some(last) = rows.last().copied()
        && last + 1 < lines.len()
        && belongs(last, last + 1)
    {
        rows.push(last + 1);
    }
    while let Some(first) = rows.first().copied()
        && first > after.map_or(0, |after| after + 1)
        && belongs(first, first - 1)
    {
        rows.insert(0, first - 1);
    }
}

fn is_row(line: &Line) -> bool {
    let cells = line.cells(WIDE_GAP);
    // "1.   text" is a list's item.
    let first = joined(cells[0]);
    cells.len() >= 2 && !super::lists::is_mark(&first) && !joined(cells[1]).starts_with("...")
}

fn shares_column(one: &Line, other: &Line) -> bool {
    let starts = |line: &Line| -> Vec<(f32, f32)> {
        line.cells(WIDE_GAP)
            .iter()
            .skip(1)
            .filter_map(|cell| Some((cell.first()?.x0, cell.last()?.x1)))
            .collect()
    };
    let others = starts(other);
    starts(one)
        .iter()
        .any(|cell| others.iter().any(|at| at.0 < cell.1 && at.1 > cell.0))
}
