//! The library on disk: the only user of sled.
//!
//! One tree, so that one batch writes a document whole or not at all. Keys, with `\0` after the id:
//!
//! | key | value |
//! |---|---|
//! | `m` | [`Meta`]: schema, embedder, dimension |
//! | `s` | [`Totals`]: how many documents and passages there must be |
//! | `d/<id>` | [`Record`]: the document's entry and the seal over all that follows |
//! | `p/<id>\0<n>`, `v/...`, `t/...` | passage, vector (little-endian f32), terms with counts |
//! | `r/<id>\0<n>` | reference |
//!
//! All of it can be made again from the documents, so damage is never repaired: a damaged document is
//! left out and named, a damaged index is moved aside to `index.broken-N`. Values stay well under the
//! 128 KiB from which sled leaks files. Postings are inverted in memory when the index is opened.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndarray::Array2;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{DocumentEntry, LibraryError};
use crate::documents::{Passage, Reference};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Layout of the store and of the terms in it.
const SCHEMA: u32 = 1000 + super::words::VERSION;

/// Most damaged indexes kept for inspection; the next one replaces the last.
const MAX_BROKEN: usize = 3;

/// How long a held lock is waited for: half a second in all.
const LOCK_TRIES: usize = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What vectors in a store must be comparable with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    schema: u32,
    embedder: Digest,
    dimension: usize,
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
struct Totals {
    documents: u64,
    passages: u64,
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
    /// Terms of each passage, with counts.
    pub terms: Vec<Vec<(String, u32)>>,
    /// A unit vector for each passage.
    pub vectors: Array2<f32>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    entry: DocumentEntry,
    passages: u32,
    references: u32,
    /// SHA-256 over the values of passages, vectors, terms and references, in key order of kind and number.
    seal: Digest,
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
    folder: PathBuf,
    tree: sled::Db,
    totals: Totals,
}

/// Why a store could not be opened.
enum Fault {
    /// Nothing to move aside.
    Error(LibraryError),
    /// The content is damaged.
    Corrupt(String),
}

impl From<LibraryError> for Fault {
    fn from(error: LibraryError) -> Self {
        Fault::Error(error)
    }
}

impl Store {
    /// Opens `folder/index`, making it when missing; blocking, reads everything.
    ///
    /// # Errors
    /// Another process has it, it is of another embedder or schema, or the disk fails. Damage is no
    /// error: see [`Opened`].
    pub fn open(folder: &Path, cache_bytes: u64, meta: &Meta) -> Result<Opened, LibraryError> {
        durable::create_folder(folder)?;
        let index = folder.join("index");
        match open_guarded(folder, cache_bytes, meta) {
            Ok((store, documents, damaged)) => Ok(Opened {
                store,
                documents,
                damaged,
                recovery: None,
            }),
            Err(Fault::Error(error)) => Err(error),
            Err(Fault::Corrupt(reason)) => {
                let moved_to = move_aside(folder, &index)?;
                match open_guarded(folder, cache_bytes, meta) {
                    Ok((store, documents, damaged)) => Ok(Opened {
                        store,
                        documents,
                        damaged,
                        recovery: Some(Recovery { moved_to, reason }),
                    }),
                    Err(Fault::Error(error)) => Err(error),
                    Err(Fault::Corrupt(reason)) => Err(store_error(&index, "made", &reason)),
                }
            }
        }
    }

    /// Writes `document`, replacing an older one of its id; blocking; whole and durable when it returns.
    ///
    /// # Errors
    /// The disk fails; the store then holds the old document or the new one, whole.
    pub fn put(&mut self, document: &Stored) -> Result<(), LibraryError> {
        let mut batch = sled::Batch::default();
        let before = self.remove_into(&mut batch, &document.entry.id)?;
        let record = self.insert_into(&mut batch, document)?;
        self.write(&mut batch, &record_key(&document.entry.id), &record)?;
        let mut totals = self.totals;
        if let Some(before) = before {
            totals.documents = totals.documents.saturating_sub(1);
            totals.passages = totals.passages.saturating_sub(before.into());
        }
        totals.documents += 1;
        totals.passages += u64::from(record.passages);
        self.commit(batch, totals)
    }

    /// Writes only the entry of a document whose passages stay as they are; blocking; durable.
    ///
    /// # Errors
    /// The disk fails.
    pub fn put_entry(&mut self, entry: &DocumentEntry) -> Result<(), LibraryError> {
        let key = record_key(&entry.id);
        let Some(value) = self
            .tree
            .get(&key)
            .map_err(|error| self.failed("read", &error))?
        else {
            return Ok(());
        };
        let mut record: Record = self.decode(&value)?;
        record.entry = entry.clone();
        let mut batch = sled::Batch::default();
        self.write(&mut batch, &key, &record)?;
        self.commit(batch, self.totals)
    }

