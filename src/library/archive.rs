//! The documents as they were read, in one file beside the index that only grows: what everything else
//! can be made from again, without the files that were ingested.
//!
//! A record is a head of 43 bytes, the document's id and a body:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `ALM1` |
//! | 1 | `d`: a document; `x`: the document of this id is gone |
//! | 2, 4 | length of id and body, little-endian |
//! | 32 | SHA-256 of kind, lengths, id and body |
//!
//! A body is deflated: the length of the file's path (4 bytes), the path, and the document's JSON form.
//! The last record of an id holds. The index says in each of its commits how much of the file counts, so
//! what a cut left behind that is dropped on opening. When more than half of a file is of no more use it
//! is written anew as the next generation.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LibraryError;
use super::archive_walk::{self, Record};
use super::original::Original;
use crate::durable::{self, FileError};
use crate::types::Digest;

/// A file with less waste than this is never written anew, in bytes.
const WASTE_FLOOR: u64 = 8 * 1024 * 1024;

/// How much of which file counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file's number.
    pub generation: u32,
    /// Bytes of it.
    pub bytes: u64,
}

/// Where the record of a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub offset: u64,
    pub bytes: u64,
}

/// The file of documents and where each stands in it.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
    position: Position,
    live: BTreeMap<String, Span>,
}

/// What was written and does not count yet.
#[must_use = "what is not settled does not count"]
#[derive(Debug)]
pub struct Staged {
    position: Position,
    changes: Vec<(String, Option<Span>)>,
}

impl Staged {
    /// How much counts once it is settled.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl Archive {
    /// The archive in `folder`, as far as `position` says, or as far as it is sound where nothing says so;
    /// blocking; what does not count is dropped.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(folder: &Path, position: Option<Position>) -> Result<Archive, LibraryError> {
        durable::create_folder(folder)?;
        let generations = generations(folder)?;
        let known = position.filter(|position| position.generation > 0);
        let generation = match known {
            Some(position) => position.generation,
            None => generations.iter().copied().max().unwrap_or(1),
        };
        let path = file_of(folder, generation);
        let length = match std::fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(FileError::at("look at", &path)(error).into()),
        };
        let counts = known.map_or(length, |position| position.bytes);
        let walked = match length {
            0 => archive_walk::Walked::default(),
            _ => archive_walk::walk(&path, counts.min(length), known.is_none())?,
        };
        let bytes = known.map_or(walked.end, |position| position.bytes);
        if length > bytes {
            durable::cut(&path, bytes)?;
        }
        for other in generations.into_iter().filter(|other| *other != generation) {
            let path = file_of(folder, other);
            std::fs::remove_file(&path).map_err(FileError::at("remove", &path))?;
        }
        Ok(Archive {
            folder: folder.to_owned(),
            // A file that lost its end goes on where it ends now.
            position: Position {
                generation,
                bytes: bytes.min(length),
            },
            live: walked.live,
        })
    }

    /// How much of it counts.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Ids of the documents in it, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.live.keys().map(String::as_str)
    }

    /// Whether it has the document `id`.
    pub fn has(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// What reads its documents as they are now, whatever comes later.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> Result<Reader, LibraryError> {
        let path = file_of(&self.folder, self.position.generation);
        let file = match self.live.is_empty() {
            true => None,
            false => Some(File::open(&path).map_err(FileError::at("open", &path))?),
        };
        let live = self.live.clone();
        Ok(Reader { path, file, live })
    }

    /// The document `id`; `None` where it has none or its record is damaged; blocking.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, id: &str) -> Result<Option<Original>, LibraryError> {
        let path = file_of(&self.folder, self.position.generation);
        let Some(span) = self.live.get(id) else {
            return Ok(None);
        };
        let file = File::open(&path).map_err(FileError::at("open", &path))?;
        Ok(body(&path, &file, id, *span)?.and_then(|body| Original::unpack(&body, &path)))
    }

    /// Whether it has the document `id` undamaged; blocking.
    ///
    /// # Errors
    /// The disk fails.
    pub fn is_whole(&self, id: &str) -> Result<bool, LibraryError> {
        let path = file_of(&self.folder, self.position.generation);
        let Some(span) = self.live.get(id) else {
            return Ok(false);
        };
        let file = File::open(&path).map_err(FileError::at("open", &path))?;
        Ok(body(&path, &file, id, *span)?.is_some())
    }

    /// Writes packed documents, or that there is none any more; blocking; durable, but of no account until
    /// it is settled.
    ///
    /// # Errors
    /// The disk fails; nothing counts then.
    pub fn stage(&self, changes: &[(&str, Option<&[u8]>)]) -> Result<Staged, LibraryError> {
        let mut staged = Staged {
            position: self.position,
            changes: Vec::new(),
        };
        let mut bytes = Vec::new();
        for (id, body) in changes {
            if body.is_none() && !self.has(id) {
                continue;
            }
            let record = Record::bytes_of(id, *body);
            let span = Span {
                offset: self.position.bytes + bytes.len() as u64,
                bytes: record.len() as u64,
            };
            bytes.extend(record);
            staged.changes.push(((*id).to_owned(), body.map(|_| span)));
        }
        if !bytes.is_empty() {
            let path = file_of(&self.folder, self.position.generation);
            // What an index that failed to commit left behind.
            if std::fs::metadata(&path).is_ok_and(|found| found.len() > self.position.bytes) {
                durable::cut(&path, self.position.bytes)?;
            }
            durable::append(&path, &bytes)?;
        }
        staged.position.bytes += bytes.len() as u64;
        Ok(staged)
    }

    /// Lets what was staged count: the index has committed its position.
    pub fn settle(&mut self, staged: Staged) {
        let before = self.position.generation;
        self.adopt(staged);
        if self.position.generation != before {
            self.remove_others();
        }
    }

    fn adopt(&mut self, staged: Staged) {
        if self.position.generation != staged.position.generation {
            self.live.clear();
        }
        self.position = staged.position;
        for (id, span) in staged.changes {
            match span {
                Some(span) => self.live.insert(id, span),
                None => self.live.remove(&id),
            };
        }
    }

    /// This archive as if `staged` counted; for an index that is not the current one yet.
    pub fn forked(&self, staged: Staged) -> Archive {
        let mut forked = self.clone();
        forked.adopt(staged);
        forked
    }

    /// Removes the files of all other generations, as far as they can be; opening does so, too.
    pub fn remove_others(&self) {
        let others = generations(&self.folder).unwrap_or_default().into_iter();
        for other in others.filter(|other| *other != self.position.generation) {
            let _ = std::fs::remove_file(file_of(&self.folder, other));
        }
    }

    /// Whether more than half of the file is of no more use.
    pub fn is_wasteful(&self) -> bool {
        let live: u64 = self.live.values().map(|span| span.bytes).sum();
        let waste = self.position.bytes.saturating_sub(live);
        waste > live.max(WASTE_FLOOR)
    }

    /// Writes what is of use as the next generation; blocking; as [`Archive::stage`].
    ///
    /// # Errors
    /// The disk fails; nothing counts then.
    pub fn compact(&self) -> Result<Staged, LibraryError> {
        let reader = self.reader()?;
        let records = self.live.iter();
        let records = records.map(|(id, span)| (id.clone(), reader.record(*span)));
        self.write_next(records)
    }

    /// Writes `bodies` as the next generation, in place of all documents; as [`Archive::compact`].
    ///
    /// # Errors
    /// The disk fails, or `bodies` do; nothing counts then.
    pub fn stage_all(
        &self,
        bodies: impl Iterator<Item = (String, std::io::Result<Vec<u8>>)>,
    ) -> Result<Staged, LibraryError> {
        let record = |(id, body): (String, std::io::Result<Vec<u8>>)| {
            let record = body.map(|body| Record::bytes_of(&id, Some(&body)));
            (id, record)
        };
        self.write_next(bodies.map(record))
    }

    fn write_next(
        &self,
        records: impl Iterator<Item = (String, std::io::Result<Vec<u8>>)>,
    ) -> Result<Staged, LibraryError> {
        let generation = self.position.generation + 1;
        let (mut bytes, mut changes) = (0, Vec::new());
        durable::replace_with(&file_of(&self.folder, generation), |out| {
            for (id, record) in records {
                let record = record?;
                out.write_all(&record)?;
                let span = Span {
                    offset: bytes,
                    bytes: record.len() as u64,
                };
                bytes += span.bytes;
                changes.push((id, Some(span)));
            }
            Ok(())
        })?;
        Ok(Staged {
            position: Position { generation, bytes },
            changes,
        })
    }
}

