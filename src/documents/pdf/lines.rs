//! Glyphs to runs, runs to lines: what stands side by side on one base line, with its spaces.

use std::collections::HashMap;

use super::page::{Glyph, Style};

/// A gap wider than this many ems ends a run.
const RUN_GAP: f32 = 0.6;

/// A gap wider than this many ems is a space.
const WORD_GAP: f32 = 0.13;

/// The same on lines that have spaces of their own.
const WRITTEN_GAP: f32 = 0.18;

/// Glyphs that were drawn one after the other on one base line, without a wide gap.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub glyphs: Vec<Glyph>,
    pub x0: f32,
    pub x1: f32,
    pub y: f32,
    pub size: f32,
    /// Number of the grid on its page and of the row in it, where it stands for all of a table's row.
    pub row: Option<(usize, usize)>,
}

impl Run {
    pub fn top(&self) -> f32 {
        self.y - 0.75 * self.size
    }

    pub fn bottom(&self) -> f32 {
        self.y + 0.2 * self.size
    }

    /// Letters and digits, not spaces.
    pub fn ink(&self) -> usize {
        self.glyphs.iter().filter(|glyph| glyph.ch != ' ').count()
    }
}

/// Glyphs without a wide space between them, of one style.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub text: String,
    pub x0: f32,
    pub x1: f32,
    pub size: f32,
    pub style: Style,
    /// Set above the line in a smaller size: marks of notes and citations, exponents.
    pub raised: bool,
    /// Stands against the word before it without a space.
    pub glued: bool,
}

/// Words on one base line of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub words: Vec<Word>,
    pub x0: f32,
    pub x1: f32,
    /// Base line.
    pub y: f32,
    /// Size of most of its letters.
    pub size: f32,
    /// Page, from 1.
    pub page: u32,
    /// Number of the column that it stands in, rising in reading order through the document.
    pub column: u32,
    /// Text borders of the column.
    pub left: f32,
    pub right: f32,
    /// Number of the outlined or filled box around it, 0 without.
    pub boxed: u32,
    /// Number of the grid, in the document, whose row it is.
    pub grid: Option<usize>,
    /// Touches the page's first or last text, where notes and page numbers stand.
    pub is_last: bool,
}

impl Line {
    /// Its words with their spaces.
    pub fn text(&self) -> String {
        joined(&self.words)
    }

    pub fn letters(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.text.chars().filter(|ch| ch.is_alphabetic()).count())
            .sum()
    }

    /// Share of its letters and digits for whose words `is` holds.
    pub fn share(&self, is: impl Fn(&Word) -> bool) -> f32 {
        let count = |word: &Word| word.text.chars().filter(|ch| ch.is_alphanumeric()).count();
        let all: usize = self.words.iter().map(count).sum();
        let some: usize = self.words.iter().filter(|word| is(word)).map(count).sum();
        if all == 0 {
            0.0
        } else {
            some as f32 / all as f32
        }
    }

    /// Stretches of words parted by gaps of at least `ems`.
    pub fn cells(&self, ems: f32) -> Vec<&[Word]> {
        let mut cells = Vec::new();
        let mut start = 0;
        for index in 1..self.words.len() {
            if self.words[index].x0 - self.words[index - 1].x1 >= ems * self.size {
                cells.push(&self.words[start..index]);
                start = index;
            }
        }
        cells.push(&self.words[start..]);
        cells
    }
}

/// `words` with spaces where they stand apart; raised figures are kept from running into the text.
pub(super) fn joined(words: &[Word]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 && !word.glued {
            text.push(' ');
        }
        match raised(word, &text) {
            Raised::Citation => {
                text.push('[');
                text.push_str(&word.text);
                text.push(']');
            }
            Raised::Exponent => {
                text.push('^');
                text.push_str(&word.text);
            }
            Raised::No => text.push_str(&word.text),
        }
    }
    text
}

/// What a raised word is.
enum Raised {
    /// The number of a reference or note.
    Citation,
    /// An exponent of a number.
    Exponent,
    /// On the line, or harmless: letters, and exponents of units.
    No,
}

fn raised(word: &Word, before: &str) -> Raised {
    let is_number = word.text.starts_with(|ch: char| ch.is_ascii_digit())
        && word
            .text
            .chars()
            .all(|ch| ch.is_ascii_digit() || matches!(ch, ',' | '-' | '–'));
    let is_power = word
        .text
        .trim_start_matches(['-', '−', '–', '+'])
        .chars()
        .all(|ch| ch.is_ascii_digit());
    let last = before.chars().next_back().unwrap_or(' ');
    if !word.raised || !word.glued {
        return Raised::No;
    }
    if last.is_ascii_digit() && is_power {
        return Raised::Exponent;
    }
    // "m2", "ha-1" stay as they are; a long word or a stop takes no exponent.
    let letters = before
        .chars()
        .rev()
        .take_while(|ch| ch.is_alphabetic())
        .count();
    let cited = letters >= 4 || matches!(last, '.' | ',' | ';' | ':' | ')' | '”' | '"' | '%');
    if is_number && cited {
        Raised::Citation
    } else {
        Raised::No
    }
}

