//! The library: passages with their vectors and terms, kept in sled, searched in memory.
//!
//! [`Library`] is what other rooms use. A search works on an immutable snapshot and never waits for an
//! ingest; an ingest commits whole documents, then puts a new snapshot in place. What was read of each
//! document is kept beside the index, which can be made anew from it. Nothing here decides whether a passage answers a question, and nothing here talks to a user.

mod archive;
mod archive_walk;
mod backup;
mod builder;
mod changing;
mod check;
mod corrections;
mod dense;
mod entry;
mod error;
mod filter;
mod fold;
mod fuse;
mod graph;
mod ingest;
mod layout;
mod lexical;
mod measure;
mod original;
mod plain;
mod quantized;
mod rebuild;
mod search;
mod snapshot;
mod store;
mod store_open;
mod tagging;
mod taking;
#[cfg(test)]
pub(crate) mod testing;
mod walk;
mod words;

pub use backup::BackupReport;
pub use check::CheckReport;
pub use dense::{Eligible, ExactScan, VectorSearch, Vectors};
pub use entry::{Change, DocumentEntry, Ingested, LibraryStats};
pub use error::LibraryError;
pub use filter::Fallback;
pub use graph::{GraphError, GraphSearch};
pub use ingest::{IngestFailure, IngestOptions, IngestReport, Outcome, Progress};
pub use measure::{
    Comparison, DenseMeasure, GraphMeasure, Probe, RECALL_WANTED, clustered_vectors, measure_dense,
    percentile_us,
};
pub use plain::Plain;
pub use quantized::QuantizedScan;
pub use rebuild::RebuildReport;
pub use search::{Hit, Query, SearchResults};
pub use store::Recovery;
pub use words::{GROUPS, folded, terms};

/// The places of the gazetteer that a text names.
pub use crate::documents::{crop_named_by, named_places};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ndarray::Array2;

use builder::GraphBuilder;
use corrections::Corrections;
use layout::IndexName;
use lexical::{Dictionary, number_terms};
use snapshot::{Indexed, Snapshot, Snapshots};
use store::{Meta, Store};
use taking::Known;
use words::QueryTerm;

use crate::config::{LibraryConfig, SearchConfig};
use crate::documents::{self, Document, Passage, PassageOptions, Reference};
use crate::model::Embedder;

/// Tokens of an embedder's window kept for title, headings and special tokens.
const WINDOW_RESERVE: usize = 56;

/// The library of one folder; shared between threads; one process at a time.
pub struct Library {
    folder: PathBuf,
    cache_bytes: u64,
    embedder: Arc<dyn Embedder>,
    options: PassageOptions,
    search: SearchConfig,
    snapshots: Arc<Snapshots>,
    writer: Mutex<Writer>,
    /// Whoever changes documents reads; whoever makes the index anew writes. Nobody waits for it.
    turn: RwLock<()>,
    recovery: Option<Recovery>,
    damaged: Vec<String>,
    /// Vectors that another library has of texts that may come.
    lent: Mutex<Known>,
    /// Stops with the library.
    _builder: Option<GraphBuilder>,
}

/// What is committed; the snapshot that is searched may be a few documents behind during a long ingest.
struct Writer {
    store: Store,
    corrections: Corrections,
    documents: BTreeMap<String, Arc<Indexed>>,
    dictionary: Arc<Dictionary>,
}

