//! The whole index made anew, from the documents as they were read or from a backup of them.
//!
//! The new index grows beside the old one, which is searched meanwhile, and takes its place in one step:
//! what ends before that step changed nothing. Nobody else changes the library until then.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive::{Archive, Reader};
use super::backup::Backup;
use super::corrections::Corrections;
use super::layout::IndexName;
use super::lexical::Dictionary;
use super::snapshot::Indexed;
use super::store::{Meta, Store, Stored};
use super::taking::{Group, Known, terms_of};
use super::{Change, Library, LibraryError, Outcome, Progress, Writer};
use crate::durable;

/// What a rebuild or a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildReport {
    /// Documents in the new index.
    pub documents: usize,
    /// Their passages.
    pub passages: usize,
    /// Ids of documents that are damaged and could not be made again: ingest them again.
    pub lost: Vec<String>,
    /// Whether `progress` ended it early; then nothing has changed.
    pub stopped: bool,
}

/// A new index that is being filled.
struct Building<'a> {
    name: IndexName,
    writer: Writer,
    known: Known,
    group: Group,
    report: RebuildReport,
    total: usize,
    progress: &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
}

impl Library {
    /// Cuts, tags and embeds all documents anew from what was read of them; blocking, minutes for a large
    /// library; searches go on with the old index until the new one is whole.
    ///
    /// For passages of another size, or after [`Library::recovery`] or [`Library::open_anew`]. A document
    /// whose original is damaged keeps the passages that it has.
    ///
    /// # Errors
    /// Another change is under way, or the embedder or the disk fails: then nothing has changed.
    pub fn rebuild(
        &self,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<RebuildReport, LibraryError> {
        let _alone = self.alone()?;
        let (archive, corrections, old) = {
            let writer = self.writer();
            let old: Vec<Arc<Indexed>> = writer.documents.values().cloned().collect();
            (
                writer.store.archive().clone(),
                writer.corrections.clone(),
                old,
            )
        };
        self.build(archive, corrections, &old, progress)
    }

    /// Brings back the documents that [`Library::unbuilt`] names, group by group; blocking; what was done stays
    /// when it ends early.
    ///
    /// # Errors
    /// A rebuild is under way, or the embedder or the disk fails.
    pub fn complete(
        &self,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<RebuildReport, LibraryError> {
        let _turn = self.turn()?;
        let ids = self.unbuilt();
        let reader = self.writer().store.archive().reader()?;
        let (mut group, mut known) = (Group::new(), self.known());
        let mut report = RebuildReport::default();
        for (number, id) in (1..).zip(&ids) {
            match reader.read(id)? {
                Some(original) => {
                    let file = original.file.as_deref();
                    let correction = self.correction(id);
                    self.cut_into(&mut group, &original.document, file, &correction);
                }
                None => report.lost.push(id.clone()),
            }
            if !group.is_full() && number < ids.len() {
                continue;
            }
            for taken in self.commit(&mut group, &mut known)? {
                report.documents += 1;
                report.passages += taken.passages;
                let told = progress(&Progress {
                    done: report.documents,
                    total: ids.len(),
                    name: &taken.id,
                    outcome: Outcome::Taken(taken.change),
                    passages: taken.passages,
                });
                report.stopped |= told.is_break();
            }
            if report.stopped {
                break;
            }
        }
        self.publish();
        Ok(report)
    }

    /// Puts the documents and corrections of the backup `file` in the place of all that is there; blocking,
    /// as [`Library::rebuild`].
    ///
    /// # Errors
    /// `file` is no whole backup, another change is under way, or embedder or disk fail: then nothing has
    /// changed.
    pub fn restore(
        &self,
        file: &Path,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<RebuildReport, LibraryError> {
        let _alone = self.alone()?;
        let mut backup = Backup::open(file)?;
        let (archive, corrections) = {
            let writer = self.writer();
            let staged = writer.store.archive().stage_all(backup.bodies())?;
            let corrections = writer.corrections.replaced(backup.corrections());
            (writer.store.archive().forked(staged), corrections)
        };
        self.build(archive, corrections, &[], progress)
    }

    /// Fills a new index with the documents of `archive`, else of `old`, sorted by id, and switches to it.
    fn build(
        &self,
        archive: Archive,
        corrections: Corrections,
        old: &[Arc<Indexed>],
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<RebuildReport, LibraryError> {
        let reader = archive.reader()?;
        let name = IndexName::current(&self.folder).next();
        let meta = Meta::new(self.embedder.digest(), self.embedder.dimension());
        let store = Store::beside(name.path(&self.folder), self.cache_bytes, &meta, archive)?;
        let kept = old.iter().map(|document| document.entry.id.as_str());
        let ids: BTreeSet<&str> = reader.ids().chain(kept).collect();
        let mut building = Building {
            name,
            writer: Writer {
                store,
                corrections,
                documents: Default::default(),
                dictionary: Arc::new(Dictionary::default()),
            },
            known: Known::default(),
            group: Group::new(),
            report: RebuildReport::default(),
            total: ids.len(),
            progress,
        };
        let filled = self.fill(&mut building, &reader, &ids, old);
        if matches!(filled, Ok(ControlFlow::Continue(()))) {
            return self.switch(building);
        }
        let mut report = std::mem::take(&mut building.report);
        drop(building);
        // The old index holds: what is left of the new one goes now, or on the next opening.
        let _ = IndexName::current(&self.folder).settle(&self.folder);
        self.writer().store.archive().remove_others();
        report.stopped = true;
        filled.map(|_| report)
    }

    fn fill(
        &self,
        building: &mut Building<'_>,
        reader: &Reader,
        ids: &BTreeSet<&str>,
        old: &[Arc<Indexed>],
    ) -> Result<ControlFlow<()>, LibraryError> {
        for id in ids {
            if let Some(original) = reader.read(id)? {
                let correction = building.writer.corrections.of(id);
                let file = original.file.as_deref();
                self.cut_into(&mut building.group, &original.document, file, &correction);
            } else if let Ok(at) = old.binary_search_by(|known| known.entry.id.as_str().cmp(id)) {
                let known = &old[at];
                if building.commit(self)?.is_break() || building.keep(known)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else {
                building.report.lost.push((*id).to_owned());
            }
            if building.group.is_full() && building.commit(self)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        building.commit(self)
    }

    /// Lets the new index hold.
    fn switch(&self, building: Building<'_>) -> Result<RebuildReport, LibraryError> {
        let Building {
            name,
            writer: new,
            report,
            ..
        } = building;
        durable::replace(&name.tags(&self.folder), &new.corrections.to_json())?;
        let mut writer = self.writer();
        name.switch(&self.folder)?;
        *writer = new;
        self.snapshots.publish(writer.snapshot());
        name.settle(&self.folder)?;
        writer.store.archive().remove_others();
        Ok(report)
    }
}

impl Building<'_> {
    /// Embeds and commits the group, and tells.
    fn commit(&mut self, library: &Library) -> Result<ControlFlow<()>, LibraryError> {
        let ready = library.embedded(&mut self.group, &self.known)?;
        self.writer.store.put(&ready)?;
        for (stored, _) in ready {
            if self.add(stored).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes `known` over as it is.
    fn keep(&mut self, known: &Indexed) -> Result<ControlFlow<()>, LibraryError> {
        let terms = known.passages.iter();
        let stored = Stored {
            entry: known.entry.clone(),
            references: known.references.clone(),
            terms: terms
                .map(|passage| terms_of(&passage.indexed_text()))
                .collect(),
            passages: known
                .passages
                .iter()
                .map(|passage| passage.as_ref().clone())
                .collect(),
            vectors: known.vectors.as_ref().clone(),
        };
        let ready = [(stored, None)];
        self.writer.store.put(&ready)?;
        let [(stored, _)] = ready;
        Ok(self.add(stored))
    }

    fn add(&mut self, stored: Stored) -> ControlFlow<()> {
        let (id, passages) = (stored.entry.id.clone(), stored.passages.len());
        self.writer.add(stored, &mut self.known);
        self.report.documents += 1;
        self.report.passages += passages;
        (self.progress)(&Progress {
            done: self.report.documents,
            total: self.total,
            name: &id,
            outcome: Outcome::Taken(Change::Added),
            passages,
        })
    }
}

#[cfg(test)]
#[path = "rebuild_tests.rs"]
mod tests;
