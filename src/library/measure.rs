//! Exact scan against graph: the probe that chooses between them, and the figures for a report.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::Serialize;

use super::dense::{ExactScan, VectorSearch, Vectors};
use super::graph::{GraphError, GraphSearch};
use super::quantized::QuantizedScan;
use crate::types::Random;

/// Recall at 10 from which the graph may stand in for the scan.
pub const RECALL_WANTED: f32 = 0.99;

/// Questions that a probe asks.
const PROBES: usize = 48;

/// Cosines nearer than this are equal: the two searches add in different orders.
const TIE: f32 = 1e-5;

/// One search against the exact scan, on the same vectors and questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Share of the ten best that it found.
    pub recall_at_10: f32,
    /// Median time of an exact scan for ten, microseconds.
    pub exact_us: f64,
    /// Its own median time for ten, microseconds.
    pub own_us: f64,
    /// Time that 99 in 100 of its searches do not exceed, microseconds.
    pub own_p99_us: f64,
}

/// The graph of a library against its quantised scan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Share of the ten best that the graph found.
    pub recall_at_10: f32,
    /// Median time of a quantised scan for ten, microseconds.
    pub scan_us: f64,
    /// Median time of a graph search for ten, microseconds.
    pub graph_us: f64,
}

impl Probe {
    /// Whether the graph is right enough and faster.
    pub fn favours_graph(&self) -> bool {
        self.recall_at_10 >= RECALL_WANTED && self.graph_us < self.scan_us
    }
}

/// The graph in [`DenseMeasure`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GraphMeasure {
    /// Time to build it, seconds.
    pub build_s: f64,
    /// Its searches.
    pub search: Comparison,
}

/// What [`measure_dense`] finds; times on this machine, unquiet ones drift by a fifth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DenseMeasure {
    /// Vectors searched.
    pub passages: usize,
    /// Length of a vector.
    pub dimension: usize,
    /// The quantised scan.
    pub scan: Comparison,
    /// The hora graph, where one was built.
    pub graph: Option<GraphMeasure>,
}

/// Searches `stored`, a unit vector a row, for each of `queries` in every way; blocking.
///
/// The graph is built only when asked for: it takes minutes for 10,000 vectors and an hour for 100,000.
///
/// # Errors
/// hora failed.
pub fn measure_dense(
    stored: Array2<f32>,
    queries: &Array2<f32>,
    with_graph: bool,
) -> Result<DenseMeasure, GraphError> {
    let (passages, dimension) = stored.dim();
    let vectors = Vectors::new([stored]);
    let exact = ExactScan::new(vectors.clone());
    let scan = compare(&exact, &QuantizedScan::new(vectors.clone()), queries);
    let graph = match with_graph {
        false => None,
        true => {
            let begin = Instant::now();
            let graph = GraphSearch::build(&vectors, &AtomicBool::new(false))?;
            Some(GraphMeasure {
                build_s: begin.elapsed().as_secs_f64(),
                search: compare(&exact, &graph, queries),
            })
        }
    };
    Ok(DenseMeasure {
        passages,
        dimension,
        scan,
        graph,
    })
}

/// Compares the graph with both scans on questions made from the stored vectors, each drawn a little
/// towards another.
pub fn probe(vectors: &Vectors, graph: &dyn VectorSearch) -> Probe {
    let (rows, dimension) = (vectors.len(), vectors.dimension());
    let count = PROBES.min(rows);
    let mut queries = Array2::zeros((count, dimension));
    for (index, mut query) in queries.outer_iter_mut().enumerate() {
        let row = index * rows / count;
        query.assign(&vectors.row(row));
        query.scaled_add(0.3, &vectors.row((row * 7 + 1) % rows));
        let length = query.dot(&query).sqrt().max(f32::MIN_POSITIVE);
        query.mapv_inplace(|value| value / length);
    }
    let exact = ExactScan::new(vectors.clone());
    let graph = compare(&exact, graph, &queries);
    let scan = compare(&exact, &QuantizedScan::new(vectors.clone()), &queries);
    Probe {
        recall_at_10: graph.recall_at_10,
        scan_us: scan.own_us,
        graph_us: graph.own_us,
    }
}

