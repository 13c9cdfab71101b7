//! A draft while the model writes it: each sentence is checked when it is whole, then let go or stopped.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::guard::{Fault, Origin, Sources, Verdict};
use super::quantity::quantities;
use super::quote::{Asked, Candidate};
use super::{sentences, words};
use crate::config::Drafting;

/// Why a draft ended before the model did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A sentence was not grounded.
    Fault(Fault),
    /// The first sentence does not say what the best quotation says.
    Disagrees,
    /// The longest answer was reached.
    Full,
}

/// What a draft is held against.
pub struct Yardstick<'a> {
    /// Everything that may be said; `None` lets the raw draft through.
    pub sources: Option<&'a Sources>,
    /// The question.
    pub asked: &'a Asked,
    /// The sentences of the passages, best first.
    pub candidates: &'a [Candidate],
    /// The best quotation, which would be the answer without a draft.
    pub quote: &'a str,
    /// When a grounded draft is used.
    pub drafting: Drafting,
    /// Longest answer, in characters.
    pub max_chars: usize,
}

/// The part of a draft that was let go, and what is still being written.
#[derive(Debug, Default)]
pub struct Draft {
    /// What was let go.
    pub text: String,
    /// Where its figures stand.
    pub origins: BTreeSet<Origin>,
    /// Why it ended early.
    pub stop: Option<Stop>,
    pending: String,
}

/// What may stand before an answer without being part of it.
const LEADS: &[&str] = &[
    "Answer",
    "The answer",
    "The answer is",
    "The answer to the question is",
    "The answer to this question is",
    "The sentence that answers",
    "The sentence that answers is",
];

impl Draft {
    /// Takes `chunk`; hands every sentence that may go to `emit`. Breaks when the draft is to stop
    /// or `emit` breaks.
    pub fn feed(
        &mut self,
        chunk: &str,
        yardstick: &Yardstick<'_>,
        emit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.pending.push_str(chunk);
        while let Some(end) = sentences::first_end(&self.pending) {
            let sentence: String = self.pending.drain(..end).collect();
            self.judge(&sentence, yardstick, emit)?;
        }
        ControlFlow::Continue(())
    }

