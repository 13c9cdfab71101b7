//! What can be wrong with an edition.

use std::path::{Path, PathBuf};

use crate::durable::FileError;

/// An edition that cannot be read, made, written or accepted.
#[derive(Debug, thiserror::Error)]
pub enum EditionError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
    /// A manifest is not what it should be.
    #[error("{path}: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, what was expected, and what to do.
        reason: String,
    },
    /// A plan cannot be built.
    #[error("{path}: {reason}")]
    Plan {
        /// The plan, or the file that it names.
        path: PathBuf,
        /// What is wrong, what was expected, and what to do.
        reason: String,
    },
    /// A key cannot be read or used.
    #[error("{reason}")]
    Key {
        /// What is wrong.
        reason: String,
    },
    /// An offered edition is not accepted; the box goes on with the one that it has.
    #[error("{0}")]
    Refused(String),
    /// Another edition is under way, or another process works on editions.
    #[error("{0}")]
    Busy(String),
    /// What is asked for cannot be done as the box stands.
    #[error("{0}")]
    Impossible(String),
}

impl EditionError {
    pub(super) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> EditionError {
        let named = FileError::at(action, path);
        move |source| EditionError::Io(named(source))
    }
}
