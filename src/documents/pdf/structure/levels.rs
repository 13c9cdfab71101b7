//! How deep a heading stands, as its look and its number tell.

use std::collections::BTreeMap;

use super::super::body::{Usual, quarter};
use super::super::flow::{Content, Look, Piece};
use super::super::headings;
use super::MAX_LEVEL;
use super::roles::{Role, is_back, role};

/// The level of each look.
pub(super) struct Levels(BTreeMap<Look, u8>);

impl Levels {
    /// Of the headings of `pieces`, among prose of the size `usual`.
    pub fn of(pieces: &[Piece], usual: &Usual) -> Levels {
        let mut looks: Vec<(Look, bool)> = Vec::new();
        for piece in pieces {
            if let Content::Heading { text, look } = &piece.kind {
                // What stands after the text may look like any heading of it.
                let main = role(text) != Role::Other && !look.run_in && !is_back(text);
                match looks.iter_mut().find(|(known, _)| known == look) {
                    Some(known) => known.1 |= main,
                    None => looks.push((*look, main)),
                }
            }
        }
        // Letters of another face are larger without standing out.
        let is_weak =
            |look: &Look| !look.bold && !look.caps && look.size <= quarter(1.05 * usual.size);
        // The more it stands out, the higher it is; false sorts first.
        looks.sort_by_key(|(look, _)| {
            (
                look.run_in,
                is_weak(look),
                -look.size,
                !look.bold,
                !look.caps,
                !look.upright,
                look.face.is_none(),
            )
        });
        // Alike but for the face: the one of the main parts first. The sort keeps the order of the rest.
        let alike = |look: &Look| Look {
            face: look.face.map(|_| 0),
            ..*look
        };
        for at in 1..looks.len() {
            let mut at = at;
            while at > 0
                && looks[at].1
                && !looks[at - 1].1
                && alike(&looks[at].0) == alike(&looks[at - 1].0)
            {
                looks.swap(at, at - 1);
                at -= 1;
            }
        }
        let main = looks.iter().rposition(|(look, main)| *main && !look.run_in);
        let mut levels = BTreeMap::new();
        for (index, (look, _)) in looks.iter().enumerate() {
            let level = match main {
                Some(main) if index <= main => 1,
                Some(main) => index - main + 1,
                None => index + 1,
            };
            levels.insert(*look, (level as u8).min(MAX_LEVEL));
        }
        Levels(levels)
    }

    /// The level of the heading `text` that looks like `look`, from 1.
    pub fn level(&self, text: &str, look: &Look) -> u8 {
        if let Some(depth) = headings::depth(text) {
            return (depth as u8).min(MAX_LEVEL);
        }
        if role(text) != Role::Other && !look.run_in || is_back(text) {
            return 1;
        }
        self.of_look(look)
    }

    /// The level that the look alone tells, from 1.
    fn of_look(&self, look: &Look) -> u8 {
        self.0.get(look).copied().unwrap_or(1)
    }

    /// Whether the heading `text` stands under the one that looks like `open`, where both come after the text.
    pub fn is_under(&self, text: &str, look: &Look, open: &Look) -> bool {
        is_back(text) && !look.run_in && self.of_look(look) > self.of_look(open)
    }
}
