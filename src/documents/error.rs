//! What can be wrong with a file that should be a document.

use std::path::PathBuf;

use crate::durable::FileError;

/// A file that cannot be read as a document; the fault is the file's, the library is unharmed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] FileError),
    /// No reader knows the extension.
    #[error("{path}: no reader for {extension:?} files; there are readers for: {known}")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its extension, without the dot.
        extension: String,
        /// The extensions that are read, joined.
        known: String,
    },
    /// The file is larger than any document may be.
    #[error("{path}: {bytes} bytes, at most {limit} are read; split the document")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The bytes are no UTF-8.
    #[error(
        "{path}, line {line}: not UTF-8 (byte {offset}); save it as UTF-8, for example with `iconv -f latin1 -t utf-8`"
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// The block between the `---` lines is broken.
    #[error("{path}, line {line}: the front matter cannot be read: {reason}")]
    FrontMatter {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// The file is not what its name promises.
    #[error("{path}: cannot be read as {format}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be, for example `JATS XML`.
        format: &'static str,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// The PDF has no text that can be read.
    #[error("{path}: {error}")]
    Pdf {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a hint.
        error: super::pdf::PdfError,
    },
    /// One line of a file with a document a line is broken; the other lines are read.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// The `tags.toml` of a folder is broken.
    #[error("{path}: the folder's tags cannot be read: {reason}")]
    FolderTags {
        /// The `tags.toml`.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// There is no text in it.
    #[error(
        "{path}: no text to answer from; a document needs at least one paragraph, list or table"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The id cannot name a document.
    #[error(
        "{path}: the id {id:?} {reason}; give it a short `id`, in the front matter or as the format has it"
    )]
    BadId {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}
