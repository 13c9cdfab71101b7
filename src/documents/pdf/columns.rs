//! Where the text of a page stands in columns, and in which order they are read.
//!
//! A gutter is a strip of white, at least as high as some lines, with prose on both sides. Pages are
//! cut at the ends of gutters into bands; a band's columns are read from left to right.

use super::lines::Run;
use super::page::{Page, Rect, grids};

/// Half the width that must be white, in sizes of the body text.
const HALF_WIDTH: f32 = 0.38;

/// Fewest lines on each side of a gutter; one where other pages have a gutter at the same place.
const MIN_LINES: usize = 3;

/// Gap between stretches of text on one line, in sizes of the body text.
const WIDE: f32 = 1.4;

/// Pages with more runs than this are drawings: they have no columns.
const MAX_RUNS: usize = 3_000;

/// Narrowest column, in sizes of the body text.
const MIN_COLUMN: f32 = 8.0;

/// White between columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gutter {
    pub x: f32,
    pub y0: f32,
    pub y1: f32,
}

/// A part of a page that is read before the next one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub area: Rect,
    pub runs: Vec<Run>,
}

/// The gutters of a page whose text is `runs`; `known` are those that other pages have.
pub(super) fn gutters(page: &Page, runs: &[Run], body: f32, known: &[f32]) -> Vec<Gutter> {
    if page.turned || runs.len() > MAX_RUNS {
        return Vec::new();
    }
    let left = runs.iter().map(|run| run.x0).fold(f32::MAX, f32::min);
    let right = runs.iter().map(|run| run.x1).fold(0.0, f32::max);
    let mut found: Vec<Gutter> = Vec::new();
    let mut x = left + MIN_COLUMN * body;
    while x < right - MIN_COLUMN * body {
        let is_known = known.iter().any(|gutter| (gutter - x).abs() < body);
        found.extend(openings(page, runs, body, x, is_known));
        x += 2.0;
    }
    choose(found, body)
}

/// The highest gutters that do not stand in each other's columns; of equal ones the middle.
fn choose(mut found: Vec<Gutter>, body: f32) -> Vec<Gutter> {
    let mut chosen: Vec<Gutter> = Vec::new();
    while let Some(best) = found
        .iter()
        .copied()
        .max_by(|a, b| (a.y1 - a.y0).total_cmp(&(b.y1 - b.y0)))
    {
        let equal: Vec<Gutter> = found
            .iter()
            .copied()
            .filter(|gutter| {
                (gutter.x - best.x).abs() < 3.0 * body
                    && (gutter.y0 - best.y0).abs() < 0.5 * body
                    && (gutter.y1 - best.y1).abs() < 0.5 * body
            })
            .collect();
        let best = equal[equal.len() / 2];
        chosen.push(best);
        found.retain(|gutter| {
            (gutter.x - best.x).abs() >= MIN_COLUMN * body
                || gutter.y1 <= best.y0 + body
                || gutter.y0 >= best.y1 - body
        });
    }
    chosen.sort_by(|a, b| a.x.total_cmp(&b.x));
    chosen
}

/// What closes a gutter: a stretch of height, and whether it is a rule.
struct Bar {
    top: f32,
    bottom: f32,
    is_rule: bool,
}

