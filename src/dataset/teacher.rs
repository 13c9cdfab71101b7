//! The seam behind which questions are written.

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::material::Unit;
pub use super::mode::Mode;
use crate::model::Sampling;
use crate::study::Ledger;
use crate::types::Digest;

/// Fewest and most questions a section, as in the paper.
pub const QUESTIONS: std::ops::RangeInclusive<usize> = 5..=15;

/// Whether answers are written with the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// Question and answer together.
    Combined,
    /// Questions; the answers come later, by retrieval.
    QuestionsOnly,
}

/// One section to be asked about.
pub struct Job<'a> {
    /// The section.
    pub unit: &'a Unit,
    /// What the questions are told besides.
    pub mode: Mode,
    /// With answers or without.
    pub manner: Manner,
    /// Most questions.
    pub wanted: usize,
}

/// A question as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The question.
    pub question: String,
    /// Its answer; `None` of questions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The words of the section that it was asked of, where the teacher knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
}

/// What a teacher gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The drafts; may be none.
    Drafts(Vec<Draft>),
    /// It said nothing that can be used; the section is tried again by the next run.
    Unusable(String),
}

/// Writes questions about sections; one implementation a kind of writer.
pub trait Teacher {
    /// Names writer and model, for provenance.
    fn name(&self) -> String;

    /// Version of its prompts or rules: drafts of another are not mixed in.
    fn version(&self) -> u32;

    /// Whether a reply takes seconds or money: each is then made durable by itself.
    fn is_costly(&self) -> bool;

    /// The drafts for `job`; blocking.
    ///
    /// # Errors
    /// It cannot go on at all; a single failure is [`Reply::Unusable`].
    fn write(&mut self, job: &Job<'_>) -> Result<Reply, DatasetError>;

    /// What was used so far.
    fn ledger(&self) -> Ledger;
}

/// What a teacher's name says of `sampling`: drafts that were drawn otherwise are of another build. Nothing where it is
/// greedy.
pub fn drawing(sampling: &Sampling) -> String {
    match sampling.to_string().as_str() {
        "greedy" => String::new(),
        drawn => format!(", {drawn}"),
    }
}

/// The seed of one piece of work, which follows from the build's and from what it is about, in whatever order work is done.
pub fn seed_of(seed: u64, about: &[&str]) -> u64 {
    let digest = Digest::of(format!("{seed}\n{}", about.join("\n")).as_bytes());
    let first = digest.0.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

/// `later` without `earlier`.
pub fn spent(earlier: Ledger, later: Ledger) -> Ledger {
    Ledger {
        calls: later.calls - earlier.calls,
        retries: later.retries - earlier.retries,
        failures: later.failures - earlier.failures,
        tokens_in: later.tokens_in - earlier.tokens_in,
        tokens_out: later.tokens_out - earlier.tokens_out,
    }
}

/// `one` and `other` together.
pub fn sum(one: Ledger, other: Ledger) -> Ledger {
    Ledger {
        calls: one.calls + other.calls,
        retries: one.retries + other.retries,
        failures: one.failures + other.failures,
        tokens_in: one.tokens_in + other.tokens_in,
        tokens_out: one.tokens_out + other.tokens_out,
    }
}
