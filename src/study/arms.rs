//! The arms: one question answered with and without the library, the adapter and the guard.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::questions::{SentReading, StudyQuestion};
use crate::answer::{AnswerError, Answerer, AnswererParts, Outcome};
use crate::config::AnswerConfig;
use crate::model::{GenerateRequest, Message, ModelError, Role};
use crate::types::{Citation, Question, Status, Timing, Tokens};

/// What answers: the model, with or without the library, the tuned adapter and the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The model as published, closed book.
    Base,
    /// The model as published writes from the passages found; nothing is refused or checked.
    BaseRag,
    /// The same as the box ships it: calibrated refusal, guard, quotation.
    BaseProduct,
    /// The model with the adapter, closed book.
    Tuned,
    /// The model with the adapter writes from the passages found; nothing is refused or checked.
    TunedRag,
    /// The same as the box ships it.
    TunedProduct,
}

impl Arm {
    /// All arms, the untuned first.
    pub const ALL: [Arm; 6] = [
        Arm::Base,
        Arm::BaseRag,
        Arm::BaseProduct,
        Arm::Tuned,
        Arm::TunedRag,
        Arm::TunedProduct,
    ];

    /// As it is written on the command line and in rows.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Base => "base",
            Arm::BaseRag => "base-rag",
            Arm::BaseProduct => "base-product",
            Arm::Tuned => "tuned",
            Arm::TunedRag => "tuned-rag",
            Arm::TunedProduct => "tuned-product",
        }
    }

    /// As a table shows it.
    pub fn title(self) -> &'static str {
        match self {
            Arm::Base => "base",
            Arm::BaseRag => "base + RAG",
            Arm::BaseProduct => "base + RAG, guarded",
            Arm::Tuned => "tuned",
            Arm::TunedRag => "tuned + RAG",
            Arm::TunedProduct => "tuned + RAG, guarded",
        }
    }

    /// Whether it runs with the adapter.
    pub fn is_tuned(self) -> bool {
        matches!(self, Arm::Tuned | Arm::TunedRag | Arm::TunedProduct)
    }

    /// Whether it reads the library.
    pub fn has_library(self) -> bool {
        !matches!(self, Arm::Base | Arm::Tuned)
    }

    /// Whether it refuses and checks as the box does.
    pub fn is_guarded(self) -> bool {
        matches!(self, Arm::BaseProduct | Arm::TunedProduct)
    }

    /// The arm with the adapter in place of the published model, or the other way round.
    pub fn twin(self) -> Arm {
        match self {
            Arm::Base => Arm::Tuned,
            Arm::BaseRag => Arm::TunedRag,
            Arm::BaseProduct => Arm::TunedProduct,
            Arm::Tuned => Arm::Base,
            Arm::TunedRag => Arm::BaseRag,
            Arm::TunedProduct => Arm::BaseProduct,
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Arm::ALL
            .into_iter()
            .find(|arm| arm.name() == text)
            .ok_or_else(|| {
                format!(
                    "no arm {text:?}; there are {}",
                    Arm::ALL.map(Arm::name).join(", ")
                )
            })
    }
}

/// What one arm said to one question: everything that the measures need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerRow {
    /// What answered.
    pub arm: Arm,
    /// The question.
    pub id: String,
    /// `Answered`, `Refused` (by the box's rules) or `Failed`.
    pub status: Status,
    /// The answer; empty without one.
    pub text: String,
    /// Why it was refused, quoted or failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether the text is a quotation rather than the model's draft.
    #[serde(default)]
    pub quoted: bool,
    /// How likely the passages were thought to answer it, 0 to 1.
    #[serde(default)]
    pub relevance: f32,
    /// How likely the tuned model found it that they do not say, 0 to 1, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<f32>,
    /// Its sources, best first.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// Whole texts of the cited passages, in their order.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Tokens used.
    pub tokens: Tokens,
    /// Milliseconds; `queue` is 0.
    pub timing: Timing,
    /// Joules of the processor packages while it was answered, where the board reports them.
    #[serde(default)]
    pub energy_j: Option<f64>,
    /// Most resident memory of the process since its arm began, bytes.
    #[serde(default)]
    pub peak_bytes: Option<u64>,
}

/// Asks questions of every arm, on one opened set of rooms.
pub struct Asker {
    /// Only absent while a question is answered.
    parts: Option<AnswererParts>,
    shipped: AnswerConfig,
    adapter: Option<String>,
}

/// Short, and the same wish for one sentence as with passages: a long answer is not mistaken for a wrong one.
const CLOSED_BOOK: &str = "You are a farm adviser. Answer the question in one short sentence. \
Give the number with its unit where one is asked for.";

