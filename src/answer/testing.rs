//! Stand-ins for tests: a scripted model and a shelf of passages.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{AnswerError, Fallback, Hit, Hits, Passage, PassageQuery, Passages, words};
use crate::library;
use crate::model::{Decline, Finish, GenerateRequest, Generated, Generator, Message, ModelError};
use crate::types::{Place, Reading, ReadingValue};

/// A reading as it comes with a question; without a unit where that is empty.
pub(crate) fn reading(name: &str, value: f64, unit: &str) -> Reading {
    Reading {
        device: String::new(),
        name: name.into(),
        value: ReadingValue::Number(value),
        unit: (!unit.is_empty()).then(|| unit.to_owned()),
        at: 0,
    }
}

/// Says what it was told to, a few characters a token, or declines with a probability of 0.9; a token of a prompt is a word.
pub(crate) struct Scripted {
    pub(crate) reply: String,
    pub(crate) context: usize,
    pub(crate) finish: Finish,
}

impl Scripted {
    pub(crate) fn says(reply: &str) -> Box<Self> {
        Box::new(Scripted {
            reply: reply.to_owned(),
            context: 2_048,
            finish: Finish::EndOfText,
        })
    }
}

impl Generator for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn context_tokens(&self) -> usize {
        self.context
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(messages
            .iter()
            .map(|message| message.content.split_whitespace().count())
            .sum())
    }

    fn adapters(&self) -> Vec<String> {
        Vec::new()
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        let sure = |decline: &&Decline| decline.text == self.reply && decline.from <= 0.9;
        if request.decline.as_ref().is_some_and(|one| sure(&one)) {
            return Ok(Generated {
                text: String::new(),
                prompt_tokens: self.prompt_tokens(&request.messages)?,
                tokens: 0,
                first_token: Duration::from_millis(1),
                finish: Finish::Declined,
                declined: Some(0.9),
                work: Default::default(),
            });
        }
        let characters: Vec<char> = self.reply.chars().collect();
        let mut text = String::new();
        let mut tokens = 0;
        let mut finish = self.finish;
        for piece in characters.chunks(4).take(request.max_tokens) {
            let piece: String = piece.iter().collect();
            text.push_str(&piece);
            tokens += 1;
            if on_text(&piece).is_break() {
                finish = Finish::Stopped;
                break;
            }
        }
        Ok(Generated {
            text,
            prompt_tokens: self.prompt_tokens(&request.messages)?,
            tokens,
            first_token: Duration::from_millis(1),
            finish,
            declined: None,
            work: Default::default(),
        })
    }
}

/// Passages ranked by the words they share with the question; widens the place as a library does.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) passages: Vec<Passage>,
}

impl Shelf {
    pub(crate) fn with(mut self, place: &Place, heading: &str, text: &str) -> Self {
        self.passages.push(Passage {
            document: format!("document-{}", self.passages.len()),
            title: heading.to_owned(),
            headings: vec![heading.to_owned()],
            place: place.clone(),
            text: text.to_owned(),
            ..Passage::default()
        });
        self
    }

    fn holding(&self, place: &Place) -> Vec<&Passage> {
        self.passages
            .iter()
            .filter(|passage| passage.place == *place)
            .collect()
    }

    fn found(&self, text: &str, passages: Vec<&Passage>, top_k: usize) -> Vec<Hit> {
        let asked = words::content(text);
        let mut hits: Vec<Hit> = passages
            .into_iter()
            .map(|passage| {
                let held = words::content(&format!("{} {}", passage.title, passage.text));
                let shared = asked.intersection(&held).count() as f32;
                let coverage = shared / asked.len().max(1) as f32;
                Hit {
                    passage: passage.clone(),
                    lexical: shared,
                    dense: coverage,
                    fused: coverage,
                    coverage,
                }
            })
            .collect();
        hits.sort_by(|a, b| b.fused.total_cmp(&a.fused));
        hits.truncate(top_k);
        hits
    }
}

impl Passages for Shelf {
    fn search(&self, query: &PassageQuery<'_>) -> Result<Hits, AnswerError> {
        // As the library does: a region that the question names goes before the asked place.
        let names = |place: &&Place| {
            let region = place.region.as_deref();
            region.is_some_and(|region| query.text.contains(region))
        };
        let named = self
            .passages
            .iter()
            .map(|passage| &passage.place)
            .find(names);
        let foreign = library::named_places(query.text)
            .into_iter()
            .find(|place| !place.covers(query.place));
        let asked = named.cloned().or(foreign);
        let asked = asked.unwrap_or_else(|| query.place.clone());
        let mut place = asked.clone();
        loop {
            let here = self.holding(&place);
            if !here.is_empty() {
                let fallback = (place != asked).then(|| Fallback {
                    asked: asked.clone(),
                    used: place.clone(),
                });
                return Ok(Hits {
                    hits: self.found(query.text, here, query.top_k),
                    place: asked,
                    fallback,
                });
            }
            match place.wider() {
                Some(wider) => place = wider,
                None => {
                    return Ok(Hits {
                        place: asked,
                        ..Hits::default()
                    });
                }
            }
        }
    }

    fn rarity(&self, word: &str) -> f32 {
        let stem = words::stem(word);
        let with = self
            .passages
            .iter()
            .filter(|passage| words::content(&passage.text).contains(&stem))
            .count();
        1.0 - with as f32 / (self.passages.len() + 1) as f32
    }
}
