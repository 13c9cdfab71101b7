//! What can go wrong between a recipe and a folder with a model in it.

use std::path::PathBuf;

use crate::durable::FileError;
use crate::types::Digest;

/// A recipe that cannot be read, or a package that is not what its recipe says.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The recipe's text is wrong: its writer's fault.
    #[error("{path}: {reason}")]
    Parse {
        /// The recipe.
        path: PathBuf,
        /// What is wrong, with line or key.
        reason: String,
    },
    /// There is no package for this processor.
    #[error("{recipe}: no package for {wanted}; there are packages for {known}")]
    Architecture {
        /// The recipe's name.
        recipe: String,
        /// The processor asked for.
        wanted: String,
        /// The processors there are packages for.
        known: String,
    },
    /// A file is not the one that was named.
    #[error(
        "{path}: sha256 is {found}, expected {expected}; it is damaged or another file: {hint}"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
        /// What to do.
        hint: &'static str,
    },
    /// The package is no zip file, or a member is missing or broken.
    #[error("{path}: cannot take out {member}: {reason}")]
    Archive {
        /// The package.
        path: PathBuf,
        /// The member.
        member: String,
        /// What the reader said.
        reason: String,
    },
    /// More came out than the recipe allows.
    #[error("{path}: {member} does not fit the {limit_mib} MiB of needs.disk_mib in the recipe")]
    TooLarge {
        /// The package.
        path: PathBuf,
        /// The member at which it went over.
        member: String,
        /// The recipe's limit.
        limit_mib: u64,
    },
    /// The list of what was unpacked is missing or broken.
    #[error("{path}: {reason}; `almanac models fetch` writes it anew")]
    Contents {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be read or written: the machine's fault.
    #[error(transparent)]
    Io(#[from] FileError),
}
