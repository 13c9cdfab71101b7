//! Tags that somebody set right, in a file of their own: documents cannot make them again, so they do not
//! live in the index, and they survive a new ingest, a damaged index and a rebuild.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LibraryError;
use crate::documents::Correction;
use crate::durable::{self, FileError};

/// Largest file that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The corrections of a library, by document.
#[derive(Clone, Debug)]
pub struct Corrections {
    path: PathBuf,
    by_id: BTreeMap<String, Correction>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    documents: BTreeMap<String, Correction>,
}

impl Corrections {
    /// Those in `folder/tags.json`; none when there is no such file; blocking.
    ///
    /// # Errors
    /// The file cannot be read or is broken: what somebody set right must not be lost without a word.
    pub fn load(folder: &Path) -> Result<Self, LibraryError> {
        let path = folder.join("tags.json");
        let by_id = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(FileError::at("look at", &path)(error).into()),
            Ok(found) if found.len() > MAX_BYTES => {
                return Err(broken(&path, &format!("{} bytes", found.len())));
            }
            Ok(_) => {
                let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
                Self::from_json(&path, &bytes)?
            }
        };
        Ok(Corrections { path, by_id })
    }

    /// Those in the JSON `bytes`; `path` stands in messages.
    ///
    /// # Errors
    /// They are no corrections.
    pub fn from_json(
        path: &Path,
        bytes: &[u8],
    ) -> Result<BTreeMap<String, Correction>, LibraryError> {
        let file: File =
            serde_json::from_slice(bytes).map_err(|error| broken(path, &error.to_string()))?;
        Ok(file.documents)
    }

    /// Their JSON form.
    pub fn to_json(&self) -> Vec<u8> {
        let documents = self.by_id.clone();
        // Plain data with text for keys: it can always be written.
        serde_json::to_vec_pretty(&File { documents }).unwrap_or_default()
    }

    /// Others for the same library; nothing is written.
    pub fn replaced(&self, by_id: BTreeMap<String, Correction>) -> Self {
        Corrections {
            path: self.path.clone(),
            by_id,
        }
    }

    /// What was set right for the document `id`.
    pub fn of(&self, id: &str) -> Correction {
        self.by_id.get(id).cloned().unwrap_or_default()
    }

    /// Sets what is right for the document `id`; blocking; durable when it returns.
    ///
    /// # Errors
    /// The disk fails; the older correction then still holds.
    pub fn set(&mut self, id: &str, correction: Correction) -> Result<(), LibraryError> {
        let mut changed = self.clone();
        match correction.is_empty() {
            true => changed.by_id.remove(id),
            false => changed.by_id.insert(id.to_owned(), correction),
        };
        durable::replace(&self.path, &changed.to_json())?;
        *self = changed;
        Ok(())
    }
}

fn broken(path: &Path, reason: &str) -> LibraryError {
    LibraryError::Corrections {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
