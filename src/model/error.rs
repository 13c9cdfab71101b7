//! What can go wrong with models, split by who can mend it.

use std::path::PathBuf;

use crate::durable::FileError;

/// A model that cannot be fetched, imported, opened or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// libonnxruntime is missing or unfit.
    #[error(
        "{path}: ONNX Runtime cannot be loaded: {reason}; `almanac models fetch` installs it, `model.runtime` in the config names it"
    )]
    Runtime {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A model's file is not what it should be.
    #[error("{path}: {reason}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
    /// A prompt does not fit the context.
    #[error("the prompt has {tokens} tokens, the model reads at most {limit}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of context left for a prompt.
        limit: usize,
    },
    /// An adapter that is not loaded was asked for.
    #[error("no adapter {name:?}; there are: {known}")]
    UnknownAdapter {
        /// The name asked for.
        name: String,
        /// The names there are, joined.
        known: String,
    },
    /// A request asks for what cannot be.
    #[error("the request cannot be followed: {0}")]
    Request(String),
    /// The chat template is broken.
    #[error("the chat template cannot be rendered: {0}")]
    Template(String),
    /// The runtime failed while it ran.
    #[error("the model failed to run: {0}")]
    Run(String),
}

impl ModelError {
    /// A fault of the file at `path`.
    pub fn file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        ModelError::File {
            path: path.into(),
            reason: reason.into(),
        }
    }
}
