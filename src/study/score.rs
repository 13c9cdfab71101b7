//! Measures one answer against its question.

use serde::{Deserialize, Serialize};

use super::arms::{AnswerRow, Arm};
use super::checker::{Evidence, ungrounded};
use super::facts::is_right;
use super::overlap::{declines, length_ratio, token_f1};
use super::questions::{Kind, Split, StudyQuestion};
use super::stated::{ReadingUse, Stated, contradicts, reading_use, stated};
use crate::types::Status;

/// Whether an answer is right, as the paper's three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// All key facts, nothing that contradicts one, and not buried in other text.
    Fully,
    /// At least one key fact.
    Partly,
    /// None.
    Not,
}

/// How near an answer is to the reference in meaning, as the paper's three bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Cosine of the box's embedder at least [`SIMILAR`].
    Similar,
    /// At least [`SOMEWHAT`].
    Somewhat,
    /// Below, or no answer.
    Not,
}

/// From this cosine on an answer is similar to the reference: about the median of fully correct answers
/// to training questions (MiniLM, one sentence against one).
pub const SIMILAR: f32 = 0.6;
/// From this cosine on it is somewhat similar: nine of ten fully correct answers to training questions
/// reach it, and one of seven closed-book ones that hold no key fact.
pub const SOMEWHAT: f32 = 0.4;

/// An answer longer than this many words, and than [`LONGEST_RATIO`] references, buries what it says.
pub const LONGEST_WORDS: usize = 80;
/// See [`LONGEST_WORDS`].
pub const LONGEST_RATIO: f64 = 5.0;

impl Band {
    /// The band of a cosine.
    pub fn of(cosine: f32) -> Self {
        match cosine {
            cosine if cosine >= SIMILAR => Band::Similar,
            cosine if cosine >= SOMEWHAT => Band::Somewhat,
            _ => Band::Not,
        }
    }
}

/// What one answer is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// What answered.
    pub arm: Arm,
    /// The question.
    pub id: String,
    /// Its part of the set.
    pub split: Split,
    /// Whether it can be answered.
    pub kind: Kind,
    /// The box refused, or the model said that it has no answer.
    pub refused: bool,
    /// Neither answered nor refused.
    pub failed: bool,
    /// The answer is a quotation.
    pub quoted: bool,
    /// Key facts.
    pub facts: usize,
    /// Of them in the answer.
    pub facts_right: usize,
    /// The answer's figures; none for a question that cannot be answered.
    pub stated: Stated,
    /// It gives another value for a key fact.
    pub contradicts: bool,
    /// Answerable questions only.
    pub grade: Option<Grade>,
    /// Token F1 against the reference; answerable questions only.
    pub f1: Option<f64>,
    /// Cosine of answer and reference; answered answerable questions only.
    pub cosine: Option<f32>,
    /// Similarity to the reference; answerable questions only.
    pub band: Option<Band>,
    /// Words for each word of the reference; answered answerable questions only.
    pub length_ratio: Option<f64>,
    /// Figures, dates and names that stand in no evidence; `None` where there is no library.
    pub ungrounded: Option<Vec<String>>,
    /// The gold section is cited.
    pub gold_cited: bool,
    /// Questions with readings only.
    pub reading: Option<ReadingUse>,
    /// Prompt tokens.
    pub tokens_in: usize,
    /// Generated tokens.
    pub tokens_out: usize,
    /// Milliseconds to the first token; `None` where nothing was generated.
    pub first_token_ms: Option<u64>,
    /// Milliseconds in all.
    pub total_ms: u64,
    /// Joules, where the board reports them.
    pub energy_j: Option<f64>,
}

/// Measures `row`, an answer to `question`. `section` is the text of the gold section; `cosine` the
/// similarity of answer and reference, `None` where they were not compared.
pub fn score(
    question: &StudyQuestion,
    section: &str,
    row: &AnswerRow,
    cosine: Option<f32>,
) -> Score {
    let failed = row.status == Status::Failed;
    let refused = row.status == Status::Refused || (!failed && declines(&row.text));
    let text = match row.status {
        Status::Answered if !refused => row.text.trim(),
        _ => "",
    };
    let answerable = question.kind == Kind::Answerable;
    let reference = question.answer.as_deref().filter(|_| answerable);
    let facts_right = question
        .facts
        .iter()
        .filter(|fact| is_right(fact, text))
        .count();
    let contradicts = answerable && contradicts(question, text);
    let length_ratio = reference
        .filter(|_| !text.is_empty())
        .and_then(|reference| length_ratio(text, reference));
    let reading = reading_use(question, text);
    Score {
        arm: row.arm,
        id: row.id.clone(),
        split: question.split,
        kind: question.kind,
        refused,
        failed,
        quoted: row.quoted,
        facts: question.facts.len(),
        facts_right,
        stated: match answerable {
            true => stated(question, section, text),
            false => Stated::default(),
        },
        contradicts,
        grade: answerable.then(|| {
            let buried = text.split_whitespace().count() > LONGEST_WORDS
                && length_ratio.is_none_or(|ratio| ratio > LONGEST_RATIO);
            let misjudged = reading.is_some_and(|reading| !reading.is_right());
            match facts_right {
                0 => Grade::Not,
                right if right < question.facts.len() => Grade::Partly,
                _ if contradicts || buried || misjudged => Grade::Partly,
                _ => Grade::Fully,
            }
        }),
        f1: reference.map(|reference| token_f1(text, reference)),
        cosine: cosine.filter(|_| reference.is_some() && !text.is_empty()),
        band: reference.map(|_| match text.is_empty() {
            true => Band::Not,
            false => cosine.map_or(Band::Not, Band::of),
        }),
        length_ratio,
        ungrounded: row
            .arm
            .has_library()
            .then(|| ungrounded(text, &evidence(question, row))),
        gold_cited: question.gold.as_ref().is_some_and(|gold| {
            !text.is_empty()
                && row
                    .citations
                    .iter()
                    .any(|cited| cited.document == gold.document && cited.section == gold.section)
        }),
        reading,
        tokens_in: row.tokens.prompt,
        tokens_out: row.tokens.generated,
        first_token_ms: row.timing.first_token,
        total_ms: row.timing.total,
        energy_j: row.energy_j,
    }
}

/// What an answer may rest on: the cited passages, the readings, the question.
fn evidence(question: &StudyQuestion, row: &AnswerRow) -> Evidence {
    let mut texts = vec![question.question.clone()];
    texts.extend(row.evidence.iter().cloned());
    for cited in &row.citations {
        let parts = [&cited.quote, &cited.title, &cited.section, &cited.place];
        texts.extend(parts.into_iter().cloned());
    }
    texts.extend(question.crop.clone());
    texts.extend(question.readings.iter().map(|reading| {
        // With its moment, as the prompt has it.
        format!("{} at 2026-11-22 08:00 UTC", reading.text())
    }));
    Evidence { texts }
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
