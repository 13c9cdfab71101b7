//! The language model and the embedder; the only user of ONNX Runtime.
//!
//! What the other rooms see are the traits [`Embedder`], [`Generator`] and [`TokenCounter`]; what
//! stands behind them is an ONNX graph that [`import`] wrote from a published model. Nothing here
//! knows of documents, MQTT or editions.

mod adapter;
mod chat;
mod decoder;
mod error;
pub mod folder;
mod generation;
pub mod import;
mod in_turn;
mod joint;
mod kv_cache;
mod language;
mod lookup;
pub mod measure;
mod outlet;
mod ports;
pub mod recipe;
mod runtime;
mod sampling;
mod sentence_embedder;
mod sequence;
mod slots;
mod steps;
mod text_generator;
mod together;
mod vocabulary;

pub use adapter::adapter_base;
pub use decoder::Logits;
pub use error::ModelError;
pub use generation::{Decline, Finish, GenerateRequest, Generated, Message, Role, Work};

pub use runtime::Runtime;
pub use sampling::Sampling;
pub use sentence_embedder::SentenceEmbedder;
pub use slots::MOST_SLOTS;
pub use text_generator::{Purpose, TextGenerator, Weights};
pub use together::{Seat, Seats, Together};
pub use vocabulary::Vocabulary;

use std::ops::ControlFlow;

use ndarray::Array2;

/// Counts tokens as one model's tokenizer does.
pub trait TokenCounter: Send + Sync {
    /// Number of tokens of `text`, without special tokens.
    fn count(&self, text: &str) -> usize;
}

/// Turns texts into unit vectors whose scalar product is their similarity in meaning.
pub trait Embedder: TokenCounter {
    /// Length of a vector.
    fn dimension(&self) -> usize;

    /// Longest text that is read whole, in tokens; the rest of a longer one is ignored.
    fn max_tokens(&self) -> usize;

    /// Names the model: vectors of different digests must never be compared.
    fn digest(&self) -> crate::types::Digest;

    /// Embeds each text: shape `[texts.len(), dimension]`, every row of length 1; blocking.
    ///
    /// # Errors
    /// The runtime failed.
    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError>;
}

/// Writes text after a chat prompt.
pub trait Generator: Send {
    /// Name and start of digest, as shown in answers.
    fn name(&self) -> &str;

    /// Longest prompt and answer together, in tokens.
    fn context_tokens(&self) -> usize;

    /// Tokens of the whole prompt that `messages` make, template included.
    ///
    /// # Errors
    /// The template cannot be rendered.
    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError>;

    /// Names of the adapters that a request may ask for.
    fn adapters(&self) -> Vec<String>;

    /// Generates until the model ends, a limit is reached or `on_text` breaks; blocking.
    ///
    /// `on_text` gets whole characters as they come and, joined, exactly [`Generated::text`].
    ///
    /// # Errors
    /// The prompt is too long, the adapter is unknown, the request asks for what cannot be, or the runtime failed.
    fn generate(
        &mut self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError>;
}
