//! An OpenAI-compatible chat endpoint: a seam for what a box cannot do itself, used offline only.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::Message;
use crate::types::Tokens;

/// Longest answer body that is read, bytes.
const MAX_BODY: u64 = 1 << 20;
/// Longest pause between two attempts, whatever the endpoint asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One request: a chat that is to be continued.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The chat so far.
    pub messages: Vec<Message>,
    /// Most tokens to write.
    pub max_tokens: usize,
    /// 0: always the likeliest word; 1: as the model is.
    pub temperature: f64,
    /// Only the fewest likeliest words whose probabilities sum to this; 1, which is not sent: all of them.
    pub top_p: f64,
    /// Tells repeats apart, where the endpoint knows seeds.
    pub seed: u64,
    /// What the reply must be made of.
    pub format: ReplyFormat,
}

/// What a reply is made of, as far as the endpoint can be held to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ReplyFormat {
    /// Any text.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// A JSON object of this schema.
    Schema(Value),
}

impl ReplyFormat {
    /// The `response_format` of a request; none for text, which every endpoint gives.
    fn field(&self) -> Option<Value> {
        match self {
            ReplyFormat::Text => None,
            ReplyFormat::Json => Some(json!({"type": "json_object"})),
            ReplyFormat::Schema(schema) => Some(json!({"type": "json_schema",
                "json_schema": {"name": "reply", "strict": true, "schema": schema}})),
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatReply {
    /// The text.
    pub text: String,
    /// As the endpoint counts them; 0 where it does not.
    pub tokens: Tokens,
}

/// Sums over all calls of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Requests sent, repeated attempts included.
    pub calls: u64,
    /// Of them attempts after a failed one.
    pub retries: u64,
    /// Requests given up.
    pub failures: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
}

/// Continues chats; one implementation a kind of endpoint.
pub trait ChatEndpoint {
    /// The model that answers, by name.
    fn model(&self) -> &str;

    /// The reply to `request`; blocking, with retries.
    ///
    /// # Errors
    /// The endpoint refuses, or fails until the attempts are used up.
    fn complete(&mut self, request: &ChatRequest) -> Result<ChatReply, EndpointError>;

    /// What was used so far.
    fn ledger(&self) -> Ledger;
}

/// An endpoint that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be used.
    #[error("{url}: {reason}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// It answered, and will not answer otherwise when asked again.
    #[error(
        "{url}: the endpoint refused with status {status}: {text}; look at key, model name and address"
    )]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// Beginning of what it said.
        text: String,
    },
    /// It failed each time.
    #[error("{url}: no answer after {attempts} attempts, lastly: {reason}; try again later")]
    Unavailable {
        /// Where.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        reason: String,
    },
}

/// How an endpoint is reached.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Up to and with `/v1`, or the whole address of `chat/completions`.
    pub url: String,
    /// The model, by the endpoint's name.
    pub model: String,
    /// Sent as a bearer token; never over plain HTTP to another machine.
    pub api_key: Option<String>,
    /// For one attempt, connecting and reading included.
    pub timeout: Duration,
    /// Most attempts a request, 1 at least.
    pub attempts: u32,
    /// Before the second attempt; doubled before each further one, 60 s at most.
    pub pause: Duration,
}

/// An endpoint over HTTP.
pub struct HttpEndpoint {
    agent: ureq::Agent,
    config: EndpointConfig,
    url: String,
    ledger: Ledger,
}

/// One failed attempt: whether another may help, after how long a pause if the endpoint said.
struct Failure {
    reason: String,
    pause: Option<Duration>,
}

