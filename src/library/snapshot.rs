//! What a search works on: an immutable view of all committed documents.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};

use super::dense::{Block, ExactScan, VectorSearch, Vectors};
use super::graph::GraphSearch;
use super::lexical::{Dictionary, LexicalIndex, PassageTerms};
use super::measure::Probe;
use super::quantized::QuantizedScan;
use super::store::Stored;
use super::{DocumentEntry, number_terms};
use crate::config::DenseMode;
use crate::documents::{Passage, Reference};
use crate::types::{Digest, Place};

/// A document in memory, shared by all snapshots that have it.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Its entry.
    pub entry: DocumentEntry,
    /// Its footnotes.
    pub references: Vec<Reference>,
    /// Its passages.
    pub passages: Vec<Arc<Passage>>,
    /// Terms of each passage.
    pub terms: Vec<PassageTerms>,
    /// Vector of each passage.
    pub vectors: Arc<Block>,
}

impl Indexed {
    /// From the store, its terms numbered by `dictionary`.
    pub fn new(stored: Stored, dictionary: &mut Dictionary) -> Self {
        let mut passages: Vec<Arc<Passage>> = stored.passages.into_iter().map(Arc::new).collect();
        // They lie where the passages themselves lay, which is room for ten times as many.
        passages.shrink_to_fit();
        Indexed {
            entry: stored.entry,
            references: stored.references,
            passages,
            terms: stored
                .terms
                .iter()
                .map(|terms| number_terms(dictionary, terms))
                .collect(),
            vectors: Arc::new(stored.vectors),
        }
    }
}

/// All documents at one moment, ready to be searched; a passage is a row, numbered over all documents.
#[derive(Debug)]
pub struct Snapshot {
    documents: Vec<Arc<Indexed>>,
    /// The places that documents hold for, each once, and the place of each row.
    places: Vec<Place>,
    place_of: Vec<u32>,
    /// The document of each row, and the first row of each document.
    document_of: Vec<u32>,
    first_rows: Vec<usize>,
    lexical: LexicalIndex,
    vectors: Vectors,
    scan: Arc<QuantizedScan>,
    fingerprint: Digest,
}

impl Snapshot {
    /// Indexes `documents`, which are sorted by id.
    pub fn new(documents: Vec<Arc<Indexed>>, dictionary: Arc<Dictionary>) -> Self {
        let mut document_of = Vec::new();
        let mut first_rows = Vec::with_capacity(documents.len());
        let mut names = Vec::new();
        let mut places = HashMap::new();
        let mut place_of = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let place = *places.entry(document.entry.place.clone()).or_insert(next);
            place_of.extend(std::iter::repeat_n(place, document.passages.len()));
            first_rows.push(document_of.len());
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            document_of.extend(std::iter::repeat_n(index, document.passages.len()));
            names.extend(document.entry.id.as_bytes());
            names.push(0);
            names.extend(document.entry.digest.0);
            names.extend(document.entry.cut.0);
        }
        let rows: Vec<&PassageTerms> = documents
            .iter()
            .flat_map(|document| &document.terms)
            .collect();
        let vectors = documents
            .iter()
            .map(|document| Arc::clone(&document.vectors));
        let vectors = Vectors::of(vectors);
        Snapshot {
            lexical: LexicalIndex::new(dictionary, &rows),
            scan: Arc::new(QuantizedScan::new(vectors.clone())),
            vectors,
            fingerprint: Digest::of(&names),
            places: numbered(places),
            place_of,
            document_of,
            first_rows,
            documents,
        }
    }

    /// Number of passages.
    pub fn len(&self) -> usize {
        self.document_of.len()
    }

    /// The documents, by id.
    pub fn documents(&self) -> &[Arc<Indexed>] {
        &self.documents
    }

    /// The document `id`.
    pub fn document(&self, id: &str) -> Option<&Arc<Indexed>> {
        let found = self
            .documents
            .binary_search_by(|document| document.entry.id.as_str().cmp(id));
        found.ok().map(|index| &self.documents[index])
    }

    /// Index of the document of `row`, in [`Snapshot::documents`].
    pub fn document_of(&self, row: usize) -> usize {
        self.document_of[row] as usize
    }

    /// The places that documents hold for, each once.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Index of the place of `row`, in [`Snapshot::places`].
    pub fn place_of(&self, row: usize) -> usize {
        self.place_of[row] as usize
    }

    /// The passage of `row`.
    pub fn passage(&self, row: usize) -> &Arc<Passage> {
        let document = self.document_of(row);
        &self.documents[document].passages[row - self.first_rows[document]]
    }

    /// The terms of the passage of `row`.
    pub fn terms(&self, row: usize) -> &PassageTerms {
        let document = self.document_of(row);
        &self.documents[document].terms[row - self.first_rows[document]]
    }

    /// The words.
    pub fn lexical(&self) -> &LexicalIndex {
        &self.lexical
    }

    /// The vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Names these documents in this order: graphs of another fingerprint are of other rows.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}

