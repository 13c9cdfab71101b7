//! A teacher and its answers behind an OpenAI-compatible endpoint: prompts, and what is read of replies.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::Answers;
use super::error::DatasetError;
use super::material::Unit;
use super::mode::in_mode;
use super::teacher::{Draft, Job, Manner, Mode, QUESTIONS, Reply, Teacher, drawing, seed_of};
use crate::library::{Library, Query};
use crate::model::{Message, Role, Sampling};
use crate::study::{ChatEndpoint, ChatReply, ChatRequest, EndpointError, Ledger, ReplyFormat};
use crate::types::Question;

/// Most tokens of a reply, as in the paper.
const MOST_TOKENS: usize = 2_000;
/// Requests for one section until its reply can be read.
const CHANCES: u64 = 3;
/// Requests in a row that may fail before the endpoint is given up; each has its own attempts.
const MOST_FAILURES: usize = 10;
/// Longest question and answer that are taken over, in characters.
const MOST_CHARS: usize = 1_000;
/// Least temperature of a second chance, which must not end as the first did.
const SECOND_CHANCE: f64 = 0.7;

/// How the words of one request are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    temperature: f64,
    top_p: f64,
    seed: u64,
}

impl Chance {
    /// The chance of this number, from 0, of which the first draws nothing.
    pub fn plain(number: u64) -> Self {
        Chance::of(&Sampling::default(), &[], number)
    }

    /// The chance of this number, from 0, of a piece of work about `about`.
    fn of(sampling: &Sampling, about: &[&str], number: u64) -> Self {
        let first = match sampling.is_greedy() {
            true => 0,
            // Servers take seeds of 32 bits, some of them signed.
            false => seed_of(sampling.seed, about) >> 34,
        };
        Chance {
            temperature: match number {
                0 => sampling.temperature,
                _ => sampling.temperature.max(SECOND_CHANCE),
            },
            top_p: match sampling.is_greedy() {
                true => 1.0,
                false => sampling.top_p,
            },
            seed: first + number,
        }
    }
}

/// An endpoint that is asked for JSON in the strictest way that it knows.
pub struct Patient {
    endpoint: Box<dyn ChatEndpoint>,
    /// 0: a schema; 1: any JSON object; 2: text.
    loosened: u8,
    failures: usize,
}

impl Patient {
    /// Of an endpoint of which nothing is known yet.
    pub fn new(endpoint: Box<dyn ChatEndpoint>) -> Self {
        Patient {
            endpoint,
            loosened: 0,
            failures: 0,
        }
    }

    /// The model, by name.
    pub fn model(&self) -> &str {
        self.endpoint.model()
    }

    /// What was used so far.
    pub fn ledger(&self) -> Ledger {
        self.endpoint.ledger()
    }

    /// The reply, or why there is none this time. Servers that know no schema, or no JSON, are asked
    /// without; blocking.
    ///
    /// # Errors
    /// The endpoint refuses the key, the model or the address, or failed ten times in a row.
    pub fn ask(
        &mut self,
        messages: Vec<Message>,
        schema: &Value,
        chance: Chance,
    ) -> Result<Result<String, String>, DatasetError> {
        loop {
            let request = ChatRequest {
                messages: messages.clone(),
                max_tokens: MOST_TOKENS,
                temperature: chance.temperature,
                top_p: chance.top_p,
                seed: chance.seed,
                format: match self.loosened {
                    0 => ReplyFormat::Schema(schema.clone()),
                    1 => ReplyFormat::Json,
                    _ => ReplyFormat::Text,
                },
            };
            match self.endpoint.complete(&request) {
                Ok(ChatReply { text, .. }) => {
                    self.failures = 0;
                    return Ok(Ok(text));
                }
                Err(EndpointError::Refused {
                    status: 400 | 404 | 415 | 422 | 501,
                    ..
                }) if self.loosened < 2 => self.loosened += 1,
                Err(error @ (EndpointError::Refused { .. } | EndpointError::Address { .. })) => {
                    return Err(error.into());
                }
                Err(error) => {
                    self.failures += 1;
                    return match self.failures >= MOST_FAILURES {
                        true => Err(error.into()),
                        false => Ok(Err(error.to_string())),
                    };
                }
            }
        }
    }
}