impl HttpEndpoint {
    /// An endpoint of `config`; connects to nothing yet.
    ///
    /// # Errors
    /// The address is none of HTTP, or a key would go over the net in the clear.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        let wrong = |reason: &str| EndpointError::Address {
            url: config.url.clone(),
            reason: reason.to_owned(),
        };
        let base = config.url.trim_end_matches('/');
        let url = match base.ends_with("/chat/completions") {
            true => base.to_owned(),
            false => format!("{base}/chat/completions"),
        };
        let parsed: ureq::http::Uri = url
            .parse()
            .map_err(|_| wrong("this is no address; write for example http://127.0.0.1:8080/v1"))?;
        let host = parsed.host().unwrap_or_default();
        let here = matches!(host, "localhost" | "[::1]" | "::1") || host.starts_with("127.");
        match parsed.scheme_str() {
            Some("https") => {}
            Some("http") if here || config.api_key.is_none() => {}
            Some("http") => {
                return Err(wrong(
                    "the key would go over the net in the clear; use https",
                ));
            }
            _ => {
                return Err(wrong(
                    "http or https is expected; write for example http://127.0.0.1:8080/v1",
                ));
            }
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        Ok(HttpEndpoint {
            agent,
            url,
            ledger: Ledger::default(),
            config,
        })
    }

    /// One attempt: a reply, a failure that may pass, or an error that will not.
    fn attempt(&self, body: &Value) -> Result<Result<ChatReply, Failure>, EndpointError> {
        let passing = |reason: String| Failure {
            reason,
            pause: None,
        };
        let mut request = self.agent.post(&self.url);
        if let Some(key) = &self.config.api_key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = match request.send_json(body) {
            Ok(response) => response,
            Err(error) => return Ok(Err(passing(error.to_string()))),
        };
        let status = response.status().as_u16();
        let asked_pause = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_BODY)
            .read_to_string();
        let text = match text {
            Ok(text) => text,
            Err(error) => return Ok(Err(passing(format!("its answer cannot be read: {error}")))),
        };
        match status {
            200..=299 => Ok(reply(&text).ok_or_else(|| {
                passing(format!(
                    "its answer is no chat completion: {}",
                    beginning(&text)
                ))
            })),
            408 | 409 | 429 | 500..=599 => Ok(Err(Failure {
                reason: format!("status {status}: {}", beginning(&text)),
                pause: asked_pause,
            })),
            _ => Err(EndpointError::Refused {
                url: self.url.clone(),
                status,
                text: beginning(&text),
            }),
        }
    }
}

impl ChatEndpoint for HttpEndpoint {
    fn model(&self) -> &str {
        &self.config.model
    }

    fn complete(&mut self, request: &ChatRequest) -> Result<ChatReply, EndpointError> {
        let messages: Vec<Value> = request
            .messages
            .iter()
            .map(|message| json!({"role": message.role.as_str(), "content": message.content}))
            .collect();
        let mut body = json!({
            "model": self.config.model, "messages": messages, "max_tokens": request.max_tokens,
            "temperature": request.temperature, "seed": request.seed, "stream": false,
        });
        if request.top_p < 1.0 {
            body["top_p"] = request.top_p.into();
        }
        if let Some(format) = request.format.field() {
            body["response_format"] = format;
        }
        let attempts = self.config.attempts.max(1);
        let mut pause = self.config.pause;
        let mut last = String::new();
        for attempt in 1..=attempts {
            self.ledger.calls += 1;
            self.ledger.retries += u64::from(attempt > 1);
            let failure = match self.attempt(&body) {
                Ok(Ok(reply)) => {
                    self.ledger.tokens_in += reply.tokens.prompt as u64;
                    self.ledger.tokens_out += reply.tokens.generated as u64;
                    return Ok(reply);
                }
                Ok(Err(failure)) => failure,
                Err(refused) => {
                    self.ledger.failures += 1;
                    return Err(refused);
                }
            };
            last = failure.reason;
            if attempt < attempts {
                thread::sleep(failure.pause.unwrap_or(pause).min(LONGEST_PAUSE));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.ledger.failures += 1;
        Err(EndpointError::Unavailable {
            url: self.url.clone(),
            attempts,
            reason: last,
        })
    }

    fn ledger(&self) -> Ledger {
        self.ledger
    }
}

/// The text and tokens of a chat completion.
fn reply(body: &str) -> Option<ChatReply> {
    let body: Value = serde_json::from_str(body).ok()?;
    let text = body.pointer("/choices/0/message/content")?.as_str()?;
    let tokens = |name: &str| {
        let count = body
            .pointer(&format!("/usage/{name}"))
            .and_then(Value::as_u64);
        usize::try_from(count.unwrap_or_default()).unwrap_or_default()
    };
    Some(ChatReply {
        text: text.to_owned(),
        tokens: Tokens {
            prompt: tokens("prompt_tokens"),
            generated: tokens("completion_tokens"),
        },
    })
}

fn beginning(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
pub(crate) mod tests;
