//! Files to documents, whether a file holds one or one a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::reader::{Given, assemble, extension, read_tagged};
use super::{Document, DocumentError, Tags, beir};
use crate::durable::FileError;
use crate::types::Digest;

/// Extensions of files with a document a line.
pub(super) const EXTENSIONS: &[&str] = &["jsonl", "ndjson"];

/// Longest line, in bytes: one is held in memory at a time.
const MAX_LINE_BYTES: u64 = 8 * 1024 * 1024;

/// So many bad lines at the beginning, and not one good, mean another kind of file: it is left.
const MAX_BAD_START: u64 = 20;

/// Whether `path` is named as a file with a document a line.
///
/// The `queries.jsonl` of a BEIR data set holds questions: beside a `corpus.jsonl` it is passed over.
pub(super) fn is_documents(path: &Path) -> bool {
    let is_questions = path.file_name().is_some_and(|name| name == "queries.jsonl")
        && path.with_file_name("corpus.jsonl").exists();
    is_lines(path) && !is_questions
}

fn is_lines(path: &Path) -> bool {
    EXTENSIONS.contains(&extension(path).as_str())
}

/// How many documents the file at `path` holds at most; blocking, reads a file of lines once through.
///
/// A file that cannot be read counts as one: [`open`] says what is wrong with it.
pub fn count(path: &Path) -> usize {
    if !is_lines(path) {
        return 1;
    }
    let Ok(file) = File::open(path) else {
        return 1;
    };
    let mut lines = Lines::new(file);
    let mut count = 0;
    while let Ok(Some(line)) = lines.next() {
        count += usize::from(!line.is_blank());
    }
    count.max(1)
}

/// The documents of the file at `path`, read one after another; `id` names a file's only one, `folder` is
/// what its folder says of them.
///
/// # Errors
/// The file cannot be opened, or no reader knows its name. What is wrong with its content comes out of
/// the iterator.
pub fn open(path: &Path, id: &str, folder: Tags) -> Result<Documents, DocumentError> {
    let path = path.to_owned();
    if !is_lines(&path) {
        super::reader_for(&path)?;
        let id = id.to_owned();
        return Ok(Documents(State::One { path, id, folder }));
    }
    let file = File::open(&path).map_err(FileError::at("open", &path))?;
    Ok(Documents(State::Lines(Collection {
        lines: Lines::new(file),
        path,
        folder,
        good: 0,
        bad: 0,
    })))
}

/// Iterator over the documents of a file; an error takes the place of a document that cannot be read.
#[derive(Debug)]
pub struct Documents(State);

#[derive(Debug)]
enum State {
    One {
        path: PathBuf,
        id: String,
        folder: Tags,
    },
    Lines(Collection),
    Done,
}

impl Documents {
    /// Whether the file may hold more than one document.
    pub fn is_collection(&self) -> bool {
        matches!(self.0, State::Lines(_))
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Done => None,
            State::One { path, id, folder } => Some(read_tagged(&path, &id, folder)),
            State::Lines(mut collection) => {
                let (next, goes_on) = collection.next()?;
                if goes_on {
                    self.0 = State::Lines(collection);
                }
                Some(next)
            }
        }
    }
}

/// A file with a document a line.
#[derive(Debug)]
struct Collection {
    path: PathBuf,
    folder: Tags,
    lines: Lines,
    good: u64,
    bad: u64,
}

impl Collection {
    /// The next document or what is wrong with its line, and whether to go on.
    fn next(&mut self) -> Option<(Result<Document, DocumentError>, bool)> {
        let read = loop {
            match self.lines.next() {
                Ok(None) => return None,
                Ok(Some(line)) if line.is_blank() => continue,
                Ok(Some(line)) => break line.document(&self.path, &self.folder),
                Err(error) => {
                    let error = FileError::at("read", &self.path)(error);
                    return Some((Err(error.into()), false));
                }
            }
        };
        match &read {
            Ok(_) => self.good += 1,
            Err(_) => self.bad += 1,
        }
        if self.good > 0 || self.bad < MAX_BAD_START {
            return Some((read, true));
        }
        let error = DocumentError::Malformed {
            path: self.path.clone(),
            format: "documents, one a line",
            reason: format!(
                "the first {MAX_BAD_START} lines cannot be read, so the rest was left; each must be a JSON object with `_id`, `text` and perhaps `title` and `metadata`"
            ),
        };
        Some((Err(error), false))
    }
}

/// Lines of a file, of which one is in memory.
#[derive(Debug)]
struct Lines {
    file: BufReader<File>,
    /// Number of the last line, from 1.
    number: u64,
    buffer: Vec<u8>,
}

