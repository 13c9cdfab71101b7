//! Headings and blocks in reading order to sections: what all readers share.

use super::{Block, Section, clipped, one_line};

/// Deepest heading level kept; deeper ones count as this.
pub(super) const MAX_LEVEL: u8 = 12;

/// Longest heading, in characters: every passage repeats its headings.
const MAX_HEADING_CHARS: usize = 300;

/// Builds sections; a section without blocks is never made.
#[derive(Debug, Default)]
pub(super) struct Outline {
    sections: Vec<Section>,
    /// Level and text of the headings over the current place.
    headings: Vec<(u8, String)>,
    open: Option<Section>,
}

impl Outline {
    /// Begins the part headed `text`; headings of its level and deeper ones no longer hold.
    pub fn heading(&mut self, level: u8, text: &str) {
        let level = level.clamp(1, MAX_LEVEL);
        self.leave(level);
        let text = clipped(&one_line(text), MAX_HEADING_CHARS);
        if !text.is_empty() {
            self.headings.push((level, text));
        }
    }

    /// Ends the parts whose headings are of `level` or deeper.
    pub fn leave(&mut self, level: u8) {
        self.sections.extend(self.open.take());
        self.headings.retain(|(above, _)| *above < level);
    }

    /// Adds a block under the current headings.
    pub fn push(&mut self, block: impl Into<Block>) {
        let headings = &self.headings;
        self.open
            .get_or_insert_with(|| Section {
                headings: headings.iter().map(|(_, text)| text.clone()).collect(),
                level: headings.last().map_or(0, |(level, _)| *level),
                blocks: Vec::new(),
            })
            .blocks
            .push(block.into());
    }

    /// The blocks of the current section, empty before its first.
    pub fn blocks(&mut self) -> &mut [Block] {
        self.open
            .as_mut()
            .map_or(&mut [], |section| section.blocks.as_mut_slice())
    }

    /// Takes the last block of the current section away.
    pub fn pop(&mut self) -> Option<Block> {
        let section = self.open.as_mut()?;
        let block = section.blocks.pop();
        if section.blocks.is_empty() {
            self.open = None;
        }
        block
    }

    /// The sections.
    pub fn finish(mut self) -> Vec<Section> {
        self.leave(0);
        self.sections
    }
}
