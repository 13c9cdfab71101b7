//! One score from two: a weighted sum of what stands out in each search.

/// What the two searches say of one passage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// BM25.
    pub lexical: f32,
    /// Cosine.
    pub dense: f32,
}

/// The fused score of each candidate: `weight` times its dense z-score and the rest its lexical one.
///
/// A z-score is by how many standard deviations a candidate stands above the mean of all candidates of
/// this question. Unlike ranks it keeps how clearly the first leads, without which fusing can lose to
/// the better search alone.
pub fn fuse(candidates: &[Scores], dense_weight: f32) -> Vec<f32> {
    let dense = z_scores(candidates.iter().map(|scores| scores.dense));
    let lexical = z_scores(candidates.iter().map(|scores| scores.lexical));
    dense
        .zip(lexical)
        .map(|(dense, lexical)| dense_weight * dense + (1.0 - dense_weight) * lexical)
        .collect()
}

fn z_scores(values: impl ExactSizeIterator<Item = f32> + Clone) -> impl Iterator<Item = f32> {
    let count = values.len().max(1) as f32;
    let mean = values.clone().sum::<f32>() / count;
    let variance = values
        .clone()
        .map(|value| (value - mean).powi(2))
        .sum::<f32>()
        / count;
    // Where all are equal none stands out, whatever rounding says.
    let deviation = variance.sqrt();
    let scale = if deviation > 1e-6 {
        1.0 / deviation
    } else {
        0.0
    };
    values.map(move |value| (value - mean) * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(candidates: &[(f32, f32)], weight: f32) -> Vec<usize> {
        let candidates: Vec<_> = candidates
            .iter()
            .map(|(lexical, dense)| Scores {
                lexical: *lexical,
                dense: *dense,
            })
            .collect();
        let fused = fuse(&candidates, weight);
        let mut order: Vec<usize> = (0..fused.len()).collect();
        order.sort_by(|a, b| fused[*b].total_cmp(&fused[*a]));
        order
    }

    #[test]
    fn the_weight_goes_from_words_to_meaning() {
        let candidates = [(9.0, 0.1), (3.0, 0.9), (1.0, 0.2)];
        assert_eq!(order(&candidates, 0.0), [0, 1, 2]);
        assert_eq!(order(&candidates, 1.0), [1, 2, 0]);
    }

    #[test]
    fn a_clear_lead_in_one_beats_a_slight_one_in_the_other() {
        // By ranks the second would win: first in meaning, second in words.
        let candidates = [
            (20.0, 0.49),
            (3.0, 0.50),
            (2.9, 0.48),
            (2.8, 0.10),
            (2.7, 0.10),
        ];
        assert_eq!(order(&candidates, 0.5)[0], 0);
    }

    #[test]
    fn equal_or_lone_candidates_have_no_lead() {
        for count in [1, 3] {
            let same = vec![
                Scores {
                    lexical: 2.0,
                    dense: 0.3
                };
                count
            ];
            assert!(fuse(&same, 0.5).iter().all(|score| score.abs() < 1e-3));
        }
        assert!(fuse(&[], 0.5).is_empty());
    }
}
