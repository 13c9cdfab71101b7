//! What a decoder's folder says beside the graph: its name, its tokens and how a chat becomes a prompt.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::adapter::Adapter;
use super::chat::ChatTemplate;
use super::folder::{Kind, Manifest};
use super::sequence::{Pen, Sequence};
use super::vocabulary::Vocabulary;
use super::{GenerateRequest, Message, ModelError};

/// A decoder without its graph.
pub struct Language {
    /// Name and start of digest.
    pub name: String,
    /// What seals the folder.
    pub manifest: Manifest,
    /// The tokenizer.
    pub vocabulary: Vocabulary,
    template: ChatTemplate,
}

impl Language {
    /// Reads the decoder's folder; blocking.
    ///
    /// # Errors
    /// It holds no finished decoder.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let manifest = Manifest::open_kind(folder, Kind::Decoder)?;
        Ok(Language {
            name: manifest.short_name(),
            vocabulary: Vocabulary::open(folder)?,
            template: ChatTemplate::open(folder)?,
            manifest,
        })
    }

    /// Tokens of the prompt that `messages` make.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<i64>, ModelError> {
        // The template writes the special tokens out, so none are added.
        self.vocabulary
            .encode(&self.template.render(messages)?, false)
    }

    /// A generation of `request` in a cache of `capacity` positions; `begun` is when the request came.
    ///
    /// # Errors
    /// The prompt cannot be made, or is too long, or the request asks for what cannot be.
    pub fn begin(
        &self,
        request: &GenerateRequest,
        capacity: usize,
        begun: Instant,
    ) -> Result<Sequence, ModelError> {
        let prompt = self.prompt(&request.messages)?;
        Sequence::new(request, prompt, capacity, &self.vocabulary, begun)
    }

    /// What the text is made with.
    pub fn pen(&self) -> Pen<'_> {
        Pen {
            vocabulary: &self.vocabulary,
            end_tokens: &self.manifest.end_tokens,
        }
    }
}

/// The adapter of this name, where one is asked for.
///
/// # Errors
/// There is none of this name.
pub fn find_adapter<'a>(
    adapters: &'a BTreeMap<String, Adapter>,
    name: Option<&str>,
) -> Result<Option<&'a Adapter>, ModelError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let found = adapters.get(name).map(Some);
    found.ok_or_else(|| unknown_adapter(name, adapters.keys()))
}

/// The error of asking for an adapter that is not among `known`.
pub fn unknown_adapter<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> ModelError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    ModelError::UnknownAdapter {
        name: name.to_owned(),
        known: match known[..] {
            [] => "none".to_owned(),
            _ => known.join(", "),
        },
    }
}
