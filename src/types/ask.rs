//! A question as it comes in, and as it is answered.

use serde::{Deserialize, Serialize};

use super::{Place, Reading, senml};

/// The JSON ask of `docs/mqtt.md`; only `question` is required, unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The asker's own key for this question: 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The question in plain words.
    pub question: String,
    /// Where it is asked for; the box's own place when open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The crop it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// Growth stage, for example `V6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// A device whose kept readings belong to the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// SenML records (RFC 8428) that belong to the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<serde_json::Value>,
    /// Longest answer, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u32>,
    /// Whether parts of the answer are wanted as they come.
    #[serde(default)]
    pub stream: bool,
    /// Seconds from arrival after which the answer is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<f64>,
    /// How many passages to answer from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u8>,
    /// An adapter by name; the configured one when open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
}

/// A question that passed validation; what the answer room works on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The question, trimmed, not empty, at most [`AskLimits::question_chars`] long.
    pub text: String,
    /// Where it is asked for; `None` takes the box's own place.
    pub place: Option<Place>,
    /// The crop it is about.
    pub crop: Option<String>,
    /// Growth stage.
    pub stage: Option<String>,
    /// A device whose kept readings belong to the question.
    pub device: Option<String>,
    /// Readings sent along.
    pub readings: Vec<Reading>,
    /// Longest answer, in characters.
    pub max_chars: Option<usize>,
    /// How many passages to answer from, 1 to 10.
    pub top_k: Option<usize>,
    /// An adapter by name.
    pub adapter: Option<String>,
}

/// What a payload may hold at most; each number stops a flood of its kind.
#[derive(Clone, Debug)]
pub struct AskLimits {
    /// Longest question, in characters.
    pub question_chars: usize,
    /// Most readings sent along.
    pub readings: usize,
}

impl Default for AskLimits {
    fn default() -> Self {
        AskLimits {
            question_chars: 2_000,
            readings: 64,
        }
    }
}

/// Why an ask is no question: the text is the `reason` that the asker sees.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAsk(pub String);

impl Ask {
    /// The JSON ask or, where the payload is no JSON object, the payload as a plain-text question.
    ///
    /// # Errors
    /// Not UTF-8; JSON that begins like an object but is broken, nested too deeply or wrongly typed.
    pub fn parse(payload: &[u8]) -> Result<Ask, InvalidAsk> {
        let text = std::str::from_utf8(payload).map_err(|error| {
            InvalidAsk(format!(
                "the payload is not UTF-8 (byte {}); send text or JSON in UTF-8",
                error.valid_up_to()
            ))
        })?;
        if text.trim_start().starts_with(['{', '[']) {
            // serde_json stops at 128 levels, so nesting cannot exhaust the stack.
            serde_json::from_str(text)
                .map_err(|error| InvalidAsk(format!("the JSON ask cannot be read: {error}")))
        } else {
            Ok(Ask {
                question: text.to_owned(),
                ..Ask::default()
            })
        }
    }

    /// Checks every field against `limits`; `now` dates readings without a time.
    ///
    /// # Errors
    /// The first field out of range, named, with its bound.
    pub fn validate(&self, limits: &AskLimits, now: i64) -> Result<Question, InvalidAsk> {
        let invalid = |text: String| Err(InvalidAsk(text));
        let question = self.question.trim();
        let length = question.chars().count();
        if length == 0 {
            return invalid("the question is empty".into());
        }
        if length > limits.question_chars {
            return invalid(format!(
                "the question has {length} characters, at most {} are read",
                limits.question_chars
            ));
        }
        if let Some(id) = &self.id
            && !(1..=128).contains(&id.chars().count())
        {
            return invalid("id must have 1 to 128 characters".into());
        }
        for (field, text) in [
            ("crop", &self.crop),
            ("stage", &self.stage),
            ("device", &self.device),
            ("adapter", &self.adapter),
        ] {
            if text.as_ref().is_some_and(|text| text.chars().count() > 64) {
                return invalid(format!("{field} must have at most 64 characters"));
            }
        }
        if self.readings.len() > limits.readings {
            return invalid(format!(
                "{} readings, at most {} are read",
                self.readings.len(),
                limits.readings
            ));
        }
        if let Some(seconds) = self.deadline_s
            && !(seconds.is_finite() && seconds > 0.0 && seconds <= 86_400.0)
        {
            return invalid("deadline_s must be above 0 and at most 86400".into());
        }
        if let Some(top_k) = self.top_k
            && !(1..=10).contains(&top_k)
        {
            return invalid("top_k must be 1 to 10".into());
        }
        if let Some(max_chars) = self.max_chars
            && !(40..=4_000).contains(&max_chars)
        {
            return invalid("max_chars must be 40 to 4000".into());
        }
        let readings = senml::resolve_json(&self.readings, self.device.as_deref(), now)
            .map_err(|error| InvalidAsk(format!("readings: {error}")))?;
        Ok(Question {
            text: question.to_owned(),
            place: self.place.clone(),
            crop: self.crop.clone(),
            stage: self.stage.clone(),
            device: self.device.clone(),
            readings,
            max_chars: self.max_chars.map(|chars| chars as usize),
            top_k: self.top_k.map(usize::from),
            adapter: self.adapter.clone(),
        })
    }
}
