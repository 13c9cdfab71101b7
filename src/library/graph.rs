//! The hora HNSW graph: an accelerator for large libraries, always checked against the exact scan.
//!
//! hora 0.1.1 is used within what was found right: `Euclidean` on unit vectors (it is the squared distance, which orders as
//! the cosine does; the cosines are computed anew), no deletion, never fewer vectors than its links. Its file is a cache:
//! hashed, loaded with panics caught, rebuilt on any doubt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use hora::core::ann_index::{ANNIndex, SerializableIndex};
use hora::core::metrics::Metric;
use hora::index::hnsw_idx::HNSWIndex;
use hora::index::hnsw_params::HNSWParams;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::dense::{Eligible, ExactScan, VectorSearch, Vectors};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Links of a vector on the upper levels and on the lowest; candidates while building and searching.
/// Chosen by measurement: see `measure`.
const LINKS: usize = 16;
const LINKS_LOWEST: usize = 32;
const CANDIDATES_BUILD: usize = 100;
const CANDIDATES_SEARCH: usize = 96;

/// Vectors linked between two looks at the stop flag.
const BUILD_STEP: usize = 64;

/// How many times more rows than wanted are asked for, so that some are left after the filter.
const FILTER_RESERVE: usize = 4;

/// Below this share of eligible rows a scan of just those is as fast as the graph, and never misses.
const SELECTIVE: usize = 4;

/// Why there is no graph.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// The builder was told to stop.
    #[error("stopped")]
    Stopped,
    /// hora refused or panicked.
    #[error("hora failed: {0}")]
    Hora(String),
    /// The cache file is missing, damaged or of other vectors.
    #[error("{path}: {reason}")]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A cache file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// A graph over the vectors of one snapshot.
pub struct GraphSearch {
    exact: ExactScan,
    index: HNSWIndex<f32, usize>,
}

impl std::fmt::Debug for GraphSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GraphSearch({} vectors)", self.len())
    }
}

impl GraphSearch {
    /// Links all of `vectors`, on this thread only where hora lets it; minutes for 10,000.
    ///
    /// # Errors
    /// `stop` was set, or hora failed.
    pub fn build(vectors: &Vectors, stop: &AtomicBool) -> Result<Self, GraphError> {
        let parameters = HNSWParams::<f32>::default()
            .max_item(vectors.len().max(1))
            .n_neighbor(LINKS)
            .n_neighbor0(LINKS_LOWEST)
            .ef_build(CANDIDATES_BUILD)
            .ef_search(CANDIDATES_SEARCH);
        let mut index = HNSWIndex::new(vectors.dimension(), &parameters);
        for first in (0..vectors.len()).step_by(BUILD_STEP) {
            if stop.load(Ordering::Relaxed) {
                return Err(GraphError::Stopped);
            }
            guarded(|| {
                for row in first..vectors.len().min(first + BUILD_STEP) {
                    index.add(&vectors.row(row).to_vec(), row)?;
                }
                index.build(Metric::Euclidean)
            })?;
        }
        Ok(GraphSearch {
            exact: ExactScan::new(vectors.clone()),
            index,
        })
    }

    /// Keeps the graph in `folder` for vectors named by `fingerprint`; durable; blocking.
    ///
    /// # Errors
    /// The folder cannot be written; no file that could be mistaken for a whole one is left.
    pub fn save(&mut self, folder: &Path, fingerprint: Digest) -> Result<(), GraphError> {
        durable::create_folder(folder)?;
        let dumped = folder.join("hnsw.new");
        let path = dumped
            .to_str()
            .ok_or_else(|| cache(&dumped, "the path is not UTF-8"))?;
        guarded(|| self.index.dump(path))?;
        // hora writes in place and unsynced: only after a rename does a file count, and only with its seal.
        durable::sync_file(&dumped)?;
        let seal = Seal {
            fingerprint,
            graph: digest_of(&dumped)?,
            rows: self.len(),
        };
        let file = folder.join("hnsw");
        std::fs::rename(&dumped, &file).map_err(FileError::at("rename into place", &file))?;
        let text = serde_json::to_vec(&seal)
            .map_err(|error| cache(&file, &format!("cannot be sealed: {error}")))?;
        durable::replace(&folder.join("hnsw.json"), &text)?;
        Ok(())
    }

