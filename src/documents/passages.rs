//! Documents to passages: what is searched, cited and put into a prompt.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::table_text::{as_line, as_markdown};
use super::{Body, Document, Section, Table, Tags, crops, sentences};
use crate::model::TokenCounter;
use crate::types::Place;

/// Most tokens that title and headings may take of what is embedded.
const MAX_PREFIX_TOKENS: usize = 48;

/// Bytes that count as one token at least: a tokenizer may take a run without spaces for one unknown word.
const BYTES_PER_TOKEN: usize = 16;

/// How documents are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassageOptions {
    /// Longest passage text, in the counter's tokens.
    pub max_tokens: usize,
    /// Most tokens that neighbouring passages of one section share; whole sentences only.
    pub overlap_tokens: usize,
}

/// The unit of search: a run of sentences of one section, or (a part of) one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Id of its document.
    pub document: String,
    /// Its number in the document, from 0.
    pub number: u32,
    /// Title of the document.
    pub title: String,
    /// Where it holds.
    pub place: Place,
    /// Crops that it is about: those of the document that it names, else all of the document's.
    pub crops: Vec<String>,
    /// The headings over it, outermost first.
    pub headings: Vec<String>,
    /// Page, from 1, where the format has pages.
    pub page: Option<u32>,
    /// Its words, for quoting and prompts: paragraphs, `- ` items and table rows, one a line.
    pub text: String,
    /// The table that it comes from as Markdown, where that is small enough to show whole.
    pub table: Option<String>,
}

impl Passage {
    /// The nearest heading, else the document's title.
    pub fn section(&self) -> &str {
        self.headings.last().unwrap_or(&self.title)
    }

    /// The same passage of a document with the tags `tags`; its words and numbers stay.
    pub fn retagged(&self, tags: &Tags) -> Passage {
        Passage {
            place: tags.place(),
            crops: crops_of(&tags.crops(), &self.headings, &self.text),
            ..self.clone()
        }
    }

    /// What is embedded and searched: title and headings, then the text.
    pub fn indexed_text(&self) -> String {
        // An id in the place of a title says nothing.
        let title = match self.title == self.document {
            true => "",
            false => self.title.as_str(),
        };
        let mut out = prefix(title, &self.headings);
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.text);
        out
    }
}

/// Cuts `document` into passages in reading order.
///
/// No passage crosses a section or, where the format has them, a page. Cuts fall between blocks where they can, else between sentences, and
/// inside a sentence only where one alone is longer than `max_tokens`. A table is a passage of its own,
/// row by row as `header: value; ...`.
pub fn passages(
    document: &Document,
    counter: &dyn TokenCounter,
    options: &PassageOptions,
) -> Vec<Passage> {
    let mut cutter = Cutter {
        counter,
        options,
        page: None,
        pieces: Vec::new(),
    };
    let mut found = Vec::new();
    let (place, crops) = (document.tags.place(), document.tags.crops());
    for section in &document.sections {
        cutter.section(section);
        let headings = shortened(document, section, counter);
        for piece in cutter.pieces.drain(..) {
            found.push(Passage {
                document: document.id.clone(),
                number: u32::try_from(found.len()).unwrap_or(u32::MAX),
                title: document.title.clone(),
                place: place.clone(),
                crops: crops_of(&crops, &headings, &piece.text),
                headings: headings.clone(),
                page: piece.page,
                text: piece.text,
                table: piece.table,
            });
        }
    }
    found
}

fn prefix(title: &str, headings: &[String]) -> String {
    let mut out = title.to_owned();
    for heading in headings.iter().filter(|heading| *heading != title) {
        if !out.is_empty() {
            out.push_str(" - ");
        }
        out.push_str(heading);
    }
    out
}

/// The section's headings, without the outer ones that would push the text out of the embedder's window.
fn shortened(document: &Document, section: &Section, counter: &dyn TokenCounter) -> Vec<String> {
    let mut headings = section.headings.clone();
    while headings.len() > 1
        && counter.count(&prefix(&document.title, &headings)) > MAX_PREFIX_TOKENS
    {
        headings.remove(0);
    }
    headings
}

/// Those of a document's crops that a passage names, else all of them.
fn crops_of(crops: &[String], headings: &[String], text: &str) -> Vec<String> {
    let named = crops::named_in(&format!("{} {text}", headings.join(" ")));
    let own: Vec<String> = crops
        .iter()
        .filter(|crop| named.contains(&crop.as_str()))
        .cloned()
        .collect();
    if own.is_empty() { crops.to_vec() } else { own }
}

/// The text of one passage.
struct Piece {
    text: String,
    page: Option<u32>,
    table: Option<String>,
}

/// A sentence, item or row, which is cut only when it alone is too long.
struct Unit {
    text: String,
    tokens: usize,
    /// What parts it from the unit before it.
    joint: &'static str,
}