/// Stretches of height in which nothing crosses `x` and prose stands on both sides.
fn openings(page: &Page, runs: &[Run], body: f32, x: f32, is_known: bool) -> Vec<Gutter> {
    let half = HALF_WIDTH * body;
    let crosses = |x0: f32, x1: f32| x0 < x + half && x1 > x - half;
    let mut bars: Vec<Bar> = runs
        .iter()
        .filter(|run| crosses(run.x0, run.x1))
        .map(|run| Bar {
            top: run.top(),
            bottom: run.bottom(),
            is_rule: false,
        })
        .collect();
    let inner = 0.09 * page.height..0.93 * page.height;
    bars.extend(
        page.rules
            .iter()
            .filter(|rule| {
                rule.x0 < x - 3.0 * body && rule.x1 > x + 3.0 * body && inner.contains(&rule.y0)
            })
            .map(|rule| Bar {
                top: rule.y0,
                bottom: rule.y1,
                is_rule: true,
            }),
    );
    bars.extend(
        page.boxes
            .iter()
            .filter(|area| {
                area.x0 < x - 3.0 * body
                    && area.x1 > x + 3.0 * body
                    && area.height() < 0.5 * page.height
                    && holds_lines(area, runs, x)
            })
            .flat_map(|area| [area.y0, area.y1])
            .map(|y| Bar {
                top: y,
                bottom: y,
                is_rule: true,
            }),
    );
    bars.sort_by(|a, b| a.top.total_cmp(&b.top));
    let mut found = Vec::new();
    let grids = grids(page);
    let mut from = 0.0f32;
    let mut last: Option<&Bar> = None;
    let end = Bar {
        top: page.height,
        bottom: page.height,
        is_rule: false,
    };
    for bar in bars.iter().chain([&end]) {
        let ruled = bar.is_rule && last.is_some_and(|last| last.is_rule);
        let gridded = grids.iter().any(|grid| {
            grid.x0 < x - 3.0 * body
                && grid.x1 > x + 3.0 * body
                && grid.y0 < bar.top - body
                && grid.y1 > from + body
        });
        let height = (x, from, bar.top);
        if !gridded
            && bar.top - from > 2.0 * body
            && let Some((y0, y1)) = open(runs, body, height, is_known, ruled)
        {
            found.push(Gutter { x, y0, y1 });
        }
        if bar.bottom >= from {
            from = bar.bottom;
            last = Some(bar);
        }
    }
    found
}

/// A box that parts a page holds text right across `x`; others are tints under columns.
fn holds_lines(area: &Rect, runs: &[Run], x: f32) -> bool {
    let inside = |run: &&Run| {
        run.y > area.y0 && run.y < area.y1 && run.x0 > area.x0 - 2.0 && run.x1 < area.x1 + 2.0
    };
    runs.iter()
        .filter(inside)
        .any(|run| run.x0 < x && run.x1 > x)
}

/// The height that the text on both sides of `x` takes, where it is prose.
fn open(
    runs: &[Run],
    body: f32,
    (x, y0, y1): (f32, f32, f32),
    is_known: bool,
    ruled: bool,
) -> Option<(f32, f32)> {
    let within = |run: &&Run| run.y > y0 && run.y < y1 + 0.2 * body;
    let (left, right): (Vec<&Run>, Vec<&Run>) =
        runs.iter().filter(within).partition(|run| run.x1 <= x);
    let (left, right) = (Side::of(&left, x, body)?, Side::of(&right, x, body)?);
    if left.away > 4.0 * body || right.away > 4.0 * body {
        return None;
    }
    let overlap = left.y1.min(right.y1) - left.y0.max(right.y0);
    let lines = left.lines.min(right.lines);
    // The last page's text may end in the first line of a column.
    let ends = !runs.iter().any(|run| run.y > y1 + 0.2 * body);
    let is = if is_known && !ruled && ends {
        lines >= 1 && left.is_prose(10.0) && right.is_prose(10.0)
    } else {
        let least = if ruled { 30.0 } else { 14.0 };
        lines >= MIN_LINES && overlap > 2.0 * body && left.is_prose(least) && right.is_prose(least)
    };
    is.then(|| {
        let top = left.top.min(right.top) - body;
        (
            top.max(y0),
            (left.bottom.max(right.bottom) + 0.4 * body).min(y1),
        )
    })
}

/// The stretches of text next to a gutter, on one side of it.
struct Side {
    lines: usize,
    chars: usize,
    letters: usize,
    y0: f32,
    y1: f32,
    /// First and last base line of the text that stands at the gutter.
    top: f32,
    bottom: f32,
    width: f32,
    /// How far the nearest half of the lines stay away from the gutter.
    away: f32,
    body: f32,
}