/// Parts `glyphs` into runs; what is drawn twice (a poor man's bold) counts once.
pub(super) fn runs(glyphs: &[Glyph]) -> Vec<Run> {
    let mut seen: HashMap<_, f32> = HashMap::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut fresh = true;
    for glyph in glyphs {
        if glyph.ch.is_whitespace() {
            if let Some(run) = runs.last_mut().filter(|_| !fresh) {
                run.glyphs.push(Glyph { ch: ' ', ..*glyph });
            }
            continue;
        }
        let is_here = |x0: &f32| (glyph.x0 - x0).abs() < 1.2 * reach(glyph);
        let is_twice = [0, -1].map(|shift| seen.get(&place(glyph, shift)).is_some_and(is_here));
        seen.insert(place(glyph, 0), glyph.x0);
        if is_twice.contains(&true) {
            continue;
        }
        match runs
            .last_mut()
            .filter(|run| !fresh && continues(run, glyph))
        {
            Some(run) => {
                run.x0 = run.x0.min(glyph.x0);
                run.x1 = run.x1.max(glyph.x1);
                run.glyphs.push(*glyph);
            }
            None => runs.push(Run {
                glyphs: vec![*glyph],
                x0: glyph.x0,
                x1: glyph.x1,
                y: glyph.y,
                size: glyph.size,
                row: None,
            }),
        }
        fresh = false;
    }
    runs
}

/// How far apart two strokes of one glyph stand at most; the narrowest letters are twice as wide.
fn reach(glyph: &Glyph) -> f32 {
    (0.1 * glyph.size).max(0.3)
}

fn place(glyph: &Glyph, shift: i32) -> (char, i32, i32, i32) {
    let grid = reach(glyph);
    let cell = |at: f32| (at / grid).round() as i32;
    let size = (4.0 * glyph.size).round() as i32;
    (glyph.ch, size, cell(glyph.x0) + shift, cell(glyph.y))
}

fn continues(run: &Run, glyph: &Glyph) -> bool {
    let gap = glyph.x0 - run.x1;
    (glyph.y - run.y).abs() < 0.08 * run.size
        && (0.85..1.18).contains(&(glyph.size / run.size))
        && gap < RUN_GAP * run.size
        && gap > -0.5 * run.size
}

/// Lines of one column, top to bottom: runs that overlap in height stand on one line.
pub(super) fn lines(mut runs: Vec<Run>) -> Vec<Line> {
    // The widest first, so that an exponent joins its line and not the other way round.
    runs.sort_by(|a, b| (b.ink() as f32 * b.size).total_cmp(&(a.ink() as f32 * a.size)));
    let mut rows: Vec<(f32, f32, Vec<Run>)> = Vec::new();
    for run in runs {
        let height = run.bottom() - run.top();
        let best = rows
            .iter_mut()
            .map(|row| {
                let overlap = row.1.min(run.bottom()) - row.0.max(run.top());
                (overlap / height.min(row.1 - row.0), row)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((share, row)) if share >= 0.5 => row.2.push(run),
            _ => rows.push((run.top(), run.bottom(), vec![run])),
        }
    }
    let mut lines: Vec<Line> = rows.into_iter().map(|row| line(row.2)).collect();
    lines.retain(|line| !line.words.is_empty());
    lines.sort_by(|a, b| a.y.total_cmp(&b.y));
    lines
}

/// One line of `runs`, of which the first is the widest.
fn line(mut runs: Vec<Run>) -> Line {
    let (y, size) = (runs[0].y, runs[0].size);
    runs.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let mut glyphs: Vec<Glyph> = runs.into_iter().flat_map(|run| run.glyphs).collect();
    glyphs.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let tracked = tracked(&glyphs);
    // Where spaces are written out, a gap is more likely loose setting.
    let spaces = glyphs.iter().filter(|glyph| glyph.ch == ' ').count();
    let gap = if spaces >= 2 { WRITTEN_GAP } else { WORD_GAP };
    let mut words: Vec<Word> = Vec::new();
    let mut spaced = true;
    for (glyph, tracked) in glyphs.into_iter().zip(tracked) {
        if glyph.ch == ' ' {
            spaced = true;
            continue;
        }
        // A soft hyphen behind a hard one (InDesign) would hide it.
        if glyph.ch == '\u{ad}' && words.last().is_some_and(|word| word.text.ends_with('-')) {
            continue;
        }
        let raised = glyph.size < 0.85 * size && glyph.y < y - 0.15 * size;
        let near = words
            .last()
            .is_some_and(|word| glyph.x0 - word.x1 < gap * size.min(glyph.size * 1.4));
        let glued = (near || tracked) && !spaced;
        match words.last_mut() {
            Some(word) if glued && word.style == glyph.style && word.raised == raised => {
                word.text.push(glyph.ch);
                word.x1 = word.x1.max(glyph.x1);
            }
            _ => words.push(Word {
                text: glyph.ch.to_string(),
                x0: glyph.x0,
                x1: glyph.x1,
                size: glyph.size,
                style: glyph.style,
                raised,
                glued,
            }),
        }
        spaced = false;
    }
    Line {
        x0: words.first().map_or(0.0, |word| word.x0),
        x1: words.iter().map(|word| word.x1).fold(0.0, f32::max),
        words,
        y,
        size,
        ..Line::default()
    }
}

/// Which glyphs stand as far from the one before as their neighbours do: spaced-out letters of a word.
fn tracked(glyphs: &[Glyph]) -> Vec<bool> {
    let mut tracked = vec![false; glyphs.len()];
    let gap = |at: usize| (glyphs[at].x0 - glyphs[at - 1].x1) / glyphs[at].size;
    let is_gap = |at: usize| {
        glyphs[at].ch.is_alphabetic()
            && glyphs[at - 1].ch.is_alphabetic()
            && (0.06..0.5).contains(&gap(at))
    };
    let mut start = 1;
    while start < glyphs.len() {
        let end = (start..glyphs.len())
            .find(|at| !is_gap(*at) || gap(*at) > 1.4 * gap(start) || gap(*at) < 0.7 * gap(start))
            .unwrap_or(glyphs.len());
        if end - start >= 3 {
            tracked[start..end].fill(true);
        }
        start = end.max(start + 1);
    }
    tracked
}

#[cfg(test)]
#[path = "lines_tests.rs"]
pub(super) mod tests;
