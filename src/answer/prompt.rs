//! The chat that the model gets: rules, passages, readings, question.

use time::OffsetDateTime;
use time::macros::format_description;

use super::passages::Hit;
use crate::model::{Generator, Message, ModelError, Role};
use crate::types::{Place, Question, Reading};

/// Short, since a small model forgets long rules; each clause stands for a failure seen.
const RULES: &str = "You are a farm adviser. Answer the question in one short sentence, only with \
what the text says. Copy numbers and units exactly.";

/// What a tuned model has learned to write where the text does not answer.
pub const NOT_SAID: &str = "The text does not say.";

/// Readings that enter a prompt at most; the newest are kept.
pub const MOST_READINGS: usize = 8;

/// What a prompt is made of.
#[derive(Clone, Copy, Debug)]
pub struct PromptParts<'a> {
    /// The question.
    pub question: &'a Question,
    /// Where it is asked for.
    pub place: &'a Place,
    /// Passages, best first.
    pub hits: &'a [Hit],
    /// Readings, as dated facts.
    pub readings: &'a [Reading],
    /// The sentences that seem to answer best: a small model finds them only when they stand last.
    pub key: &'a str,
}

/// A prompt that fits.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The chat.
    pub messages: Vec<Message>,
    /// How many of the passages are in it.
    pub passages: usize,
}

/// A reading as a sentence: `soil-temperature of probe-3 was 9.5 °C at 2026-11-22 08:00 UTC`.
pub fn fact(reading: &Reading) -> String {
    let of = match reading.device.as_str() {
        "" => String::new(),
        device => format!(" of {device}"),
    };
    let value = amount(reading);
    match moment(reading.at) {
        Some(at) => format!("{}{of} was {value} at {at}", reading.name),
        None => format!("{}{of} was {value}", reading.name),
    }
}

/// The value of a reading with its unit: `9.5 °C`, `46%`.
pub fn amount(reading: &Reading) -> String {
    match reading.unit.as_deref() {
        Some("%") => format!("{}%", reading.value),
        Some(unit) if !unit.is_empty() => format!("{} {unit}", reading.value),
        _ => reading.value.to_string(),
    }
}

fn moment(seconds: i64) -> Option<String> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()?
        .format(&format)
        .ok()
}

/// The chat of `parts`, at most `budget` tokens long: passages are dropped from the end, the
/// question never; one passage at least is kept.
///
/// # Errors
/// The template is broken, or the question with one passage is too long.
pub fn fitting(
    parts: &PromptParts<'_>,
    generator: &dyn Generator,
    budget: usize,
) -> Result<Prompt, ModelError> {
    let mut passages = parts.hits.len();
    loop {
        let messages = chat(parts, passages);
        let tokens = generator.prompt_tokens(&messages)?;
        if tokens <= budget {
            return Ok(Prompt { messages, passages });
        }
        if passages <= 1 {
            return Err(ModelError::PromptTooLong {
                tokens,
                limit: budget,
            });
        }
        passages -= 1;
    }
}

fn chat(parts: &PromptParts<'_>, passages: usize) -> Vec<Message> {
    let mut text = String::from("Text:\n");
    // Not numbered: a small model goes on counting instead of answering.
    for hit in parts.hits.iter().take(passages) {
        let passage = &hit.passage;
        text.push_str(&format!(
            "{} ({}): {}\n\n",
            passage.section(),
            passage.place,
            passage.text.trim()
        ));
    }
    if !parts.readings.is_empty() {
        text.push_str("Readings:\n");
        for reading in parts.readings {
            text.push_str(&format!("- {}\n", fact(reading)));
        }
        text.push('\n');
    }
    let question = parts.question;
    if !parts.place.is_general() {
        text.push_str(&format!("Place: {}\n", parts.place));
    }
    for (name, value) in [("Crop", &question.crop), ("Stage", &question.stage)] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push_str(&format!(
        "The sentence that answers: {}\nQuestion: {}",
        parts.key, question.text
    ));
    vec![
        Message::new(Role::System, RULES),
        Message::new(Role::User, text),
    ]
}
