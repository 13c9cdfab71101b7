//! What each candidate is worth, and which are dropped for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ndarray::Array2;

use super::{Build, Candidate, Listener, Paid, row};
use crate::dataset::error::DatasetError;
use crate::dataset::filter::{self, HeldOut, Reason, Seen};
use crate::dataset::judge::Grades;
use crate::dataset::kept::Kept;
use crate::dataset::measures::{grounding, rank_of};
use crate::dataset::mode::Mode;
use crate::dataset::pair::Scores;
use crate::dataset::teacher::{spent, sum};
use crate::documents::{Passage, sentences};
use crate::library::{Hit, Library, Query};
use crate::study::Ledger;
use crate::types::Digest;

/// Passages that a search for a question gives at most.
const DEPTH: usize = 10;
/// Questions embedded in one call.
const BATCH: usize = 32;

impl Build<'_> {
    /// Holds each candidate against the passage that it is about, and drops what an answer must not be.
    pub(super) fn measure(&mut self, on: Listener<'_>) -> Result<(), DatasetError> {
        let total = self.candidates.len();
        for (done, one) in self.candidates.iter_mut().enumerate() {
            if done.is_multiple_of(BATCH) {
                on("measures", done, total);
            }
            let words = |text: &str| text.split_whitespace().count();
            one.scores.question_words = words(&one.question);
            let answer = one.answer.as_deref().unwrap_or_default();
            one.scores.answer_words = words(answer);
            if one.reason.is_some() {
                continue;
            }
            let Some(gold) = one
                .unit
                .gold(one.support.as_deref().unwrap_or(answer))
                .cloned()
            else {
                one.reason = Some(Reason::OffTopic);
                continue;
            };
            let headings = one.unit.headings.join(" ");
            let tags = serde_json::to_string(&one.unit.tags).unwrap_or_default();
            let place = one.unit.source.place.to_string();
            let sources = [
                &gold.text,
                &one.unit.source.title,
                &headings,
                gold.table.as_deref().unwrap_or(""),
            ];
            one.scores.grounded = grounding(answer, &sources);
            let about = [&sources[..], &[&tags, &place]].concat();
            one.scores.on_topic = grounding(&one.question, &about);
            one.scores.asked_of = one
                .support
                .as_deref()
                .map(|support| asked_of(&one.question, support));
            one.reason = filter::fault_of_answer(&one.question, answer, &sources);
            if one.reason.is_none() {
                one.scores.found_at = found_at(self.library, one, &gold)?;
            }
            one.gold = Some(gold);
        }
        Ok(())
    }

    /// A row a candidate, where there is an embedder.
    pub(super) fn vectors(&self, on: Listener<'_>) -> Result<Option<Array2<f32>>, DatasetError> {
        let Some(embedder) = &self.hands.embedder else {
            return Ok(None);
        };
        let mut all = Array2::zeros((0, embedder.dimension()));
        for (done, batch) in self.candidates.chunks(BATCH).enumerate() {
            on("meanings", done * BATCH, self.candidates.len());
            let texts: Vec<&str> = batch.iter().map(|one| one.question.as_str()).collect();
            append(&mut all, &embedder.embed(&texts)?);
        }
        Ok(Some(all))
    }

    /// How well a question written by a model leads back to the sentence that it was asked of.
    pub(super) fn point_back(&mut self, vectors: Option<&Array2<f32>>) -> Result<(), DatasetError> {
        let (Some(embedder), Some(vectors)) = (self.hands.embedder.clone(), vectors) else {
            return Ok(());
        };
        if self.plan.thresholds.points_back.is_none() {
            return Ok(());
        }
        let mut known: BTreeMap<Digest, Array2<f32>> = BTreeMap::new();
        for (one, question) in self.candidates.iter_mut().zip(vectors.outer_iter()) {
            let (Some(gold), None) = (&one.gold, one.reason) else {
                continue;
            };
            let all = sentences(&gold.text);
            let support = one
                .support
                .as_deref()
                .or(one.answer.as_deref())
                .unwrap_or_default();
            let shares = all.iter().map(|sentence| grounding(support, &[sentence]));
            let best = shares
                .enumerate()
                .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0)));
            let Some((at, _)) = best else {
                continue;
            };
            let key = Digest::of(gold.text.as_bytes());
            let rows = match known.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(embedder.embed(&all)?),
            };
            one.scores.points_back = Some(rank_of(at, question, rows));
        }
        Ok(())
    }

    /// Drops what would give away a question that is kept for testing.
    pub(super) fn hold_out(&mut self, vectors: Option<&Array2<f32>>) -> Result<(), DatasetError> {
        let embedder = self.hands.embedder.clone();
        let held =
            HeldOut::new(
                &self.plan.held_out,
                &self.plan.splits,
                &mut |question| match &embedder {
                    Some(embedder) => {
                        Ok::<_, DatasetError>(Some(embedder.embed(&[question])?.row(0).to_vec()))
                    }
                    None => Ok(None),
                },
            )?;
        for (at, one) in self.candidates.iter_mut().enumerate() {
            if one.reason.is_none() {
                one.reason = held.leak(&one.unit.source.id, &one.question, row(vectors, at));
            }
        }
        self.used.held_out = held.len();
        Ok(())
    }

    /// Drops by scores, then repeats among what is left.
    pub(super) fn sift(&mut self, vectors: Option<&Array2<f32>>) {
        for one in self
            .candidates
            .iter_mut()
            .filter(|one| one.reason.is_none())
        {
            one.reason = filter::fault_of_scores(&one.scores, &self.plan.thresholds);
        }
        let places: Vec<usize> = (0..self.candidates.len())
            .filter(|at| self.candidates[*at].reason.is_none())
            .collect();
        let seen: Vec<Seen<'_>> = places
            .iter()
            .map(|at| Seen {
                question: &self.candidates[*at].question,
                answer: self.candidates[*at].answer.as_deref().unwrap_or_default(),
                vector: row(vectors, *at),
            })
            .collect();
        for (at, reason) in filter::repeated(&seen) {
            self.candidates[places[at]].reason = Some(reason);
        }
    }

    /// Grades what is left, where there is a judge.
    pub(super) fn judge(&mut self, on: Listener<'_>) -> Result<(), DatasetError> {
        let Some(judge) = self.hands.judge.as_deref_mut() else {
            return Ok(());
        };
        let mut kept: Kept<Paid<Grades>> =
            Kept::open(&self.folder.join("grades.jsonl"), &judge.name(), true)?;
        let total = self.candidates.len();
        for (done, one) in self.candidates.iter_mut().enumerate() {
            let (None, Some(gold), Some(answer)) = (one.reason, &one.gold, &one.answer) else {
                continue;
            };
            on("grades", done, total);
            let key = Digest::of(format!("{}\n{answer}\n{}", one.question, gold.text).as_bytes());
            let paid = match kept.get(&key) {
                Some(paid) => paid.clone(),
                None => {
                    let before = judge.ledger();
                    let value = judge.grade(&one.question, answer, &gold.text)?;
                    let paid = Paid {
                        value,
                        ledger: spent(before, judge.ledger()),
                    };
                    // What could not be read is asked again by the next run.
                    if value != Grades::default() {
                        kept.push(key, paid.clone())?;
                    }
                    paid
                }
            };
            let Grades {
                relevance,
                global_relevance,
                coverage,
                fluency,
            } = paid.value;
            one.scores = Scores {
                relevance,
                global_relevance,
                coverage,
                fluency,
                ..one.scores.clone()
            };
            one.reason = filter::fault_of_scores(&one.scores, &self.plan.thresholds);
        }
        self.used.judge = kept
            .values()
            .fold(Ledger::default(), |all, paid| sum(all, paid.ledger));
        Ok(())
    }
}

