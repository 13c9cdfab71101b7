//! What can go wrong with a data set, split by who can mend it.

use std::path::PathBuf;

use crate::answer::AnswerError;
use crate::durable::FileError;
use crate::library::LibraryError;
use crate::model::ModelError;
use crate::study::EndpointError;

/// A data set that cannot be built or read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The library of the build fails.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The disk fails.
    #[error(transparent)]
    File(#[from] FileError),
    /// The endpoint refuses, or failed too often in a row.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The box's own model fails.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The answer room fails.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// What is kept beside the output is of another build.
    #[error(
        "{path}: it is of another build: {reason}; name another output, or remove the folder it lies in"
    )]
    OtherBuild {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A line cannot be read.
    #[error("{path}, line {line}: {reason}; remove the line, or build the data set again")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The teacher said nothing usable so many times in a row.
    #[error(
        "{teacher}: {count} replies in a row could not be used, lastly: {reason}; look at the model, or try another"
    )]
    Unusable {
        /// Who writes.
        teacher: String,
        /// How often.
        count: usize,
        /// What was wrong with the last.
        reason: String,
    },
}
