//! The generator that stands on a decoder: template, tokens, greedy steps, text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Weak;
use std::time::Instant;

use super::adapter::Adapter;
use super::chat::ChatTemplate;
use super::decoder::{Decoder, Logits, SharedSession, argmax};
use super::folder::{Kind, Manifest};
use super::generation::Work;
use super::lookup::Continuation;
use super::measure::log_probability;
use super::runtime::Runtime;
use super::vocabulary::{Detokenizer, Vocabulary};
use super::{Finish, GenerateRequest, Generated, Generator, Message, ModelError};

/// Prompt tokens read at a time: `on_text` is asked between, so that a long prompt can be given up.
const CHUNK: usize = 256;

/// The open weights of a generator; does not keep them open.
#[derive(Clone, Default)]
pub struct Weights(Weak<super::in_turn::InTurn<ort::session::Session>>);

/// A model that writes text.
pub struct TextGenerator {
    name: String,
    manifest: Manifest,
    decoder: Decoder,
    vocabulary: Vocabulary,
    template: ChatTemplate,
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
        TextGenerator::open_beside(&Weights::default(), runtime, folder, context)
    }

    /// As [`TextGenerator::open`], with `weights`, which must be of the same files, where a generator still
    /// has them open: both then read them in turn, a step at a time. It has adapters of its own.
    ///
    /// # Errors
    /// As [`TextGenerator::open`].
    pub fn open_beside(
        weights: &Weights,
        runtime: &Runtime,
        folder: &Path,
        context: usize,
    ) -> Result<Self, ModelError> {
        let manifest = Manifest::open_kind(folder, Kind::Decoder)?;
        let context = manifest.context_tokens.min(context);
        Ok(TextGenerator {
            name: manifest.short_name(),
            decoder: match weights.0.upgrade() {
                Some(session) => Decoder::on(session, folder, context)?,
                None => Decoder::open(runtime, folder, context)?,
            },
            vocabulary: Vocabulary::open(folder)?,
            template: ChatTemplate::open(folder)?,
            adapters: BTreeMap::new(),
            guesses: Self::GUESSES,
            manifest,
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
        let adapter = Adapter::open(path, &self.manifest, self.decoder.ports())?;
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
        &self.vocabulary
    }

    fn prompt(&self, messages: &[Message]) -> Result<Vec<i64>, ModelError> {
        // The template writes the special tokens out, so none are added.
        self.vocabulary
            .encode(&self.template.render(messages)?, false)
    }
}

impl Generator for TextGenerator {
    fn name(&self) -> &str {
        &self.name
    }

    fn context_tokens(&self) -> usize {
        self.decoder.capacity()
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(self.prompt(messages)?.len())
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
        let prompt = self.prompt(&request.messages)?;
        if prompt.is_empty() || prompt.len() >= self.decoder.capacity() {
            return Err(ModelError::PromptTooLong {
                tokens: prompt.len(),
                limit: self.decoder.capacity().saturating_sub(1),
            });
        }
        let adapter = find_adapter(&self.adapters, request.adapter.as_deref())?;
        // The same rules stand before every question: what the last prompt began with, too, is read already.
        let reused = self.decoder.keep(&prompt, adapter);
        let mut generated = Generated {
            text: String::new(),
            prompt_tokens: prompt.len(),
            tokens: 0,
            first_token: begun.elapsed(),
            finish: Finish::Length,
            declined: None,
            work: Work {
                reused,
                ..Work::default()
            },
        };
        let mut logits = Vec::new();
        for chunk in prompt[reused..].chunks(CHUNK) {
            if on_text("").is_break() {
                generated.finish = Finish::Stopped;
                return Ok(generated);
            }
            logits = self.decoder.step(chunk, Logits::Last, adapter)?;
        }
        let mut banned = Vec::new();
        if let Some(decline) = &request.decline {
            banned = self.vocabulary.encode(&decline.text, false)?;
            let probability = probability(&mut self.decoder, &logits, &banned, adapter)?;
            self.decoder.truncate(prompt.len());
            generated.declined = Some(probability);
            if probability >= decline.from {
                generated.first_token = begun.elapsed();
                generated.finish = Finish::Declined;
                return Ok(generated);
            }
        }
        let most = request
            .max_tokens
            .min(self.decoder.capacity() - prompt.len());
        let apart = self.decoder.keeps_rows_apart(adapter);
        let guesses = if apart { self.guesses } else { 0 };
        let mut writer = Writer {
            text: Continuation::new(&mut self.decoder, adapter, prompt, logits, guesses),
            vocabulary: &self.vocabulary,
            end_tokens: &self.manifest.end_tokens,
            banned: &banned,
            most,
            begun,
        };
        let written = writer.write(&mut generated, on_text);
        generated.work = Work {
            reused,
            ..writer.text.work
        };
        written.map(|()| generated)
    }
}

/// Writes a text token by token, as long as it may.
struct Writer<'a> {
    text: Continuation<'a>,
    vocabulary: &'a Vocabulary,
    end_tokens: &'a [u32],
    /// What the text must not begin with.
    banned: &'a [i64],
    most: usize,
    begun: Instant,
}