    /// Judges what is left after the last token; `whole` is false when the model was cut off in it.
    pub fn finish(
        &mut self,
        whole: bool,
        yardstick: &Yardstick<'_>,
        emit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let rest = std::mem::take(&mut self.pending);
        let ended = whole || rest.trim_end().ends_with(['.', '!', '?']);
        if self.stop.is_some() || rest.trim().is_empty() || !(ended || yardstick.sources.is_none())
        {
            return ControlFlow::Continue(());
        }
        // Its own stop is recorded in the draft; only the caller's break goes on.
        match self.judge(&rest, yardstick, emit) {
            ControlFlow::Break(()) if self.stop.is_none() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Adds what a short draft left out: the quoted sentences whose figures it does not give.
    pub fn complete(
        &mut self,
        yardstick: &Yardstick<'_>,
        emit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let wants = &yardstick.asked.wants;
        let best = yardstick.candidates.first().map(|best| best.hit);
        let Some(hit) = best.filter(|_| yardstick.drafting == Drafting::Agreeing) else {
            return ControlFlow::Continue(());
        };
        if self.text.is_empty() || yardstick.sources.is_none() || wants.is_open() {
            return ControlFlow::Continue(());
        }
        for sentence in sentences::sentences(yardstick.quote) {
            let given = quantities(&self.text);
            let missing = quantities(&sentence.text).into_iter().any(|one| {
                wants.fit(std::slice::from_ref(&one)) == 1.0
                    && !given.iter().any(|given| one.follows_from(given))
            });
            let length = self.text.chars().count() + 1 + sentence.text.chars().count();
            if missing && length <= yardstick.max_chars {
                let closed = self.text.ends_with(['.', '!', '?']);
                let part = format!("{}{}", if closed { " " } else { ". " }, sentence.text);
                self.text.push_str(&part);
                self.origins.insert(Origin::Passage(hit));
                emit(&part)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn judge(
        &mut self,
        sentence: &str,
        yardstick: &Yardstick<'_>,
        emit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let said = match yardstick.sources {
            Some(_) => without_lead(sentence.trim()),
            None => sentence.trim(),
        };
        if said.is_empty() || self.text.contains(said) {
            // A small model repeats itself; once is enough.
            return ControlFlow::Continue(());
        }
        if let Some(sources) = yardstick.sources {
            match sources.check(said) {
                Verdict::Ungrounded(fault) => return self.end(Stop::Fault(fault)),
                Verdict::Grounded(origins) => {
                    let first = self.text.is_empty() || yardstick.drafting == Drafting::Grounded;
                    let reads = origins.iter().any(|one| matches!(one, Origin::Reading(_)));
                    let fits = match first {
                        true => agrees(said, yardstick),
                        false => reads || adds_nothing(said, yardstick),
                    };
                    if !fits {
                        return self.end(Stop::Disagrees);
                    }
                    self.origins.extend(origins);
                }
            }
        }
        let gap = usize::from(!self.text.is_empty());
        if self.text.chars().count() + gap + said.chars().count() > yardstick.max_chars {
            return self.end(Stop::Full);
        }
        let part = match gap {
            0 => said.to_owned(),
            _ => format!(" {said}"),
        };
        self.text.push_str(&part);
        emit(&part)
    }

    fn end(&mut self, stop: Stop) -> ControlFlow<()> {
        self.stop = Some(stop);
        ControlFlow::Break(())
    }
}

/// A sentence without the "The answer is:" that small models put before it.
fn without_lead(said: &str) -> &str {
    match said.split_once(": ") {
        Some((lead, rest)) if LEADS.contains(&lead) => rest.trim().trim_matches('"'),
        _ => said,
    }
}

/// Whether a sentence of a draft says what the best quotation says: all the figures that the best
/// sentence gives (also its conditions: "for 6 to 12 months"), none that the quotation lacks, and mostly its words.
fn agrees(said: &str, yardstick: &Yardstick<'_>) -> bool {
    let Some(best) = yardstick.candidates.first() else {
        return false;
    };
    if yardstick.drafting == Drafting::Grounded {
        return true;
    }
    let wants = &yardstick.asked.wants;
    let stated = quantities(said);
    let complete = best.quantities.iter().all(|one| {
        stated
            .iter()
            .any(|said| one.follows_from(said) || said.follows_from(one))
    });
    // Without a figure to look for, half of what the sentence says must be there.
    let own = words::content(&best.text);
    let shared = words::content(said).intersection(&own).count();
    let enough = !wants.is_open() || 2 * shared >= own.len();
    complete && enough && adds_nothing(said, yardstick)
}

/// Whether all figures of `said` and most of its words stand in the quotation or the question.
fn adds_nothing(said: &str, yardstick: &Yardstick<'_>) -> bool {
    let mut known = quantities(yardstick.quote);
    known.extend(quantities(&yardstick.asked.text));
    if let Some(best) = yardstick.candidates.first() {
        known.extend(best.quantities.iter().cloned());
    }
    quantities(said)
        .iter()
        .all(|one| known.iter().any(|other| one.follows_from(other)))
        && mostly_from(said, yardstick)
}

/// Whether three in four content words of `said` stand in the quotation or the question.
fn mostly_from(said: &str, yardstick: &Yardstick<'_>) -> bool {
    let stems = words::content(said);
    let mut known = words::content(yardstick.quote);
    known.extend(words::content(&yardstick.asked.text));
    let own = words::content(yardstick.quote);
    4 * stems.intersection(&known).count() >= 3 * stems.len()
        && stems.intersection(&own).count() > 0
        && words::is_negated(said) == words::is_negated(yardstick.quote)
}
