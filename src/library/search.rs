//! From a question to passages: filter, two searches, one order.

use std::sync::Arc;

use ndarray::ArrayView1;

use super::dense::{Best, VectorSearch};
use super::filter::{Fallback, OTHER_CROP_PENALTY, Scope, WIDER_PENALTY};
use super::fuse::{Scores, fuse};
use super::lexical::{Bm25, WeighedTerm};
use super::snapshot::Snapshot;
use super::words;
use crate::config::SearchConfig;
use crate::documents::Passage;
use crate::types::Place;

/// Candidates that each search puts forward: the mean and spread of scores are taken over them.
const CANDIDATES: usize = 50;

/// Most hits of one search.
const MAX_TOP_K: usize = 1_000;

/// What to search for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The question in plain words.
    pub text: String,
    /// Where it is asked for, unless the text names another place: only what holds there is returned.
    /// `None` or a general place: no limit.
    pub place: Option<Place>,
    /// The crop it is about; open: those that the text names.
    pub crop: Option<String>,
    /// Most hits wanted; at most 1,000 are given.
    pub top_k: usize,
}

/// A passage that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The passage.
    pub passage: Arc<Passage>,
    /// BM25 with phrases; 0 when no word of the question stands in it.
    pub lexical: f32,
    /// Cosine of question and passage, -1 to 1.
    pub dense: f32,
    /// What hits are sorted by; comparable within one search only.
    pub fused: f32,
    /// Share of the question's content words that the passage has, rare ones counting more, 0 to 1.
    pub coverage: f32,
    /// Levels by which the passage's place is wider than the asked one; 0: the same, or none was asked.
    pub levels_wider: u8,
    /// Other documents that say the same: see [`super::Library::search`].
    pub also: Vec<String>,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct SearchResults {
    /// Best first; empty when nothing holds at the asked place.
    pub hits: Vec<Hit>,
    /// Where was searched: the place that the question names, else the asker's; general without one.
    pub place: Place,
    /// Set when the best passage is of a wider place than that.
    pub fallback: Option<Fallback>,
}

/// Searches `snapshot`; `vector` is the embedded question.
pub(super) fn search(
    snapshot: &Snapshot,
    dense: &dyn VectorSearch,
    config: &SearchConfig,
    query: &Query,
    vector: ArrayView1<'_, f32>,
) -> SearchResults {
    let (place, crop) = (query.place.as_ref(), query.crop.as_deref());
    let scope = Scope::new(place, crop, &query.text, snapshot.places());
    let levels: Vec<Option<u8>> = snapshot
        .places()
        .iter()
        .map(|place| scope.levels_wider(place))
        .collect();
    let level_of = |row: usize| levels[snapshot.place_of(row)];
    let eligible = |row: usize| level_of(row).is_some();
    let terms = snapshot.lexical().weigh(&words::query_terms(&query.text));
    let lexical = snapshot.lexical().scores(&terms, Bm25::OURS);
    let top_k = query.top_k.min(MAX_TOP_K);
    let wanted = CANDIDATES.max(top_k);

    let mut rows: Vec<usize> = dense
        .nearest(vector, wanted, &eligible)
        .into_iter()
        .map(|(row, _)| row)
        .collect();
    rows.extend(best_by_words(&lexical, wanted, &eligible));
    rows.sort_unstable();
    rows.dedup();
    let scores: Vec<Scores> = rows
        .iter()
        .map(|row| Scores {
            lexical: lexical[*row]
                + snapshot
                    .lexical()
                    .phrases(&terms, *row, snapshot.terms(*row)),
            dense: snapshot.vectors().row(*row).dot(&vector),
        })
        .collect();

    let mut best = Best::new(top_k);
    for (index, fused) in fuse(&scores, config.dense_weight).into_iter().enumerate() {
        let row = rows[index];
        let wider = f32::from(level_of(row).unwrap_or(0));
        let crops = &snapshot.passage(row).crops;
        let boost = match scope.is_about(crops) {
            true => config.crop_boost,
            false if scope.is_about_others(crops) => -OTHER_CROP_PENALTY,
            false => 0.0,
        };
        best.offer(index, fused + boost - WIDER_PENALTY * wider);
    }
    let hits: Vec<Hit> = best
        .into_sorted()
        .into_iter()
        .map(|(index, fused)| {
            let row = rows[index];
            let passage = snapshot.passage(row);
            let granted = granted(&terms, snapshot, &scope, &passage.place);
            Hit {
                passage: Arc::clone(passage),
                lexical: scores[index].lexical,
                dense: scores[index].dense,
                fused,
                coverage: snapshot
                    .lexical()
                    .coverage(&terms, snapshot.terms(row), &granted),
                levels_wider: level_of(row).unwrap_or(0),
                also: Vec::new(),
            }
        })
        .collect();
    SearchResults {
        place: scope.place().cloned().unwrap_or_default(),
        fallback: hits
            .first()
            .and_then(|hit| scope.fallback(&hit.passage.place)),
        hits,
    }
}

fn best_by_words(
    lexical: &[f32],
    count: usize,
    eligible: &dyn Fn(usize) -> bool,
) -> impl Iterator<Item = usize> {
    let mut best = Best::new(count);
    for (row, score) in lexical.iter().enumerate() {
        if *score > 0.0 && eligible(row) {
            best.offer(row, *score);
        }
    }
    best.into_sorted().into_iter().map(|(row, _)| row)
}

/// Which of `terms` name the asked place or the passage's own: they hold of it without standing in it.
fn granted(terms: &[WeighedTerm], snapshot: &Snapshot, scope: &Scope, own: &Place) -> Vec<bool> {
    let names: String = [Some(own), scope.place()]
        .into_iter()
        .flatten()
        .map(|place| format!("{place} "))
        .collect();
    let names = snapshot.lexical().weigh(&words::query_terms(&names));
    terms
        .iter()
        .map(|term| names.iter().any(|name| name.is_same_word(term)))
        .collect()
}