/// Asks both for the ten nearest to each of `queries`.
pub fn compare(
    exact: &dyn VectorSearch,
    other: &dyn VectorSearch,
    queries: &Array2<f32>,
) -> Comparison {
    let (mut found, mut wanted) = (0, 0);
    let (mut exact_times, mut other_times) = (Vec::new(), Vec::new());
    for query in queries.outer_iter() {
        let begin = Instant::now();
        let truth = exact.nearest(query, 10, &|_| true);
        exact_times.push(begin.elapsed());
        let begin = Instant::now();
        let guess = other.nearest(query, 10, &|_| true);
        other_times.push(begin.elapsed());
        wanted += truth.len();
        // By similarity, not by row: of equal vectors either is right.
        let last = truth.last().map_or(0.0, |(_, cosine)| *cosine);
        let is_right = |(_, cosine): &&(usize, f32)| *cosine >= last - TIE;
        found += guess.iter().filter(is_right).count().min(truth.len());
    }
    Comparison {
        recall_at_10: found as f32 / wanted.max(1) as f32,
        exact_us: percentile_us(&mut exact_times, 50),
        own_us: percentile_us(&mut other_times, 50),
        own_p99_us: percentile_us(&mut other_times, 99),
    }
}

/// The time that `percent` of `times` do not exceed, microseconds; 0 for none.
pub fn percentile_us(times: &mut [Duration], percent: usize) -> f64 {
    times.sort();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// Unit vectors around some centres, as passages lie around their topics; the same for the same `seed`.
pub fn clustered_vectors(count: usize, dimension: usize, seed: u64) -> Array2<f32> {
    let mut random = Random::new(seed | 1);
    let centres =
        Array2::from_shape_simple_fn(((count / 50).max(4), dimension), || normal(&mut random));
    let mut random = Random::new(seed.rotate_left(17) | 1);
    let mut vectors = Array2::zeros((count, dimension));
    for mut vector in vectors.outer_iter_mut() {
        let centre = centres.row(random.below(centres.nrows()));
        for (value, middle) in vector.iter_mut().zip(centre) {
            *value = middle + 0.7 * normal(&mut random);
        }
        let length = vector.dot(&vector).sqrt().max(f32::MIN_POSITIVE);
        vector.mapv_inplace(|value| value / length);
    }
    vectors
}

/// Nearly normal: the sum of four uniform numbers, centred.
fn normal(random: &mut Random) -> f32 {
    let uniform = |bits: u64| (bits >> 40) as f32 / (1_u64 << 24) as f32;
    (0..4).map(|_| uniform(random.bits())).sum::<f32>() - 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_holds_recall_and_times() {
        let all = clustered_vectors(320, 16, 2);
        let stored = all.slice(ndarray::s![..300, ..]).to_owned();
        let queries = all.slice(ndarray::s![300.., ..]).to_owned();
        let measure = measure_dense(stored, &queries, true).expect("measurable");
        let graph = measure.graph.expect("built");
        assert!(graph.search.recall_at_10 > 0.9, "{measure:?}");
        assert!(measure.scan.recall_at_10 > 0.99, "{measure:?}");
        assert!(measure.scan.exact_us > 0.0 && graph.build_s > 0.0);
    }

    #[test]
    fn the_graph_is_favoured_only_when_right_and_faster() {
        let probe = |recall_at_10, graph_us| Probe {
            recall_at_10,
            scan_us: 10.0,
            graph_us,
        };
        assert!(probe(0.99, 9.0).favours_graph());
        assert!(!probe(0.98, 9.0).favours_graph());
        assert!(!probe(1.0, 10.0).favours_graph());
    }
}
