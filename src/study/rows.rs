//! The answers of a run, kept as they come: generating is slow, so measures are taken from the file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arms::{AnswerRow, Arm};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Version of the layout of a rows file.
const FORMAT: u32 = 1;

/// What the answers of a file were made with: its first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Version of the layout.
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// The part of the set that was asked: `train`, `dev`, `test` or `all`.
    pub split: String,
    /// SHA-256 of that part in its canonical form.
    pub set_sha256: Digest,
    /// SHA-256 over ids and digests of the library's documents.
    pub documents_sha256: Digest,
    /// The decoder, by name and start of digest.
    pub decoder: String,
    /// The embedder's digest.
    pub embedder: Digest,
    /// The adapter of the tuned arms.
    #[serde(default)]
    pub adapter: Option<AdapterName>,
    /// What the answer room was told: `refuse_below`, `drafting`, `max_tokens`, `max_chars`, `top_k`.
    pub settings: String,
}

/// An adapter, by name and digest of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterName {
    /// Its name in the edition.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: Digest,
}

impl RunHeader {
    /// The layout that this version writes.
    pub const FORMAT: u32 = FORMAT;

    /// What differs between the two, the program's version aside.
    fn difference(&self, other: &RunHeader) -> Option<String> {
        let tuned = |header: &RunHeader| {
            header.adapter.as_ref().map_or_else(
                || "none".to_owned(),
                |adapter| format!("{} ({:.8})", adapter.name, adapter.sha256.to_string()),
            )
        };
        let fields = [
            ("layout", self.format.to_string(), other.format.to_string()),
            ("part of the set", self.split.clone(), other.split.clone()),
            (
                "set",
                self.set_sha256.to_string(),
                other.set_sha256.to_string(),
            ),
            (
                "documents",
                self.documents_sha256.to_string(),
                other.documents_sha256.to_string(),
            ),
            ("decoder", self.decoder.clone(), other.decoder.clone()),
            (
                "embedder",
                self.embedder.to_string(),
                other.embedder.to_string(),
            ),
            ("settings", self.settings.clone(), other.settings.clone()),
            ("adapter", tuned(self), tuned(other)),
        ];
        fields
            .into_iter()
            .find(|(_, found, expected)| found != expected)
            .map(|(name, found, expected)| format!("its {name} is {found}, now it is {expected}"))
    }
}

/// A rows file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The disk failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is of another run.
    #[error(
        "{path}: its answers are of another run: {reason}; name another file, or remove this one"
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A line is no row.
    #[error("{path}, line {line}: {reason}; remove the line to have its question asked again")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// A file of answers that grows.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    rows: Vec<AnswerRow>,
    known: BTreeSet<(Arm, String)>,
}

impl Rows {
    /// Opens the file at `path` to go on with it, or begins it; blocking.
    ///
    /// # Errors
    /// It is of another run, a line is no row, or the disk fails.
    pub fn resume(path: &Path, header: &RunHeader) -> Result<Self, RowsError> {
        if path.exists() {
            let (found, rows) = read_rows(path)?;
            if let Some(reason) = found.difference(header) {
                return Err(RowsError::OtherRun {
                    path: path.to_owned(),
                    reason,
                });
            }
            // A power cut may have left half a line at the end, which reading passed over.
            durable::replace(path, &lines(&found, &rows))?;
            return Ok(Rows::of(path, rows));
        }
        durable::replace(path, &lines(header, &[]))?;
        Ok(Rows::of(path, Vec::new()))
    }

    fn of(path: &Path, rows: Vec<AnswerRow>) -> Self {
        let key = |row: &AnswerRow| (row.arm, row.id.clone());
        Rows {
            path: path.to_owned(),
            known: rows.iter().map(key).collect(),
            rows,
        }
    }

    /// Whether `arm` was asked the question `id`.
    pub fn has(&self, arm: Arm, id: &str) -> bool {
        self.known.contains(&(arm, id.to_owned()))
    }

