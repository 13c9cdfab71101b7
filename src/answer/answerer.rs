//! The way of one question through the room.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::draft::{Draft, Drafting, Stop, Yardstick};
use super::guard::{Fault, Origin, Sources};
use super::passages::{Hits, Passage, PassageQuery, Passages};
use super::prompt::{self, MOST_READINGS, Prompt, PromptParts};
use super::quantity::quantities;
use super::quote::{self, Asked, Candidate, candidates, headings};
use super::relevance::{Features, holds};
use super::{AnswerError, words};
use crate::config::AnswerConfig;
use crate::model::{Embedder, Finish, GenerateRequest, Generator, Message};
use crate::types::{Citation, Place, Question, Reading, Status, Timing, Tokens};

/// What the answerer works with.
pub struct AnswererParts {
    /// Where passages come from.
    pub passages: Box<dyn Passages + Send>,
    /// The language model.
    pub generator: Box<dyn Generator>,
    /// Compares sentences with the question; without it words alone do.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// `[answer]` of the configuration.
    pub config: AnswerConfig,
    /// Passages an answer is made from when the question says nothing, 1 to 10.
    pub top_k: usize,
    /// The box's own place.
    pub place: Place,
    /// Adapter when a question names none.
    pub adapter: Option<String>,
    /// When a grounded draft is used; [`Drafting::Agreeing`] but in measurements.
    pub drafting: Drafting,
}

/// What happens while an answer is made; the receiver breaks to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step was taken (search done, a token generated): time to look at the deadline.
    Step,
    /// Checked text that belongs to the answer; joined, these are the whole answer.
    Text(&'a str),
}

/// Passages read sentence by sentence; the best of them, by their best sentence, make the answer.
const READ: usize = 8;

/// Receives progress.
type Listener<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

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
    /// True when the text is a quotation rather than the model's draft.
    pub quoted: bool,
}

/// How well the library serves a question, before anything is generated.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// 0 to 1.
    pub relevance: f32,
    /// What it was made of.
    pub features: Features,
    /// The sentence that would be quoted.
    pub quote: Option<String>,
}

/// Answers questions, one at a time.
pub struct Answerer {
    parts: AnswererParts,
}

/// A question with what was found for it.
struct Found<'a> {
    question: &'a Question,
    asked: Asked<'a>,
    place: Place,
    hits: Hits,
    candidates: Vec<Candidate>,
    features: Features,
    readings: Vec<Reading>,
    started: Instant,
    timing: Timing,
}

impl Answerer {
    /// An answerer of `parts`.
    pub fn new(parts: AnswererParts) -> Self {
        Answerer { parts }
    }

    /// Gives the parts back, for another configuration.
    pub fn into_parts(self) -> AnswererParts {
        self.parts
    }

    /// Answers or refuses `question`; blocking for seconds. `readings` are the kept ones of its
    /// device, none too old; at most the eight newest of all are used.
    ///
    /// # Errors
    /// `on_progress` broke off, the library or the model failed.
    pub fn answer(
        &mut self,
        question: &Question,
        readings: &[Reading],
        on_progress: Listener<'_>,
    ) -> Result<Outcome, AnswerError> {
        let found = self.find(question, readings)?;
        proceed(on_progress(Progress::Step))?;
        if let Some(reason) = self.refusal(&found) {
            return Ok(found.refused(reason));
        }
        self.write(found, on_progress)
    }

    /// How well the library serves `question`; nothing is generated. Blocking while it is searched.
    ///
    /// # Errors
    /// The library or the embedder failed.
    pub fn judge(&self, question: &Question) -> Result<Judgement, AnswerError> {
        let found = self.find(question, &[])?;
        Ok(Judgement {
            relevance: found.features.relevance(),
            features: found.features,
            quote: quote::quote(&found.candidates, self.parts.config.max_chars)
                .map(|(_, text)| text),
        })
    }

