//! The way of one question through the room.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::draft::{Draft, Yardstick};
use super::outcome::{Found, Listener, Outcome, Progress, millis, proceed};
use super::passages::{Hit, Hits, Passage, PassageQuery, Passages};
use super::prompt::{self, MOST_READINGS, NOT_SAID, Prompt, PromptParts};
use super::quote::{self, Asked, candidates};
use super::readings::{self, Around};
use super::relevance::{Features, holds};
use super::{AnswerError, relevance, words};
use crate::config::{AnswerConfig, Drafting};
use crate::model::{Decline, Embedder, Finish, GenerateRequest, Generator, Message};
use crate::types::{Place, Question, Reading, Timing, Tokens};

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
}

/// Passages read sentence by sentence; the best of them, by their best sentence, make the answer.
const READ: usize = 8;

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

/// What the model is sent for a question, and what that was made from.
#[derive(Clone, Debug)]
pub struct Brief {
    /// The chat.
    pub messages: Vec<Message>,
    /// The passages in it, best first.
    pub passages: Vec<Passage>,
    /// The sentences that it points at.
    pub key: String,
    /// 0 to 1.
    pub relevance: f32,
}

/// Answers questions, one at a time.
pub struct Answerer {
    parts: AnswererParts,
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

    /// What the model would be sent for `question` with the best one, two and so on of its passages, however
    /// little they have to do with it; empty where no passage holds for its place. Nothing is generated;
    /// blocking while it is searched.
    ///
    /// # Errors
    /// The library or the embedder failed, or the question is too long.
    pub fn briefs(&self, question: &Question) -> Result<Vec<Brief>, AnswerError> {
        let mut found = self.find(question, &[])?;
        let key = self.key(&found);
        let all = std::mem::take(&mut found.hits.hits);
        let mut briefs = Vec::new();
        for hit in all {
            found.hits.hits.push(hit);
            let prompt = self.prompt(&found, &key)?;
            if prompt.passages < found.hits.hits.len() {
                break;
            }
            let passages = found.hits.hits.iter().map(|hit| hit.passage.clone());
            briefs.push(Brief {
                messages: prompt.messages,
                passages: passages.collect(),
                key: key.clone(),
                relevance: found.features.relevance(),
            });
        }
        Ok(briefs)
    }