    /// All rows, in the order in which they came.
    pub fn rows(&self) -> &[AnswerRow] {
        &self.rows
    }

    /// Adds `row`; durable when it returns. A second row of the same arm and question is left out.
    ///
    /// # Errors
    /// The disk fails.
    pub fn push(&mut self, row: AnswerRow) -> Result<(), RowsError> {
        if self.known.insert((row.arm, row.id.clone())) {
            durable::append(&self.path, &line(&row))?;
            self.rows.push(row);
        }
        Ok(())
    }
}

/// Reads the file at `path`; a last line without its end is passed over. Blocking.
///
/// # Errors
/// It cannot be read, or a line is no row.
pub fn read_rows(path: &Path) -> Result<(RunHeader, Vec<AnswerRow>), RowsError> {
    let text = fs::read_to_string(path).map_err(FileError::at("read", path))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines().enumerate();
    let wrong = |number: usize, reason: String| RowsError::Line {
        path: path.to_owned(),
        line: number + 1,
        reason,
    };
    let Some((_, first)) = lines.next() else {
        return Err(wrong(
            0,
            "a line that says what run it is of is expected".into(),
        ));
    };
    let header = serde_json::from_str(first).map_err(|error| wrong(0, error.to_string()))?;
    let rows = lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| wrong(number, error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    Ok((header, rows))
}

fn lines(header: &RunHeader, rows: &[AnswerRow]) -> Vec<u8> {
    let mut bytes = line(header);
    bytes.extend(rows.iter().flat_map(line));
    bytes
}

/// Plain data, whose keys are all strings, is always written.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::arms::testing::row;
    use super::*;

    fn header() -> RunHeader {
        RunHeader {
            format: RunHeader::FORMAT,
            version: "0".into(),
            split: "test".into(),
            set_sha256: Digest::of(b"set"),
            documents_sha256: Digest::of(b"documents"),
            decoder: "small@1".into(),
            embedder: Digest::of(b"embedder"),
            adapter: None,
            settings: "top_k 3".into(),
        }
    }

    #[test]
    fn a_run_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows.jsonl");
        let mut rows = Rows::resume(&path, &header()).expect("writable");
        rows.push(row(Arm::Base, "a", "2 inches"))
            .expect("writable");
        rows.push(row(Arm::BaseRag, "a", "3 inches"))
            .expect("writable");
        let whole = fs::read(&path).expect("readable");
        fs::write(&path, &whole[..whole.len() - 5]).expect("writable");
        let mut rows = Rows::resume(&path, &header()).expect("readable");
        assert!(rows.has(Arm::Base, "a") && !rows.has(Arm::BaseRag, "a"));
        rows.push(row(Arm::BaseRag, "a", "3 inches"))
            .expect("writable");
        assert_eq!(fs::read(&path).expect("readable"), whole);
    }

    #[test]
    fn a_question_is_kept_once_an_arm() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows.jsonl");
        let mut rows = Rows::resume(&path, &header()).expect("writable");
        rows.push(row(Arm::Base, "a", "first")).expect("writable");
        rows.push(row(Arm::Base, "a", "second")).expect("writable");
        let (_, read) = read_rows(&path).expect("readable");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].text, "first");
    }

    #[test]
    fn answers_of_another_model_are_not_mixed_in() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows.jsonl");
        Rows::resume(&path, &header()).expect("writable");
        let other = RunHeader {
            decoder: "large@2".into(),
            version: "1".into(),
            ..header()
        };
        let error = Rows::resume(&path, &other).expect_err("another model");
        assert!(
            error
                .to_string()
                .contains("its decoder is small@1, now it is large@2"),
            "{error}"
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows.jsonl");
        Rows::resume(&path, &header()).expect("writable");
        durable::append(&path, b"{}\n").expect("writable");
        let error = read_rows(&path).expect_err("broken");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
