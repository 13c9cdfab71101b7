//! The library on disk, with `store_open`: the only users of sled.
//!
//! One tree, so that one batch writes documents whole or not at all. Keys, with `\0` after the id:
//!
//! | key | value |
//! |---|---|
//! | `m` | [`Meta`]: schema, embedder, dimension |
//! | `s` | [`Totals`]: how many documents and passages there must be, and how much of the archive counts |
//! | `d/<id>` | [`Record`]: the document's entry and the seal over all that follows |
//! | `p/<id>\0<n>`, `v/...`, `t/...` | passage, vector (little-endian f32), terms in order |
//! | `r/<id>\0<n>` | reference |
//!
//! All of it can be made again from the archive, so damage is never repaired: a damaged document is
//! left out and named, a damaged index is moved aside to `index.broken-N`. Values stay well under the
//! 128 KiB from which sled leaks files. Postings are inverted in memory when the index is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::archive::{Archive, Position, Staged};
use super::dense::Block;
use super::{DocumentEntry, LibraryError};
use crate::documents::{Passage, Reference};
use crate::durable;
use crate::types::Digest;

/// Layout of the store and of the terms in it.
pub(super) const SCHEMA: u32 = 4000 + super::words::VERSION;

/// Kinds of a document's parts, in the order in which they are sealed.
pub(super) const KINDS: [u8; 4] = [b'p', b'v', b't', b'r'];

/// What vectors in a store must be comparable with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub(super) schema: u32,
    pub(super) embedder: Digest,
    pub(super) dimension: usize,
}

impl Meta {
    /// For an embedder of this digest and dimension, and this program's schema.
    pub fn new(embedder: Digest, dimension: usize) -> Self {
        Meta {
            schema: SCHEMA,
            embedder,
            dimension,
        }
    }
}

/// What must be there: sled can lose the end of its log without a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub documents: u64,
    pub passages: u64,
    pub archive: Position,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its entry.
    pub entry: DocumentEntry,
    /// Its footnotes.
    pub references: Vec<Reference>,
    /// Its passages.
    pub passages: Vec<Passage>,
    /// Terms of each passage in order, with a space between.
    pub terms: Vec<String>,
    /// A unit vector for each passage.
    pub vectors: Block,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub entry: DocumentEntry,
    pub passages: u32,
    pub references: u32,
    /// SHA-256 over the values of passages, vectors, terms and references, by kind and number.
    pub seal: Digest,
}

/// A damaged index that was moved out of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Where it lies now.
    pub moved_to: PathBuf,
    /// What was found.
    pub reason: String,
}

/// An open store and what it held.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Every whole document, by id.
    pub documents: Vec<Stored>,
    /// Ids of documents that were not whole; ingest them again.
    pub damaged: Vec<String>,
    /// Set when the index itself was damaged: everything must be ingested again.
    pub recovery: Option<Recovery>,
}

/// The open store; one process at a time.
#[derive(Debug)]
pub struct Store {
    pub(super) folder: PathBuf,
    pub(super) tree: sled::Db,
    pub(super) totals: Totals,
    pub(super) archive: Archive,
}

impl Store {
    /// Writes `documents`, each with its packed original unless the archive has that, in place of older ones
    /// of their ids, of which no two are the same; blocking; whole and durable when it returns.
    ///
    /// # Errors
    /// The disk fails; the store then holds the old documents or the new ones, whole.
    pub fn put(&mut self, documents: &[(Stored, Option<Vec<u8>>)]) -> Result<(), LibraryError> {
        if self.archive.is_wasteful() {
            let staged = self.archive.compact()?;
            self.commit(sled::Batch::default(), self.totals, staged)?;
        }
        let mut batch = sled::Batch::default();
        let mut totals = self.totals;
        let mut originals = Vec::with_capacity(documents.len());
        for (document, original) in documents {
            let id = document.entry.id.as_str();
            if let Some(before) = self.remove_into(&mut batch, id)? {
                totals.documents = totals.documents.saturating_sub(1);
                totals.passages = totals.passages.saturating_sub(before.into());
            }
            let record = self.insert_into(&mut batch, document)?;
            self.write(&mut batch, &record_key(id), &record)?;
            totals.documents += 1;
            totals.passages += u64::from(record.passages);
            originals.extend(original.as_deref().map(|body| (id, Some(body))));
        }
        let staged = self.archive.stage(&originals)?;
        self.commit(batch, totals, staged)
    }

    /// Writes the entry and the passages of a document whose words stay as they are, and its packed original
    /// where that has changed; blocking; durable.
    ///
    /// # Errors
    /// The disk fails; the store then holds the old tags or the new ones, whole.
    pub fn retag(
        &mut self,
        entry: &DocumentEntry,
        passages: &[Arc<Passage>],
        original: Option<&[u8]>,
    ) -> Result<(), LibraryError> {
        let failed = |error: sled::Error| self.failed("read", &error);
        let key = record_key(&entry.id);
        let Some(value) = self.tree.get(&key).map_err(failed)? else {
            return Ok(());
        };
        let mut record: Record = self.decode(&value)?;
        let mut batch = sled::Batch::default();
        let mut seal = Sha256::new();
        for (number, passage) in passages.iter().enumerate() {
            let value = self.encode(passage.as_ref())?;
            seal.update(&value);
            batch.insert(part_key(b'p', &entry.id, number), value);
        }
        for kind in KINDS.into_iter().skip(1) {
            for item in self.tree.scan_prefix(part_prefix(kind, &entry.id)) {
                seal.update(item.map_err(failed)?.1);
            }
        }
        record.entry = entry.clone();
        record.seal = Digest(seal.finalize().into());
        self.write(&mut batch, &key, &record)?;
        let staged = match original {
            Some(original) => self.archive.stage(&[(&entry.id, Some(original))])?,
            None => self.archive.stage(&[])?,
        };
        self.commit(batch, self.totals, staged)
    }

