//! The glyphs of tagged content to the texts that they are.

use std::collections::BTreeMap;

use super::super::lines::{self, Line};
use super::super::page::{Glyph, Page};
use super::super::read::{set_borders, vocabulary};
use super::tree::{Place, Tags};
use crate::documents::pdf::join;

/// Of the glyphs amid the pages at most one in this many may be without a tag.
const UNTAGGED: usize = 100;

/// Heads and feet stand within this share of a page's height from its edges.
const EDGE: f32 = 0.07;

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text {
    /// Page of its first line; `None` where it is empty.
    pub page: Option<u32>,
    pub text: String,
    /// Its left and right border.
    pub place: Option<(f32, f32)>,
    /// Is printed again overleaf, as the heads of tables are.
    pub repeats: bool,
}

/// The lines of each text.
pub(super) struct Texts {
    lines: Vec<Vec<Line>>,
    repeats: Vec<bool>,
    /// Texts of cells, whose lines tell nothing of how the prose is broken.
    in_table: Vec<bool>,
    tagged: usize,
    untagged: usize,
}

impl Texts {
    pub fn new(tags: &Tags) -> Texts {
        Texts {
            lines: vec![Vec::new(); tags.in_table.len()],
            repeats: vec![false; tags.in_table.len()],
            in_table: tags.in_table.clone(),
            tagged: 0,
            untagged: 0,
        }
    }

    /// Adds what stands on the page `number`.
    pub fn add(&mut self, number: u32, page: &Page, tags: &Tags) {
        let mut glyphs: BTreeMap<usize, Vec<Glyph>> = BTreeMap::new();
        let inner = EDGE * page.height..(1.0 - EDGE) * page.height;
        for glyph in page.glyphs.iter().filter(|glyph| !glyph.artifact) {
            let place = glyph.mark.and_then(|mark| tags.places.get(&(number, mark)));
            match place {
                Some(Place::Text(text)) => glyphs.entry(*text).or_default().push(*glyph),
                Some(Place::Silent) => {}
                None if glyph.ch == ' ' || !inner.contains(&glyph.y) => {}
                None => self.untagged += 1,
            }
        }
        let mut prose: Vec<(usize, Line)> = Vec::new();
        for (text, glyphs) in glyphs {
            self.tagged += glyphs.iter().filter(|glyph| glyph.ch != ' ').count();
            let mut lines = lines_of(&glyphs);
            for line in &mut lines {
                line.page = number;
                line.grid = self.in_table[text].then_some(0);
            }
            if !self.in_table[text] {
                prose.extend(lines.into_iter().map(|line| (text, line)));
            } else if !self.lines[text].is_empty() && said(&self.lines[text]) == said(&lines) {
                self.repeats[text] = true;
            } else {
                self.lines[text].extend(lines);
            }
        }
        let (texts, mut lines): (Vec<usize>, Vec<Line>) = prose.into_iter().unzip();
        set_borders(&mut lines);
        for (text, line) in texts.into_iter().zip(lines) {
            self.lines[text].push(line);
        }
    }

    /// Whether the tags hold next to all of the text.
    pub fn are_complete(&self) -> bool {
        self.tagged > 0 && self.untagged * UNTAGGED <= self.tagged
    }

    /// What the texts say, broken words made whole.
    pub fn finish(self) -> Vec<Text> {
        let all: Vec<Line> = self.lines.iter().flatten().cloned().collect();
        // Browsers break words only where a page asks for it.
        let vocabulary = vocabulary(&all, true);
        let texts = self.lines.iter().zip(self.repeats);
        texts
            .map(|(lines, repeats)| Text {
                page: lines.first().map(|line| line.page),
                place: place(lines),
                text: join::lines(&said(lines), &vocabulary),
                repeats,
            })
            .collect()
    }
}

fn place(lines: &[Line]) -> Option<(f32, f32)> {
    let places = lines.iter().map(|line| (line.x0, line.x1));
    places.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

fn said(lines: &[Line]) -> Vec<String> {
    lines.iter().map(Line::text).collect()
}

/// The lines of `glyphs`, column by column: where it goes up again, the next column begins.
fn lines_of(glyphs: &[Glyph]) -> Vec<Line> {
    let mut lines = Vec::new();
    let goes_up = |one: &Glyph, next: &Glyph| one.y - next.y > 2.0 * one.size;
    for column in glyphs.chunk_by(|one, next| !goes_up(one, next)) {
        lines.extend(lines::lines(lines::runs(column)));
    }
    lines
}
