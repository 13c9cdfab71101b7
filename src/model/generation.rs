//! What goes into a generation and what comes out.

use super::Sampling;

/// Who speaks a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The rules of the conversation.
    System,
    /// The asker.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The role's name in chat templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Message {
            role,
            content: content.into(),
        }
    }
}

/// A prompt, its limits, and how tokens are chosen.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    /// The chat so far; rendered with the model's own template.
    pub messages: Vec<Message>,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// The adapter to use, by name; none: the base model.
    pub adapter: Option<String>,
    /// What the model may write instead of an answer.
    pub decline: Option<Decline>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The text ends before the first of these, none of them empty. What may be the beginning of one is held back until
    /// it is certain. Their tokens count.
    pub stop: Vec<String>,
    /// Most characters (Unicode scalar values) of the text; none: any number.
    pub max_chars: Option<usize>,
}

impl GenerateRequest {
    /// The likeliest text after `messages`, of at most `max_tokens` tokens, without an adapter or a refusal.
    pub fn new(messages: Vec<Message>, max_tokens: usize) -> Self {
        GenerateRequest {
            messages,
            max_tokens,
            adapter: None,
            decline: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            max_chars: None,
        }
    }
}

/// A sentence that says that there is no answer, for a model that was tuned to write it.
///
/// Its probability is measured on the model's own logits, however tokens are chosen. Greedy decoding would begin it whenever its first token is likelier than any other first token, however likely all
/// answers are together. So its probability is measured, and the caller says from where it counts; below that
/// the model must answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decline {
    /// The whole sentence, as it was learned.
    pub text: String,
    /// Its probability from which the generation ends with [`Finish::Declined`], 0 to 1.
    pub from: f32,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// The model said that it was done.
    EndOfText,
    /// `max_tokens`, `max_chars` or the context was reached.
    Length,
    /// One of [`GenerateRequest::stop`] came.
    StopString,
    /// `on_text` broke off.
    #[default]
    Stopped,
    /// The model would rather write [`Decline::text`]; there is no text.
    Declined,
}

/// A finished generation.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated, those of a stop string included.
    pub tokens: usize,
    /// From the call to the first token.
    pub first_token: std::time::Duration,
    /// Why it ended.
    pub finish: Finish,
    /// Probability of [`Decline::text`], where one was asked for.
    pub declined: Option<f32>,
    /// What it took.
    pub work: Work,
}

/// What a generation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Tokens of the prompt that the one before began with, too, and that were not read again.
    pub reused: usize,
    /// Steps of the model after the prompt.
    pub steps: usize,
    /// Tokens guessed in them.
    pub guessed: usize,
    /// Guesses that were right.
    pub right: usize,
}
