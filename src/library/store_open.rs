//! Opening the store: everything is read and checked against its seals, damage is set aside.
//!
//! The archive is opened once the index has said how much of it counts.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::Array2;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::LibraryError;
use super::archive::Archive;
use super::layout::{self, IndexName};
use super::store::{
    KINDS, Meta, Opened, Record, Recovery, Store, Stored, Totals, part_prefix, store_error,
};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Most damaged indexes kept for inspection; the next one replaces the last.
pub(super) const MAX_BROKEN: usize = 3;

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
    /// Opens the index and the archive in `folder`, making them when missing; blocking, reads everything.
    ///
    /// # Errors
    /// Another process has it, it is of another embedder or schema, or the disk fails. Damage is no
    /// error: see [`Opened`].
    pub fn open(folder: &Path, cache_bytes: u64, meta: &Meta) -> Result<Opened, LibraryError> {
        durable::create_folder(folder)?;
        let index = IndexName::current(folder).path(folder);
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
    let name = IndexName::current(folder);
    let index = name.path(folder);
    let is_new = !index.exists();
    let tree = durable::open_tree(&index, cache_bytes).map_err(|error| fault(&index, &error))?;
    let get = |key: &[u8]| tree.get(key).map_err(|error| fault(&index, &error));
    match get(b"m")? {
        Some(bytes) => check_meta(folder, &bytes, meta)?,
        None if !is_new && layout::exists(folder) => {
            return Err(Fault::Corrupt("its content is lost".into()));
        }
        None => {
            let store = begin(folder, index, tree, meta)?;
            name.switch(folder)?;
            return Ok((store, Vec::new(), Vec::new()));
        }
    }
    let totals = get(b"s")?.and_then(|bytes| serde_json::from_slice::<Totals>(&bytes).ok());
    let position = totals.map(|totals| totals.archive);
    let mut store = Store {
        archive: Archive::open(&folder.join("documents"), position)?,
        folder: index,
        tree,
        totals: Totals::default(),
    };
    let (documents, damaged) = read_all(&mut store, meta.dimension)?;
    Ok((store, documents, damaged))
}

/// An empty index in `tree`, beside whatever the archive in `folder` holds.
fn begin(
    folder: &Path,
    index: PathBuf,
    tree: sled::Db,
    meta: &Meta,
) -> Result<Store, LibraryError> {
    let mut store = Store {
        archive: Archive::open(&folder.join("documents"), None)?,
        folder: index,
        tree,
        totals: Totals::default(),
    };
    store.describe(meta)?;
    durable::sync_folder(folder)?;
    Ok(store)
}

impl Store {
    /// An empty store at `index`, which is made anew, over `archive`; blocking.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn beside(
        index: PathBuf,
        cache_bytes: u64,
        meta: &Meta,
        archive: Archive,
    ) -> Result<Store, LibraryError> {
        if index.exists() {
            std::fs::remove_dir_all(&index).map_err(FileError::at("remove", &index))?;
        }
        let tree = durable::open_tree(&index, cache_bytes)
            .map_err(|error| store_error(&index, "made", &error.to_string()))?;
        let mut store = Store {
            folder: index,
            tree,
            totals: Totals::default(),
            archive,
        };
        store.describe(meta)?;
        Ok(store)
    }

    /// Writes what its vectors are of.
    fn describe(&mut self, meta: &Meta) -> Result<(), LibraryError> {
        let mut batch = sled::Batch::default();
        self.write(&mut batch, b"m", meta)?;
        let staged = self.archive.stage(&[])?;
        self.commit(batch, Totals::default(), staged)
    }
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

/// What [`Store::verify`] found.
#[derive(Debug)]
pub(super) struct Verified {
    /// Id and number of passages of every whole document, by id.
    pub documents: Vec<(String, usize)>,
    /// Ids of those that are not whole.
    pub damaged: Vec<String>,
    /// What is wrong with the store itself.
    pub problem: Option<String>,
}

