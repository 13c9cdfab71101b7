//! Which limit of the found passages a reading sent with a question is held against.

use std::collections::BTreeSet;

use super::media;
use super::passages::Hit;
use super::quote::{Asked, Candidate, SECOND};
use super::verdict::{self, Choice, Verdict};
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

/// What a sentence on the asked crop gains likewise, beside one that holds for any crop.
const CROP_WEIGHT: f32 = 0.15;

/// What the candidates are of.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The passages.
    pub hits: &'a [Hit],
    /// Stems of the crops that the question is about.
    pub crops: &'a BTreeSet<String>,
}

/// One of `readings` beside the limit in one of the candidates that come near the best; `None` where there is no
/// such reading or limit, or where `asked` asks for a figure of its own. A sentence on the air has no limit for the soil.
pub fn verdict(
    asked: &Asked,
    readings: &[Reading],
    candidates: &[Candidate],
    around: Around<'_>,
) -> Option<Verdict> {
    let near = near_best(candidates);
    let sentences: Vec<&str> = near.iter().map(|one| one.text.as_str()).collect();
    let best = near.first().map_or(1.0, |best| best.score);
    let choice = Choice {
        weight: &|at, reading| {
            let one = &near[at];
            let named = NAMED_WEIGHT * one.names(reading, around.hits);
            let crop = match around.hits[one.hit].passage.is_of(around.crops) {
                true => CROP_WEIGHT,
                false => 0.0,
            };
            let weight = one.score + best * (named + crop);
            let apart = media::are_apart(&verdict::spoken(reading), &one.text);
            (asked.is_about(reading) && !apart).then_some(weight)
        },
        shared: &|context| asked.coverage(context, &BTreeSet::new()),
    };
    verdict::verdict(readings, &sentences, &choice)
}
