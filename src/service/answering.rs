//! The answer room as the answering thread and the commands use it.

use std::ops::ControlFlow;

use super::worker::{Answering, Job, expired, failed};
use crate::answer::{AnswerError, Answerer, Outcome, Progress};
use crate::types::{Answer, Status};

/// The answer room, its outcomes as messages.
pub struct OnBox {
    answerer: Answerer,
}

impl OnBox {
    /// Answers by `answerer`.
    pub fn new(answerer: Answerer) -> Self {
        OnBox { answerer }
    }
}

impl Answering for OnBox {
    fn answer(
        &mut self,
        job: &Job,
        on_progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Answer {
        match self
            .answerer
            .answer(&job.question, &job.readings, on_progress)
        {
            Ok(outcome) => message(outcome),
            Err(AnswerError::Stopped) => expired(),
            Err(error) if error.is_the_askers() => Answer {
                status: Status::Invalid,
                ..failed(&error.to_string())
            },
            Err(error) => {
                tracing::error!(%error, "answering failed");
                failed(&error.to_string())
            }
        }
    }
}

/// The outcome as it goes out; id, box and edition are filled in by who knows them.
fn message(outcome: Outcome) -> Answer {
    Answer {
        id: None,
        status: outcome.status,
        reason: outcome.reason,
        answer: outcome.text,
        quoted: outcome.quoted,
        citations: outcome.citations,
        readings: outcome.readings,
        box_name: String::new(),
        edition: 0,
        model: outcome.model,
        adapter: outcome.adapter,
        seq: 0,
        is_final: true,
        wait_s: None,
        timing_ms: outcome.timing,
        tokens: outcome.tokens,
    }
}
