//! Answers by retrieval, for questions that were written without.

use std::ops::ControlFlow;
use std::time::Duration;

use super::error::DatasetError;
use crate::answer::Answerer;
use crate::model::{Finish, GenerateRequest, Generated, Generator, Message, ModelError};
use crate::study::Ledger;
use crate::types::{Question, Status};

/// Answers questions from what a search finds; one implementation a kind of writer.
pub trait Answers {
    /// Names writer and model, for provenance.
    fn name(&self) -> String;

    /// The answer to `question`, if there is one; blocking.
    ///
    /// # Errors
    /// It cannot go on at all.
    fn answer(&mut self, question: &Question) -> Result<Option<String>, DatasetError>;

    /// What was used so far.
    fn ledger(&self) -> Ledger;
}

/// The answer room of a box: what a farmer would get.
pub struct RoomAnswers {
    answerer: Answerer,
    name: String,
    ledger: Ledger,
}

impl RoomAnswers {
    /// Over `answerer`.
    pub fn new(answerer: Answerer) -> Self {
        let parts = answerer.into_parts();
        RoomAnswers {
            name: format!(
                "answer room with {} over {} passages",
                parts.generator.name(),
                parts.top_k
            ),
            answerer: Answerer::new(parts),
            ledger: Ledger::default(),
        }
    }
}

impl Answers for RoomAnswers {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&mut self, question: &Question) -> Result<Option<String>, DatasetError> {
        let outcome = self
            .answerer
            .answer(question, &[], &mut |_| ControlFlow::Continue(()))?;
        self.ledger.calls += 1;
        self.ledger.tokens_in += outcome.tokens.prompt as u64;
        self.ledger.tokens_out += outcome.tokens.generated as u64;
        Ok(outcome.text.filter(|_| outcome.status == Status::Answered))
    }

    fn ledger(&self) -> Ledger {
        self.ledger
    }
}

/// A generator that says nothing: the answer room then quotes.
pub struct NoGenerator;

impl Generator for NoGenerator {
    fn name(&self) -> &str {
        "quotations"
    }

    fn context_tokens(&self) -> usize {
        usize::MAX
    }

    fn prompt_tokens(&self, _: &[Message]) -> Result<usize, ModelError> {
        Ok(0)
    }

    fn adapters(&self) -> Vec<String> {
        Vec::new()
    }

    fn generate(
        &mut self,
        _: &GenerateRequest,
        _: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        Ok(Generated {
            text: String::new(),
            prompt_tokens: 0,
            tokens: 0,
            first_token: Duration::ZERO,
            finish: Finish::EndOfText,
            declined: None,
            work: Default::default(),
        })
    }
}