impl Side {
    /// `runs` all stand on one side of `x`.
    fn of(runs: &[&Run], x: f32, body: f32) -> Option<Side> {
        let mut sorted = runs.to_vec();
        // From the gutter outwards on each line.
        sorted.sort_by(|a, b| distance(a, x).total_cmp(&distance(b, x)));
        let mut lines: Vec<(f32, f32, f32, Vec<&Run>)> = Vec::new();
        for run in sorted {
            let line = lines
                .iter_mut()
                .find(|line| (line.0 - run.y).abs() < 0.5 * body);
            match line {
                Some(line) if run.x0 - line.2 < WIDE * body && line.1 - run.x1 < WIDE * body => {
                    (line.1, line.2) = (line.1.min(run.x0), line.2.max(run.x1));
                    line.3.push(run);
                }
                Some(_) => {}
                None => lines.push((run.y, run.x0, run.x1, vec![run])),
            }
        }
        let glyphs = || {
            let runs = lines.iter().flat_map(|line| &line.3);
            runs.flat_map(|run| &run.glyphs)
                .filter(|glyph| glyph.ch != ' ')
        };
        let mut away: Vec<f32> = lines
            .iter()
            .map(|line| (line.1 - x).max(x - line.2).max(0.0))
            .collect();
        away.sort_by(f32::total_cmp);
        let x0 = lines.iter().map(|line| line.1).fold(f32::MAX, f32::min);
        let x1 = lines.iter().map(|line| line.2).fold(0.0, f32::max);
        // A line whose end is far from the gutter may be short; one that begins far from it is not its.
        let near = || {
            let own = |line: &&(f32, f32, f32, Vec<&Run>)| line.1 < x || line.1 - x < 4.0 * body;
            lines.iter().filter(own).map(|line| line.0)
        };
        Some(Side {
            top: near().reduce(f32::min)?,
            bottom: near().reduce(f32::max)?,
            lines: lines.len(),
            chars: glyphs().count(),
            letters: glyphs().filter(|glyph| glyph.ch.is_alphabetic()).count(),
            y0: lines.iter().map(|line| line.0).reduce(f32::min)?,
            y1: lines.iter().map(|line| line.0).reduce(f32::max)?,
            width: x1 - x0,
            away: *away.get(away.len() / 4)?,
            body,
        })
    }

    fn is_prose(&self, least_chars: f32) -> bool {
        self.chars as f32 >= least_chars * self.lines as f32
            && self.letters as f32 >= 0.6 * self.chars as f32
            && self.width >= MIN_COLUMN * self.body
    }
}

fn distance(run: &Run, x: f32) -> f32 {
    (run.x0 - x).max(x - run.x1)
}

/// `runs` parted into columns in reading order.
pub(super) fn columns(page: &Page, runs: Vec<Run>, gutters: &[Gutter]) -> Vec<Column> {
    let mut cuts: Vec<f32> = gutters
        .iter()
        .flat_map(|gutter| [gutter.y0, gutter.y1])
        .chain([f32::MIN, f32::MAX])
        .collect();
    cuts.sort_by(f32::total_cmp);
    cuts.dedup_by(|a, b| (*a - *b).abs() < 2.0);
    let mut columns: Vec<Column> = Vec::new();
    for band in cuts.windows(2) {
        let (y0, y1) = (band[0], band[1]);
        let middle = (y0.max(0.0) + y1.min(page.height)) / 2.0;
        let edges: Vec<f32> = std::iter::once(f32::MIN)
            .chain(
                gutters
                    .iter()
                    .filter(|gutter| gutter.y0 < middle && gutter.y1 > middle)
                    .map(|gutter| gutter.x),
            )
            .chain([f32::MAX])
            .collect();
        for sides in edges.windows(2) {
            columns.push(Column {
                area: Rect {
                    x0: sides[0],
                    y0,
                    x1: sides[1],
                    y1,
                },
                runs: Vec::new(),
            });
        }
    }
    for run in runs {
        // The middle of the letters, for base lines may touch the cut.
        let (x, y) = ((run.x0 + run.x1) / 2.0, run.y - 0.3 * run.size);
        let home = columns.iter_mut().find(|column| {
            let area = &column.area;
            y >= area.y0 && y < area.y1 && x >= area.x0 && x < area.x1
        });
        if let Some(column) = home {
            column.runs.push(run);
        }
    }
    columns.retain(|column| !column.runs.is_empty());
    columns
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