    /// Removes the documents `ids`, as far as there are any; blocking; durable.
    ///
    /// # Errors
    /// The disk fails; the documents are then there, whole, or gone.
    pub fn remove(&mut self, ids: &[&str]) -> Result<(), LibraryError> {
        let mut batch = sled::Batch::default();
        let mut totals = self.totals;
        for id in ids {
            if let Some(passages) = self.remove_into(&mut batch, id)? {
                totals.documents = totals.documents.saturating_sub(1);
                totals.passages = totals.passages.saturating_sub(passages.into());
            }
        }
        let gone: Vec<(&str, Option<&[u8]>)> = ids.iter().map(|id| (*id, None)).collect();
        let staged = self.archive.stage(&gone)?;
        self.commit(batch, totals, staged)
    }

    /// The documents as they were read.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Size of index and archive on disk, bytes.
    pub fn bytes(&self) -> u64 {
        self.tree.size_on_disk().unwrap_or(0) + self.archive.position().bytes
    }

    fn insert_into(
        &self,
        batch: &mut sled::Batch,
        document: &Stored,
    ) -> Result<Record, LibraryError> {
        let id = &document.entry.id;
        let mut seal = Sha256::new();
        let mut insert = |kind, number: usize, value: Vec<u8>| {
            seal.update(&value);
            batch.insert(part_key(kind, id, number), value);
        };
        for (number, passage) in document.passages.iter().enumerate() {
            insert(b'p', number, self.encode(passage)?);
        }
        for (number, vector) in document.vectors.outer_iter().enumerate() {
            let bytes = vector.iter().flat_map(|value| value.to_f32().to_le_bytes());
            insert(b'v', number, bytes.collect());
        }
        for (number, terms) in document.terms.iter().enumerate() {
            insert(b't', number, self.encode(terms)?);
        }
        for (number, reference) in document.references.iter().enumerate() {
            insert(b'r', number, self.encode(reference)?);
        }
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Ok(Record {
            entry: document.entry.clone(),
            passages: count(document.passages.len()),
            references: count(document.references.len()),
            seal: Digest(seal.finalize().into()),
        })
    }

    /// Adds the removal of all keys of `id`; the passages counted for it, `None` when it was not counted.
    fn remove_into(&self, batch: &mut sled::Batch, id: &str) -> Result<Option<u32>, LibraryError> {
        let failed = |error: sled::Error| self.failed("read", &error);
        for kind in KINDS {
            for item in self.tree.scan_prefix(part_prefix(kind, id)) {
                batch.remove(item.map_err(failed)?.0);
            }
        }
        let key = record_key(id);
        let Some(value) = self.tree.get(&key).map_err(failed)? else {
            return Ok(None);
        };
        batch.remove(key);
        // An unreadable record was not counted when the store was opened.
        let record: Option<Record> = serde_json::from_slice(&value).ok();
        Ok(record.map(|record| record.passages))
    }

    pub(super) fn commit(
        &mut self,
        mut batch: sled::Batch,
        mut totals: Totals,
        staged: Staged,
    ) -> Result<(), LibraryError> {
        totals.archive = staged.position();
        self.write(&mut batch, b"s", &totals)?;
        self.tree
            .apply_batch(batch)
            .and_then(|()| self.tree.flush())
            .map_err(|error| self.failed("written", &error))?;
        // sled's flush is no fsync (sled#1452): without these two a power cut could undo the commit.
        durable::sync_file(&self.folder.join("db"))?;
        durable::sync_folder(&self.folder)?;
        self.totals = totals;
        self.archive.settle(staged);
        Ok(())
    }

    pub(super) fn write<T: Serialize>(
        &self,
        batch: &mut sled::Batch,
        key: &[u8],
        value: &T,
    ) -> Result<(), LibraryError> {
        batch.insert(key, self.encode(value)?);
        Ok(())
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, LibraryError> {
        serde_json::to_vec(value)
            .map_err(|error| store_error(&self.folder, "written", &error.to_string()))
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, LibraryError> {
        serde_json::from_slice(bytes)
            .map_err(|error| store_error(&self.folder, "read", &error.to_string()))
    }

    fn failed(&self, action: &'static str, error: &sled::Error) -> LibraryError {
        store_error(&self.folder, action, &error.to_string())
    }
}

fn record_key(id: &str) -> Vec<u8> {
    [b"d/", id.as_bytes()].concat()
}

/// Ids hold no control characters, so the zero byte ends them.
pub(super) fn part_prefix(kind: u8, id: &str) -> Vec<u8> {
    [&[kind, b'/'], id.as_bytes(), b"\0"].concat()
}

fn part_key(kind: u8, id: &str, number: usize) -> Vec<u8> {
    let mut key = part_prefix(kind, id);
    key.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    key
}

pub(super) fn store_error(path: &Path, action: &'static str, reason: &str) -> LibraryError {
    LibraryError::Store {
        path: path.to_owned(),
        action,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
