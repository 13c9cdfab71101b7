//! How well a reader's sections say what a document's publisher says: words, headings, tables, pages.

mod truth;

pub use truth::{Truth, TruthError};

use std::collections::HashMap;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::{Body, Section, Table};

/// Two captions are the same from this F1 of their words on.
const SAME_CAPTION: f64 = 0.75;

/// Words of a block that are looked up on its page.
const PAGE_WORDS: usize = 8;

/// Found against true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Share of the true that was found, 0 to 1.
    pub recall: f64,
    /// Share of the found that is true, 0 to 1.
    pub precision: f64,
}

impl Score {
    fn new(common: usize, truth: usize, found: usize) -> Score {
        let share = |of: usize| {
            if of == 0 {
                1.0
            } else {
                common as f64 / of as f64
            }
        };
        Score {
            recall: share(truth),
            precision: share(found),
        }
    }

    /// Harmonic mean of both.
    pub fn f1(&self) -> f64 {
        let sum = self.recall + self.precision;
        if sum == 0.0 {
            0.0
        } else {
            2.0 * self.recall * self.precision / sum
        }
    }
}

/// What was measured on one document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extraction {
    /// Words of the prose, by their longest common subsequence.
    pub prose: Score,
    /// Headings, as sets with repetition of their normalised words.
    pub headings: Score,
    /// Tables that were found under their caption, of `tables`.
    pub tables_found: usize,
    /// Tables with a caption in the truth.
    pub tables: usize,
    /// Words of the true tables' cells that stand in the found ones, 0 to 1.
    pub cells: f64,
    /// Blocks whose first words stand on the page that they name, of `blocks`.
    pub pages_right: usize,
    /// Blocks that could be looked up.
    pub blocks: usize,
}

/// Measures `sections` against `truth`; `pages` is the text of each page, empty where unknown.
pub fn measure(sections: &[Section], truth: &Truth, pages: &[String]) -> Extraction {
    let body: Vec<&Section> = sections
        .iter()
        .filter(|section| truth.is_body(section))
        .collect();
    let found = prose(&body);
    let wanted = words(&truth.prose);
    let headings: Vec<String> = body
        .iter()
        .filter(|section| section.level > 0)
        .flat_map(|section| &section.headings)
        .map(|heading| title(heading))
        .collect();
    let (tables_found, cells) = tables(sections, truth);
    let (pages_right, blocks) = on_their_pages(sections, pages);
    Extraction {
        prose: Score::new(common(&wanted, &found), wanted.len(), found.len()),
        headings: headings_score(&truth.headings, headings),
        tables_found,
        tables: truth.tables.len(),
        cells,
        pages_right,
        blocks,
    }
}

/// Scores running text that knows of no sections, as a plain converter gives it.
pub fn measure_plain(text: &str, truth: &Truth) -> Score {
    let (wanted, found) = (words(&truth.prose), words(text));
    Score::new(common(&wanted, &found), wanted.len(), found.len())
}

/// The words of the paragraphs and lists of `sections`, in order.
fn prose(sections: &[&Section]) -> Vec<String> {
    let mut all = Vec::new();
    for block in sections.iter().flat_map(|section| &section.blocks) {
        match &block.body {
            Body::Paragraph(text) => all.extend(words(text)),
            Body::List(items) => all.extend(items.iter().flat_map(|item| words(item))),
            Body::Table(_) | Body::Caption(_) => {}
        }
    }
    all
}

