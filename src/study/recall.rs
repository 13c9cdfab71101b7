//! Whether retrieval finds the gold section: recall at k, the counterpart of the paper's Table 16.

use serde::{Deserialize, Serialize};

use super::questions::{Kind, StudyQuestion};
use super::stats::Draws;
use crate::library::{Library, LibraryError, Query};

/// The depths at which recall is told.
pub const DEPTHS: [usize; 5] = [1, 2, 3, 5, 10];

/// Recall at one depth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecallAt {
    /// Passages looked at.
    pub k: usize,
    /// Share of questions with the gold section among them, place and crop of the question as filter.
    pub filtered: f64,
    /// 95 % interval of it.
    pub filtered_low: f64,
    /// See `filtered_low`.
    pub filtered_high: f64,
    /// The same without place and crop, as in the paper.
    pub unfiltered: f64,
    /// 95 % interval of it.
    pub unfiltered_low: f64,
    /// See `unfiltered_low`.
    pub unfiltered_high: f64,
}

/// Retrieval over the answerable questions of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Questions.
    pub questions: usize,
    /// Passages of the library.
    pub passages: usize,
    /// Documents of the library.
    pub documents: usize,
    /// By depth.
    pub at: Vec<RecallAt>,
}

/// Searches for every answerable question of `questions`; blocking, milliseconds a question.
///
/// # Errors
/// The library cannot be searched.
pub fn retrieval(
    library: &Library,
    questions: &[&StudyQuestion],
) -> Result<Retrieval, LibraryError> {
    let answerable: Vec<&&StudyQuestion> = questions
        .iter()
        .filter(|question| question.kind == Kind::Answerable)
        .collect();
    let (mut filtered, mut unfiltered) = (Vec::new(), Vec::new());
    for question in &answerable {
        filtered.push(rank(library, question, true)?);
        unfiltered.push(rank(library, question, false)?);
    }
    let stats = library.stats();
    Ok(Retrieval {
        questions: answerable.len(),
        passages: stats.passages,
        documents: stats.documents,
        at: recall(&filtered, &unfiltered),
    })
}

/// Place of the first passage of the gold section, from 1.
fn rank(
    library: &Library,
    question: &StudyQuestion,
    filter: bool,
) -> Result<Option<usize>, LibraryError> {
    let Some(gold) = &question.gold else {
        return Ok(None);
    };
    let found = library.search(&Query {
        text: question.question.clone(),
        place: question.place.clone().filter(|_| filter),
        crop: question.crop.clone().filter(|_| filter),
        top_k: DEPTHS[DEPTHS.len() - 1],
    })?;
    let is_gold = |hit: &crate::library::Hit| {
        hit.passage.document == gold.document && hit.passage.section() == gold.section
    };
    Ok(found.hits.iter().position(is_gold).map(|at| at + 1))
}

fn recall(filtered: &[Option<usize>], unfiltered: &[Option<usize>]) -> Vec<RecallAt> {
    let draws = Draws::new(filtered.len(), super::stats::DRAWS, super::stats::SEED);
    let whole: Vec<usize> = (0..filtered.len()).collect();
    let share = |ranks: &[Option<usize>], k: usize, drawn: &[usize]| {
        let found = drawn
            .iter()
            .filter(|at| ranks[**at].is_some_and(|rank| rank <= k))
            .count();
        (!drawn.is_empty()).then(|| found as f64 / drawn.len() as f64)
    };
    let at = |k: usize| {
        let of = |ranks: &[Option<usize>]| {
            let value = share(ranks, k, &whole)?;
            let interval = draws.interval(&|drawn| share(ranks, k, drawn))?;
            Some((value, interval))
        };
        let ((filtered, own), (unfiltered, other)) = (of(filtered)?, of(unfiltered)?);
        Some(RecallAt {
            k,
            filtered,
            filtered_low: own.low,
            filtered_high: own.high,
            unfiltered,
            unfiltered_low: other.low,
            unfiltered_high: other.high,
        })
    };
    DEPTHS.into_iter().filter_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_the_ranks_within_k() {
        let ranks = [Some(1), Some(3), None, Some(10)];
        let all = recall(&ranks, &[None; 4]);
        let shares: Vec<f64> = all.iter().map(|one| one.filtered).collect();
        assert_eq!(shares, [0.25, 0.25, 0.5, 0.5, 0.75]);
        assert!(all.iter().all(|one| one.unfiltered == 0.0));
        assert!(all[2].filtered_low < 0.5 && all[2].filtered_high > 0.5);
        assert!(recall(&[], &[]).is_empty());
    }
}