/// The keys by their number.
fn numbered(places: HashMap<Place, u32>) -> Vec<Place> {
    let mut places: Vec<(u32, Place)> = places
        .into_iter()
        .map(|(key, value)| (value, key))
        .collect();
    places.sort_unstable_by_key(|(number, _)| *number);
    places.into_iter().map(|(_, place)| place).collect()
}

/// A built graph with what the probe found.
#[derive(Debug)]
pub struct Graph {
    /// The graph.
    pub search: Arc<GraphSearch>,
    /// The snapshot that it is of.
    pub fingerprint: Digest,
    /// The comparison with the scan.
    pub probe: Probe,
}

/// The current snapshot and its graph, handed to searches and to the builder.
#[derive(Debug)]
pub struct Snapshots {
    mode: DenseMode,
    current: RwLock<Arc<Snapshot>>,
    graph: RwLock<Option<Arc<Graph>>>,
    /// Counts publications; wakes the builder.
    published: Mutex<u64>,
    wake: Condvar,
}

impl Snapshots {
    /// With an empty snapshot.
    pub fn new(mode: DenseMode) -> Self {
        let empty = Snapshot::new(Vec::new(), Arc::new(Dictionary::default()));
        Snapshots {
            mode,
            current: RwLock::new(Arc::new(empty)),
            graph: RwLock::new(None),
            published: Mutex::new(0),
            wake: Condvar::new(),
        }
    }

    /// How vectors are to be searched.
    pub fn mode(&self) -> DenseMode {
        self.mode
    }

    /// Puts `snapshot` in place; searches under way keep the old one.
    pub fn publish(&self, snapshot: Snapshot) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        self.wake_builder();
    }

    /// Lets the builder look again.
    pub fn wake_builder(&self) {
        *self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        self.wake.notify_all();
    }

    /// Waits until something was published after `seen`; the new count.
    pub fn wait(&self, seen: u64) -> u64 {
        let count = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *self
            .wake
            .wait_while(count, |count| *count == seen)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot to search.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a graph in place; it is used while its snapshot is current.
    pub fn set_graph(&self, graph: Graph) {
        *self.graph.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(graph));
    }

    /// The graph of `snapshot`, if it is built.
    pub fn graph_of(&self, snapshot: &Snapshot) -> Option<Arc<Graph>> {
        let graph = self.graph.read().unwrap_or_else(PoisonError::into_inner);
        graph
            .clone()
            .filter(|graph| graph.fingerprint == snapshot.fingerprint)
    }

    /// How the vectors of `snapshot` are to be searched now.
    pub fn dense(&self, snapshot: &Snapshot) -> Arc<dyn VectorSearch> {
        let graph = match self.mode {
            DenseMode::Exact => None,
            DenseMode::Graph => self.graph_of(snapshot),
            DenseMode::Auto => self
                .graph_of(snapshot)
                .filter(|graph| graph.probe.favours_graph()),
        };
        match (graph, self.mode) {
            (Some(graph), _) => Arc::clone(&graph.search) as Arc<dyn VectorSearch>,
            (None, DenseMode::Exact) => Arc::new(ExactScan::new(snapshot.vectors.clone())),
            (None, _) => Arc::clone(&snapshot.scan) as Arc<dyn VectorSearch>,
        }
    }
}
