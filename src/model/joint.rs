//! Whose turn it is among several generations on one model, and what each gets of a step. Runs nothing.
//!
//! A step is shared by generations with the same adapter. Where they differ, the kinds take turns, the one that has
//! waited longest first, among equals that of the oldest generation. One prompt is read at a time, the oldest of its
//! kind first, in chunks, and all that write go on in the same steps.

use std::ops::ControlFlow;

use super::ModelError;
use super::sequence::{Pen, Sequence, Wanted};
use super::slots::Slots;
use super::text_generator::{CHUNK, TextGenerator};

/// Prompt tokens read at a time while others write: shorter steps, so that they wait less.
const CHUNK_BESIDE: usize = 128;

/// A generation at its seat.
pub struct Guest {
    /// Grows from one to the next.
    pub ticket: u64,
    /// The generation.
    pub sequence: Sequence,
    /// What was written and not yet heard.
    pub news: Vec<Piece>,
    /// Why it cannot go on.
    pub failed: Option<String>,
    adapter: Option<String>,
    slot: Option<usize>,
    /// When its kind had the last step.
    served: u64,
}

/// A piece of text, and how many tokens were written up to it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Whole characters.
    pub text: String,
    /// Tokens.
    pub tokens: usize,
}

/// All generations, oldest first.
pub struct Guests {
    guests: Vec<Guest>,
    tickets: u64,
    steps: u64,
    /// Guesses of a step, shared out among those who write.
    pub guesses: usize,
}

impl Default for Guests {
    fn default() -> Self {
        Guests {
            guests: Vec::new(),
            tickets: 0,
            steps: 0,
            guesses: TextGenerator::GUESSES,
        }
    }
}

/// Who takes part in a step, and where.
#[derive(Clone, Copy)]
pub struct Place {
    ticket: u64,
    /// Its slot.
    pub slot: usize,
}

/// A step to be run.
pub struct Step {
    /// The adapter of all.
    pub adapter: Option<String>,
    /// Who reads what.
    pub parts: Vec<(Place, Wanted)>,
}

/// Which slots hold something worth keeping.
pub trait Kept {
    /// How many slots there are.
    fn slots(&self) -> usize;
    /// How many positions of `slot` hold what `tokens` begin with, read with `adapter`.
    fn shared(&self, slot: usize, tokens: &[i64], adapter: Option<&str>) -> usize;
}

impl Kept for Slots {
    fn slots(&self) -> usize {
        self.len()
    }

    fn shared(&self, slot: usize, tokens: &[i64], adapter: Option<&str>) -> usize {
        Slots::shared(self, slot, tokens, adapter)
    }
}

impl Guests {
    /// A generation more; its ticket.
    pub fn enter(&mut self, sequence: Sequence, adapter: Option<String>) -> u64 {
        self.tickets += 1;
        self.guests.push(Guest {
            ticket: self.tickets,
            sequence,
            news: Vec::new(),
            failed: None,
            adapter,
            slot: None,
            served: 0,
        });
        self.tickets
    }

    /// A generation less; its slot is free for the next step.
    pub fn leave(&mut self, ticket: u64) -> Option<Guest> {
        let at = self.guests.iter().position(|one| one.ticket == ticket)?;
        Some(self.guests.remove(at))
    }

    /// The generation of `ticket`.
    pub fn get(&mut self, ticket: u64) -> Option<&mut Guest> {
        self.guests.iter_mut().find(|one| one.ticket == ticket)
    }

    /// Gives out free slots and says who takes part in the next step; nobody where nobody has anything to read.
    pub fn plan(&mut self, kept: &impl Kept) -> Step {
        self.seat(kept);
        self.steps += 1;
        let running = self.guests.iter().filter(|one| one.slot.is_some());
        let lead = running.min_by_key(|one| (one.served, one.ticket));
        let adapter = lead.and_then(|one| one.adapter.clone());
        let mut parts = Vec::new();
        let (mut reading, mut writing) = (0, 0);
        let same = |one: &Guest| one.slot.is_some() && one.adapter == adapter;
        for one in self.guests.iter().filter(|one| same(one)) {
            match one.sequence.is_reading() {
                true => reading += 1,
                false => writing += 1,
            }
        }
        let chunk = if writing == 0 { CHUNK } else { CHUNK_BESIDE };
        let guesses = self.guesses / writing.max(1);
        let mut prompts = reading.min(1);
        for one in self.guests.iter_mut().filter(|one| same(one)) {
            one.served = self.steps;
            if one.sequence.is_reading() {
                if prompts == 0 {
                    continue;
                }
                prompts -= 1;
            }
            if let Some(slot) = one.slot {
                let ticket = one.ticket;
                let wanted = one.sequence.next(chunk, guesses);
                parts.push((Place { ticket, slot }, wanted));
            }
        }
        Step { adapter, parts }
    }

    /// Gives the oldest without a slot the free one that holds most of its prompt's beginning.
    fn seat(&mut self, kept: &impl Kept) {
        let mut free: Vec<usize> = (0..kept.slots())
            .filter(|slot| self.guests.iter().all(|one| one.slot != Some(*slot)))
            .collect();
        let waiting = |one: &&mut Guest| {
            one.slot.is_none() && one.failed.is_none() && !one.sequence.is_done()
        };
        for one in self.guests.iter_mut().filter(waiting) {
            let tokens = one.sequence.tokens();
            let shared = |slot: usize| kept.shared(slot, tokens, one.adapter.as_deref());
            let best = (0..free.len()).max_by_key(|at| (shared(free[*at]), usize::MAX - at));
            let Some(at) = best else {
                return;
            };
            let slot = free.remove(at);
            let positions = shared(slot);
            one.sequence.reuse(positions);
            one.slot = Some(slot);
        }
    }

    /// Hands the logits of `step` to those who took part and are still there.
    pub fn deliver(&mut self, step: Step, logits: Result<Vec<Vec<f32>>, ModelError>, pen: Pen<'_>) {
        let (logits, failed) = match logits {
            Ok(logits) => (logits, None),
            Err(ModelError::Run(reason)) => (Vec::new(), Some(reason)),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut logits = logits.into_iter();
        for (place, wanted) in step.parts {
            let own = logits.next().unwrap_or_default();
            let Some(guest) = self.get(place.ticket) else {
                continue;
            };
            let failed = match &failed {
                Some(reason) => Some(reason.clone()),
                None => guest.take(&wanted, own, pen),
            };
            if failed.is_some() || guest.sequence.is_done() {
                guest.slot = None;
            }
            guest.failed = failed;
        }
    }
}

impl Guest {
    /// Goes on by these logits; why it cannot, where it cannot.
    fn take(&mut self, wanted: &Wanted, logits: Vec<f32>, pen: Pen<'_>) -> Option<String> {
        if self.sequence.is_reading() {
            self.news.push(Piece::default());
        }
        let before = self.sequence.generated().tokens;
        let mut texts = Vec::new();
        let taken = self.sequence.take(wanted, logits, pen, &mut |text| {
            texts.push(text.to_owned());
            ControlFlow::Continue(())
        });
        let last = self.sequence.generated().tokens;
        let pieces = texts.into_iter().zip(before + 1..);
        self.news.extend(pieces.map(|(text, at)| Piece {
            text,
            tokens: at.min(last),
        }));
        taken.err().map(|error| error.to_string())
    }
}

#[cfg(test)]
#[path = "joint_tests.rs"]
mod tests;
