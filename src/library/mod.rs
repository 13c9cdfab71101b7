//! The library: passages with their vectors and terms, kept in sled, searched in memory.
//!
//! [`Library`] is what other rooms use. A search works on an immutable snapshot and never waits for an
//! ingest; an ingest commits one document at a time, then puts a new snapshot in place. Nothing here
//! decides whether a passage answers a question, and nothing here talks to a user.

mod builder;
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
mod lexical;
mod measure;
mod plain;
mod quantized;
mod search;
mod snapshot;
mod store;
mod store_open;
mod tagging;
#[cfg(test)]
pub(crate) mod testing;
mod words;

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
pub use search::{Hit, Query, SearchResults};
pub use store::Recovery;
pub use words::terms;

/// The places of the gazetteer that a text names.
pub use crate::documents::named_places;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::Array2;

use builder::GraphBuilder;
use corrections::Corrections;
use lexical::{Dictionary, number_terms};
use snapshot::{Indexed, Snapshot, Snapshots};
use store::{Meta, Store, Stored};
use words::QueryTerm;

use crate::config::{LibraryConfig, SearchConfig};
use crate::documents::{self, Document, Passage, PassageOptions, Reference};
use crate::model::Embedder;
use crate::types::Digest;

/// Passages embedded in one call: enough to keep the runtime busy, few enough for a small memory.
const EMBED_BATCH: usize = 16;

/// Tokens of an embedder's window kept for title, headings and special tokens.
const WINDOW_RESERVE: usize = 56;

