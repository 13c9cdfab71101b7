//! Editions: a numbered set of models, library, thresholds and golden questions that belong together.
//!
//! Edition 0 is the one a fresh box makes for itself: unsigned, local, written by `almanac models
//! import` and `almanac ingest`. What stands on disk:
//!
//! ```text
//! <state>/editions/0/edition.toml   the manifest
//! <state>/editions/0/index/         passages, vectors, postings
//! <state>/current -> editions/0     the edition that answers
//! ```

mod error;
mod manifest;
pub mod zero;

pub use error::EditionError;
pub use manifest::{FileEntry, Golden, Manifest, Role, Thresholds};

use std::path::{Path, PathBuf};

/// An edition on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Edition {
    /// Its folder, `<state>/editions/<serial>`.
    pub folder: PathBuf,
    /// What it is made of.
    pub manifest: Manifest,
}

impl Edition {
    /// Where its passages, vectors and postings lie.
    pub fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// The edition that `<state>/current` points at; `None` on a fresh box. Blocking.
    ///
    /// # Errors
    /// The link leads nowhere or its manifest cannot be used.
    pub fn current(state: &Path) -> Result<Option<Edition>, EditionError> {
        let link = state.join("current");
        match std::fs::read_link(&link) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(EditionError::io("read the link", &link)(source)),
            Ok(target) => Edition::open(state.join(target)).map(Some),
        }
    }

    /// Every edition in the state folder, lowest serial first. Blocking.
    ///
    /// # Errors
    /// A folder cannot be listed or a manifest cannot be used.
    pub fn list(state: &Path) -> Result<Vec<Edition>, EditionError> {
        let folder = state.join("editions");
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(EditionError::io("list", &folder))?,
        };
        let mut editions = Vec::new();
        for entry in entries {
            let path = entry.map_err(EditionError::io("list", &folder))?.path();
            if path.join(manifest::FILE_NAME).is_file() {
                editions.push(Edition::open(path)?);
            }
        }
        editions.sort_by_key(|edition| edition.manifest.serial);
        Ok(editions)
    }

    fn open(folder: PathBuf) -> Result<Edition, EditionError> {
        let manifest = Manifest::read(&folder)?;
        Ok(Edition { folder, manifest })
    }
}
