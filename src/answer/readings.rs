//! Which limit of the found passages a reading sent with a question is held against.

use std::collections::BTreeSet;

use super::quote::{Asked, Candidate, SECOND};
use super::verdict::{self, Choice, Verdict};
use super::{media, words};
use crate::types::Reading;

/// The candidates that come so near to the best one that either may answer.
fn near_best(candidates: &[Candidate]) -> &[Candidate] {
    let best = candidates.first().map_or(0.0, |best| best.score);
    let near = candidates.partition_point(|one| one.score >= SECOND * best);
    &candidates[..near]
}

/// What a sentence that names a reading gains, as a share of the best candidate's score, when the reading's limit is sought:
/// of 40 readings of the development and training parts 33 find their limit without it, 36 with it.
const NAMED_WEIGHT: f32 = 0.15;

/// One of `readings` beside the limit in one of the candidates that come near the best; `None` where there is no
/// such reading or limit, or where `asked` asks for a figure of its own. A sentence on the air has no limit for the soil.
pub fn verdict(asked: &Asked, readings: &[Reading], candidates: &[Candidate]) -> Option<Verdict> {
    let near = near_best(candidates);
    let sentences: Vec<&str> = near.iter().map(|one| one.text.as_str()).collect();
    let best = near.first().map_or(1.0, |best| best.score);
    let choice = Choice {
        weight: &|at, reading| {
            let named = verdict::named(reading, &words::content(&near[at].text));
            let weight = near[at].score + NAMED_WEIGHT * best * named;
            let apart = media::are_apart(&verdict::spoken(reading), &near[at].text);
            (asked.is_about(reading) && !apart).then_some(weight)
        },
        shared: &|context| asked.coverage(context, &BTreeSet::new()),
    };
    verdict::verdict(readings, &sentences, &choice)
}
