//! The answer as it goes out.

use serde::{Deserialize, Serialize};

use super::Reading;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is an answer with its sources.
    Answered,
    /// The library has no answer; `reason` says so.
    Refused,
    /// The queue is full; ask again after `wait_s`.
    Busy,
    /// The deadline passed before an answer was ready.
    Expired,
    /// The ask cannot be read; `reason` names the field.
    Invalid,
    /// The box failed; `reason` says what the operator should look at.
    Failed,
}

/// A passage that an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The document's own id.
    pub document: String,
    /// Its title.
    pub title: String,
    /// The heading over the passage.
    pub section: String,
    /// Page, from 1, where the format has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where the passage holds, for people: `Iowa, US`; with a note when it is a wider or other place than asked.
    pub place: String,
    /// The words of the passage that the answer rests on.
    pub quote: String,
    /// Relevance, 0 to 1.
    pub score: f32,
}

/// Where the time went, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From arrival until work began.
    pub queue: u64,
    /// Search.
    pub retrieve: u64,
    /// From the start of work to the first generated token; absent when nothing was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token: Option<u64>,
    /// From arrival to the outcome.
    pub total: u64,
}

/// The token ledger of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens.
    #[serde(rename = "in")]
    pub prompt: usize,
    /// Generated tokens.
    #[serde(rename = "out")]
    pub generated: usize,
}

/// The JSON answer of `docs/mqtt.md`: an outcome, or a streamed part of one (`final` is false).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The ask's id, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What became of the question.
    pub status: Status,
    /// Why it was not answered, or what the reader should know (a wider place, a quote instead of a draft).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answer's text: whole when `final`, else the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Whether `answer` is the source's own words, because no draft of the model's could be let go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quoted: bool,
    /// What the answer rests on, best first.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// Readings that entered the answer.
    #[serde(default)]
    pub readings: Vec<Reading>,
    /// The box that answered.
    #[serde(rename = "box")]
    pub box_name: String,
    /// Serial of the edition that answered.
    pub edition: u64,
    /// Decoder, by name and start of digest; absent when none ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Adapter in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Number of this part, from 0.
    pub seq: u32,
    /// Whether this is the last part, holding the whole outcome.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// With `busy`: seconds after which asking again may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u64>,
    /// Where the time went.
    #[serde(default)]
    pub timing_ms: Timing,
    /// The token ledger.
    #[serde(default)]
    pub tokens: Tokens,
}

impl Answer {
    /// A final outcome without an answer text.
    pub fn without_text(
        id: Option<String>,
        status: Status,
        reason: &str,
        box_name: &str,
        edition: u64,
    ) -> Self {
        Answer {
            id,
            status,
            reason: Some(reason.to_owned()),
            answer: None,
            quoted: false,
            citations: Vec::new(),
            readings: Vec::new(),
            box_name: box_name.to_owned(),
            edition,
            model: None,
            adapter: None,
            seq: 0,
            is_final: true,
            wait_s: None,
            timing_ms: Timing::default(),
            tokens: Tokens::default(),
        }
    }
}