/// Share of the words of `question` that stand in `support`; the words of asking and a quoted title are not counted.
fn asked_of(question: &str, support: &str) -> f64 {
    const ASKING: &str =
        "long much many deep often far kind type temperature depth rate time year percentage share";
    let asked = question
        .rsplit_once("”, ")
        .map_or(question, |(_, asked)| asked);
    grounding(asked, &[support, ASKING])
}

/// Place of the gold section among what a search for the question finds, from 1.
fn found_at(
    library: &Library,
    one: &Candidate,
    gold: &Passage,
) -> Result<Option<usize>, DatasetError> {
    let place = &one.unit.source.place;
    let found = library.search(&Query {
        text: one.question.clone(),
        place: (one.mode != Mode::None && !place.is_general()).then(|| place.clone()),
        crop: None,
        top_k: DEPTH,
    })?;
    let is_gold = |hit: &Hit| {
        let own = hit.passage.document == gold.document && hit.passage.section() == gold.section();
        own || (hit.also.contains(&gold.document) && hit.passage.text == gold.text)
    };
    Ok(found.hits.iter().position(is_gold).map(|at| at + 1))
}

fn append(all: &mut Array2<f32>, more: &Array2<f32>) {
    for row in more.outer_iter() {
        // Rows of one embedder have one length.
        let _ = all.push_row(row);
    }
}