/// Writes questions with a model behind an endpoint.
pub struct EndpointTeacher {
    endpoint: Patient,
    sampling: Sampling,
}

impl EndpointTeacher {
    /// Over `endpoint`, whose words are chosen by the temperature, top-p and seed of `sampling`; an endpoint is told
    /// nothing else.
    pub fn new(endpoint: Box<dyn ChatEndpoint>, sampling: Sampling) -> Self {
        EndpointTeacher {
            endpoint: Patient::new(endpoint),
            sampling,
        }
    }
}

impl Teacher for EndpointTeacher {
    fn name(&self) -> String {
        format!(
            "endpoint {}{}",
            self.endpoint.model(),
            drawing(&self.sampling)
        )
    }

    fn version(&self) -> u32 {
        1
    }

    fn is_costly(&self) -> bool {
        true
    }

    fn write(&mut self, job: &Job<'_>) -> Result<Reply, DatasetError> {
        let schema = schema(job.manner);
        let mut last = String::new();
        let section = job.unit.number.to_string();
        let about = [job.unit.source.id.as_str(), &section];
        for number in 0..CHANCES {
            let chance = Chance::of(&self.sampling, &about, number);
            match self.endpoint.ask(prompt(job), &schema, chance)? {
                Ok(text) => match drafts(&text, job) {
                    Some(drafts) => return Ok(Reply::Drafts(drafts)),
                    None => {
                        last = format!(
                            "no questions in it: {}",
                            text.chars().take(80).collect::<String>()
                        )
                    }
                },
                // The endpoint tried again by itself already.
                Err(reason) => return Ok(Reply::Unusable(reason)),
            }
        }
        Ok(Reply::Unusable(last))
    }

    fn ledger(&self) -> Ledger {
        self.endpoint.ledger()
    }
}

fn schema(manner: Manner) -> Value {
    let text = json!({"type": "string"});
    let (properties, required) = match manner {
        Manner::Combined => (
            json!({"question": text, "answer": text}),
            json!(["question", "answer"]),
        ),
        Manner::QuestionsOnly => (json!({"question": text}), json!(["question"])),
    };
    json!({
        "type": "object", "required": ["pairs"], "additionalProperties": false,
        "properties": {"pairs": {"type": "array", "maxItems": QUESTIONS.end(),
            "items": {"type": "object", "properties": properties, "required": required, "additionalProperties": false}}},
    })
}