impl Store {
    /// Reads everything again against its seals; blocking.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn verify(&self, dimension: usize) -> Result<Verified, LibraryError> {
        let mut documents = Vec::new();
        let mut each = |stored: Stored| documents.push((stored.entry.id, stored.passages.len()));
        let read = read_each(self, dimension, &mut each);
        let checked = read.and_then(|(counted, damaged)| {
            let problem = match check_totals(self, counted, damaged.is_empty()) {
                Err(Fault::Corrupt(reason)) => Some(reason),
                other => other.map(|()| None)?,
            };
            Ok((damaged, problem))
        });
        let (damaged, problem) = match checked {
            Ok(checked) => checked,
            Err(Fault::Corrupt(reason)) => (Vec::new(), Some(reason)),
            Err(Fault::Error(error)) => return Err(error),
        };
        Ok(Verified {
            documents,
            damaged,
            problem,
        })
    }
}

/// All whole documents, and the ids of those that are not.
fn read_all(store: &mut Store, dimension: usize) -> Result<(Vec<Stored>, Vec<String>), Fault> {
    let mut documents = Vec::new();
    let (counted, damaged) = read_each(store, dimension, &mut |stored| documents.push(stored))?;
    store.totals = Totals {
        archive: store.archive.position(),
        ..counted
    };
    check_totals(store, counted, damaged.is_empty())?;
    Ok((documents, damaged))
}

/// Gives every whole document to `each`; what was counted, and the ids of those that are not whole.
fn read_each(
    store: &Store,
    dimension: usize,
    each: &mut dyn FnMut(Stored),
) -> Result<(Totals, Vec<String>), Fault> {
    let index = store.folder.clone();
    let unreadable = |error: sled::Error| fault(&index, &error);
    let mut damaged = Vec::new();
    let mut counted = Totals::default();
    for item in store.tree.scan_prefix(b"d/") {
        let (key, value) = item.map_err(unreadable)?;
        let id = String::from_utf8_lossy(&key[2..]).into_owned();
        let mut parts: [Parts; KINDS.len()] = Default::default();
        for (kind, parts) in KINDS.into_iter().zip(&mut parts) {
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
                    Some(document) => each(document),
                    None => damaged.push(id),
                }
            }
            Err(_) => damaged.push(id),
        }
    }
    Ok((counted, damaged))
}

/// Documents that vanished without a trace show only here.
fn check_totals(store: &Store, counted: Totals, all_whole: bool) -> Result<(), Fault> {
    let found = store
        .tree
        .get(b"s")
        .map_err(|error| fault(&store.folder, &error))?
        .and_then(|bytes| serde_json::from_slice::<Totals>(&bytes).ok())
        .unwrap_or_default();
    let is_as_counted = (found.documents, found.passages) == (counted.documents, counted.passages);
    if all_whole && !is_as_counted {
        return Err(Fault::Corrupt(format!(
            "it should hold {} documents with {} passages and holds {} with {}",
            found.documents, found.passages, counted.documents, counted.passages
        )));
    }
    Ok(())
}

/// The document that `record` seals; `None` when any part is missing, superfluous or altered.
fn assemble(record: Record, parts: &[Parts; KINDS.len()], dimension: usize) -> Option<Stored> {
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
    // They stay as long as the library: not a value's room more than they need.
    let mut values: Vec<f16> = Vec::with_capacity(vectors.len() * dimension);
    values.extend(
        vectors
            .values()
            .flat_map(|value| value.chunks_exact(4))
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .map(f16::from_f32),
    );
    Some(Stored {
        entry: record.entry,
        references: decode_all(references)?,
        passages: decode_all(passages)?,
        terms: decode_all(terms)?,
        vectors: Array2::from_shape_vec((passages.len(), dimension), values).ok()?,
    })
}

fn decode_all<T: DeserializeOwned>(parts: &Parts) -> Option<Vec<T>> {
    parts
        .values()
        .map(|value| serde_json::from_slice(value).ok())
        .collect()
}

/// Renames `index` to the first free `index.broken-N`; the last of them gives way when all are taken.
pub(super) fn move_aside(folder: &Path, index: &Path) -> Result<PathBuf, LibraryError> {
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

fn fault(index: &Path, error: &sled::Error) -> Fault {
    match error {
        error if durable::is_locked(error) => Fault::Error(LibraryError::Locked {
            path: index.to_owned(),
        }),
        sled::Error::Io(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => {
            Fault::Error(store_error(index, "opened", &io.to_string()))
        }
        other => Fault::Corrupt(other.to_string()),
    }
}