impl Writer<'_> {
    fn write(
        &mut self,
        generated: &mut Generated,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        let mut begins_banned = true;
        let mut detokenizer = Detokenizer::default();
        while generated.tokens < self.most {
            let banned = self.banned.get(generated.tokens);
            let logits = self.text.logits();
            // Its first token alone ("The") begins answers, too; the second one tells.
            if begins_banned
                && generated.tokens == self.banned.len().min(2).saturating_sub(1)
                && let Some(token) = banned
            {
                logits[*token as usize] = f32::NEG_INFINITY;
            }
            let token = argmax(logits) as u32;
            begins_banned &= banned == Some(&i64::from(token));
            if generated.tokens == 0 {
                generated.first_token = self.begun.elapsed();
            }
            if self.end_tokens.contains(&token) {
                generated.finish = Finish::EndOfText;
                break;
            }
            generated.tokens += 1;
            let fresh = detokenizer.push(self.vocabulary, token)?;
            generated.text.push_str(&fresh);
            if on_text(&fresh).is_break() {
                generated.finish = Finish::Stopped;
                return Ok(());
            }
            if generated.tokens < self.most {
                self.text
                    .read(i64::from(token), self.most - generated.tokens)?;
            }
        }
        let rest = detokenizer.finish(self.vocabulary)?;
        if !rest.is_empty() {
            generated.text.push_str(&rest);
            let _ = on_text(&rest);
        }
        Ok(())
    }
}

/// Probability of `text` after what `decoder` has read, whose last logits are `logits`; leaves it read too.
fn probability(
    decoder: &mut Decoder,
    logits: &[f32],
    text: &[i64],
    adapter: Option<&Adapter>,
) -> Result<f32, ModelError> {
    let Some((first, rest)) = text.split_first() else {
        return Ok(0.0);
    };
    let mut sum = log_probability(logits, *first as usize);
    if !rest.is_empty() {
        let rows = decoder.step(&text[..rest.len()], Logits::All, adapter)?;
        let width = rows.len() / rest.len();
        for (row, next) in rows.chunks_exact(width).zip(rest) {
            sum += log_probability(row, *next as usize);
        }
    }
    Ok(sum.exp() as f32)
}

fn find_adapter<'a>(
    adapters: &'a BTreeMap<String, Adapter>,
    name: Option<&str>,
) -> Result<Option<&'a Adapter>, ModelError> {
    let Some(name) = name else {
        return Ok(None);
    };
    match adapters.get(name) {
        Some(adapter) => Ok(Some(adapter)),
        None => Err(ModelError::UnknownAdapter {
            name: name.to_owned(),
            known: if adapters.is_empty() {
                "none".to_owned()
            } else {
                adapters.keys().cloned().collect::<Vec<_>>().join(", ")
            },
        }),
    }
}
