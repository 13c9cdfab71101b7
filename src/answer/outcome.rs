//! What becomes of a question: the refusal, the draft or the quotation, with its citations.

use std::ops::ControlFlow;
use std::time::Instant;

use super::draft::{Draft, Stop};
use super::guard::{Fault, Origin, Sources};
use super::passages::Hits;
use super::prompt;
use super::quantity::quantities;
use super::quote::{self, Asked, Candidate, headings};
use super::relevance::Features;
use super::verdict::Verdict;
use super::{AnswerError, words};
use crate::types::{Citation, Place, Question, Reading, Status, Timing, Tokens};

/// What happens while an answer is made; the receiver breaks to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step was taken (search done, a token generated): time to look at the deadline.
    Step,
    /// Checked text that belongs to the answer; joined, these are the whole answer.
    Text(&'a str),
}

/// Receives progress.
pub(super) type Listener<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

/// What became of a question.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `Answered` or `Refused`.
    pub status: Status,
    /// Why it was refused, or what the reader should know.
    pub reason: Option<String>,
    /// The answer.
    pub text: Option<String>,
    /// Its sources, best first.
    pub citations: Vec<Citation>,
    /// Whole texts of the cited passages, in the order of `citations`.
    pub evidence: Vec<String>,
    /// Readings that were in the prompt.
    pub readings: Vec<Reading>,
    /// Tokens used.
    pub tokens: Tokens,
    /// Times, in milliseconds, from the start of work; `queue` is left at 0.
    pub timing: Timing,
    /// The decoder, when it ran.
    pub model: Option<String>,
    /// The adapter, when it ran with one.
    pub adapter: Option<String>,
    /// How likely the passages answer the question, 0 to 1.
    pub relevance: f32,
    /// How likely a tuned model found it that the passages do not say, 0 to 1, where it was asked.
    pub doubt: Option<f32>,
    /// True when the text is a quotation rather than the model's draft.
    pub quoted: bool,
}

/// A question with what was found for it.
pub(super) struct Found<'a> {
    pub(super) question: &'a Question,
    pub(super) asked: Asked,
    pub(super) place: Place,
    pub(super) hits: Hits,
    pub(super) candidates: Vec<Candidate>,
    /// A reading sent with the question beside the limit in one of the best sentences.
    pub(super) verdict: Option<Verdict>,
    pub(super) features: Features,
    pub(super) readings: Vec<Reading>,
    pub(super) started: Instant,
    pub(super) timing: Timing,
}

impl Outcome {
    /// An answer to `found` without text yet.
    pub(super) fn of(found: &Found<'_>) -> Self {
        Outcome {
            status: Status::Answered,
            reason: None,
            text: None,
            citations: Vec::new(),
            evidence: Vec::new(),
            readings: found.readings.clone(),
            tokens: Tokens::default(),
            timing: found.timing.clone(),
            model: None,
            adapter: None,
            relevance: found.features.relevance(),
            doubt: None,
            quoted: false,
        }
    }
}

