//! Picks the sentences of the found passages that answer a question best.

use std::collections::BTreeSet;

use super::guard::stated;
use super::passages::{Hit, Passages};
use super::quantity::Quantity;
use super::sentences::{Sentence, sentences};
use super::wants::Wants;
use super::{manner, verdict, words};
use crate::model::{Embedder, ModelError};
use crate::types::Reading;

/// Sentences looked at for one question; more are ignored, best passages first.
const MOST_SENTENCES: usize = 160;

/// A sentence that may answer.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Position of its passage among the hits.
    pub hit: usize,
    /// Position in its passage.
    pub position: usize,
    /// The words to quote.
    pub text: String,
    /// Figures in it.
    pub quantities: Vec<Quantity>,
    /// Share of the question's content words in it, its heading and its title, by rarity, 0 to 1.
    pub coverage: f32,
    /// Cosine of the question and the sentence under its heading; 0 without an embedder.
    pub cosine: f32,
    /// Cosine of the question and the heading alone.
    pub heading_cosine: f32,
    /// Share of the thing whose figure is asked that it or its heading names; 1 when none is asked.
    pub focus: f32,
    /// Whether it has the kind of figure that is asked for: 0, 0.5 or 1.
    pub fit: f32,
    /// All of it together.
    pub score: f32,
}

impl Candidate {
    /// Share of the name of `reading` that it, its heading or its title has, 0 to 1.
    pub fn names(&self, reading: &Reading, hits: &[Hit]) -> f32 {
        let mut stems = words::content(&self.text);
        stems.extend(words::content(&headings(&hits[self.hit])));
        verdict::named(reading, &stems)
    }
}

/// The question, ready for comparison.
pub struct Asked {
    /// Its words, with the names of the readings that came with it.
    pub text: String,
    /// What kind of fact it asks for.
    pub wants: Wants,
    /// Stems of its content words with their rarity in the library.
    pub stems: Vec<(String, f32)>,
}

impl Asked {
    /// Reads `question` and the `readings` that came with it; `passages` tells how rare its words are.
    ///
    /// "Is the ground warm enough?" with a soil temperature asks for a soil temperature.
    pub fn new(question: &str, readings: &[Reading], passages: &dyn Passages) -> Self {
        let mut text = question.to_owned();
        let mut wants = Wants::of(question);
        for reading in readings {
            text.push_str(&format!(" ({})", verdict::spoken(reading)));
            if let Some(measured) = verdict::measured(reading)
                && wants.concerns(&measured, &verdict::name(reading))
            {
                wants.add(&measured);
            }
        }
        // A limit is given for "the reproductive stages", and asked about at R3.
        let stages = words::split(question).filter_map(words::stage);
        for stage in stages.filter(|_| !readings.is_empty()) {
            text.push_str(&format!(" ({stage})"));
        }
        let mut seen = BTreeSet::new();
        let stems = words::split(&text)
            .filter(|word| !words::is_stop(word))
            .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
            .map(|word| (words::stem(word), passages.rarity(word)))
            .filter(|(stem, _)| stem.chars().count() > 1 && seen.insert(stem.clone()))
            .collect();
        Asked { text, wants, stems }
    }

    /// Whether `reading` can be what the question is about, and not something that was sent along.
    pub fn is_about(&self, reading: &Reading) -> bool {
        verdict::measured(reading)
            .is_some_and(|measured| self.wants.concerns(&measured, &verdict::name(reading)))
    }

    /// Rarity-weighted share of the question's words in `own`, or at [`HEADING`] in `above`; where only a word of nearly the
    /// same meaning is there, at [`KIN`] of that.
    pub fn coverage(&self, own: &BTreeSet<String>, above: &BTreeSet<String>) -> f32 {
        let total: f32 = self.stems.iter().map(|(_, rarity)| rarity).sum();
        let share = |stem: &String| match (own.contains(stem), above.contains(stem)) {
            (true, _) => 1.0,
            (false, true) => HEADING,
            (false, false) => 0.0,
        };
        let held = self.stems.iter().map(|(stem, rarity)| {
            let kin = words::kin(stem).iter().map(share).fold(0.0, f32::max);
            rarity * share(stem).max(KIN * kin)
        });
        let held: f32 = held.sum();
        if total > 0.0 { held / total } else { 0.0 }
    }
}

/// What a word in the heading counts, against one in the sentence itself.
const HEADING: f32 = 0.8;

/// What a word of nearly the same meaning counts, against the word itself.
const KIN: f32 = 0.6;

/// Weights of the parts of a candidate's score.
const COVERAGE_WEIGHT: f32 = 1.0;
const COSINE_WEIGHT: f32 = 1.0;
const HEADING_WEIGHT: f32 = 0.4;
const FOCUS_WEIGHT: f32 = 0.4;
const FIT_WEIGHT: f32 = 0.5;
const RANK_WEIGHT: f32 = 0.3;