impl Library {
    /// Opens the library in `folder`, making it when missing; blocking, reads all of it into memory.
    ///
    /// A damaged index is moved aside and an empty one takes its place: see [`Library::recovery`].
    ///
    /// # Errors
    /// Another process has it open, it is of another embedder or version, or the disk fails.
    pub fn open(
        folder: &Path,
        config: &LibraryConfig,
        search: &SearchConfig,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Library, LibraryError> {
        let meta = Meta::new(embedder.digest(), embedder.dimension());
        let opened = Store::open(folder, config.cache_bytes, &meta)?;
        IndexName::current(folder).settle(folder)?;
        let mut dictionary = Dictionary::default();
        let documents = opened
            .documents
            .into_iter()
            .map(|stored| {
                let indexed = Indexed::new(stored, &mut dictionary);
                (indexed.entry.id.clone(), Arc::new(indexed))
            })
            .collect();
        let mut writer = Writer {
            store: opened.store,
            corrections: Corrections::load(folder)?,
            documents,
            dictionary: Arc::new(dictionary),
        };
        writer.settle_tags()?;
        let snapshots = Arc::new(Snapshots::new(config.dense));
        snapshots.publish(writer.snapshot());
        Ok(Library {
            folder: folder.to_owned(),
            cache_bytes: config.cache_bytes,
            turn: RwLock::new(()),
            options: options(config, embedder.as_ref()),
            _builder: GraphBuilder::start(&snapshots, &folder.join("graph")),
            embedder,
            search: search.clone(),
            snapshots,
            writer: Mutex::new(writer),
            recovery: opened.recovery,
            damaged: opened.damaged,
            lent: Mutex::default(),
        })
    }

    /// As [`Library::open`], with an empty index where that in `folder` is of another embedder or version: the
    /// old one is moved aside as a damaged one is, for [`Library::rebuild`].
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn open_anew(
        folder: &Path,
        config: &LibraryConfig,
        search: &SearchConfig,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Library, LibraryError> {
        match Library::open(folder, config, search, Arc::clone(&embedder)) {
            Err(LibraryError::OtherEmbedder { .. } | LibraryError::OtherSchema { .. }) => {
                store_open::move_aside(folder, &IndexName::current(folder).path(folder))?;
                Library::open(folder, config, search, embedder)
            }
            other => other,
        }
    }

    /// Whether a library was ever made in `folder`; blocking.
    pub fn is_in(folder: &Path) -> bool {
        layout::exists(folder)
    }

    /// The embedder that its vectors are of.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        Arc::clone(&self.embedder)
    }

    /// Set when the index was found damaged on opening: it must be made anew.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Ids of documents that were found damaged on opening and left out.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Ids of documents that were read once and are not searched: [`Library::rebuild`] brings them back.
    pub fn unbuilt(&self) -> Vec<String> {
        let writer = self.writer();
        let kept = writer.store.archive().ids();
        kept.filter(|id| !writer.documents.contains_key(*id))
            .map(str::to_owned)
            .collect()
    }

    /// The passages that `document` would be cut into here, as it is tagged; nothing is taken in.
    pub fn cut_passages(&self, document: &Document) -> Vec<Passage> {
        documents::passages(document, self.embedder.as_ref(), &self.options)
    }

    /// All documents, by id.
    pub fn documents(&self) -> Vec<DocumentEntry> {
        let snapshot = self.snapshots.current();
        snapshot
            .documents()
            .iter()
            .map(|document| document.entry.clone())
            .collect()
    }

    /// The document `id`.
    pub fn document(&self, id: &str) -> Option<DocumentEntry> {
        Some(self.snapshots.current().document(id)?.entry.clone())
    }

    /// The footnotes of the document `id`; empty when there is none.
    pub fn references(&self, id: &str) -> Vec<Reference> {
        let snapshot = self.snapshots.current();
        snapshot
            .document(id)
            .map_or_else(Vec::new, |document| document.references.clone())
    }

    /// The passages of the document `id` in reading order; empty when there is none.
    pub fn passages(&self, id: &str) -> Vec<Arc<Passage>> {
        let snapshot = self.snapshots.current();
        snapshot
            .document(id)
            .map_or_else(Vec::new, |document| document.passages.clone())
    }

    /// Passage `number` of the document `id`.
    pub fn passage(&self, id: &str, number: u32) -> Option<Arc<Passage>> {
        let snapshot = self.snapshots.current();
        let passages = &snapshot.document(id)?.passages;
        passages.get(number as usize).cloned()
    }

    /// Figures of the library as it is searched now.
    pub fn stats(&self) -> LibraryStats {
        let snapshot = self.snapshots.current();
        let graph = self.snapshots.graph_of(&snapshot);
        LibraryStats {
            documents: snapshot.documents().len(),
            passages: snapshot.len(),
            terms: snapshot.lexical().terms(),
            dimension: self.embedder.dimension(),
            dense: self.snapshots.dense(&snapshot).name(),
            probe: graph.map(|graph| graph.probe),
            bytes: self.writer().store.bytes(),
        }
    }

    /// The passages that best fit `query`, best first; blocking, milliseconds; waits for no ingest.
    ///
    /// Of passages that say the same in several documents the best is given and names the others.
    ///
    /// # Errors
    /// The embedder fails.
    pub fn search(&self, query: &Query) -> Result<SearchResults, LibraryError> {
        self.search_with(query, &self.search)
    }

    /// As [`Library::search`], ranked as `config` says: for comparing configurations.
    ///
    /// # Errors
    /// The embedder fails.
    pub fn search_with(
        &self,
        query: &Query,
        config: &SearchConfig,
    ) -> Result<SearchResults, LibraryError> {
        let vector = self.embed(&[&query.text])?;
        let snapshot = self.snapshots.current();
        let dense = self.snapshots.dense(&snapshot);
        let more = Query {
            top_k: fold::wanted(query.top_k),
            ..query.clone()
        };
        let dense = dense.as_ref();
        let mut results = search::search(&snapshot, dense, config, &more, vector.row(0));
        results.hits = fold::fold(results.hits, query.top_k);
        Ok(results)
    }

    /// The vectors that are searched now, a row a passage; documents by id.
    pub fn vectors(&self) -> Vectors {
        self.snapshots.current().vectors().clone()
    }

    /// How vectors are searched now, against the exact scan, for each row of `queries`; blocking.
    pub fn compare_dense(&self, queries: &Array2<f32>) -> Comparison {
        let snapshot = self.snapshots.current();
        let exact = ExactScan::new(snapshot.vectors().clone());
        measure::compare(&exact, self.snapshots.dense(&snapshot).as_ref(), queries)
    }

    /// How rare `word` is: 1 where no passage has it, towards 0 where all have; a stop word has 0.
    pub fn rarity(&self, word: &str) -> f32 {
        let snapshot = self.snapshots.current();
        let lexical = snapshot.lexical();
        let unknown = lexical.weigh(&[QueryTerm {
            alternatives: Vec::new(),
        }]);
        let known = lexical.weigh(&words::query_terms(word));
        match (known.first(), unknown.first()) {
            (Some(known), Some(unknown)) if unknown.idf > 0.0 => known.idf / unknown.idf,
            _ => 0.0,
        }
    }

    /// Makes what is committed searchable.
    fn publish(&self) {
        let writer = self.writer();
        self.snapshots.publish(writer.snapshot());
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // Every change of the maps follows its commit, so a panic elsewhere leaves them true.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(
            self.documents.values().cloned().collect(),
            Arc::clone(&self.dictionary),
        )
    }
}

/// The configured options, brought into the embedder's window.
fn options(config: &LibraryConfig, embedder: &dyn Embedder) -> PassageOptions {
    let window = embedder.max_tokens().saturating_sub(WINDOW_RESERVE).max(16);
    let max_tokens = config.passage_tokens.min(window);
    PassageOptions {
        max_tokens,
        overlap_tokens: config.overlap_tokens.min(max_tokens / 2),
    }
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