/// The chat that asks for questions about a section.
fn prompt(job: &Job<'_>) -> Vec<Message> {
    let unit = job.unit;
    let (answers, shape) = match job.manner {
        Manner::Combined => (
            "Give each its answer in one or two short sentences, only with what the text says; copy numbers and units exactly.",
            r#"{"pairs": [{"question": "...", "answer": "..."}]}"#,
        ),
        Manner::QuestionsOnly => ("Do not answer them.", r#"{"pairs": [{"question": "..."}]}"#),
    };
    let text = format!(
        "Title: {}\nSection: {}\n{}Text:\n{}\n\nWrite {} different questions that this text answers, as a farmer or an adviser \
         would ask them who has not seen it. Name the crop, and the state and country, in each question where they are known. \
         Each question must be clear on its own: no \"the text\", \"this table\", \"it\". {answers} For example \
         {{\"question\": \"How deep should maize be sown in Iowa?\"{}}}. Reply with one JSON object: {shape}",
        unit.source.title,
        unit.headings.join(" - "),
        known(unit, job.mode),
        unit.text(),
        job.wanted,
        match job.manner {
            Manner::Combined => r#", "answer": "About 5 cm deep.""#,
            Manner::QuestionsOnly => "",
        },
    );
    vec![
        Message::new(
            Role::System,
            "You are an expert in agriculture. You write questions that test what a student knows.",
        ),
        Message::new(Role::User, text),
    ]
}

/// What the mode tells the teacher, as lines.
fn known(unit: &Unit, mode: Mode) -> String {
    match mode {
        Mode::None => String::new(),
        Mode::Context => format!("Place: {}\n", unit.source.place),
        // Plain data, whose keys are all strings, is always written.
        Mode::External => format!(
            "Known of it: {}\n",
            serde_json::to_string(&unit.tags).unwrap_or_default()
        ),
    }
}

/// The drafts in a reply: its outermost JSON object, whatever stands around it; `None` without any.
fn drafts(text: &str, job: &Job<'_>) -> Option<Vec<Draft>> {
    let object = text.get(text.find('{')?..=text.rfind('}')?)?;
    let value: Value = serde_json::from_str(object).ok()?;
    let list = value
        .get("pairs")
        .or_else(|| value.get("questions"))?
        .as_array()?;
    let field = |one: &Value, name: &str| {
        let text = one.get(name).and_then(Value::as_str).map(str::trim)?;
        (!text.is_empty() && text.len() <= MOST_CHARS).then(|| text.to_owned())
    };
    let drafts = list.iter().take(job.wanted).filter_map(|one| {
        let question = one
            .as_str()
            .map(str::to_owned)
            .or_else(|| field(one, "question"))?;
        let answer = match job.manner {
            Manner::Combined => Some(field(one, "answer")?),
            Manner::QuestionsOnly => None,
        };
        Some(Draft {
            question: in_mode(&question, job.unit, job.mode, false).unwrap_or(question),
            answer,
            support: None,
        })
    });
    let drafts: Vec<Draft> = drafts.collect();
    (!drafts.is_empty()).then_some(drafts)
}

/// Answers questions with a model behind an endpoint, from what a search finds.
pub struct EndpointAnswers {
    endpoint: Patient,
    library: Arc<Library>,
    top_k: usize,
}

impl EndpointAnswers {
    /// Over `endpoint`, from the first `top_k` passages of `library`.
    pub fn new(endpoint: Box<dyn ChatEndpoint>, library: Arc<Library>, top_k: usize) -> Self {
        EndpointAnswers {
            endpoint: Patient::new(endpoint),
            library,
            top_k,
        }
    }
}

impl Answers for EndpointAnswers {
    fn name(&self) -> String {
        format!(
            "endpoint {} over {} passages",
            self.endpoint.model(),
            self.top_k
        )
    }

    fn answer(&mut self, question: &Question) -> Result<Option<String>, DatasetError> {
        let found = self.library.search(&Query {
            text: question.text.clone(),
            place: question.place.clone(),
            crop: question.crop.clone(),
            top_k: self.top_k,
        })?;
        let passages: Vec<String> = found
            .hits
            .iter()
            .map(|hit| hit.passage.indexed_text())
            .collect();
        let text = format!(
            "{}\n\nQuestion: {}\nAnswer in one or two short sentences, only with what the texts say; copy numbers and units exactly. \
             If they do not answer it, the answer is an empty string. Reply with one JSON object: {{\"answer\": \"...\"}}",
            passages.join("\n\n"),
            question.text
        );
        let schema = json!({"type": "object", "required": ["answer"], "additionalProperties": false,
            "properties": {"answer": {"type": "string"}}});
        for number in 0..CHANCES {
            let messages = vec![
                Message::new(
                    Role::System,
                    "You are a farm adviser who answers from texts alone.",
                ),
                Message::new(Role::User, text.clone()),
            ];
            let Ok(reply) = self
                .endpoint
                .ask(messages, &schema, Chance::plain(number))?
            else {
                return Ok(None);
            };
            let object = reply
                .find('{')
                .and_then(|start| reply.get(start..=reply.rfind('}')?));
            let value: Option<Value> = object.and_then(|object| serde_json::from_str(object).ok());
            if let Some(answer) = value
                .as_ref()
                .and_then(|value| value.get("answer")?.as_str())
            {
                return Ok((answer.len() <= MOST_CHARS).then(|| answer.trim().to_owned()));
            }
        }
        Ok(None)
    }

    fn ledger(&self) -> Ledger {
        self.endpoint.ledger()
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