/// Every sentence of `hits` as a candidate, best first; blocking while sentences are embedded.
///
/// # Errors
/// The embedder failed.
pub fn candidates(
    asked: &Asked,
    hits: &[Hit],
    embedder: Option<&dyn Embedder>,
) -> Result<Vec<Candidate>, ModelError> {
    let mut found = Vec::new();
    for (at, hit) in hits.iter().enumerate() {
        let above = words::content(&headings(hit));
        for (position, sentence) in sentences(&hit.passage.text).into_iter().enumerate() {
            if found.len() < MOST_SENTENCES {
                found.push(candidate(asked, (at, position), &sentence, &above));
            }
        }
    }
    if let Some(embedder) = embedder {
        compare(asked, hits, &mut found, embedder)?;
    }
    let best_rank = hits.iter().map(|hit| hit.fused).fold(f32::MIN, f32::max);
    for candidate in &mut found {
        let rank = hits[candidate.hit].fused;
        let rank = if best_rank > 0.0 {
            rank / best_rank
        } else {
            0.0
        };
        candidate.score += COVERAGE_WEIGHT * candidate.coverage
            + COSINE_WEIGHT * candidate.cosine
            + HEADING_WEIGHT * candidate.heading_cosine
            + FOCUS_WEIGHT * candidate.focus
            + FIT_WEIGHT * candidate.fit
            + RANK_WEIGHT * rank;
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(found)
}

/// Sets the cosines of `found`: each sentence under its heading, and each heading alone.
fn compare(
    asked: &Asked,
    hits: &[Hit],
    found: &mut [Candidate],
    embedder: &dyn Embedder,
) -> Result<(), ModelError> {
    let sentences: Vec<String> = found
        .iter()
        .map(|one| format!("{}: {}", hits[one.hit].passage.section(), one.text))
        .collect();
    let mut texts: Vec<&str> = vec![&asked.text];
    texts.extend(hits.iter().map(|hit| hit.passage.section()));
    texts.extend(sentences.iter().map(String::as_str));
    let vectors = embedder.embed(&texts)?;
    let question = vectors.row(0);
    for (at, candidate) in found.iter_mut().enumerate() {
        candidate.heading_cosine = question.dot(&vectors.row(1 + candidate.hit));
        candidate.cosine = question.dot(&vectors.row(1 + hits.len() + at));
    }
    Ok(())
}

fn candidate(
    asked: &Asked,
    (hit, position): (usize, usize),
    sentence: &Sentence,
    above: &BTreeSet<String>,
) -> Candidate {
    let quantities = stated(sentence);
    let own = words::content(&sentence.text);
    let focus = &asked.wants.focus;
    let named = focus
        .iter()
        .filter(|stem| own.contains(*stem) || above.contains(*stem))
        .count();
    Candidate {
        hit,
        position,
        text: sentence.text.clone(),
        coverage: asked.coverage(&own, above),
        cosine: 0.0,
        heading_cosine: 0.0,
        focus: match focus.len() {
            0 => 1.0,
            all => named as f32 / all as f32,
        },
        fit: asked.wants.fit(&quantities),
        score: manner::score(position, sentence, &quantities),
        quantities,
    }
}

/// Title and headings over a passage, on one line.
pub fn headings(hit: &Hit) -> String {
    let mut all = vec![hit.passage.title.as_str()];
    all.extend(hit.passage.headings.iter().map(String::as_str));
    all.join(" - ")
}

/// Puts the passages with the best sentences first and keeps `top_k`; `candidates` follow them.
pub fn keep_best(hits: &mut Vec<Hit>, candidates: &mut Vec<Candidate>, top_k: usize) {
    let mut order: Vec<usize> = Vec::new();
    for candidate in candidates.iter() {
        if !order.contains(&candidate.hit) {
            order.push(candidate.hit);
        }
    }
    order.truncate(top_k);
    *hits = order.iter().map(|at| hits[*at].clone()).collect();
    candidates.retain_mut(|candidate| {
        let place = order.iter().position(|at| *at == candidate.hit);
        candidate.hit = place.unwrap_or_default();
        place.is_some()
    });
}

/// How near a second sentence must come to the best to be quoted beside it.
pub const SECOND: f32 = 0.75;

/// The one or two best sentences, in the order of their passage, at most `max_chars` long together;
/// a single longer one is cut at a word.
pub fn quote(candidates: &[Candidate], max_chars: usize) -> Option<(usize, String)> {
    let best = candidates.first()?;
    let beside = |position: Option<usize>| {
        candidates
            .iter()
            .find(|other| other.hit == best.hit && Some(other.position) == position)
            .filter(|other| other.score >= SECOND * best.score && other.fit >= best.fit)
    };
    let second = beside(Some(best.position + 1))
        .or_else(|| beside(best.position.checked_sub(1)))
        .or_else(|| beside(Some(best.position + 2)));
    let mut text = best.text.clone();
    if let Some(second) = second {
        let both = if second.position < best.position {
            format!("{} {}", closed(&second.text), best.text)
        } else {
            format!("{} {}", closed(&best.text), second.text)
        };
        if both.chars().count() <= max_chars {
            text = both;
        }
    }
    Some((best.hit, shorten(&text, max_chars)))
}

/// `text` with a full stop, if it ends without one.
fn closed(text: &str) -> String {
    match text.chars().last() {
        Some('.' | '!' | '?' | ':') | None => text.to_owned(),
        Some(_) => format!("{text}."),
    }
}

/// At most `max_chars` of `text`, cut between words.
pub fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let end = text
        .char_indices()
        .nth(max_chars.saturating_sub(1))
        .map_or(text.len(), |(at, _)| at);
    let cut = text[..end].rfind(char::is_whitespace).unwrap_or(end);
    format!("{}…", text[..cut].trim_end())
}