impl Found<'_> {
    /// The refusal of this question.
    pub(super) fn refused(&self, reason: String) -> Outcome {
        let mut outcome = Outcome::of(self);
        outcome.status = Status::Refused;
        outcome.reason = Some(reason);
        outcome.readings = Vec::new();
        outcome.timing.total = millis(self.started);
        outcome
    }

    /// Everything that the first `passages` passages, the readings and the question say.
    pub(super) fn sources(&self, passages: usize) -> Sources {
        let crop = self.question.crop.as_deref().unwrap_or_default();
        let mut sources = Sources::new(&format!("{crop} {}", self.place));
        for (at, hit) in self.hits.hits.iter().take(passages).enumerate() {
            sources.add(Origin::Passage(at), &headings(hit), &hit.passage.text);
        }
        for (at, reading) in self.readings.iter().enumerate() {
            sources.add(Origin::Reading(at), "", &prompt::fact(reading));
        }
        sources.add(Origin::Question, "", &self.question.text);
        if let Some(stage) = &self.question.stage {
            sources.add(Origin::Question, "", stage);
        }
        sources
    }

    /// The outcome whose text is the best quotation.
    pub(super) fn quoted(
        &self,
        mut outcome: Outcome,
        stop: Option<&Stop>,
        max_chars: usize,
        on: Listener<'_>,
    ) -> Result<Outcome, AnswerError> {
        let Some((hit, text)) = quote::quote(&self.candidates, max_chars) else {
            return Ok(self.refused(format!(
                "not in my library: the passage for {} has no sentence to quote",
                self.place
            )));
        };
        proceed(on(Progress::Text(&text)))?;
        outcome.quoted = true;
        outcome.reason = Some(self.with_fallback(format!(
            "the answer is a quotation from the source{}",
            because(stop)
        )));
        self.cite(&mut outcome, hit, text.clone());
        outcome.text = Some(text);
        outcome.timing.total = millis(self.started);
        Ok(outcome)
    }

    /// The outcome that needs no words of the model's: the `verdict` on a reading, else the best quotation.
    pub(super) fn told(
        &self,
        outcome: Outcome,
        verdict: Option<&Verdict>,
        max_chars: usize,
        on: Listener<'_>,
    ) -> Result<Outcome, AnswerError> {
        match verdict {
            Some(verdict) => self.judged(outcome, verdict, max_chars, on),
            None => self.quoted(outcome, None, max_chars, on),
        }
    }

    fn judged(
        &self,
        mut outcome: Outcome,
        verdict: &Verdict,
        max_chars: usize,
        on: Listener<'_>,
    ) -> Result<Outcome, AnswerError> {
        let best = &self.candidates[verdict.sentence];
        let text = format!("{} {}", verdict.text, best.text);
        let text = quote::shorten(&text, max_chars);
        proceed(on(Progress::Text(&text)))?;
        outcome.readings = vec![self.question.readings[verdict.reading].clone()];
        outcome.reason = self
            .hits
            .fallback
            .is_some()
            .then(|| self.with_fallback(String::new()));
        self.cite(&mut outcome, best.hit, best.text.clone());
        outcome.text = Some(text);
        outcome.timing.total = millis(self.started);
        Ok(outcome)
    }

    /// The outcome whose text is the draft.
    pub(super) fn drafted(&self, mut outcome: Outcome, draft: Draft) -> Outcome {
        let mut cited: Vec<usize> = draft
            .origins
            .iter()
            .filter_map(|origin| match origin {
                Origin::Passage(at) => Some(*at),
                _ => None,
            })
            .collect();
        if cited.is_empty() {
            cited.push(self.candidates.first().map_or(0, |best| best.hit));
        }
        for hit in cited {
            let quote = self.support(hit, &draft.text);
            self.cite(&mut outcome, hit, quote);
        }
        outcome.reason = self
            .hits
            .fallback
            .is_some()
            .then(|| self.with_fallback(String::new()));
        outcome.text = Some(draft.text);
        outcome.timing.total = millis(self.started);
        outcome
    }

    /// The sentence of a passage that has most of what `text` says.
    fn support(&self, hit: usize, text: &str) -> String {
        let said = quantities(text);
        let stems = words::content(text);
        self.candidates
            .iter()
            .filter(|candidate| candidate.hit == hit)
            .max_by_key(|candidate| {
                let figures = said
                    .iter()
                    .filter(|one| {
                        candidate
                            .quantities
                            .iter()
                            .any(|other| one.follows_from(other))
                    })
                    .count();
                let shared = words::content(&candidate.text).intersection(&stems).count();
                (figures, shared)
            })
            .map_or_else(String::new, |candidate| candidate.text.clone())
    }

    fn cite(&self, outcome: &mut Outcome, hit: usize, quote: String) {
        let passage = &self.hits.hits[hit].passage;
        let place = match &self.hits.fallback {
            Some(fallback) => format!("{} (asked for {})", passage.place, fallback.asked),
            None => passage.place.to_string(),
        };
        outcome.citations.push(Citation {
            document: passage.document.clone(),
            title: passage.title.clone(),
            section: passage.section().to_owned(),
            page: passage.page,
            place,
            quote,
            score: outcome.relevance,
        });
        outcome.evidence.push(passage.text.clone());
    }

    /// `reason` with what must be said about a wider place.
    fn with_fallback(&self, reason: String) -> String {
        let Some(fallback) = &self.hits.fallback else {
            return reason;
        };
        let wider = format!(
            "nothing holds for {}, so this is for {}",
            fallback.asked, fallback.used
        );
        match reason.is_empty() {
            true => wider,
            false => format!("{wider}; {reason}"),
        }
    }
}

/// Why the draft was not used; without its words, which no source has.
fn because(stop: Option<&Stop>) -> &'static str {
    match stop {
        Some(Stop::Fault(Fault::Number(_))) => ": the draft had a number that no source has",
        Some(Stop::Fault(Fault::Name(_))) => ": the draft had a name that no source has",
        Some(Stop::Fault(Fault::OutOfContext(_))) => {
            ": the draft put a number where no source has it"
        }
        Some(Stop::Fault(Fault::Negation)) => ": the draft said the opposite",
        Some(Stop::Disagrees) => ": the draft did not say what was asked",
        Some(Stop::Full) => ": the draft was too long",
        None => "",
    }
}

/// The caller's break as an error.
pub(super) fn proceed(flow: ControlFlow<()>) -> Result<(), AnswerError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(AnswerError::Stopped),
    }
}

/// Whole milliseconds since `since`.
pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
