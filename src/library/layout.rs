//! Which of the folders holds: a rebuild or a restore makes a new index beside the old one, and one small
//! file says from one moment to the next that it is the new one.
//!
//! ```text
//! library.json            {"schema": ..., "index": "index-2"}
//! index-2/                passages, vectors, terms: see `store`
//! documents/1.log         the documents as they were read: see `archive`
//! tags.json               tags that somebody set right
//! tags.index-3.json       those that come with an index that is not switched to yet
//! index.broken-1/         a damaged index, kept for inspection
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LibraryError;
use super::store::SCHEMA;
use crate::durable::{self, FileError};

const FIRST: &str = "index";
const WITNESS: &str = "library.json";

#[derive(Serialize, Deserialize)]
struct Note {
    schema: u32,
    #[serde(default = "first")]
    index: String,
}

fn first() -> String {
    FIRST.into()
}

/// The name of an index folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexName(String);

impl IndexName {
    /// The one that holds in `folder`; the first where nothing says otherwise. Blocking.
    pub fn current(folder: &Path) -> IndexName {
        let note = std::fs::read(folder.join(WITNESS)).ok();
        let note = note.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        let name = note.map(|note| note.index);
        IndexName(
            name.filter(|name| number(name).is_some())
                .unwrap_or_else(first),
        )
    }

    /// The one after this.
    pub fn next(&self) -> IndexName {
        let next = number(&self.0).unwrap_or(1).saturating_add(1);
        IndexName(format!("{FIRST}-{next}"))
    }

    /// The folder of this name in `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// The file in `folder` of the corrections that come with this index.
    pub fn tags(&self, folder: &Path) -> PathBuf {
        folder.join(format!("tags.{}.json", self.0))
    }

    /// Lets this one hold in `folder`; blocking; durable when it returns.
    ///
    /// # Errors
    /// The disk fails; the other one then still holds.
    pub fn switch(&self, folder: &Path) -> Result<(), LibraryError> {
        let note = Note {
            schema: SCHEMA,
            index: self.0.clone(),
        };
        // Two plain fields: they can always be written.
        let mut bytes = serde_json::to_vec(&note).unwrap_or_default();
        bytes.push(b'\n');
        Ok(durable::replace(&folder.join(WITNESS), &bytes)?)
    }

    /// Puts the corrections that came with this index into `tags.json`, and removes what other indexes in
    /// `folder` left behind; blocking.
    ///
    /// # Errors
    /// The disk fails; the next call goes on.
    pub fn settle(&self, folder: &Path) -> Result<(), LibraryError> {
        let own = self.tags(folder);
        if own.is_file() {
            let bytes = std::fs::read(&own).map_err(FileError::at("read", &own))?;
            durable::replace(&folder.join("tags.json"), &bytes)?;
            std::fs::remove_file(&own).map_err(FileError::at("remove", &own))?;
        }
        let listed = || FileError::at("list", folder);
        for entry in std::fs::read_dir(folder).map_err(listed())? {
            let name = entry.map_err(listed())?.file_name();
            let name = name.to_string_lossy();
            let path = folder.join(&*name);
            let tags = name
                .strip_prefix("tags.")
                .and_then(|name| name.strip_suffix(".json"));
            if name != self.0.as_str() && number(&name).is_some() && path.is_dir() {
                std::fs::remove_dir_all(&path).map_err(FileError::at("remove", &path))?;
            } else if tags.is_some_and(|name| number(name).is_some()) {
                std::fs::remove_file(&path).map_err(FileError::at("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Whether a library was ever made in `folder`; blocking.
pub(super) fn exists(folder: &Path) -> bool {
    folder.join(WITNESS).exists()
}

/// The number in the name of an index folder; `None` where it is none.
fn number(name: &str) -> Option<u32> {
    if name == FIRST {
        return Some(1);
    }
    let digits = name.strip_prefix(FIRST)?.strip_prefix('-')?;
    digits.parse().ok().filter(|number| *number > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_one_step_and_what_is_left_of_others_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = folder.path();
        let old = IndexName::current(at);
        assert_eq!((old.path(at), exists(at)), (at.join("index"), false));
        let new = old.next();
        for name in ["index", "index-2", "index-3", "index.broken-1", "index-x"] {
            std::fs::create_dir(at.join(name)).expect("writable");
        }
        durable::replace(&new.tags(at), b"new").expect("writable");
        durable::replace(&new.next().tags(at), b"other").expect("writable");
        durable::replace(&at.join("tags.json"), b"old").expect("writable");
        new.switch(at).expect("writable");
        assert_eq!(IndexName::current(at), new);
        for _ in 0..2 {
            new.settle(at).expect("writable");
        }
        let mut names: Vec<_> = std::fs::read_dir(at)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "index-2",
                "index-x",
                "index.broken-1",
                "library.json",
                "tags.json"
            ]
        );
        assert_eq!(std::fs::read(at.join("tags.json")).expect("there"), b"new");
        durable::replace(&at.join(WITNESS), b"{\"schema\":1,\"index\":\"/etc\"}")
            .expect("writable");
        assert_eq!(IndexName::current(at), old, "no other names");
    }
}