/// Runs of letters and digits, in lower case, compatibility forms resolved.
pub fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfkc().flat_map(char::to_lowercase).collect();
    plain
        .split(|ch: char| !ch.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Length of the longest common subsequence.
fn common(one: &[String], other: &[String]) -> usize {
    let mut ids: HashMap<&str, u32> = HashMap::new();
    let mut of = Vec::with_capacity(one.len() + other.len());
    for word in one.iter().chain(other) {
        let next = ids.len() as u32;
        of.push(*ids.entry(word).or_insert(next));
    }
    let (one, other) = of.split_at(one.len());
    let mut row = vec![0u32; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (at, b) in other.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if a == b {
                diagonal + 1
            } else {
                above.max(row[at])
            };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default() as usize
}

/// A heading's words without its number.
fn title(heading: &str) -> String {
    let words = words(heading);
    let is_number = |word: &&String| word.chars().all(|ch| ch.is_ascii_digit());
    let rest: Vec<String> = words.iter().skip_while(is_number).cloned().collect();
    if rest.is_empty() {
        words.join(" ")
    } else {
        rest.join(" ")
    }
}

fn headings_score(truth: &[String], found: Vec<String>) -> Score {
    let mut found: Vec<String> = found;
    // A path names its outer headings again with each section under them.
    let mut seen: Vec<String> = Vec::new();
    let wanted: Vec<String> = truth.iter().map(|heading| title(heading)).collect();
    found.retain(|heading| {
        let allowed = wanted
            .iter()
            .filter(|known| *known == heading)
            .count()
            .max(1);
        let have = seen.iter().filter(|known| *known == heading).count();
        seen.push(heading.clone());
        have < allowed
    });
    let mut left = wanted.clone();
    let mut hits = 0;
    for heading in &found {
        if let Some(at) = left.iter().position(|known| known == heading) {
            left.swap_remove(at);
            hits += 1;
        }
    }
    Score::new(hits, wanted.len(), found.len())
}

fn tables(sections: &[Section], truth: &Truth) -> (usize, f64) {
    let found: Vec<&Table> = sections
        .iter()
        .flat_map(|section| &section.blocks)
        .filter_map(|block| match &block.body {
            Body::Table(table) => Some(table),
            _ => None,
        })
        .collect();
    let mut hits = 0;
    let (mut cells, mut cells_found) = (0, 0);
    for (caption, content) in &truth.tables {
        let wanted = words(content);
        cells += wanted.len();
        let same = found.iter().find(|table| {
            let own = table.caption.as_deref().unwrap_or_default();
            bag(&words(caption), &words(own)).f1() >= SAME_CAPTION
        });
        if let Some(table) = same {
            hits += 1;
            let all: Vec<&str> = table
                .header
                .iter()
                .chain(table.rows.iter().flatten())
                .map(String::as_str)
                .collect();
            cells_found += shared(&wanted, &words(&all.join(" ")));
        }
    }
    let share = if cells == 0 {
        1.0
    } else {
        cells_found as f64 / cells as f64
    };
    (hits, share)
}

fn bag(truth: &[String], found: &[String]) -> Score {
    Score::new(shared(truth, found), truth.len(), found.len())
}

/// Words that both have, with repetition.
fn shared(one: &[String], other: &[String]) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in other {
        *counts.entry(word).or_default() += 1;
    }
    one.iter()
        .filter(|word| match counts.get_mut(word.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        })
        .count()
}

fn on_their_pages(sections: &[Section], pages: &[String]) -> (usize, usize) {
    let pages: Vec<String> = pages.iter().map(|page| words(page).concat()).collect();
    let (mut right, mut all) = (0, 0);
    for block in sections.iter().flat_map(|section| &section.blocks) {
        let text = match &block.body {
            Body::Paragraph(text) | Body::Caption(text) => text.as_str(),
            Body::List(items) => items.first().map_or("", String::as_str),
            Body::Table(table) => table.caption.as_deref().unwrap_or_default(),
        };
        let words = words(text);
        let (Some(page), true) = (block.page, words.len() >= PAGE_WORDS) else {
            continue;
        };
        let Some(page_text) = (page as usize).checked_sub(1).and_then(|at| pages.get(at)) else {
            continue;
        };
        all += 1;
        right += usize::from(page_text.contains(&words[..PAGE_WORDS].concat()));
    }
    (right, all)
}

#[cfg(test)]
mod tests;
