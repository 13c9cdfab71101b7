//! What is kept of what was written, and why the rest is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ndarray::ArrayView1;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::measures::{likeness, words};
use super::pair::Scores;
use super::rules::pattern;
use crate::study::{Evidence, Split, StudyQuestion, declines, ungrounded};

/// Words of a question and of an answer, at least and at most.
const QUESTION_WORDS: std::ops::RangeInclusive<usize> = 3..=60;
const ANSWER_WORDS: std::ops::RangeInclusive<usize> = 1..=80;

/// Likeness from which two questions, or two answers, say the same.
const SAME_QUESTION: f64 = 0.8;
const SAME_ANSWER: f64 = 0.8;
/// Below it two answers to the same question say different things.
const OTHER_ANSWER: f64 = 0.5;
/// Cosine from which two questions ask the same.
const SAME_MEANING: f32 = 0.95;
/// Likeness and cosine from which a question counts as one that is held out.
const LEAKS: f64 = 0.7;
const LEAKS_MEANING: f32 = 0.9;

/// Why a pair was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The question is none, is too short or long, or points at a text that its reader does not have.
    Form,
    /// There is no answer, or it says nothing.
    NoAnswer,
    /// The answer has figures, names or words that the passage has not.
    Ungrounded,
    /// The question is about something else than the passage.
    OffTopic,
    /// Another sentence of the passage is more like the question than the one that it was asked of.
    PointsElsewhere,
    /// The section is not among the first that a search for the question finds.
    NotFound,
    /// The judge gave it too little.
    Judged,
    /// It says what another pair says.
    Duplicate,
    /// The same question has another answer elsewhere: neither is right without more words.
    Ambiguous,
    /// Its document is one that a held-out question is about.
    HeldOutDocument,
    /// It asks what a held-out question asks.
    HeldOutQuestion,
}

impl Reason {
    /// In words, for a report.
    pub fn what(self) -> &'static str {
        match self {
            Reason::Form => "no question that is clear on its own",
            Reason::NoAnswer => "no answer, or one that says nothing",
            Reason::Ungrounded => "answer not in the passage",
            Reason::OffTopic => "question not about the passage",
            Reason::PointsElsewhere => "another sentence answers the question better",
            Reason::NotFound => "section not found by a search for the question",
            Reason::Judged => "too low in the judge's eyes",
            Reason::Duplicate => "says what another pair says",
            Reason::Ambiguous => "has different answers in different places",
            Reason::HeldOutDocument => "document of a held-out question",
            Reason::HeldOutQuestion => "asks what a held-out question asks",
        }
    }
}

/// From where on a pair is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Least share of the answer's content words that stand in the passage or the question.
    pub grounded: f64,
    /// Least share of the question's content words that stand in passage, title, headings or tags.
    pub on_topic: f64,
    /// Least share of the question's content words that stand in the sentence that it was asked of.
    pub asked_of: f64,
    /// Lowest place of the gold section when the question is searched for.
    pub found_at: usize,
    /// Lowest place of the answer's own sentence by likeness to the question; `None`: any.
    pub points_back: Option<usize>,
    /// Least of the judge's relevance, coverage and fluency.
    pub judged: u8,
}

impl Thresholds {
    /// For questions by rules: their answer is the sentence itself, so only the search is asked.
    pub fn rules() -> Self {
        Thresholds {
            grounded: 1.0,
            on_topic: 0.6,
            asked_of: 0.0,
            found_at: 3,
            points_back: None,
            judged: 4,
        }
    }

    /// For what a model wrote: every word of an answer must stand in the passage.
    pub fn written() -> Self {
        Thresholds {
            on_topic: 0.75,
            points_back: Some(1),
            ..Thresholds::rules()
        }
    }

    /// For what a small model wrote of one sentence: it asks in the words of the sentence, or it is lost.
    pub fn of_sentences() -> Self {
        Thresholds {
            asked_of: 1.0,
            ..Thresholds::written()
        }
    }
}

/// What points at a text that only the writer sees, and other marks of a question that is none.
static POINTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:the|this|that|these|given|following|above) (?:text|passage|sentence|section|paragraph|excerpt|article|document|author|information|statement|figure)s?\b|\b(?:mentioned|described|shown|listed|discussed) (?:above|below|here|in the)|\bthis (?:study|table|experiment)\b|\baccording to (?:it|this)\b",
    )
});
static OPENS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:in |for |on |at |by |to |with |within |until |during |under |from |of |after |before )?(?:[^?]*, )?(?:what|which|who|whose|when|where|why|how|in what|is|are|do|does|did|can|could|should|must|will|was|were|may|has|have|at what|to what|by what|for how|by how|until when|with what|within what|from what|of what)\b",
    )
});
/// Somebody or something that was named before.
static DANGLES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:is|are|was|were|does|do|did|should|can|of|for|about|to) (?:it|they|them|this|these|those|he|she)\b(?: |\?)|\b(?:its|their) \w+\?$",
    )
});

/// Whether `question` is a question that is clear on its own.
pub fn is_clear(question: &str) -> bool {
    let marks = question.matches('?').count();
    let inner = question
        .split_once('”')
        .map_or(question, |(_, behind)| behind);
    QUESTION_WORDS.contains(&question.split_whitespace().count())
        && question.ends_with('?')
        && marks == 1
        && !question.contains('\n')
        && question.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && OPENS.is_match(question)
        && !POINTS.is_match(inner)
        && !DANGLES.is_match(inner)
}

