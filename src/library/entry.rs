//! What the library tells of itself: documents, changes, figures.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::documents::{Document, Tags};
use crate::types::{Digest, Place};

/// What the library knows of a document besides its passages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentEntry {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Authors, as written.
    pub authors: Vec<String>,
    /// Where it holds.
    pub place: Place,
    /// Canonical crop names.
    pub crops: Vec<String>,
    /// Topics.
    pub topics: Vec<String>,
    /// The three above with where they are known from.
    pub tags: Tags,
    /// Date of the content, as written.
    pub date: Option<String>,
    /// Where it comes from, as written.
    pub source: Option<String>,
    /// Licence, as written.
    pub licence: Option<String>,
    /// Language tag, as written.
    pub language: Option<String>,
    /// Number of pages, where the format has them.
    pub pages: Option<u32>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Number of its passages.
    pub passages: usize,
    /// The file that it was read from, absolute; `None` when it did not come from a file.
    pub file: Option<PathBuf>,
    /// Names how it was cut: another cut means another ingest.
    pub(super) cut: Digest,
    /// The tags as they were found, before anybody set them right.
    pub(super) found: Tags,
}

/// What [`Library::ingest`](super::Library::ingest) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The document is new.
    Added,
    /// It replaced an older one of its id.
    Replaced,
    /// It was there already, the same and cut the same way.
    Unchanged,
}

/// A document that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ingested {
    /// What became of it.
    pub change: Change,
    /// Number of its passages.
    pub passages: usize,
}

/// Figures of a library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LibraryStats {
    /// Documents.
    pub documents: usize,
    /// Passages, each with a vector.
    pub passages: usize,
    /// Different terms.
    pub terms: usize,
    /// Length of a vector.
    pub dimension: usize,
    /// How vectors are searched now: `exact` or `graph`.
    pub dense: &'static str,
    /// The graph against the scan, once the graph is built.
    pub probe: Option<Probe>,
    /// Size of the index on disk, bytes.
    pub bytes: u64,
}

impl DocumentEntry {
    /// For `document`, whose tags were `found`, cut into `passages` in the way named by `cut`.
    pub(super) fn new(
        document: &Document,
        found: &Tags,
        passages: usize,
        file: Option<&Path>,
        cut: Digest,
    ) -> Self {
        DocumentEntry {
            id: document.id.clone(),
            title: document.title.clone(),
            authors: document.authors.clone(),
            place: document.tags.place(),
            crops: document.tags.crops(),
            topics: document.tags.topics(),
            tags: document.tags.clone(),
            date: document.date.clone(),
            source: document.source.clone(),
            licence: document.licence.clone(),
            language: document.language.clone(),
            pages: document.pages,
            digest: document.digest,
            passages,
            file: file.map(Path::to_owned),
            cut,
            found: found.clone(),
        }
    }

    /// Gives it the tags `tags`, which came of `found`.
    pub(super) fn set_tags(&mut self, tags: Tags, found: Tags) {
        self.place = tags.place();
        self.crops = tags.crops();
        self.topics = tags.topics();
        self.tags = tags;
        self.found = found;
    }
}
