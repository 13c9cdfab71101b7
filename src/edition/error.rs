//! What can be wrong with an edition.

use std::path::{Path, PathBuf};

use crate::durable::FileError;

/// An edition that cannot be read or written.
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
