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
#[derive(Debug)]
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
        let file = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(FileError::at("look at", &path)(error).into()),
            Ok(found) if found.len() > MAX_BYTES => {
                return Err(broken(&path, &format!("{} bytes", found.len())));
            }
            Ok(_) => {
                let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
                serde_json::from_slice(&bytes).map_err(|error| broken(&path, &error.to_string()))?
            }
        };
        Ok(Corrections {
            path,
            by_id: file.documents,
        })
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
        let mut documents = self.by_id.clone();
        match correction.is_empty() {
            true => documents.remove(id),
            false => documents.insert(id.to_owned(), correction),
        };
        let file = File { documents };
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| broken(&self.path, &error.to_string()))?;
        durable::replace(&self.path, &bytes)?;
        self.by_id = file.documents;
        Ok(())
    }
}

fn broken(path: &Path, reason: &str) -> LibraryError {
    LibraryError::Corrections {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
