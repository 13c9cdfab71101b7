//! The scan over vectors of one byte a value: a quarter of the memory traffic, then the exact order.
//!
//! Each vector is scaled by its largest value and rounded to -127..=127 (symmetric linear quantisation).
//! The products of such codes put forward more rows than are wanted; those are compared again with the
//! vectors as they are, so what is returned has exact cosines.

use std::ops::Range;
use std::sync::LazyLock;

use ndarray::ArrayView1;
use pulp::Arch;

use super::dense::{Best, Eligible, VectorSearch, Vectors, widened};

/// Rows put forward for each one wanted, and never fewer than the reserve: rounding moves a cosine by
/// less than 0.01, and few rows lie so near to the last one wanted.
const RESERVE_FACTOR: usize = 4;
const RESERVE: usize = 64;

/// Rows compared between two looks at what may be found: their products stay in the nearest cache.
const STRIDE: usize = 512;

/// Which instructions this processor has; asked once.
static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Vectors in one byte a value, one after another in memory: a scan over pieces of a document each waits
/// for memory longer than it computes.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    /// Row after row.
    values: Vec<i8>,
    /// What a row's codes are to be multiplied with.
    scales: Vec<f32>,
}

impl Codes {
    /// Room for `rows` vectors of `dimension` values.
    fn with_capacity(rows: usize, dimension: usize) -> Self {
        Codes {
            values: Vec::with_capacity(rows * dimension),
            scales: Vec::with_capacity(rows),
        }
    }

    /// Rounds `vector` and adds it.
    fn add(&mut self, vector: ArrayView1<'_, f32>) {
        let largest = vector
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = largest.max(f32::MIN_POSITIVE) / 127.0;
        self.scales.push(scale);
        // `as` saturates, and the largest value gives 127.
        self.values
            .extend(vector.iter().map(|value| (value / scale).round() as i8));
    }

    /// Puts the cosine, about, of each of `rows` with the first row of `query` into `cosines`.
    fn compare(&self, rows: Range<usize>, query: &Codes, cosines: &mut Vec<f32>) {
        cosines.clear();
        cosines.resize(rows.len(), 0.0);
        let dimension = query.values.len();
        let values = &self.values[rows.start * dimension..rows.end * dimension];
        let asked = query.scales.first().copied().unwrap_or_default();
        // The closure holds nothing but the loop, so that all of it is compiled for the processor.
        ARCH.dispatch(|| products(values, &query.values, cosines));
        for (cosine, scale) in cosines.iter_mut().zip(&self.scales[rows]) {
            *cosine *= scale * asked;
        }
    }
}

/// Sum of the products of `query` with each row of `rows`, exact below 2^24.
///
/// Plain loops: an iterator's own function would not be compiled for the processor.
#[inline(always)]
fn products(rows: &[i8], query: &[i8], sums: &mut [f32]) {
    for (row, sum) in rows.chunks_exact(query.len().max(1)).zip(sums) {
        let mut product = 0;
        for (left, right) in row.iter().zip(query) {
            product += i32::from(*left) * i32::from(*right);
        }
        *sum = product as f32;
    }
}

/// Compares codes, then the vectors of the best.
#[derive(Clone, Debug, Default)]
pub struct QuantizedScan {
    vectors: Vectors,
    codes: Codes,
}

impl QuantizedScan {
    /// A scan over `vectors`; rounds them all, a tenth of a second for 100,000.
    pub fn new(vectors: Vectors) -> Self {
        let mut codes = Codes::with_capacity(vectors.len(), vectors.dimension());
        for block in vectors.blocks() {
            for vector in block.outer_iter() {
                codes.add(widened(vector).view());
            }
        }
        QuantizedScan { vectors, codes }
    }
}

impl VectorSearch for QuantizedScan {
    fn name(&self) -> &'static str {
        "int8 scan"
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
        let mut asked = Codes::default();
        asked.add(query);
        let mut rough = Best::new((count * RESERVE_FACTOR).max(RESERVE));
        let mut cosines = Vec::new();
        for first in (0..self.len()).step_by(STRIDE) {
            let rows = first..self.len().min(first + STRIDE);
            if !rows.clone().any(eligible) {
                continue;
            }
            self.codes.compare(rows.clone(), &asked, &mut cosines);
            for (row, cosine) in rows.zip(&cosines) {
                if rough.takes(*cosine) && eligible(row) {
                    rough.offer(row, *cosine);
                }
            }
        }
        let mut best = Best::new(count);
        let mut rows: Vec<usize> = rough
            .into_sorted()
            .into_iter()
            .map(|(row, _)| row)
            .collect();
        // By row, so that of equal cosines the lower row leads, as in the exact scan.
        rows.sort_unstable();
        for row in rows {
            best.offer(row, self.vectors.row(row).dot(&query));
        }
        best.into_sorted()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dense::ExactScan;
    use super::super::dense::tests::contract;
    use super::super::measure::{clustered_vectors, compare};
    use super::*;
    use ndarray::array;

    #[test]
    fn the_quantised_scan_keeps_the_contract() {
        contract(&|vectors| Box::new(QuantizedScan::new(vectors)));
    }

    #[test]
    fn codes_keep_the_cosine_to_a_hundredth() {
        let vectors = clustered_vectors(200, 384, 5);
        let (mut codes, mut query) = (Codes::default(), Codes::default());
        vectors.outer_iter().for_each(|vector| codes.add(vector));
        query.add(vectors.row(0));
        let mut cosines = Vec::new();
        codes.compare(50..200, &query, &mut cosines);
        assert_eq!(cosines.len(), 150);
        for (row, cosine) in (50..200).zip(cosines) {
            let exact = vectors.row(row).dot(&vectors.row(0));
            assert!((cosine - exact).abs() < 0.01, "row {row}: {cosine} {exact}");
        }
    }

    #[test]
    fn a_vector_of_zeros_has_codes_of_zeros() {
        let mut codes = Codes::default();
        codes.add(array![0.0_f32, 0.0, 0.0].view());
        assert_eq!(codes.values, [0, 0, 0]);
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let long = vec![-127_i8; 1024];
        let mut sums = [0.0];
        products(&long, &long, &mut sums);
        assert_eq!(sums, [127.0 * 127.0 * 1024.0]);
    }

    #[test]
    fn the_ten_best_are_those_of_the_exact_scan() {
        let all = clustered_vectors(3_000, 96, 11);
        let vectors = Vectors::new([all.slice(ndarray::s![..2_900, ..]).to_owned()]);
        let queries = all.slice(ndarray::s![2_900.., ..]).to_owned();
        let found = compare(
            &ExactScan::new(vectors.clone()),
            &QuantizedScan::new(vectors),
            &queries,
        );
        assert!(found.recall_at_10 > 0.995, "{found:?}");
    }
}
