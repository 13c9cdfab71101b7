//! The generator that stands on a decoder and writes one text at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Weak;
use std::time::Instant;

use super::adapter::Adapter;
use super::decoder::{Decoder, Logits, SharedSession};
use super::language::{Language, find_adapter};
use super::runtime::Runtime;
use super::vocabulary::Vocabulary;
use super::{GenerateRequest, Generated, Generator, Message, ModelError};

/// Prompt tokens read at a time: `on_text` is asked between, so that a long prompt can be given up.
pub(super) const CHUNK: usize = 256;

/// What a generator is opened for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// Longest context, tokens.
    pub context: usize,
    /// Whether adapters are to be loaded. The places where they go in cost a twentieth of a step also while they are empty.
    pub adapters: bool,
}

/// The open weights of a generator; does not keep them open.
#[derive(Clone, Default)]
pub struct Weights(pub(super) Weak<super::in_turn::InTurn<ort::session::Session>>);

/// A model that writes text.
pub struct TextGenerator {
    language: Language,
    decoder: Decoder,
    adapters: BTreeMap<String, Adapter>,
    guesses: usize,
}

impl TextGenerator {
    /// Tokens guessed in a step at most.
    pub const GUESSES: usize = 8;

    /// Opens the decoder in `folder` with a context of at most `context` tokens; blocking.
    ///
    /// # Errors
    /// The folder holds no finished decoder, or the runtime does not take it.
    pub fn open(runtime: &Runtime, folder: &Path, context: usize) -> Result<Self, ModelError> {
        let purpose = Purpose {
            context,
            adapters: true,
        };
        TextGenerator::open_beside(&Weights::default(), runtime, folder, purpose)
    }

    /// As [`TextGenerator::open`], with `weights`, which must be of the same files, where a generator still
    /// has them open and they serve the purpose: both then read them in turn, a step at a time. It has adapters of its own.
    ///
    /// # Errors
    /// As [`TextGenerator::open`].
    pub fn open_beside(
        weights: &Weights,
        runtime: &Runtime,
        folder: &Path,
        purpose: Purpose,
    ) -> Result<Self, ModelError> {
        let language = Language::open(folder)?;
        let context = language.manifest.context_tokens.min(purpose.context);
        let beside = weights.0.upgrade();
        let beside = beside.map(|session| Decoder::on(session, folder, context));
        let serves = |one: &Decoder| !purpose.adapters || one.ports().are_there();
        Ok(TextGenerator {
            decoder: match beside.transpose()?.filter(serves) {
                Some(decoder) => decoder,
                None if purpose.adapters => Decoder::open(runtime, folder, context)?,
                None => Decoder::open_bare(runtime, folder, context)?,
            },
            adapters: BTreeMap::new(),
            guesses: Self::GUESSES,
            language,
        })
    }

    /// The weights that it runs, for one beside it.
    pub fn weights(&self) -> Weights {
        Weights(SharedSession::downgrade(self.decoder.session()))
    }

    /// Loads the adapter file at `path`; requests may name it from now on. Blocking.
    ///
    /// # Errors
    /// It is no adapter of this decoder.
    pub fn load_adapter(&mut self, path: &Path) -> Result<String, ModelError> {
        let adapter = Adapter::open(path, &self.language.manifest, self.decoder.ports())?;
        let name = adapter.name.clone();
        // What was read with another of this name is worth nothing now.
        self.forget();
        self.adapters.insert(name.clone(), adapter);
        Ok(name)
    }

    /// Drops the adapter `name`; true when it was loaded.
    pub fn drop_adapter(&mut self, name: &str) -> bool {
        self.forget();
        self.adapters.remove(name).is_some()
    }

    /// Guesses at most `most` tokens a step from now on, none at zero; the text is the same with any number.
    pub fn set_guesses(&mut self, most: usize) {
        self.guesses = most;
    }

    /// Forgets the last prompt, so that the next one is read whole; the text is the same either way.
    pub fn forget(&mut self) {
        self.decoder.truncate(0);
    }

    /// Logits of the last position after `tokens`, from an empty cache: for measuring.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub fn logits(
        &mut self,
        tokens: &[i64],
        rows: Logits,
        adapter: Option<&str>,
    ) -> Result<Vec<f32>, ModelError> {
        let adapter = find_adapter(&self.adapters, adapter)?;
        self.decoder.truncate(0);
        self.decoder.step(tokens, rows, adapter)
    }

    /// Reads a prompt of `tokens` as a generation does, from an empty cache: for measuring.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub(super) fn read_prompt(
        &mut self,
        tokens: &[i64],
        adapter: Option<&str>,
    ) -> Result<(), ModelError> {
        let adapter = find_adapter(&self.adapters, adapter)?;
        self.decoder.truncate(0);
        for chunk in tokens.chunks(CHUNK) {
            self.decoder.step(chunk, Logits::Last, adapter)?;
        }
        Ok(())
    }

    /// Reads `tokens` in one step, as a generation does after it has chosen them, and gives the logits of each: for
    /// measuring.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub(super) fn read(
        &mut self,
        tokens: &[i64],
        adapter: Option<&str>,
    ) -> Result<Vec<f32>, ModelError> {
        let adapter = find_adapter(&self.adapters, adapter)?;
        self.decoder.step(tokens, Logits::All, adapter)
    }

    /// The tokenizer.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.language.vocabulary
    }
}

impl Generator for TextGenerator {
    fn name(&self) -> &str {
        &self.language.name
    }

    fn context_tokens(&self) -> usize {
        self.decoder.capacity()
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(self.language.prompt(messages)?.len())
    }

    fn adapters(&self) -> Vec<String> {
        self.adapters.keys().cloned().collect()
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        let begun = Instant::now();
        let capacity = self.decoder.capacity();
        let mut sequence = self.language.begin(request, capacity, begun)?;
        let adapter = find_adapter(&self.adapters, request.adapter.as_deref())?;
        // The same rules stand before every question: what the last prompt began with, too, is read already.
        sequence.reuse(self.decoder.keep(sequence.tokens(), adapter));
        let guesses = match self.decoder.keeps_rows_apart(adapter) {
            true => self.guesses,
            false => 0,
        };
        while !sequence.is_done() {
            if sequence.is_reading() && on_text("").is_break() {
                sequence.stop();
                break;
            }
            let wanted = sequence.next(CHUNK, guesses);
            self.decoder.truncate(wanted.length);
            let logits = self.decoder.step(&wanted.tokens, wanted.rows, adapter)?;
            sequence.take(&wanted, logits, self.language.pen(), on_text)?;
        }
        Ok(sequence.into_generated())
    }
}
