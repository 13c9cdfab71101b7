//! Why a question got neither an answer nor a refusal.

use crate::model::ModelError;

/// A question that could not be worked on to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The caller broke off: cancelled, or past its deadline.
    #[error("the answer was stopped before it was ready; ask again with a longer deadline")]
    Stopped,
    /// The library cannot be searched.
    #[error("the library cannot be searched: {0}")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model cannot answer this question, or not at all.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl AnswerError {
    /// True when another question would have been answered: too long, or an adapter that is not there.
    pub fn is_the_askers(&self) -> bool {
        matches!(
            self,
            AnswerError::Model(
                ModelError::PromptTooLong { .. } | ModelError::UnknownAdapter { .. }
            )
        )
    }
}