    fn find<'a>(
        &self,
        question: &'a Question,
        readings: &[Reading],
    ) -> Result<Found<'a>, AnswerError> {
        let started = Instant::now();
        let passages = self.parts.passages.as_ref();
        let asked = Asked::new(&question.text, &question.readings, passages);
        let asked_place = question.place.as_ref().unwrap_or(&self.parts.place);
        let top_k = question.top_k.unwrap_or(self.parts.top_k);
        let mut hits = passages.search(&PassageQuery {
            text: &asked.text,
            place: asked_place,
            crop: question.crop.as_deref(),
            top_k: top_k.max(READ),
        })?;
        let place = hits.place.clone();
        hits.hits.retain(|hit| holds(&hit.passage.place, &place));
        let crops = asked_crops(question, &hits);
        hits.hits.retain(|hit| is_about(hit, &crops));
        let embedder = self.parts.embedder.as_deref();
        let mut candidates = candidates(&asked, &hits.hits, embedder)?;
        quote::keep_best(&mut hits.hits, &mut candidates, top_k);
        let sent = &question.readings[..question.readings.len().min(MOST_READINGS)];
        let around = Around {
            hits: &hits.hits,
            crops: &crops,
        };
        let verdict = readings::verdict(&asked, sent, &candidates, around);
        let mut features = Features::of(&asked, &place, &hits, &candidates);
        if let Some(verdict) = &verdict {
            let of = &candidates[verdict.sentence];
            features.limit = of.names(&sent[verdict.reading], &hits.hits);
        }
        Ok(Found {
            question,
            place,
            hits,
            candidates,
            verdict,
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

    fn refusal(&self, found: &Found<'_>) -> Option<String> {
        let place = &found.place;
        if found.hits.hits.is_empty() {
            return Some(format!(
                "not in my library: nothing on this holds for {place}"
            ));
        }
        // A tuned model has a say of its own, so only what is hopeless is refused unread.
        let share = match self.adapter(found.question) {
            Some(_) => relevance::UNREAD,
            None => 1.0,
        };
        if found.features.relevance() >= share * self.parts.config.refuse_below {
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
        let max_chars = self.longest(found.question);
        // A reading held against its limit and a quotation need no words of the model's, only its doubt.
        let guard = self.parts.config.guard;
        let verdict = found.verdict.clone().filter(|_| guard);
        let is_told = guard && (self.parts.config.drafting == Drafting::Quote || verdict.is_some());
        if is_told && found.features.relevance() >= self.parts.config.refuse_below {
            return found.told(Outcome::of(&found), verdict.as_ref(), max_chars, on);
        }
        let key = self.key(&found);
        let prompt = self.prompt(&found, &key)?;
        let sources = found.sources(prompt.passages);
        let yardstick = Yardstick {
            sources: guard.then_some(&sources),
            asked: &found.asked,
            candidates: &found.candidates,
            quote: &key,
            drafting: self.parts.config.drafting,
            max_chars,
        };
        let most = match is_told {
            true => 0,
            false => self.parts.config.max_tokens,
        };
        let request = self.request(&found, prompt.messages, most);
        let (draft, outcome, declined) = self.draft(&found, request, &yardstick, on)?;
        if declined {
            return Ok(Outcome {
                model: outcome.model,
                adapter: outcome.adapter,
                tokens: outcome.tokens,
                doubt: outcome.doubt,
                ..found.refused(format!(
                    "not in my library: the passages found for {} do not say this",
                    found.place
                ))
            });
        }
        if is_told {
            return found.told(outcome, verdict.as_ref(), max_chars, on);
        }
        if draft.text.is_empty() {
            return found.quoted(outcome, draft.stop.as_ref(), max_chars, on);
        }
        Ok(found.drafted(outcome, draft))
    }

    /// The sentences that a prompt points at, and that are the answer where no draft can be used.
    fn key(&self, found: &Found<'_>) -> String {
        quote::quote(&found.candidates, self.longest(found.question))
            .map_or_else(String::new, |(_, text)| text)
    }

    fn longest(&self, question: &Question) -> usize {
        question.max_chars.unwrap_or(self.parts.config.max_chars)
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

    fn request(
        &self,
        found: &Found<'_>,
        messages: Vec<Message>,
        max_tokens: usize,
    ) -> GenerateRequest {
        let adapter = self.adapter(found.question);
        GenerateRequest {
            decline: adapter.as_ref().map(|_| Decline {
                text: NOT_SAID.to_owned(),
                from: relevance::decline_from(
                    found.features.relevance(),
                    self.parts.config.refuse_below,
                ),
            }),
            adapter,
            ..GenerateRequest::new(messages, max_tokens)
        }
    }

    fn draft(
        &mut self,
        found: &Found<'_>,
        request: GenerateRequest,
        yardstick: &Yardstick<'_>,
        on: Listener<'_>,
    ) -> Result<(Draft, Outcome, bool), AnswerError> {
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
        outcome.doubt = generated.declined;
        outcome.tokens = Tokens {
            prompt: generated.prompt_tokens,
            generated: generated.tokens,
        };
        let first = u64::try_from(generated.first_token.as_millis()).unwrap_or(u64::MAX);
        outcome.timing.first_token = Some(before + first);
        Ok((draft, outcome, generated.finish == Finish::Declined))
    }

    /// The adapter that a question is answered with.
    fn adapter(&self, question: &Question) -> Option<String> {
        let configured = || self.parts.adapter.clone();
        question.adapter.clone().or_else(configured)
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

/// Whether a passage may speak for these crops: what holds for maize is never said of wheat. In a sheet on forage a
/// section on sorghum speaks of sorghum.
fn is_about(hit: &Hit, crops: &BTreeSet<String>) -> bool {
    let heads = || words::content(&quote::headings(hit));
    crops.is_empty()
        || hit.passage.crops.is_empty()
        || hit.passage.is_of(crops)
        || !heads().is_disjoint(crops)
}

/// The newest readings of both, newest first.
fn newest(sent: &[Reading], kept: &[Reading]) -> Vec<Reading> {
    let mut all: Vec<Reading> = sent.iter().chain(kept).cloned().collect();
    all.sort_by_key(|reading| std::cmp::Reverse(reading.at));
    all.truncate(MOST_READINGS);
    all
}