/// The library of one folder; shared between threads; one process at a time.
pub struct Library {
    embedder: Arc<dyn Embedder>,
    options: PassageOptions,
    search: SearchConfig,
    snapshots: Arc<Snapshots>,
    writer: Mutex<Writer>,
    recovery: Option<Recovery>,
    damaged: Vec<String>,
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
            options: options(config, embedder.as_ref()),
            _builder: GraphBuilder::start(&snapshots, &folder.join("graph")),
            embedder,
            search: search.clone(),
            snapshots,
            writer: Mutex::new(writer),
            recovery: opened.recovery,
            damaged: opened.damaged,
        })
    }

    /// The embedder that its vectors are of.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        Arc::clone(&self.embedder)
    }

    /// Set when the index was found damaged on opening: the documents must be ingested again.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Ids of documents that were found damaged on opening and left out: they must be ingested again.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Takes `document` in; blocking, seconds for a long one; durable and searchable when it returns.
    ///
    /// # Errors
    /// The embedder or the disk fails; the older document of its id, if any, is then still there, whole.
    pub fn ingest(&self, document: &Document) -> Result<Ingested, LibraryError> {
        let ingested = self.commit(document, None)?;
        self.publish();
        Ok(ingested)
    }

    /// Takes `documents` in, each durable on its own, searchable together; the number of their passages; blocking.
    ///
    /// # Errors
    /// As [`Library::ingest`]; what was taken in until then stays.
    pub fn ingest_all(&self, documents: &[Document]) -> Result<usize, LibraryError> {
        let taken = documents.iter().try_fold(0, |passages, document| {
            Ok(passages + self.commit(document, None)?.passages)
        });
        self.publish();
        taken
    }

    /// The passages that `document` would be cut into here, as it is tagged; nothing is taken in.
    pub fn cut_passages(&self, document: &Document) -> Vec<Passage> {
        documents::passages(document, self.embedder.as_ref(), &self.options)
    }

    /// Removes the document `id`; false when there is none; blocking; durable when it returns.
    ///
    /// # Errors
    /// The disk fails; the document is then whole or gone.
    pub fn remove(&self, id: &str) -> Result<bool, LibraryError> {
        let removed = self.commit_removal(id)?;
        self.publish();
        Ok(removed)
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
        let vector = self.embed(std::slice::from_ref(&query.text))?;
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

    /// Commits without publishing; see [`Library::ingest`].
    fn commit(&self, document: &Document, file: Option<&Path>) -> Result<Ingested, LibraryError> {
        let cut = self.cut();
        if let Some(passages) = self.unchanged(document, cut, file)? {
            return Ok(Ingested {
                change: Change::Unchanged,
                passages,
            });
        }
        let found = &document.tags;
        let correction = self.correction(&document.id);
        let mut document = Cow::Borrowed(document);
        if !correction.is_empty() {
            document.to_mut().tags = found.corrected(&correction);
        }
        let passages = self.cut_passages(&document);
        let texts: Vec<String> = passages.iter().map(Passage::indexed_text).collect();
        let stored = Stored {
            entry: DocumentEntry::new(&document, found, passages.len(), file, cut),
            references: document.references.clone(),
            sections: document.sections.clone(),
            terms: texts
                .iter()
                .map(|text| words::terms(text).join(" "))
                .collect(),
            vectors: self.embed(&texts)?,
            passages,
        };
        let passages = stored.passages.len();
        let mut writer = self.writer();
        writer.store.put(&stored)?;
        let indexed = Indexed::new(stored, Arc::make_mut(&mut writer.dictionary));
        let older = writer
            .documents
            .insert(document.id.clone(), Arc::new(indexed));
        Ok(Ingested {
            change: older.map_or(Change::Added, |_| Change::Replaced),
            passages,
        })
    }

    /// The number of passages when `document` is there already; other tags and a file that moved are noted.
    fn unchanged(
        &self,
        document: &Document,
        cut: Digest,
        file: Option<&Path>,
    ) -> Result<Option<usize>, LibraryError> {
        let mut writer = self.writer();
        let Some(known) = writer.documents.get(&document.id).cloned() else {
            return Ok(None);
        };
        if known.entry.digest != document.digest || known.entry.cut != cut {
            return Ok(None);
        }
        if known.entry.found != document.tags {
            writer.retag(&known, document.tags.clone(), file)?;
        } else if known.entry.file.as_deref() != file && file.is_some() {
            let mut moved = Indexed::clone(&known);
            moved.entry.file = file.map(Path::to_owned);
            writer.store.put_entry(&moved.entry)?;
            writer
                .documents
                .insert(document.id.clone(), Arc::new(moved));
        }
        Ok(Some(known.entry.passages))
    }

    fn commit_removal(&self, id: &str) -> Result<bool, LibraryError> {
        let mut writer = self.writer();
        if !writer.documents.contains_key(id) {
            return Ok(false);
        }
        writer.store.remove(id)?;
        writer.documents.remove(id);
        Ok(true)
    }

    /// Makes what is committed searchable.
    fn publish(&self) {
        let writer = self.writer();
        self.snapshots.publish(writer.snapshot());
    }

    fn embed(&self, texts: &[String]) -> Result<Array2<f32>, LibraryError> {
        let dimension = self.embedder.dimension();
        let mut all = Array2::zeros((0, dimension));
        for texts in texts.chunks(EMBED_BATCH) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let vectors = self.embedder.embed(&texts)?;
            let bad = |found: String| LibraryError::BadVectors {
                found,
                rows: texts.len(),
                dimension,
            };
            if vectors.dim() != (texts.len(), dimension) {
                return Err(bad(format!("a matrix of {:?}", vectors.dim())));
            }
            // Scores and the graph rest on unit length; NaN fails this too.
            let is_unit =
                |vector: ndarray::ArrayView1<f32>| (vector.dot(&vector) - 1.0).abs() < 0.01;
            if !vectors.outer_iter().all(is_unit) {
                return Err(bad("vectors that are not of length 1".into()));
            }
            all.append(ndarray::Axis(0), vectors.view())
                .map_err(|error| bad(error.to_string()))?;
        }
        Ok(all)
    }

    /// Names the way that documents are cut now.
    fn cut(&self) -> Digest {
        let PassageOptions {
            max_tokens,
            overlap_tokens,
        } = self.options;
        Digest::of(format!("{max_tokens} {overlap_tokens}").as_bytes())
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
