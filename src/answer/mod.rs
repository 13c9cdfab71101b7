//! From a question to a cited answer or a refusal; synchronous, without tokio.
//!
//! [`Answerer::answer`] searches passages ([`Passages`]), judges how likely they answer
//! ([`Features`]), refuses or writes the prompt, lets the model draft, and lets each sentence go only
//! when it is grounded (`guard`). Where nothing grounded was drafted the best sentences of the best
//! passage are quoted (`quote`). Nothing here knows of MQTT, queues or files.

mod answerer;
mod draft;
mod error;
mod guard;
mod lexer;
mod limits;
mod manner;
mod media;
mod names;
mod outcome;
mod passages;
mod prompt;
mod quantity;
mod quote;
mod reader;
mod readings;
mod relevance;
mod scale;
mod sentences;
mod shelf;
mod units;
mod verdict;
mod wants;
mod words;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod quantity_tests;
#[cfg(test)]
mod readings_tests;
#[cfg(test)]
pub(crate) mod testing;

pub use answerer::{Answerer, AnswererParts, Brief, Judgement};
pub use error::AnswerError;
pub use outcome::{Outcome, Progress};
pub use passages::{Fallback, Hit, Hits, Passage, PassageQuery, Passages};
pub use prompt::NOT_SAID;
pub use relevance::Features;
