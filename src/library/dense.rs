//! Search by meaning: the vectors nearest to a question's, among the rows that may be found.

use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// The rows that a search may return.
pub type Eligible<'a> = &'a (dyn Fn(usize) -> bool + Sync);

/// Finds the unit vectors nearest to a unit vector.
pub trait VectorSearch: Send + Sync {
    /// Name for reports.
    fn name(&self) -> &'static str;

    /// Number of vectors.
    fn len(&self) -> usize;

    /// Whether there is no vector.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At most `count` eligible rows with their cosine, best first, equal ones by row; blocking.
    ///
    /// As many as there are up to `count` are returned. `query` has the vectors' dimension and length 1.
    fn nearest(
        &self,
        query: ArrayView1<'_, f32>,
        count: usize,
        eligible: Eligible<'_>,
    ) -> Vec<(usize, f32)>;
}

/// Unit vectors, a row each, in half precision: half the memory, and a cosine of them is off by less than 0.001.
pub type Block = Array2<f16>;

/// Unit vectors in memory, in blocks that documents share with older snapshots.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    /// First row and rows of each block, by rising row.
    blocks: Arc<[(usize, Arc<Block>)]>,
    rows: usize,
}

impl Vectors {
    /// Joins `vectors`, rounded, in order; all have the same dimension.
    pub fn new(vectors: impl IntoIterator<Item = Array2<f32>>) -> Self {
        let rounded = |vectors: Array2<f32>| Arc::new(vectors.mapv(f16::from_f32));
        Vectors::of(vectors.into_iter().map(rounded))
    }

    /// Joins blocks that others share.
    pub fn of(blocks: impl IntoIterator<Item = Arc<Block>>) -> Self {
        let mut rows = 0;
        let blocks = blocks
            .into_iter()
            .map(|block| {
                let first = rows;
                rows += block.nrows();
                (first, block)
            })
            .collect();
        Vectors { blocks, rows }
    }

    /// The blocks, by rising row.
    pub fn blocks(&self) -> impl Iterator<Item = ArrayView2<'_, f16>> {
        self.blocks.iter().map(|(_, block)| block.view())
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The vector of `row`, which must be below [`Vectors::len`].
    pub fn row(&self, row: usize) -> Array1<f32> {
        let block = self.blocks.partition_point(|(first, _)| *first <= row) - 1;
        let (first, block) = &self.blocks[block];
        widened(block.row(row - first))
    }

    /// Length of a vector; 0 when there is none.
    pub fn dimension(&self) -> usize {
        self.blocks.first().map_or(0, |(_, block)| block.ncols())
    }
}

/// `vector` in single precision.
pub fn widened(vector: ArrayView1<'_, f16>) -> Array1<f32> {
    match vector.as_slice() {
        // All at once, by the processor's own instructions where it has them.
        Some(values) => Array1::from(values.to_f32_vec()),
        None => vector.mapv(f16::to_f32),
    }
}

/// Compares every vector: the reference.
#[derive(Clone, Debug, Default)]
pub struct ExactScan {
    vectors: Vectors,
}

impl ExactScan {
    /// A scan over `vectors`.
    pub fn new(vectors: Vectors) -> Self {
        ExactScan { vectors }
    }

    /// The vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }
}

impl VectorSearch for ExactScan {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn nearest(
        &self,
        query: ArrayView1<'_, f32>,
        count: usize,
        eligible: Eligible<'_>,
    ) -> Vec<(usize, f32)> {
        let mut best = Best::new(count);
        for (first, block) in self.vectors.blocks.iter() {
            for (row, vector) in block.outer_iter().enumerate() {
                let row = first + row;
                if eligible(row) {
                    best.offer(row, widened(vector).dot(&query));
                }
            }
        }
        best.into_sorted()
    }
}

/// Keeps the best few of many.
#[derive(Debug)]
pub struct Best {
    count: usize,
    /// Best first.
    kept: Vec<(usize, f32)>,
}

impl Best {
    /// Keeps at most `count`.
    pub fn new(count: usize) -> Self {
        Best {
            count,
            kept: Vec::with_capacity(count.min(1_024) + 1),
        }
    }

    /// Takes `row` if its score is among the best; of equal ones the first offered stays ahead.
    pub fn offer(&mut self, row: usize, score: f32) {
        if !self.takes(score) {
            return;
        }
        let at = self.kept.partition_point(|(_, kept)| *kept >= score);
        self.kept.insert(at, (row, score));
        self.kept.truncate(self.count);
    }

    /// Whether a row of this score would be kept.
    pub fn takes(&self, score: f32) -> bool {
        let is_better = |(_, worst): &(usize, f32)| score > *worst;
        self.count > 0 && (self.kept.len() < self.count || self.kept.last().is_some_and(is_better))
    }

    /// What was kept, best first.
    pub fn into_sorted(self) -> Vec<(usize, f32)> {
        self.kept
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::measure::clustered_vectors;
    use super::*;

    /// What every implementation promises; `make` gets vectors to search.
    pub(crate) fn contract(make: &dyn Fn(Vectors) -> Box<dyn VectorSearch>) {
        // As they are after rounding, so that each is nearest to itself.
        let all = clustered_vectors(300, 32, 7).mapv(|value| f16::from_f32(value).to_f32());
        // Blocks of uneven size, one of them empty.
        let blocks =
            [0..1, 1..1, 1..120, 120..300].map(|rows| all.slice(ndarray::s![rows, ..]).to_owned());
        let search = make(Vectors::new(blocks));
        let name = search.name();
        assert_eq!(search.len(), 300);
        for row in [0, 1, 119, 120, 299] {
            let query = all.row(row);
            let found = search.nearest(query, 10, &|_| true);
            assert_eq!(found.len(), 10, "{name}");
            assert_eq!(found[0].0, row, "{name}: a vector is nearest to itself");
            assert!((found[0].1 - 1.0).abs() < 1e-3, "{name}");
            assert!(
                found.windows(2).all(|pair| pair[0].1 >= pair[1].1),
                "{name}"
            );
            for (row, cosine) in &found {
                assert!((all.row(*row).dot(&query) - cosine).abs() < 1e-4, "{name}");
            }
        }
        let odd = search.nearest(all.row(0), 10, &|row| row % 2 == 1);
        assert_eq!(odd.len(), 10, "{name}");
        assert!(odd.iter().all(|(row, _)| row % 2 == 1), "{name}");
        let three = search.nearest(all.row(0), 10, &|row| row < 3);
        assert_eq!(
            three.len(),
            3,
            "{name}: all eligible rows, though they are few"
        );
        assert!(search.nearest(all.row(0), 10, &|_| false).is_empty());
        assert!(search.nearest(all.row(0), 0, &|_| true).is_empty());
        assert_eq!(
            search.nearest(all.row(0), 500, &|_| true).len(),
            300,
            "{name}"
        );
    }

    #[test]
    fn the_exact_scan_keeps_the_contract() {
        contract(&|vectors| Box::new(ExactScan::new(vectors)));
        assert!(ExactScan::default().is_empty());
    }

    #[test]
    fn the_best_few_are_kept_in_order_and_the_first_of_equals_leads() {
        let mut best = Best::new(3);
        for (row, score) in [0.1, 0.5, 0.5, 0.2, 0.9, 0.5].into_iter().enumerate() {
            best.offer(row, score);
        }
        assert_eq!(best.into_sorted(), [(4, 0.9), (1, 0.5), (2, 0.5)]);
    }
}
