//! Measures of questions and answers that need no judge: overlap, diversity, grounding, likeness.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, ArrayView1};

use crate::library::terms;

/// Overlap of a section and the questions about it: the Kullback-Leibler divergence of their word
/// distributions, `sum p ln(p/q)` with `p` of the section and `q` of the questions, in nats; 0 where they
/// are the same, more where the questions leave words of the section out. **Lower is more overlap.**
///
/// Words are stems without stop words, each counted once more than it stands there, over the words of both
/// (add-one smoothing), as in section 4.1 of arXiv:2401.08406. `None` without words on one side.
pub fn divergence(section: &str, questions: &[&str]) -> Option<f64> {
    let count = |words: Vec<String>| {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for word in words {
            *counts.entry(word).or_default() += 1.0;
        }
        counts
    };
    let of_section = count(terms(section));
    let of_questions = count(
        questions
            .iter()
            .flat_map(|question| terms(question))
            .collect(),
    );
    if of_section.is_empty() || of_questions.is_empty() {
        return None;
    }
    let words: BTreeSet<&String> = of_section.keys().chain(of_questions.keys()).collect();
    let total = |counts: &BTreeMap<String, f64>| counts.values().sum::<f64>() + words.len() as f64;
    let share = |counts: &BTreeMap<String, f64>, word: &String| {
        (counts.get(word).unwrap_or(&0.0) + 1.0) / total(counts)
    };
    let sum = words.iter().map(|word| {
        let (p, q) = (share(&of_section, word), share(&of_questions, word));
        p * (p / q).ln()
    });
    Some(sum.sum())
}

/// Diversity of questions: the mean over them of the cosine distance (1 - cosine, 0 to 2) to the nearest
/// other one, by rows of unit length. **Higher is more diverse**; 0 where each has a twin. `None` of fewer
/// than two.
///
/// It stands where arXiv:2401.08406 has the mean Word Mover's Distance, which no kept library computes;
/// the nearest other question, not the mean of all, so that one odd question hides no twins.
pub fn diversity(vectors: &[ArrayView1<'_, f32>]) -> Option<f64> {
    if vectors.len() < 2 {
        return None;
    }
    let nearest = vectors.iter().enumerate().map(|(at, vector)| {
        let others = vectors.iter().enumerate().filter(|(other, _)| *other != at);
        let distances = others.map(|(_, other)| f64::from(1.0 - vector.dot(other)));
        distances.fold(f64::INFINITY, f64::min)
    });
    Some(nearest.sum::<f64>() / vectors.len() as f64)
}

/// Share of the different content words of `text` that stand in `sources`, as stems; 1 where it has none.
pub fn grounding(text: &str, sources: &[&str]) -> f64 {
    let known: BTreeSet<String> = sources.iter().flat_map(|source| terms(source)).collect();
    let own: BTreeSet<String> = terms(text).into_iter().collect();
    if own.is_empty() {
        return 1.0;
    }
    own.intersection(&known).count() as f64 / own.len() as f64
}

/// Shared content words of all content words of two texts (Jaccard's index), 0 to 1; 0 where both have none.
pub fn likeness(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let shared = one.intersection(other).count();
    let all = one.len() + other.len() - shared;
    if all == 0 {
        0.0
    } else {
        shared as f64 / all as f64
    }
}

/// The different content words of `text`, as stems.
pub fn words(text: &str) -> BTreeSet<String> {
    terms(text).into_iter().collect()
}

/// The place, from 1, of row `at` among `sentences` by likeness to `question`.
pub fn rank_of(at: usize, question: ArrayView1<'_, f32>, sentences: &Array2<f32>) -> usize {
    let own = sentences.row(at).dot(&question);
    1 + sentences
        .outer_iter()
        .filter(|other| other.dot(&question) > own)
        .count()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn divergence_is_nothing_for_the_same_words_and_grows_with_what_is_left_out() {
        assert_eq!(divergence("maize seed", &["Maize? Seed?"]), Some(0.0));
        // Section: maize 2, soil 1; questions: maize 1. Smoothed over two words:
        // p = (3/5, 2/5), q = (2/3, 1/3); 0.6 ln 0.9 + 0.4 ln 1.2 = 0.00971.
        let found = divergence("Maize and maize and soil", &["maize?"]).expect("words");
        assert!(
            (found - (0.6 * 0.9_f64.ln() + 0.4 * 1.2_f64.ln())).abs() < 1e-12,
            "{found}"
        );
        let less = divergence("maize soil rain", &["maize soil rain"]).expect("words");
        let more = divergence("maize soil rain", &["maize"]).expect("words");
        assert!(more > less);
        assert_eq!(divergence("", &["maize"]), None);
        assert_eq!(divergence("maize", &["how is it"]), None);
    }

    #[test]
    fn diversity_is_the_mean_distance_to_the_nearest_other() {
        let rows = array![[1.0_f32, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let views: Vec<_> = rows.outer_iter().collect();
        // Two twins at 0, the third at distance 1 from both: (0 + 0 + 1) / 3.
        assert!((diversity(&views).expect("three") - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(diversity(&views[..1]), None);
    }

    #[test]
    fn grounding_is_the_share_of_words_that_stand_there() {
        let passage = "Maize seed is sown 5 cm deep.";
        assert_eq!(grounding("Wheat seeds 5 cm deep.", &[passage]), 0.8);
        assert_eq!(grounding("5 cm deep", &[passage]), 1.0);
        assert_eq!(grounding("Wheat", &[passage]), 0.0);
        assert_eq!(grounding("the", &[passage]), 1.0);
    }

    #[test]
    fn likeness_counts_shared_words() {
        assert_eq!(
            likeness(&words("maize seed depth"), &words("seed depth of wheat")),
            0.5
        );
        assert_eq!(likeness(&words(""), &words("")), 0.0);
    }

    #[test]
    fn the_nearest_sentence_has_the_first_place() {
        let sentences = array![[1.0_f32, 0.0], [0.6, 0.8], [0.0, 1.0]];
        let question = array![0.0_f32, 1.0];
        assert_eq!(rank_of(2, question.view(), &sentences), 1);
        assert_eq!(rank_of(0, question.view(), &sentences), 3);
    }
}