    /// Removes the document `id`, if there is one; blocking; durable.
    ///
    /// # Errors
    /// The disk fails; the document is then there, whole, or gone.
    pub fn remove(&mut self, id: &str) -> Result<(), LibraryError> {
        let mut batch = sled::Batch::default();
        let mut totals = self.totals;
        if let Some(passages) = self.remove_into(&mut batch, id)? {
            totals.documents = totals.documents.saturating_sub(1);
            totals.passages = totals.passages.saturating_sub(passages.into());
        }
        self.commit(batch, totals)
    }

    /// Size of the index on disk, bytes.
    pub fn bytes(&self) -> u64 {
        self.tree.size_on_disk().unwrap_or(0)
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
            let bytes = vector.iter().flat_map(|value| value.to_le_bytes());
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
        for kind in [b'p', b'v', b't', b'r'] {
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

    fn commit(&mut self, mut batch: sled::Batch, totals: Totals) -> Result<(), LibraryError> {
        self.write(&mut batch, b"s", &totals)?;
        self.tree
            .apply_batch(batch)
            .and_then(|()| self.tree.flush())
            .map_err(|error| self.failed("written", &error))?;
        // sled's flush is no fsync (sled#1452): without these two a power cut could undo the commit.
        durable::sync_file(&self.folder.join("db"))?;
        durable::sync_folder(&self.folder)?;
        self.totals = totals;
        Ok(())
    }

    fn write<T: Serialize>(
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

type Content = (Store, Vec<Stored>, Vec<String>);

/// Opens and reads; sled panics on some damaged files, so panics count as damage.
fn open_guarded(folder: &Path, cache_bytes: u64, meta: &Meta) -> Result<Content, Fault> {
    catch_unwind(AssertUnwindSafe(|| {
        open_unguarded(folder, cache_bytes, meta)
    }))
    .unwrap_or_else(|_| {
        Err(Fault::Corrupt(
            "the store panicked while it was read".into(),
        ))
    })
}

fn open_unguarded(folder: &Path, cache_bytes: u64, meta: &Meta) -> Result<Content, Fault> {
    let index = folder.join("index");
    let witness = folder.join("library.json");
    let is_new = !index.exists();
    let tree = open_tree(&index, cache_bytes).map_err(|error| fault(&index, &error))?;
    let mut store = Store {
        folder: index.clone(),
        tree,
        totals: Totals::default(),
    };
    let found = store
        .tree
        .get(b"m")
        .map_err(|error| fault(&index, &error))?;
    match found {
        Some(bytes) => check_meta(folder, &bytes, meta)?,
        None if !is_new && witness.exists() => {
            return Err(Fault::Corrupt("its content is lost".into()));
        }
        None => {
            let mut batch = sled::Batch::default();
            store.write(&mut batch, b"m", meta)?;
            store.commit(batch, Totals::default())?;
            durable::sync_folder(folder).map_err(LibraryError::from)?;
            let note = format!("{{\"schema\":{SCHEMA}}}\n");
            durable::replace(&witness, note.as_bytes()).map_err(LibraryError::from)?;
            return Ok((store, Vec::new(), Vec::new()));
        }
    }
    let (documents, damaged) = read_all(&mut store, meta.dimension)?;
    Ok((store, documents, damaged))
}

/// Opens the tree, waiting a little for its lock: sled's own threads hold it shortly after a close.
fn open_tree(index: &Path, cache_bytes: u64) -> sled::Result<sled::Db> {
    // No timed flusher: each commit is flushed and synced before it is reported.
    let config = sled::Config::new()
        .path(index)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None);
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(error) if is_lock(&error) => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    config.open()
}

/// Whether another has the lock; sled gives that no kind of its own.
fn is_lock(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

fn check_meta(folder: &Path, bytes: &[u8], expected: &Meta) -> Result<(), Fault> {
    let found: Meta = serde_json::from_slice(bytes)
        .map_err(|error| Fault::Corrupt(format!("its description is unreadable: {error}")))?;
    if found.schema != expected.schema {
        return Err(Fault::Error(LibraryError::OtherSchema {
            path: folder.to_owned(),
            found: found.schema,
            expected: expected.schema,
        }));
    }
    if found != *expected {
        return Err(Fault::Error(LibraryError::OtherEmbedder {
            path: folder.to_owned(),
            found: found.embedder,
            found_dimension: found.dimension,
            expected: expected.embedder,
            expected_dimension: expected.dimension,
        }));
    }
    Ok(())
}

/// Values of one kind of a document, by number.
type Parts = BTreeMap<u32, sled::IVec>;

/// All whole documents, and the ids of those that are not.
fn read_all(store: &mut Store, dimension: usize) -> Result<(Vec<Stored>, Vec<String>), Fault> {
    let index = store.folder.clone();
    let unreadable = |error: sled::Error| fault(&index, &error);
    let (mut documents, mut damaged) = (Vec::new(), Vec::new());
    let mut counted = Totals::default();
    for item in store.tree.scan_prefix(b"d/") {
        let (key, value) = item.map_err(unreadable)?;
        let id = String::from_utf8_lossy(&key[2..]).into_owned();
        let mut parts: [Parts; 4] = Default::default();
        for (kind, parts) in [b'p', b'v', b't', b'r'].into_iter().zip(&mut parts) {
            let prefix = part_prefix(kind, &id);
            for item in store.tree.scan_prefix(&prefix) {
                let (key, value) = item.map_err(unreadable)?;
                let number: [u8; 4] = key[prefix.len()..]
                    .try_into()
                    .map_err(|_| Fault::Corrupt(format!("a key of {id:?} is cut off")))?;
                parts.insert(u32::from_be_bytes(number), value);
            }
        }
        match serde_json::from_slice::<Record>(&value) {
            Ok(record) => {
                counted.documents += 1;
                counted.passages += u64::from(record.passages);
                match assemble(record, &parts, dimension) {
                    Some(document) => documents.push(document),
                    None => damaged.push(id),
                }
            }
            Err(_) => damaged.push(id),
        }
    }
    store.totals = counted;
    check_totals(store, counted, damaged.is_empty())?;
    Ok((documents, damaged))
}

/// Documents that vanished without a trace show only here.
fn check_totals(store: &Store, counted: Totals, all_whole: bool) -> Result<(), Fault> {
    let found = store
        .tree
        .get(b"s")
        .map_err(|error| fault(&store.folder, &error))?
        .and_then(|bytes| serde_json::from_slice::<Totals>(&bytes).ok())
        .unwrap_or_default();
    if all_whole && found != counted {
        return Err(Fault::Corrupt(format!(
            "it should hold {} documents with {} passages and holds {} with {}",
            found.documents, found.passages, counted.documents, counted.passages
        )));
    }
    Ok(())
}

/// The document that `record` seals; `None` when any part is missing, superfluous or altered.
fn assemble(record: Record, parts: &[Parts; 4], dimension: usize) -> Option<Stored> {
    let [passages, vectors, terms, references] = parts;
    let is_run = |parts: &Parts, length: u32| {
        parts.len() == length as usize && parts.keys().copied().eq(0..length)
    };
    if ![passages, vectors, terms]
        .into_iter()
        .all(|parts| is_run(parts, record.passages))
        || !is_run(references, record.references)
    {
        return None;
    }
    let mut seal = Sha256::new();
    for value in parts.iter().flat_map(BTreeMap::values) {
        seal.update(value);
    }
    if Digest(seal.finalize().into()) != record.seal {
        return None;
    }
    let floats: Vec<f32> = vectors
        .values()
        .flat_map(|value| value.chunks_exact(4))
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    Some(Stored {
        entry: record.entry,
        references: decode_all(references)?,
        passages: decode_all(passages)?,
        terms: decode_all(terms)?,
        vectors: Array2::from_shape_vec((passages.len(), dimension), floats).ok()?,
    })
}

fn decode_all<T: DeserializeOwned>(parts: &Parts) -> Option<Vec<T>> {
    parts
        .values()
        .map(|value| serde_json::from_slice(value).ok())
        .collect()
}

/// Renames `index` to the first free `index.broken-N`; the last of them gives way when all are taken.
fn move_aside(folder: &Path, index: &Path) -> Result<PathBuf, LibraryError> {
    let name = |number| folder.join(format!("index.broken-{number}"));
    let free = (1..=MAX_BROKEN).map(name).find(|path| !path.exists());
    let target = match free {
        Some(target) => target,
        None => {
            let last = name(MAX_BROKEN);
            std::fs::remove_dir_all(&last).map_err(FileError::at("remove", &last))?;
            last
        }
    };
    std::fs::rename(index, &target).map_err(FileError::at("move aside", index))?;
    durable::sync_folder(folder)?;
    Ok(target)
}

fn record_key(id: &str) -> Vec<u8> {
    [b"d/", id.as_bytes()].concat()
}

/// Ids hold no control characters, so the zero byte ends them.
fn part_prefix(kind: u8, id: &str) -> Vec<u8> {
    [&[kind, b'/'], id.as_bytes(), b"\0"].concat()
}

fn part_key(kind: u8, id: &str, number: usize) -> Vec<u8> {
    let mut key = part_prefix(kind, id);
    key.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    key
}

fn store_error(path: &Path, action: &'static str, reason: &str) -> LibraryError {
    LibraryError::Store {
        path: path.to_owned(),
        action,
        reason: reason.to_owned(),
    }
}

fn fault(index: &Path, error: &sled::Error) -> Fault {
    match error {
        error if is_lock(error) => Fault::Error(LibraryError::Locked {
            path: index.to_owned(),
        }),
        sled::Error::Io(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => {
            Fault::Error(store_error(index, "opened", &io.to_string()))
        }
        other => Fault::Corrupt(other.to_string()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
