//! What an order of documents is worth against judgements: nDCG and recall at a depth.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::recall::DEPTHS;
use super::stats::{DRAWS, Draws, SEED};

/// The documents judged relevant to one question, with their grade (1 and up).
pub type Judgements = BTreeMap<String, u32>;

/// Depth at which nDCG is told.
pub const NDCG_DEPTH: usize = 10;

/// What the orders for a set of questions are worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RankingMeasure {
    /// Questions.
    pub questions: usize,
    /// Mean nDCG at 10, 0 to 1.
    pub ndcg_at_10: f64,
    /// 95 % interval of it, over questions.
    pub ndcg_low: f64,
    /// See `ndcg_low`.
    pub ndcg_high: f64,
    /// Mean recall at each of [`DEPTHS`], 0 to 1.
    pub recall: Vec<f64>,
}

/// Normalised discounted cumulated gain of the first `depth` of `ranked`, 0 to 1; 0 without judgements.
///
/// The gain is the grade and the discount `log2(rank + 1)` (Järvelin and Kekäläinen, 2002, as in
/// `trec_eval`), so that figures compare with those published for BEIR. A document counts once.
pub fn ndcg(ranked: &[String], judged: &Judgements, depth: usize) -> f64 {
    let discounted = |grades: &mut dyn Iterator<Item = u32>| -> f64 {
        let ranks = 2_u32..;
        let gain = |(grade, rank): (u32, u32)| f64::from(grade) / f64::from(rank).log2();
        grades.take(depth).zip(ranks).map(gain).sum()
    };
    let mut seen = BTreeSet::new();
    let mut found = ranked.iter().map(|document| match seen.insert(document) {
        true => judged.get(document).copied().unwrap_or(0),
        false => 0,
    });
    let mut best: Vec<u32> = judged.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = discounted(&mut best.into_iter());
    if ideal > 0.0 {
        discounted(&mut found) / ideal
    } else {
        0.0
    }
}

/// Share of the relevant documents among the first `depth` of `ranked`, 0 to 1; 0 without any.
pub fn recall_at(ranked: &[String], judged: &Judgements, depth: usize) -> f64 {
    let relevant = judged.values().filter(|grade| **grade > 0).count();
    let first: BTreeSet<&String> = ranked.iter().take(depth).collect();
    let is_relevant = |document: &&&String| judged.get(**document).is_some_and(|grade| *grade > 0);
    let found = first.iter().filter(is_relevant).count();
    found as f64 / relevant.max(1) as f64
}

/// Means over questions, each with the order that it got and its judgements.
pub fn judge_rankings(questions: &[(Vec<String>, &Judgements)]) -> RankingMeasure {
    let each: Vec<f64> = questions
        .iter()
        .map(|(ranked, judged)| ndcg(ranked, judged, NDCG_DEPTH))
        .collect();
    let mean = |drawn: &[usize]| {
        let sum: f64 = drawn.iter().map(|at| each[*at]).sum();
        (!drawn.is_empty()).then(|| sum / drawn.len() as f64)
    };
    let whole: Vec<usize> = (0..each.len()).collect();
    let value = mean(&whole).unwrap_or(0.0);
    let interval = Draws::new(each.len(), DRAWS, SEED).interval(&mean);
    let recall = |depth: usize| {
        let found = questions
            .iter()
            .map(|(ranked, judged)| recall_at(ranked, judged, depth));
        found.sum::<f64>() / questions.len().max(1) as f64
    };
    RankingMeasure {
        questions: questions.len(),
        ndcg_at_10: value,
        ndcg_low: interval.map_or(value, |interval| interval.low),
        ndcg_high: interval.map_or(value, |interval| interval.high),
        recall: DEPTHS.into_iter().map(recall).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn judged(grades: &[(&str, u32)]) -> Judgements {
        let own = |(id, grade): &(&str, u32)| ((*id).to_owned(), *grade);
        grades.iter().map(own).collect()
    }

    #[test]
    fn one_relevant_document_counts_by_the_logarithm_of_its_rank() {
        let judged = judged(&[("a", 1)]);
        let at = |ids: &[&str]| ndcg(&order(ids), &judged, 10);
        assert!((at(&["a", "b", "c"]) - 1.0).abs() < 1e-12);
        // 1 / log2(3) and 1 / log2(4).
        assert!((at(&["b", "a", "c"]) - 0.630_929_753_571_457_4).abs() < 1e-12);
        assert!((at(&["b", "c", "a"]) - 0.5).abs() < 1e-12);
        assert_eq!(at(&["b", "c"]), 0.0);
    }

    #[test]
    fn grades_and_several_documents_follow_the_worked_example() {
        let judged = judged(&[("a", 3), ("b", 2), ("c", 1)]);
        // (2 + 3 / log2(3)) / (3 + 2 / log2(3) + 1 / 2)
        let found = ndcg(&order(&["b", "a", "x"]), &judged, 10);
        let expected = (2.0 + 3.0 / 3_f64.log2()) / (3.0 + 2.0 / 3_f64.log2() + 0.5);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn what_lies_below_the_depth_and_what_is_said_twice_counts_nothing() {
        let judged = judged(&[("a", 1), ("b", 1)]);
        let ranked = order(&["a", "a", "x", "b"]);
        let ideal = 1.0 + 1.0 / 3_f64.log2();
        assert!((ndcg(&ranked, &judged, 3) - 1.0 / ideal).abs() < 1e-12);
        assert_eq!(recall_at(&ranked, &judged, 3), 0.5);
        assert_eq!(recall_at(&ranked, &judged, 4), 1.0);
        assert_eq!(recall_at(&[], &judged, 4), 0.0);
        assert_eq!(ndcg(&ranked, &Judgements::new(), 10), 0.0);
    }

    #[test]
    fn the_measure_is_the_mean_over_questions_with_its_interval() {
        let judged = judged(&[("a", 1)]);
        let questions = [
            (order(&["a"]), &judged),
            (order(&["x", "y", "a"]), &judged),
            (order(&["x"]), &judged),
        ];
        let found = judge_rankings(&questions);
        assert_eq!(found.questions, 3);
        assert!((found.ndcg_at_10 - 0.5).abs() < 1e-12);
        let thirds = [1.0, 1.0, 2.0, 2.0, 2.0].map(|n: f64| n / 3.0);
        assert_eq!(found.recall, thirds);
        assert!(found.ndcg_low < 0.5 && found.ndcg_high > 0.5);
        assert_eq!(judge_rankings(&[]).ndcg_at_10, 0.0);
    }
}