/// A line without its end.
struct Line<'a> {
    /// Its number, from 1.
    number: u64,
    /// `None` where it is too long.
    bytes: Option<&'a [u8]>,
}

impl Lines {
    fn new(file: File) -> Self {
        Lines {
            file: BufReader::new(file),
            number: 0,
            buffer: Vec::new(),
        }
    }

    fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let most = MAX_LINE_BYTES + 1;
        let mut limited = self.file.by_ref().take(most);
        let read = limited.read_until(b'\n', &mut self.buffer)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read == most && self.buffer.last() != Some(&b'\n') {
            self.file.skip_until(b'\n')?;
            return Ok(Some(Line {
                number: self.number,
                bytes: None,
            }));
        }
        Ok(Some(Line {
            number: self.number,
            bytes: Some(self.buffer.trim_ascii()),
        }))
    }
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.bytes.is_some_and(<[u8]>::is_empty)
    }

    fn document(&self, path: &Path, folder: &Tags) -> Result<Document, DocumentError> {
        let bad = |reason: String| DocumentError::Line {
            path: path.to_owned(),
            line: self.number,
            reason,
        };
        let Some(bytes) = self.bytes else {
            return Err(bad(format!("longer than {MAX_LINE_BYTES} bytes")));
        };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let content = beir::content(bytes).map_err(bad)?;
        if content.sections.is_empty() {
            return Err(bad("there is no text in it".into()));
        }
        let id = content.metadata.id.clone().unwrap_or_default();
        let given = Given {
            id: &id,
            title: &id,
            folder: folder.clone(),
        };
        assemble(path, given, content, Digest::of(bytes)).map_err(|error| bad(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Result<Document, DocumentError>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("corpus.jsonl");
        std::fs::write(&path, text).expect("writable");
        open(&path, "corpus.jsonl", Tags::default())
            .expect("there")
            .collect()
    }

    #[test]
    fn each_line_is_a_document_and_a_bad_one_is_named_with_its_number() {
        let read = read(
            b"\xef\xbb\xbf{\"_id\": \"a\", \"title\": \"Maize\", \"text\": \"One.\\n\\nTwo.\"}\n\n{\"_id\": \"b\"\n{\"_id\": 7, \"text\": \"Three.\"}\r\n{\"title\": \"x\", \"text\": \"y\"}",
        );
        let first = read[0].as_ref().expect("good");
        assert_eq!((first.id.as_str(), first.title.as_str()), ("a", "Maize"));
        assert_eq!(first.sections[0].blocks.len(), 2);
        let broken = read[1].as_ref().expect_err("cut off").to_string();
        assert!(broken.contains("corpus.jsonl, line 3: "), "{broken}");
        let third = read[2].as_ref().expect("good");
        assert_eq!((third.id.as_str(), third.title.as_str()), ("7", "7"));
        let nameless = read[3].as_ref().expect_err("no id").to_string();
        assert!(
            nameless.contains("line 5") && nameless.contains("_id"),
            "{nameless}"
        );
        assert_eq!(read.len(), 4);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let mut text = b"{\"_id\": \"a\", \"text\": \"".to_vec();
        text.resize(MAX_LINE_BYTES as usize + 100, b'x');
        text.extend(b"\"}\n{\"_id\": \"b\", \"text\": \"Short.\"}\n");
        let read = read(&text);
        assert!(
            read[0]
                .as_ref()
                .expect_err("too long")
                .to_string()
                .contains("line 1")
        );
        assert_eq!(read[1].as_ref().expect("good").id, "b");
    }

    #[test]
    fn a_file_of_another_kind_is_left_after_some_lines() {
        let read = read(&b"{\"pmcid\": \"1\"}\n".repeat(1_000));
        assert_eq!(read.len(), MAX_BAD_START as usize);
        let last = read.last().and_then(|read| read.as_ref().err());
        assert!(
            last.expect("left")
                .to_string()
                .contains("the rest was left")
        );
    }

    #[test]
    fn a_file_that_is_none_of_lines_is_one_document() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.md");
        std::fs::write(&path, "Text.").expect("writable");
        let documents: Vec<_> = open(&path, "a.md", Tags::default())
            .expect("there")
            .collect();
        assert_eq!(documents.len(), 1);
        assert_eq!(count(&path), 1);
    }

    #[test]
    fn questions_beside_their_corpus_are_no_documents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let queries = folder.path().join("queries.jsonl");
        assert!(is_documents(&queries));
        std::fs::write(folder.path().join("corpus.jsonl"), "").expect("writable");
        assert!(!is_documents(&queries));
        assert!(is_documents(&folder.path().join("corpus.jsonl")));
    }
}
