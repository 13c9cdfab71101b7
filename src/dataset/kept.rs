//! What a build has paid for, kept line by line: a build that was cut goes on without loss or repeat.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Lines that are made durable together, where each is cheap to make again.
const BATCH: usize = 64;

/// First line: what the values were made by and for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    of: String,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    key: Digest,
    value: T,
}

/// A file of values by key that grows.
#[derive(Debug)]
pub struct Kept<T> {
    path: PathBuf,
    known: BTreeMap<Digest, T>,
    pending: Vec<u8>,
    waiting: usize,
    batch: usize,
}

impl<T: Serialize + DeserializeOwned + Clone> Kept<T> {
    /// Opens the file at `path` to go on with it, or begins it; `of` says what its values were made by;
    /// blocking. With `each`, every value is durable once [`Kept::push`] returns, else 64 together.
    ///
    /// # Errors
    /// It is of something else, a line cannot be read, or the disk fails.
    pub fn open(path: &Path, of: &str, each: bool) -> Result<Self, DatasetError> {
        let header = Header {
            format: 1,
            of: of.to_owned(),
        };
        let mut kept = Kept {
            path: path.to_owned(),
            known: BTreeMap::new(),
            pending: Vec::new(),
            waiting: 0,
            batch: if each { 1 } else { BATCH },
        };
        if !path.exists() {
            durable::replace(path, &line(&header))?;
            return Ok(kept);
        }
        let bytes = fs::read(path).map_err(FileError::at("read", path))?;
        // A power cut may have left half a line at the end.
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let wrong = |number: usize, reason: String| DatasetError::Line {
            path: path.to_owned(),
            line: number + 1,
            reason,
        };
        for (number, one) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if number == 0 {
                let found: Header =
                    serde_json::from_slice(one).map_err(|error| wrong(0, error.to_string()))?;
                if found != header {
                    return Err(DatasetError::OtherBuild {
                        path: path.to_owned(),
                        reason: format!("it was made by {:?}, now it is {of:?}", found.of),
                    });
                }
            } else if !one.is_empty() {
                let read: Line<T> = serde_json::from_slice(one)
                    .map_err(|error| wrong(number, error.to_string()))?;
                kept.known.insert(read.key, read.value);
            }
        }
        if whole < bytes.len() {
            durable::replace(path, &bytes[..whole])?;
        }
        Ok(kept)
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &Digest) -> Option<&T> {
        self.known.get(key)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.known.values()
    }

    /// Adds `value`, in the place of an older one of its key.
    ///
    /// # Errors
    /// The disk fails.
    pub fn push(&mut self, key: Digest, value: T) -> Result<(), DatasetError> {
        self.pending.extend(line(&Line { key, value: &value }));
        self.known.insert(key, value);
        self.waiting += 1;
        if self.waiting >= self.batch {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// The disk fails.
    pub fn flush(&mut self) -> Result<(), DatasetError> {
        if self.waiting > 0 {
            durable::append(&self.path, &self.pending)?;
            self.pending.clear();
            self.waiting = 0;
        }
        Ok(())
    }
}

/// Plain data, whose keys are all strings, is always written.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn what_was_kept_is_there_after_a_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kept.jsonl");
        let mut kept = Kept::open(&path, "rules@1", true).expect("new");
        kept.push(key("a"), "one".to_owned()).expect("writable");
        kept.push(key("b"), "two".to_owned()).expect("writable");
        let whole = fs::read(&path).expect("readable");
        for cut in 0..12 {
            fs::write(&path, &whole[..whole.len() - cut]).expect("writable");
            let mut again =
                Kept::<String>::open(&path, "rules@1", true).expect("half a line is passed over");
            assert_eq!(again.get(&key("a")).map(String::as_str), Some("one"));
            assert_eq!(again.get(&key("b")).is_some(), cut == 0, "{cut}");
            again.push(key("b"), "two".to_owned()).expect("writable");
            let last = Kept::<String>::open(&path, "rules@1", true).expect("sound");
            assert_eq!(last.values().count(), 2);
        }
    }

    #[test]
    fn cheap_values_go_to_the_disk_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kept.jsonl");
        let lines = || fs::read_to_string(&path).expect("readable").lines().count();
        let mut kept = Kept::open(&path, "x", false).expect("new");
        for at in 0..BATCH - 1 {
            kept.push(key(&at.to_string()), at).expect("writable");
        }
        assert_eq!(lines(), 1);
        kept.push(key("last"), 0).expect("writable");
        assert_eq!(lines(), 1 + BATCH);
    }

    #[test]
    fn another_builds_file_is_not_gone_on_with() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kept.jsonl");
        Kept::<u32>::open(&path, "rules@1", true).expect("new");
        let error = Kept::<u32>::open(&path, "rules@2", true)
            .expect_err("another")
            .to_string();
        assert!(
            error.contains("rules@1") && error.contains("rules@2"),
            "{error}"
        );
    }
}