struct Cutter<'a> {
    counter: &'a dyn TokenCounter,
    options: &'a PassageOptions,
    /// Page of what is being cut.
    page: Option<u32>,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn section(&mut self, section: &Section) {
        let mut run: Vec<Vec<Unit>> = Vec::new();
        for block in &section.blocks {
            if block.page != self.page {
                // So that a citation never names another page than the quoted words stand on.
                self.pack(std::mem::take(&mut run));
                self.page = block.page;
            }
            match &block.body {
                Body::Paragraph(text) | Body::Caption(text) => {
                    run.push(self.units(sentences(text), "", " "));
                }
                Body::List(items) => {
                    run.push(self.units(items.iter().map(String::as_str), "- ", "\n"));
                }
                Body::Table(table) => {
                    self.pack(std::mem::take(&mut run));
                    self.table(table);
                }
            }
        }
        self.pack(run);
    }

    fn units<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t str>,
        mark: &str,
        joint: &'static str,
    ) -> Vec<Unit> {
        let mut units: Vec<Unit> = texts
            .into_iter()
            .filter(|text| !text.is_empty())
            .flat_map(|text| self.within_limit(&format!("{mark}{text}")))
            .map(|text| Unit {
                tokens: self.size(&text),
                text,
                joint,
            })
            .collect();
        if let Some(first) = units.first_mut() {
            first.joint = "\n";
        }
        units
    }

    /// Tokens of `text`, and never less than its bytes allow.
    fn size(&self, text: &str) -> usize {
        self.counter.count(text).max(text.len() / BYTES_PER_TOKEN)
    }

    /// `text` whole or, where it is too long, cut between words, and inside words that are too long.
    fn within_limit(&self, text: &str) -> Vec<String> {
        let limit = self.options.max_tokens;
        if self.size(text) <= limit {
            return vec![text.to_owned()];
        }
        let mut parts = vec![String::new()];
        let mut tokens = 0;
        for word in text.split_inclusive(' ').flat_map(short_words) {
            let more = self.size(word).max(1);
            if tokens > 0 && tokens + more > limit {
                parts.push(String::new());
                tokens = 0;
            }
            tokens += more;
            if let Some(part) = parts.last_mut() {
                part.push_str(word);
            }
        }
        parts
            .iter()
            .map(|part| part.trim_end().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Fills passages with `blocks`, each kept together where it fits into one.
    fn pack(&mut self, blocks: Vec<Vec<Unit>>) {
        let mut units: Vec<Unit> = Vec::new();
        let mut borders = Vec::new();
        for block in blocks {
            borders.push(units.len());
            units.extend(block);
        }
        borders.push(units.len());
        let mut start = 0;
        let mut fresh = 0;
        while fresh < units.len() {
            let end = self.end_of(&units, start, fresh, &borders);
            self.pieces.push(Piece {
                text: joined(&units[start..end]),
                page: self.page,
                table: None,
            });
            fresh = end;
            start = self.overlap_start(&units, start..end);
        }
    }

    /// Where the passage that begins at `start` ends; it holds at least the unit `fresh`.
    fn end_of(&self, units: &[Unit], start: usize, fresh: usize, borders: &[usize]) -> usize {
        let mut tokens: usize = units[start..fresh].iter().map(|unit| unit.tokens).sum();
        let mut end = fresh;
        while end < units.len()
            && (end == fresh || tokens + units[end].tokens <= self.options.max_tokens)
        {
            tokens += units[end].tokens;
            end += 1;
        }
        if end == units.len() {
            return end;
        }
        // Back to the last block border, unless that would throw away half of the passage.
        let border = borders.iter().rev().find(|border| **border <= end);
        match border {
            Some(&border) if border > fresh && (border - start) * 2 >= end - start => border,
            _ => end,
        }
    }

    /// Where the next passage begins: some whole units before the end of `last`.
    fn overlap_start(&self, units: &[Unit], last: Range<usize>) -> usize {
        let next = units.get(last.end).map_or(0, |unit| unit.tokens);
        let room = self
            .options
            .overlap_tokens
            .min(self.options.max_tokens.saturating_sub(next));
        let mut tokens = 0;
        let mut start = last.end;
        while start > last.start + 1 && tokens + units[start - 1].tokens <= room {
            start -= 1;
            tokens += units[start].tokens;
        }
        start
    }

    /// Rows of `table`, as many to a passage as fit.
    fn table(&mut self, table: &Table) {
        // Twice the limit: Markdown spends about half of its tokens on bars and rules.
        let limit = 2 * self.options.max_tokens;
        let cells = table.header.len() * (table.rows.len() + 1);
        // A large table is not written out only to be counted: a cell has a token at least.
        let whole = (cells <= limit)
            .then(|| as_markdown(table))
            .filter(|markdown| self.size(markdown) <= limit);
        let rows: Vec<String> = table.rows.iter().map(|row| as_line(table, row)).collect();
        let units = self.units(rows.iter().map(String::as_str), "", "\n");
        let caption = table
            .caption
            .as_deref()
            .filter(|caption| self.size(caption) <= self.options.max_tokens / 2);
        let room = self
            .options
            .max_tokens
            .saturating_sub(caption.map_or(0, |caption| self.size(caption)));
        let mut start = 0;
        while start < units.len() {
            let mut tokens = units[start].tokens;
            let mut end = start + 1;
            while end < units.len() && tokens + units[end].tokens <= room {
                tokens += units[end].tokens;
                end += 1;
            }
            let rows = joined(&units[start..end]);
            self.pieces.push(Piece {
                text: caption.map_or_else(|| rows.clone(), |caption| format!("{caption}\n{rows}")),
                page: self.page,
                table: whole.clone(),
            });
            start = end;
        }
    }
}

/// `word` in pieces of at most 256 bytes, cut between characters.
fn short_words(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(256);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn joined(units: &[Unit]) -> String {
    let mut out = String::new();
    for (index, unit) in units.iter().enumerate() {
        if index > 0 {
            out.push_str(unit.joint);
        }
        out.push_str(&unit.text);
    }
    out
}

#[cfg(test)]
#[path = "passages_tests.rs"]
mod tests;
