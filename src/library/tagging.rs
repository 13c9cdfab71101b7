//! The tags and the whole tree of a document in the library, and setting its tags right.

use std::path::Path;
use std::sync::Arc;

use super::snapshot::Indexed;
use super::{Library, LibraryError, Writer};
use crate::documents::{Correction, Document, Tags};

impl Library {
    /// The document `id` as it was read, with its tags as they hold now; blocking; `None` when there is none.
    ///
    /// # Errors
    /// The disk fails, or what was stored of it is damaged.
    pub fn tree(&self, id: &str) -> Result<Option<Document>, LibraryError> {
        let writer = self.writer();
        let Some(known) = writer.documents.get(id) else {
            return Ok(None);
        };
        let Some(original) = writer.store.archive().read(id)? else {
            return Err(LibraryError::Original { id: id.to_owned() });
        };
        Ok(Some(Document {
            tags: known.entry.tags.clone(),
            ..original.document
        }))
    }

    /// What somebody set right for the document `id`.
    pub fn correction(&self, id: &str) -> Correction {
        self.writer().corrections.of(id)
    }

    /// Sets the tags of the document `id` right; `None` when there is no such document; blocking; durable
    /// and searched by when it returns. Later ingests of the document keep it.
    ///
    /// # Errors
    /// A rebuild is under way, or the disk fails; the tags then hold as they did, or as they were set.
    pub fn correct(&self, id: &str, correction: Correction) -> Result<Option<Tags>, LibraryError> {
        let _turn = self.turn()?;
        let tags = {
            let mut writer = self.writer();
            let Some(known) = writer.documents.get(id).cloned() else {
                return Ok(None);
            };
            writer.corrections.set(id, correction)?;
            writer.retag(&known, known.entry.found.clone(), None, None)?;
            let known = writer.documents.get(id);
            known.map(|known| known.entry.tags.clone())
        };
        self.publish();
        Ok(tags)
    }
}

impl Writer {
    /// Gives the document `known` the tags `found`, corrected, the file `file` if there is one, and the packed
    /// original that says so where it has changed.
    pub(super) fn retag(
        &mut self,
        known: &Arc<Indexed>,
        found: Tags,
        file: Option<&Path>,
        original: Option<&[u8]>,
    ) -> Result<(), LibraryError> {
        let mut tagged = Indexed::clone(known);
        let tags = found.corrected(&self.corrections.of(&known.entry.id));
        let passages = known.passages.iter();
        tagged.passages = passages
            .map(|passage| Arc::new(passage.retagged(&tags)))
            .collect();
        tagged.entry.set_tags(tags, found);
        if let Some(file) = file {
            tagged.entry.file = Some(file.to_owned());
        }
        self.store
            .retag(&tagged.entry, &tagged.passages, original)?;
        let id = known.entry.id.clone();
        self.documents.insert(id, Arc::new(tagged));
        Ok(())
    }

    /// Brings documents in line with corrections that were written when their tags were not, as after a
    /// power cut between the two.
    pub(super) fn settle_tags(&mut self) -> Result<(), LibraryError> {
        let stale: Vec<Arc<Indexed>> = self
            .documents
            .values()
            .filter(|known| {
                let correction = self.corrections.of(&known.entry.id);
                known.entry.found.corrected(&correction) != known.entry.tags
            })
            .cloned()
            .collect();
        for known in stale {
            self.retag(&known, known.entry.found.clone(), None, None)?;
        }
        Ok(())
    }
}
