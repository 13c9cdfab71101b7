//! Editions: a numbered set of models, library, thresholds and golden questions that belong together.
//!
//! Edition 0 is the one a fresh box makes for itself: unsigned, local, written by `almanac models
//! import` and `almanac ingest`. All others are signed and come from outside (`offer` says which are
//! accepted). One is tried, made current or given up as a whole (`machine`); the old one answers until
//! then. What stands on disk:
//!
//! ```text
//! <state>/blobs/sha256/<hex>       contents, each once however many editions have it
//! <state>/editions/0/edition.toml  the box's own manifest; its files lie anywhere in the state folder
//! <state>/editions/12/             edition.toml, edition.toml.minisig, files/ (second names of contents), index/
//! <state>/current -> editions/12   the edition that answers
//! <state>/incoming/                manifest and signature of the edition under way
//! <state>/trial.toml               how far it is, and what nothing may make the box forget
//! ```

#[cfg(test)]
mod attack_tests;
mod blobs;
pub mod build;
#[cfg(test)]
mod cut_tests;
mod driver;
#[cfg(test)]
mod driver_tests;
mod error;
mod limits;
mod machine;
#[cfg(test)]
mod machine_tests;
mod manifest;
mod moment;
mod offer;
pub mod push;
mod record;
mod signature;
#[cfg(test)]
mod testing;
pub mod zero;

pub use crate::types::Phase;
pub use blobs::{Blobs, Source, Swept};
pub use driver::{Driver, Setting, Told, Verdict, Workshop};
pub use error::EditionError;
pub use machine::STARTS;
pub use manifest::{Budgets, FileEntry, Golden, Hardware, KeyChanges, Manifest, Role, Thresholds};
pub use moment::Moment;
pub use offer::{Accepted, Host, Offer, Terms, examine};
pub use record::{Record, Run};
pub use signature::{Password, PublicKey, Signed, generate, sign};

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

    /// Where the paths of its files begin: the state folder for the box's own edition, else `files` in its
    /// own folder.
    pub fn files(&self) -> PathBuf {
        match (self.manifest.serial, self.folder.ancestors().nth(2)) {
            (0, Some(state)) => state.to_owned(),
            _ => self.folder.join("files"),
        }
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

    /// Serial of the edition that `<state>/current` names, whether or not it can be used; blocking.
    ///
    /// # Errors
    /// The link cannot be read or names no edition.
    pub fn current_serial(state: &Path) -> Result<Option<u64>, EditionError> {
        let link = state.join("current");
        let target = match std::fs::read_link(&link) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(EditionError::io("read the link", &link))?,
        };
        let name = target.file_name().and_then(|name| name.to_str());
        match name.and_then(|name| name.parse().ok()) {
            Some(serial) => Ok(Some(serial)),
            None => Err(EditionError::Manifest {
                path: link,
                reason: format!("points at {}, expected editions/<serial>", target.display()),
            }),
        }
    }

    /// Edition `serial` of the state folder. Blocking.
    ///
    /// # Errors
    /// It is not there, or its manifest cannot be used.
    pub fn numbered(state: &Path, serial: u64) -> Result<Edition, EditionError> {
        Edition::open(Edition::folder_of(state, serial))
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

    fn folder_of(state: &Path, serial: u64) -> PathBuf {
        state.join("editions").join(serial.to_string())
    }
}
