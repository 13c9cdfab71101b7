//! One document in or out, and whose turn it is to change the library.

use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::taking::{Group, Known, Taken};
use super::{Change, Ingested, Library, LibraryError};
use crate::documents::Document;

impl Library {
    /// Takes `document` in; blocking, seconds for a long one; durable and searchable when it returns.
    ///
    /// # Errors
    /// A rebuild is under way, or the embedder or the disk fails; the older document of its id, if any, is
    /// then still there, whole.
    pub fn ingest(&self, document: &Document) -> Result<Ingested, LibraryError> {
        let _turn = self.turn()?;
        let mut group = Group::new();
        let ingested = match self.prepare(document, None, &mut group)? {
            Some(passages) => Some((Change::Unchanged, passages)),
            None => {
                let mut known = Known::of(self.writer().documents.get(&document.id).into_iter());
                let taken = self.commit(&mut group, &mut known)?.pop();
                taken.map(|taken| (taken.change, taken.passages))
            }
        };
        self.publish();
        let (change, passages) = ingested.unwrap_or((Change::Unchanged, 0));
        Ok(Ingested { change, passages })
    }

    /// Takes `documents` in, each whole or not at all, searchable together; the number of their passages; blocking.
    ///
    /// # Errors
    /// As [`Library::ingest`]; what was taken in until then stays.
    pub fn ingest_all(&self, documents: &[Document]) -> Result<usize, LibraryError> {
        let _turn = self.turn()?;
        let mut known = self.known();
        let mut group = Group::new();
        let mut passages = 0;
        let mut count = |taken: Vec<Taken>| {
            passages += taken.iter().map(|taken| taken.passages).sum::<usize>();
        };
        let mut take = |document: &Document| -> Result<(), LibraryError> {
            if group.is_full() || group.has(&document.id) {
                count(self.commit(&mut group, &mut known)?);
            }
            if let Some(there) = self.prepare(document, None, &mut group)? {
                count(vec![Taken::unchanged(&document.id, there)]);
            }
            Ok(())
        };
        let taken = documents.iter().try_for_each(&mut take);
        let rest = taken.and_then(|()| self.commit(&mut group, &mut known));
        let taken = rest.map(&mut count);
        self.publish();
        taken.map(|()| passages)
    }

    /// Removes the document `id`; false when there is none; blocking; durable when it returns.
    ///
    /// # Errors
    /// A rebuild is under way, or the disk fails; the document is then whole or gone.
    pub fn remove(&self, id: &str) -> Result<bool, LibraryError> {
        let _turn = self.turn()?;
        let removed = self.commit_removal(&[id])?;
        self.publish();
        Ok(!removed.is_empty())
    }

    /// Removes those of `ids` that there are, in one commit; which they are.
    pub(super) fn commit_removal(&self, ids: &[&str]) -> Result<Vec<String>, LibraryError> {
        let mut writer = self.writer();
        let is_there =
            |id: &str| writer.documents.contains_key(id) || writer.store.archive().has(id);
        let there: Vec<&str> = ids.iter().copied().filter(|id| is_there(id)).collect();
        if !there.is_empty() {
            writer.store.remove(&there)?;
        }
        for id in &there {
            writer.documents.remove(*id);
        }
        Ok(there.into_iter().map(str::to_owned).collect())
    }

    /// Lets what comes in from now on use the vectors that `other` has of the same texts; none where it has
    /// another embedder. Blocking, a second for 100,000 passages.
    pub fn learn(&self, other: &Library) {
        if self.embedder.digest() == other.embedder.digest() {
            let known = other.known();
            *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
    }

    /// The vectors of all documents, and those that were lent, by their texts.
    pub(super) fn known(&self) -> Known {
        let documents: Vec<_> = self.writer().documents.values().cloned().collect();
        let mut known = Known::of(documents.iter());
        known.add_all(&self.lent.lock().unwrap_or_else(PoisonError::into_inner));
        known
    }

    /// Held while documents are changed.
    pub(super) fn turn(&self) -> Result<RwLockReadGuard<'_, ()>, LibraryError> {
        match self.turn.try_read() {
            Ok(turn) => Ok(turn),
            // It guards no data that a panic could have left half changed.
            Err(TryLockError::Poisoned(turn)) => Ok(turn.into_inner()),
            Err(TryLockError::WouldBlock) => Err(LibraryError::Busy {
                what: "its index is made anew",
            }),
        }
    }

    /// Held while the index is made anew.
    pub(super) fn alone(&self) -> Result<RwLockWriteGuard<'_, ()>, LibraryError> {
        match self.turn.try_write() {
            Ok(turn) => Ok(turn),
            Err(TryLockError::Poisoned(turn)) => Ok(turn.into_inner()),
            Err(TryLockError::WouldBlock) => Err(LibraryError::Busy {
                what: "documents come in, or its index is made anew",
            }),
        }
    }
}