/// Why the answer of a pair cannot stay, if it cannot; `sources` are the passage, its headings and title.
pub fn fault_of_answer(question: &str, answer: &str, sources: &[&str]) -> Option<Reason> {
    let answer = answer.trim();
    if !ANSWER_WORDS.contains(&answer.split_whitespace().count()) || declines(answer) {
        return Some(Reason::NoAnswer);
    }
    let (own, asked) = (words(answer), words(question));
    if own.is_subset(&asked) {
        return Some(Reason::NoAnswer);
    }
    let mut texts: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
    texts.push(question.to_owned());
    (!ungrounded(answer, &Evidence { texts }).is_empty()).then_some(Reason::Ungrounded)
}

/// Why a pair of these scores cannot stay, if it cannot.
pub fn fault_of_scores(scores: &Scores, least: &Thresholds) -> Option<Reason> {
    let low = |score: Option<u8>| score.is_some_and(|score| score < least.judged);
    if scores.grounded < least.grounded {
        Some(Reason::Ungrounded)
    } else if scores.on_topic < least.on_topic
        || scores.asked_of.is_some_and(|share| share < least.asked_of)
    {
        Some(Reason::OffTopic)
    } else if least
        .points_back
        .zip(scores.points_back)
        .is_some_and(|(most, at)| at > most)
    {
        Some(Reason::PointsElsewhere)
    } else if scores.found_at.is_none_or(|at| at > least.found_at) {
        Some(Reason::NotFound)
    } else if low(scores.relevance) || low(scores.coverage) || low(scores.fluency) {
        Some(Reason::Judged)
    } else {
        None
    }
}

/// A pair as the other pairs see it.
pub struct Seen<'a> {
    /// The question.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a str,
    /// The question's vector, where there is an embedder.
    pub vector: Option<ArrayView1<'a, f32>>,
}

/// Which of `pairs` say what an earlier one says, or have another answer to the same question; by place.
///
/// Only pairs that share half of their words are compared, so the time grows with the likeness of the
/// pairs, not with the square of their number.
pub fn repeated(pairs: &[Seen<'_>]) -> BTreeMap<usize, Reason> {
    let questions: Vec<BTreeSet<String>> = pairs.iter().map(|pair| words(pair.question)).collect();
    let answers: Vec<BTreeSet<String>> = pairs.iter().map(|pair| words(pair.answer)).collect();
    let mut holding: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for at in 0..pairs.len() {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for word in &questions[at] {
            for other in holding.get(word.as_str()).into_iter().flatten() {
                *shared.entry(*other).or_default() += 1;
            }
        }
        for (other, count) in shared {
            if count * 2 < questions[at].len() || found.get(&other) == Some(&Reason::Duplicate) {
                continue;
            }
            let question = likeness(&questions[at], &questions[other]);
            let answer = likeness(&answers[at], &answers[other]);
            if question >= 1.0 && answer < OTHER_ANSWER {
                found.insert(at, Reason::Ambiguous);
                found.insert(other, Reason::Ambiguous);
                break;
            }
            let means_same = cosine(pairs[at].vector, pairs[other].vector) >= SAME_MEANING;
            if answer >= SAME_ANSWER && (question >= SAME_QUESTION || means_same) {
                found.insert(at, Reason::Duplicate);
                break;
            }
        }
        for word in &questions[at] {
            holding.entry(word).or_default().push(at);
        }
    }
    found
}

fn cosine(one: Option<ArrayView1<'_, f32>>, other: Option<ArrayView1<'_, f32>>) -> f32 {
    one.zip(other).map_or(-1.0, |(one, other)| one.dot(&other))
}

/// Embeds a question, where there is an embedder.
pub type Meaning<'a, E> = &'a mut dyn FnMut(&str) -> Result<Option<Vec<f32>>, E>;

/// Questions that must not be learnt, and the documents that they are about.
#[derive(Debug, Default)]
pub struct HeldOut {
    documents: BTreeSet<String>,
    questions: Vec<(BTreeSet<String>, Option<Vec<f32>>)>,
}

impl HeldOut {
    /// The questions of `set` in `splits`; `vector` embeds a question where there is an embedder.
    ///
    /// # Errors
    /// Those of `vector`.
    pub fn new<E>(
        set: &[StudyQuestion],
        splits: &[Split],
        vector: Meaning<'_, E>,
    ) -> Result<Self, E> {
        let mut held = HeldOut::default();
        for one in set.iter().filter(|one| splits.contains(&one.split)) {
            held.questions
                .push((words(&one.question), vector(&one.question)?));
            held.documents
                .extend(one.gold.as_ref().map(|gold| gold.document.clone()));
        }
        Ok(held)
    }

    /// Number of questions held out.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Whether nothing is held out.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// Whether a pair of `document` that asks `question` would leak into training, and by what.
    ///
    /// A document is known by its id, also below another folder (`farm/a.md` and `a.md`).
    pub fn leak(
        &self,
        document: &str,
        question: &str,
        vector: Option<ArrayView1<'_, f32>>,
    ) -> Option<Reason> {
        let below = |long: &str, short: &str| {
            long.strip_suffix(short)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        if self
            .documents
            .iter()
            .any(|held| below(held, document) || below(document, held))
        {
            return Some(Reason::HeldOutDocument);
        }
        let own = words(question);
        let asks = |(held, meaning): &(BTreeSet<String>, Option<Vec<f32>>)| {
            let meaning = meaning
                .as_ref()
                .map(|meaning| ArrayView1::from(meaning.as_slice()));
            likeness(held, &own) >= LEAKS || cosine(meaning, vector) >= LEAKS_MEANING
        };
        self.questions
            .iter()
            .any(asks)
            .then_some(Reason::HeldOutQuestion)
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
