//! Turns the vocabulary in a GGUF file into a `tokenizer.json`.
//!
//! Only byte-level BPE (`tokenizer.ggml.model = "gpt2"`) is read: all models of the family that this
//! product imports use it. How text is cut before merging is named by `tokenizer.ggml.pre`.

use std::path::Path;

use serde_json::{Value, json};

use super::gguf::{self, GgufFile};
use crate::model::ModelError;

/// `tokenizer.ggml.token_type`: control tokens, which are never split and never shown.
const CONTROL: i128 = 3;
/// `tokenizer.ggml.token_type`: tokens that a user defined, never split but shown.
const USER_DEFINED: i128 = 4;

/// The tokenizer of `file` as the `tokenizers` crate reads it.
///
/// # Errors
/// Another kind of vocabulary, or one whose parts do not match.
pub fn tokenizer_json(file: &GgufFile, path: &Path) -> Result<Value, ModelError> {
    let wrong = |reason: String| ModelError::file(path, reason);
    let model = file.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(wrong(format!(
            "its vocabulary is of type {model:?}; \"gpt2\" (byte-level BPE) is read"
        )));
    }
    let tokens = file.texts("tokenizer.ggml.tokens")?;
    let merges = file.texts("tokenizer.ggml.merges")?;
    let types = match file.value("tokenizer.ggml.token_type") {
        Some(gguf::Value::Array(types)) if types.len() == tokens.len() => types,
        _ => {
            return Err(wrong(
                "tokenizer.ggml.token_type does not match the tokens".into(),
            ));
        }
    };
    let pre = file.text("tokenizer.ggml.pre")?;
    let pre_tokenizer = pre_tokenizer(pre).ok_or_else(|| {
        wrong(format!(
            "its text splitting {pre:?} is not known; smollm, qwen2, llama-bpe and gpt-2 are"
        ))
    })?;
    let added: Vec<Value> = types
        .iter()
        .enumerate()
        .filter_map(|(id, kind)| match kind {
            gguf::Value::Integer(CONTROL) => Some((id, true)),
            gguf::Value::Integer(USER_DEFINED) => Some((id, false)),
            _ => None,
        })
        .map(|(id, special)| {
            json!({
                "id": id, "content": tokens[id], "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": special,
            })
        })
        .collect();
    let vocabulary: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), json!(id)))
        .collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pre == "llama-bpe", "vocab": vocabulary, "merges": merges,
        },
    }))
}

/// How each family cuts text into words, as in the `tokenizer.json` that its makers publish.
fn pre_tokenizer(pre: &str) -> Option<Value> {
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let split = |pattern: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
            byte_level(false),
        ]})
    };
    Some(match pre {
        "smollm" => json!({"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            byte_level(true),
        ]}),
        "qwen2" => split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        "llama-bpe" => split(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        "gpt-2" => byte_level(true),
        _ => return None,
    })
}