/// Reads documents of an archive as it was at one moment.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    /// `None` where there is no document.
    file: Option<File>,
    live: BTreeMap<String, Span>,
}

impl Reader {
    /// Ids of its documents, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.live.keys().map(String::as_str)
    }

    /// As [`Archive::read`].
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, id: &str) -> Result<Option<Original>, LibraryError> {
        match (&self.file, self.live.get(id)) {
            (Some(file), Some(span)) => Ok(body(&self.path, file, id, *span)?
                .and_then(|body| Original::unpack(&body, &self.path))),
            _ => Ok(None),
        }
    }

    fn record(&self, span: Span) -> std::io::Result<Vec<u8>> {
        let mut record = vec![0; usize::try_from(span.bytes).unwrap_or(0)];
        match &self.file {
            Some(file) => file.read_exact_at(&mut record, span.offset)?,
            None => record.clear(),
        }
        Ok(record)
    }
}

/// The body of the record at `span`; `None` where it is damaged or of another document.
fn body(path: &Path, file: &File, id: &str, span: Span) -> Result<Option<Vec<u8>>, LibraryError> {
    let mut record = vec![0; usize::try_from(span.bytes).unwrap_or(0)];
    match file.read_exact_at(&mut record, span.offset) {
        Ok(()) => Ok(Record::body(id, record)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error).into()),
    }
}

fn file_of(folder: &Path, generation: u32) -> PathBuf {
    folder.join(format!("{generation}.log"))
}

/// Numbers of the files in `folder`.
fn generations(folder: &Path) -> Result<Vec<u32>, LibraryError> {
    let failed = || FileError::at("list", folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        let name = name.to_string_lossy();
        found.extend(
            name.strip_suffix(".log")
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

/// Digest of a record but for its mark and the digest itself.
pub(super) fn seal(parts: [&[u8]; 3]) -> Digest {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