    /// The graph kept in `folder` for `vectors`, named by `fingerprint`; blocking, seconds for 10,000.
    ///
    /// # Errors
    /// There is none, it is of other vectors, or it is damaged in any way: build it anew.
    pub fn load(folder: &Path, fingerprint: Digest, vectors: &Vectors) -> Result<Self, GraphError> {
        let file = folder.join("hnsw");
        let seal_path = folder.join("hnsw.json");
        let text = std::fs::read(&seal_path).map_err(FileError::at("read", &seal_path))?;
        let seal: Seal =
            serde_json::from_slice(&text).map_err(|error| cache(&seal_path, &error.to_string()))?;
        if seal.fingerprint != fingerprint || seal.rows != vectors.len() {
            return Err(cache(&file, "is of other vectors"));
        }
        if digest_of(&file)? != seal.graph {
            return Err(cache(&file, "is damaged"));
        }
        let path = file
            .to_str()
            .ok_or_else(|| cache(&file, "the path is not UTF-8"))?;
        let index = guarded(|| HNSWIndex::<f32, usize>::load(path))?;
        if index.dimension() != vectors.dimension() {
            return Err(cache(&file, "has vectors of another length"));
        }
        Ok(GraphSearch {
            exact: ExactScan::new(vectors.clone()),
            index,
        })
    }
}

impl VectorSearch for GraphSearch {
    fn name(&self) -> &'static str {
        "graph"
    }

    fn len(&self) -> usize {
        self.exact.len()
    }

    fn nearest(
        &self,
        query: ArrayView1<'_, f32>,
        count: usize,
        eligible: Eligible<'_>,
    ) -> Vec<(usize, f32)> {
        let rows = self.len();
        let allowed = (0..rows).filter(|row| eligible(*row)).count();
        if count == 0 || allowed * SELECTIVE < rows {
            return self.exact.nearest(query, count, eligible);
        }
        let reserve = if allowed == rows { 1 } else { FILTER_RESERVE };
        let wanted = count.saturating_mul(reserve).min(rows);
        let mut found: Vec<(usize, f32)> = self
            .index
            .search_nodes(&query.to_vec(), wanted)
            .into_iter()
            .filter_map(|(node, _)| *node.idx())
            .filter(|row| eligible(*row))
            // Its distances stand for cosines only where both vectors are of length 1, to the last digit.
            .map(|row| (row, self.exact.vectors().row(row).dot(&query)))
            .collect();
        if found.len() < count.min(allowed) {
            return self.exact.nearest(query, count, eligible);
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(count);
        found
    }
}

/// What proves that a cache file is whole and of the right vectors.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    fingerprint: Digest,
    graph: Digest,
    rows: usize,
}

fn cache(path: &Path, reason: &str) -> GraphError {
    GraphError::Cache {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn digest_of(path: &Path) -> Result<Digest, FileError> {
    let mut file = std::fs::File::open(path).map_err(FileError::at("open", path))?;
    let (digest, _) = Digest::of_reader(&mut file).map_err(FileError::at("read", path))?;
    Ok(digest)
}

/// Runs a call into hora, which panics where others return errors.
fn guarded<T>(call: impl FnOnce() -> Result<T, &'static str>) -> Result<T, GraphError> {
    // What the call leaves half done is dropped by every caller, so no broken state is seen.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|reason| GraphError::Hora(reason.to_owned())),
        Err(_) => Err(GraphError::Hora("it panicked".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dense::tests::contract;
    use super::super::measure::{clustered_vectors, compare};
    use super::*;

    fn vectors(count: usize) -> Vectors {
        Vectors::new([clustered_vectors(count, 32, 3)])
    }

    fn build(vectors: &Vectors) -> GraphSearch {
        GraphSearch::build(vectors, &AtomicBool::new(false)).expect("buildable")
    }

    #[test]
    fn the_graph_keeps_the_contract_of_vector_search() {
        contract(&|vectors| Box::new(build(&vectors)));
    }

    #[test]
    fn the_graph_finds_what_the_scan_finds() {
        let vectors = vectors(600);
        let queries = clustered_vectors(40, 32, 11);
        let probe = compare(&ExactScan::new(vectors.clone()), &build(&vectors), &queries);
        assert!(probe.recall_at_10 >= 0.99, "{probe:?}");
    }

    #[test]
    fn a_kept_graph_is_loaded_and_a_doubtful_one_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (vectors, mine, other) = (vectors(200), Digest::of(b"mine"), Digest::of(b"other"));
        let load = |fingerprint| GraphSearch::load(folder.path(), fingerprint, &vectors);
        assert!(load(mine).is_err(), "nothing is kept yet");
        build(&vectors).save(folder.path(), mine).expect("writable");
        let query = vectors.row(5);
        let found = load(mine)
            .expect("kept")
            .nearest(query.view(), 3, &|_| true);
        assert_eq!(found[0].0, 5);
        assert!(load(other).is_err(), "of other vectors");
        let file = folder.path().join("hnsw");
        let mut bytes = std::fs::read(&file).expect("readable");
        bytes[1_000] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
        assert!(load(mine).is_err(), "damaged");
    }

    #[test]
    fn a_stopped_build_ends_at_once() {
        let stopped = GraphSearch::build(&vectors(10), &AtomicBool::new(true));
        assert!(matches!(stopped, Err(GraphError::Stopped)));
    }

    #[test]
    fn a_panic_inside_hora_is_an_error() {
        let failed = guarded::<()>(|| panic!("as hora does"));
        assert!(matches!(failed, Err(GraphError::Hora(_))));
    }
}
