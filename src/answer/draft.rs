//! A draft while the model writes it: each sentence is checked when it is whole, then let go or stopped.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::guard::{Fault, Origin, Sources, Verdict};
use super::quantity::quantities;
use super::quote::{Asked, Candidate};
use super::{sentences, words};

/// When a grounded draft is used rather than the best quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drafting {
    /// Whenever its first sentence is grounded.
    Grounded,
    /// When its first sentence is grounded and says what the best quotation says.
    Agreeing,
    /// Never: the answer is always a quotation.
    Quote,
}

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
    pub asked: &'a Asked<'a>,
    /// The sentences of the passages, best first.
    pub candidates: &'a [Candidate],
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

/// Sentences among which the first sentence of a draft must find its figure again.
const AGREE_WITH: usize = 3;

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

    fn judge(
        &mut self,
        sentence: &str,
        yardstick: &Yardstick<'_>,
        emit: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let said = sentence.trim();
        if said.is_empty() || self.text.contains(said) {
            // A small model repeats itself; once is enough.
            return ControlFlow::Continue(());
        }
        if let Some(sources) = yardstick.sources {
            match sources.check(said) {
                Verdict::Ungrounded(fault) => return self.end(Stop::Fault(fault)),
                Verdict::Grounded(origins) => {
                    if self.text.is_empty() && !agrees(said, yardstick) {
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

/// Whether the first sentence of a draft says what the best quotation says.
fn agrees(said: &str, yardstick: &Yardstick<'_>) -> bool {
    if yardstick.drafting == Drafting::Grounded {
        return true;
    }
    let best = yardstick.candidates.iter().take(AGREE_WITH);
    let wants = &yardstick.asked.wants;
    let stated = quantities(said);
    if !wants.is_open() {
        let given = quantities(yardstick.asked.text);
        let new = stated
            .iter()
            .filter(|one| wants.fit(std::slice::from_ref(*one)) == 1.0)
            .filter(|one| !given.iter().any(|given| one.follows_from(given)));
        return new.into_iter().any(|one| {
            best.clone().any(|candidate| {
                candidate
                    .quantities
                    .iter()
                    .any(|source| one.follows_from(source))
            })
        });
    }
    let stems = words::content(said);
    best.map(|candidate| words::content(&candidate.text))
        .any(|source| 2 * stems.intersection(&source).count() >= stems.len().max(1))
}
