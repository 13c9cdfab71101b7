//! What can go wrong with the library, split by who can mend it.

use std::path::PathBuf;

use crate::documents::DocumentError;
use crate::durable::FileError;
use crate::model::ModelError;
use crate::types::Digest;

/// A library that cannot be opened, filled or searched.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Another process has the index open.
    #[error(
        "{path}: the library is in use by another process; ask the running daemon through its socket, or stop it"
    )]
    Locked {
        /// The index folder.
        path: PathBuf,
    },
    /// The vectors were made by another embedder.
    #[error(
        "{path}: the library was made with embedder {found} ({found_dimension} values), the embedder in use is {expected} ({expected_dimension} values); `almanac library rebuild` makes it anew from the documents that it keeps"
    )]
    OtherEmbedder {
        /// The index folder.
        path: PathBuf,
        /// Digest in the index.
        found: Digest,
        /// Length of a vector in the index.
        found_dimension: usize,
        /// Digest of the embedder in use.
        expected: Digest,
        /// Length of its vectors.
        expected_dimension: usize,
    },
    /// The index was written by another version of this program.
    #[error(
        "{path}: the library has schema {found}, this version reads {expected}; `almanac library rebuild` makes it anew from the documents that it keeps, then ingest what is missing"
    )]
    OtherSchema {
        /// The index folder.
        path: PathBuf,
        /// Schema in the index.
        found: u32,
        /// Schema that is read.
        expected: u32,
    },
    /// The file with corrected tags is broken.
    #[error(
        "{path}: the corrected tags cannot be read: {reason}; mend the file, or move it away and set the tags again"
    )]
    Corrections {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was read of a document is damaged or missing.
    #[error("what was read of {id:?} is damaged or missing; ingest it again")]
    Original {
        /// The document.
        id: String,
    },
    /// A file to restore from is no whole backup.
    #[error(
        "{path}: this is no whole backup of a library: {reason}; nothing was changed, use another backup"
    )]
    Backup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else changes the library just now.
    #[error("the library is being changed: {what}; try again when that is done")]
    Busy {
        /// What is under way.
        what: &'static str,
    },
    /// A file of the library cannot be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The store failed; what was committed before is unharmed.
    #[error(
        "{path}: the index cannot be {action}: {reason}; look at free space and the disk's health"
    )]
    Store {
        /// The index folder.
        path: PathBuf,
        /// What was tried, for example `written`.
        action: &'static str,
        /// What the store said.
        reason: String,
    },
    /// The embedder failed.
    #[error("the text cannot be embedded: {0}")]
    Embedder(#[from] ModelError),
    /// The embedder gave vectors that cannot be searched.
    #[error(
        "the embedder gave {found}, expected {rows} unit vectors of {dimension} values; check the model with `almanac models verify`"
    )]
    BadVectors {
        /// What it gave.
        found: String,
        /// Texts that were embedded.
        rows: usize,
        /// Length of a vector.
        dimension: usize,
    },
    /// A document is broken.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A path to ingest does not exist.
    #[error("{path}: there is no such file or folder; name files or folders of documents")]
    NoSuchPath {
        /// The path.
        path: PathBuf,
    },
    /// A sync would have removed every document of a folder.
    #[error(
        "{path}: no documents are in it, so nothing was removed: is the disk mounted? Use `almanac library remove` to remove documents one by one"
    )]
    NothingToSync {
        /// The folder.
        path: PathBuf,
    },
}
