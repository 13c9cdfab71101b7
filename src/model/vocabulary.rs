//! A model's tokenizer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::Tokenizer;

use super::folder::TOKENIZER_FILE;
use super::{ModelError, TokenCounter};

/// Text to tokens and back.
#[derive(Clone)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
}

impl Vocabulary {
    /// Reads the tokenizer of the model in `folder`; blocking.
    ///
    /// # Errors
    /// The file is missing or broken.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(TOKENIZER_FILE);
        // Foreign code over a file that may be damaged: some faults make it panic, and its panics end here.
        let read = catch_unwind(AssertUnwindSafe(|| Tokenizer::from_file(&path)));
        let read = read.unwrap_or_else(|_| Err("the reader of vocabularies gave up".into()));
        let mut tokenizer = read.map_err(|error| {
            ModelError::file(
                &path,
                format!("no usable vocabulary: {error}; import the model again"),
            )
        })?;
        // Published files carry the padding of their makers' benchmarks.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| ModelError::file(&path, error.to_string()))?;
        Ok(Vocabulary { tokenizer })
    }

    /// Tokens of `text`; with `special`, those that the model wants around it are added.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<i64>, ModelError> {
        let encoding = self.tokenizer.encode_fast(text, special).map_err(failed)?;
        Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
    }

    /// The text of `tokens`, without special ones; incomplete characters at the end become U+FFFD.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.tokenizer.decode(tokens, true).map_err(failed)
    }

    /// The id of a token written out, for example `<|im_end|>`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }
}

impl TokenCounter for Vocabulary {
    fn count(&self, text: &str) -> usize {
        // Byte-level and word-piece models can encode any text; a failure would count as nothing.
        self.tokenizer
            .encode_fast(text, false)
            .map_or(0, |encoding| encoding.len())
    }
}

#[cfg(test)]
impl Vocabulary {
    /// One token a word, numbered from zero.
    pub fn of_words(words: &[&str]) -> Self {
        let ids = words
            .iter()
            .enumerate()
            .map(|(id, word)| ((*word).to_owned(), id.into()));
        let file = serde_json::json!({"version": "1.0", "added_tokens": [],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "unk_token": words[0],
                "vocab": ids.collect::<serde_json::Map<_, _>>()}});
        let tokenizer = Tokenizer::from_bytes(file.to_string()).expect("a tokenizer");
        Vocabulary { tokenizer }
    }
}

fn failed(error: tokenizers::Error) -> ModelError {
    ModelError::Run(format!("the tokenizer failed: {error}"))
}

/// Gives out text as whole characters, as tokens come.
///
/// A character may span tokens; until its last byte has come, the decoded text ends in U+FFFD.
#[derive(Default)]
pub struct Detokenizer {
    tokens: Vec<u32>,
    given: usize,
}

impl Detokenizer {
    /// Adds `token` and returns the text that is certain now.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn push(&mut self, vocabulary: &Vocabulary, token: u32) -> Result<String, ModelError> {
        self.tokens.push(token);
        let text = vocabulary.decode(&self.tokens)?;
        if text.ends_with('\u{fffd}') {
            return Ok(String::new());
        }
        self.give(text)
    }

    /// The rest, when no more tokens come.
    ///
    /// # Errors
    /// The tokenizer failed.
    pub fn finish(&mut self, vocabulary: &Vocabulary) -> Result<String, ModelError> {
        let text = vocabulary.decode(&self.tokens)?;
        self.give(text)
    }

    fn give(&mut self, text: String) -> Result<String, ModelError> {
        // Answers are short (a few hundred tokens), so decoding them anew each time costs less than
        // one step of the model; byte-level decoding never changes what was complete before.
        let fresh = text.get(self.given..).unwrap_or_default().to_owned();
        self.given = text.len().max(self.given);
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vocabulary_that_its_reader_panics_on_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for text in [
            "",
            "{}",
            r#"{"version": "1.0", "decoder": {"type": "WordPiece",, }}"#,
            r#"{"version": "1.0", "decoder": {"type": "WordPiece", "cleanup": te,ur}, "model": {}}"#,
        ] {
            std::fs::write(folder.path().join(TOKENIZER_FILE), text).expect("writable");
            let error = Vocabulary::open(folder.path())
                .err()
                .expect("no vocabulary");
            assert!(
                error.to_string().contains("import the model again"),
                "{error}"
            );
        }
    }
}