impl Asker {
    /// An asker of `answerer`; tuned arms use `adapter`.
    ///
    /// # Errors
    /// The model has no such adapter.
    pub fn new(answerer: Answerer, adapter: Option<String>) -> Result<Self, AnswerError> {
        let parts = answerer.into_parts();
        let known = parts.generator.adapters();
        if let Some(name) = adapter.as_ref().filter(|name| !known.contains(name)) {
            return Err(AnswerError::Model(ModelError::UnknownAdapter {
                name: name.clone(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            }));
        }
        Ok(Asker {
            shipped: parts.config.clone(),
            parts: Some(parts),
            adapter,
        })
    }

    /// What `arm` says to `question`; blocking for seconds. A failure is a row, too.
    pub fn ask(&mut self, arm: Arm, question: &StudyQuestion) -> AnswerRow {
        let mut asked = question.ask();
        if arm.is_tuned() {
            asked.adapter.clone_from(&self.adapter);
        }
        let Some(mut parts) = self.parts.take() else {
            return failed(
                arm,
                question,
                "the rooms were lost with an earlier question",
            );
        };
        // Otherwise the box's own adapter would answer for the published model.
        parts.adapter = None;
        let (row, parts) = if arm.has_library() {
            self.open_book(arm, question, &asked, parts)
        } else {
            let row = closed_book(arm, question, asked, &mut parts);
            (row, parts)
        };
        self.parts = Some(parts);
        row
    }

    fn open_book(
        &self,
        arm: Arm,
        question: &StudyQuestion,
        asked: &Question,
        mut parts: AnswererParts,
    ) -> (AnswerRow, AnswererParts) {
        parts.config = self.shipped.clone();
        if !arm.is_guarded() {
            parts.config.guard = false;
            parts.config.refuse_below = 0.0;
        }
        let mut answerer = Answerer::new(parts);
        let row = match answerer.answer(asked, &[], &mut |_| ControlFlow::Continue(())) {
            Ok(outcome) => of_outcome(arm, question, outcome),
            Err(error) => failed(arm, question, &error.to_string()),
        };
        (row, answerer.into_parts())
    }
}

fn closed_book(
    arm: Arm,
    question: &StudyQuestion,
    asked: Question,
    parts: &mut AnswererParts,
) -> AnswerRow {
    let begun = Instant::now();
    let messages = vec![
        Message::new(Role::System, CLOSED_BOOK),
        Message::new(Role::User, closed_prompt(question)),
    ];
    let request = GenerateRequest {
        adapter: asked.adapter,
        ..GenerateRequest::new(messages, parts.config.max_tokens)
    };
    let generated = parts
        .generator
        .generate(&request, &mut |_| ControlFlow::Continue(()));
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    match generated {
        Ok(generated) => AnswerRow {
            status: Status::Answered,
            text: generated.text.trim().to_owned(),
            reason: None,
            tokens: Tokens {
                prompt: generated.prompt_tokens,
                generated: generated.tokens,
            },
            timing: Timing {
                first_token: Some(millis(generated.first_token)),
                total: millis(begun.elapsed()),
                ..Timing::default()
            },
            ..failed(arm, question, "")
        },
        Err(error) => failed(arm, question, &error.to_string()),
    }
}

/// Everything that the other arms are told of the asker, without a passage.
fn closed_prompt(question: &StudyQuestion) -> String {
    let mut text = String::new();
    if let Some(place) = question.place.as_ref().filter(|place| !place.is_general()) {
        text.push_str(&format!("Place: {place}\n"));
    }
    if let Some(crop) = &question.crop {
        text.push_str(&format!("Crop: {crop}\n"));
    }
    for reading in question.readings.iter().map(SentReading::text) {
        text.push_str(&format!("Reading: {reading}\n"));
    }
    text.push_str(&format!("Question: {}", question.question));
    text
}

fn of_outcome(arm: Arm, question: &StudyQuestion, outcome: Outcome) -> AnswerRow {
    AnswerRow {
        status: outcome.status,
        text: outcome.text.unwrap_or_default(),
        reason: outcome.reason,
        quoted: outcome.quoted,
        relevance: outcome.relevance,
        doubt: outcome.doubt,
        citations: outcome.citations,
        evidence: outcome.evidence,
        tokens: outcome.tokens,
        timing: outcome.timing,
        ..failed(arm, question, "")
    }
}

fn failed(arm: Arm, question: &StudyQuestion, reason: &str) -> AnswerRow {
    AnswerRow {
        arm,
        id: question.id.clone(),
        status: Status::Failed,
        text: String::new(),
        reason: Some(reason.to_owned()),
        quoted: false,
        relevance: 0.0,
        doubt: None,
        citations: Vec::new(),
        evidence: Vec::new(),
        tokens: Tokens::default(),
        timing: Timing::default(),
        energy_j: None,
        peak_bytes: None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// An answered row.
    pub(crate) fn row(arm: Arm, id: &str, text: &str) -> AnswerRow {
        AnswerRow {
            arm,
            id: id.to_owned(),
            status: Status::Answered,
            text: text.to_owned(),
            reason: None,
            quoted: false,
            relevance: 0.5,
            doubt: None,
            citations: Vec::new(),
            evidence: Vec::new(),
            tokens: Tokens::default(),
            timing: Timing::default(),
            energy_j: None,
            peak_bytes: None,
        }
    }
}

#[cfg(test)]
#[path = "arms_tests.rs"]
mod tests;