    fn find<'a>(
        &self,
        question: &'a Question,
        readings: &[Reading],
    ) -> Result<Found<'a>, AnswerError> {
        let started = Instant::now();
        let passages = self.parts.passages.as_ref();
        let asked = Asked::new(&question.text, passages);
        let place = self.place_of(question);
        let top_k = question.top_k.unwrap_or(self.parts.top_k);
        let mut hits = passages.search(&PassageQuery {
            text: &question.text,
            place: &place,
            crop: question.crop.as_deref(),
            top_k: top_k.max(READ),
        })?;
        hits.hits.retain(|hit| holds(&hit.passage.place, &place));
        let crops = asked_crops(question, &hits);
        hits.hits.retain(|hit| is_about(&hit.passage, &crops));
        let embedder = self.parts.embedder.as_deref();
        let mut candidates = candidates(&asked, &hits.hits, embedder)?;
        quote::keep_best(&mut hits.hits, &mut candidates, top_k);
        let features = Features::of(&asked, &place, &hits, &candidates);
        Ok(Found {
            question,
            place,
            hits,
            candidates,
            features,
            readings: newest(&question.readings, readings),
            timing: Timing {
                retrieve: millis(started),
                ..Timing::default()
            },
            asked,
            started,
        })
    }

    /// The place a question names in words, where the library knows it; else the asker's; else the box's.
    fn place_of(&self, question: &Question) -> Place {
        let asked = question.place.as_ref().unwrap_or(&self.parts.place);
        let text = format!(
            " {} ",
            words::split(&question.text).collect::<Vec<_>>().join(" ")
        );
        let names = |place: &Place| {
            place.region.as_ref().is_some_and(|region| {
                let own = asked.region.as_ref();
                text.contains(&format!(" {region} ")) && own.is_none_or(|own| own != region)
            })
        };
        self.parts
            .passages
            .places()
            .into_iter()
            .find(names)
            .unwrap_or_else(|| asked.clone())
    }

    fn refusal(&self, found: &Found<'_>) -> Option<String> {
        let place = &found.place;
        if found.hits.hits.is_empty() {
            return Some(format!(
                "not in my library: nothing on this holds for {place}"
            ));
        }
        if found.features.relevance() >= self.parts.config.refuse_below {
            return None;
        }
        Some(match found.features.stranger {
            true => "not in my library: the question names something that no passage found for it \
                     speaks of"
                .to_owned(),
            false => format!("not in my library: no passage for {place} answers this"),
        })
    }

    fn write(&mut self, found: Found<'_>, on: Listener<'_>) -> Result<Outcome, AnswerError> {
        let max_chars = found
            .question
            .max_chars
            .unwrap_or(self.parts.config.max_chars);
        if self.parts.drafting == Drafting::Quote && self.parts.config.guard {
            return found.quoted(Outcome::of(&found), None, max_chars, on);
        }
        let key =
            quote::quote(&found.candidates, max_chars).map_or_else(String::new, |(_, text)| text);
        let prompt = self.prompt(&found, &key)?;
        let sources = found.sources(prompt.passages);
        let yardstick = Yardstick {
            sources: self.parts.config.guard.then_some(&sources),
            asked: &found.asked,
            candidates: &found.candidates,
            quote: &key,
            drafting: self.parts.drafting,
            max_chars,
        };
        let (draft, outcome) = self.draft(&found, prompt.messages, &yardstick, on)?;
        if draft.text.is_empty() {
            return found.quoted(outcome, draft.stop.as_ref(), max_chars, on);
        }
        Ok(found.drafted(outcome, draft))
    }

    fn prompt(&self, found: &Found<'_>, key: &str) -> Result<Prompt, AnswerError> {
        let generator = self.parts.generator.as_ref();
        let budget = generator
            .context_tokens()
            .saturating_sub(self.parts.config.max_tokens);
        let parts = PromptParts {
            question: found.question,
            place: &found.place,
            hits: &found.hits.hits,
            readings: &found.readings,
            key,
        };
        Ok(prompt::fitting(&parts, generator, budget)?)
    }

    fn draft(
        &mut self,
        found: &Found<'_>,
        messages: Vec<Message>,
        yardstick: &Yardstick<'_>,
        on: Listener<'_>,
    ) -> Result<(Draft, Outcome), AnswerError> {
        let request = GenerateRequest {
            messages,
            max_tokens: self.parts.config.max_tokens,
            adapter: found
                .question
                .adapter
                .clone()
                .or_else(|| self.parts.adapter.clone()),
        };
        let mut draft = Draft::default();
        let mut stopped = false;
        let before = millis(found.started);
        let generated = self.parts.generator.generate(&request, &mut |chunk| {
            if on(Progress::Step).is_break() {
                stopped = true;
                return ControlFlow::Break(());
            }
            draft.feed(chunk, yardstick, &mut |text| {
                let flow = on(Progress::Text(text));
                stopped |= flow.is_break();
                flow
            })
        })?;
        if stopped {
            return Err(AnswerError::Stopped);
        }
        let whole = generated.finish == Finish::EndOfText;
        let mut emit = |text: &str| on(Progress::Text(text));
        proceed(draft.finish(whole, yardstick, &mut emit))?;
        proceed(draft.complete(yardstick, &mut emit))?;
        let mut outcome = Outcome::of(found);
        outcome.model = Some(self.parts.generator.name().to_owned());
        outcome.adapter = request.adapter;
        outcome.tokens = Tokens {
            prompt: generated.prompt_tokens,
            generated: generated.tokens,
        };
        let first = u64::try_from(generated.first_token.as_millis()).unwrap_or(u64::MAX);
        outcome.timing.first_token = Some(before + first);
        Ok((draft, outcome))
    }
}

impl Outcome {
    fn of(found: &Found<'_>) -> Self {
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
            quoted: false,
        }
    }
}

impl Found<'_> {
    fn refused(&self, reason: String) -> Outcome {
        let mut outcome = Outcome::of(self);
        outcome.status = Status::Refused;
        outcome.reason = Some(reason);
        outcome.readings = Vec::new();
        outcome.timing.total = millis(self.started);
        outcome
    }

    /// Everything that the first `passages` passages, the readings and the question say.
    fn sources(&self, passages: usize) -> Sources {
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
    fn quoted(
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

    fn drafted(&self, mut outcome: Outcome, draft: Draft) -> Outcome {
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

fn proceed(flow: ControlFlow<()>) -> Result<(), AnswerError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(AnswerError::Stopped),
    }
}

/// Stems of the crops that a question is about: its crop, or those of the passages that its text names.
fn asked_crops(question: &Question, hits: &Hits) -> BTreeSet<String> {
    match &question.crop {
        Some(crop) => [words::stem(crop)].into(),
        None => {
            let named = words::content(&question.text);
            hits.hits
                .iter()
                .flat_map(|hit| &hit.passage.crops)
                .map(|crop| words::stem(crop))
                .filter(|crop| named.contains(crop))
                .collect()
        }
    }
}

/// Whether a passage may speak for these crops: what holds for maize is never said of wheat.
fn is_about(passage: &Passage, crops: &BTreeSet<String>) -> bool {
    crops.is_empty()
        || passage.crops.is_empty()
        || passage
            .crops
            .iter()
            .any(|crop| crops.contains(&words::stem(crop)))
}

/// The newest readings of both, newest first.
fn newest(sent: &[Reading], kept: &[Reading]) -> Vec<Reading> {
    let mut all: Vec<Reading> = sent.iter().chain(kept).cloned().collect();
    all.sort_by_key(|reading| std::cmp::Reverse(reading.at));
    all.truncate(MOST_READINGS);
    all
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
