//! A decoder's `transformers` folder: `config.json`, safetensors, `tokenizer.json`, the chat template.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::llama::LlamaShape;
use super::rope::{Rope, RopeJson, Scaling};
use super::weights::FolderWeights;
use super::{
    DecoderDetails, Target, check_shape, read_bounded, read_json, template, write_decoder,
};
use crate::durable::{self, FileError};
use crate::model::ModelError;
use crate::model::folder::{CHAT_TEMPLATE_FILE, TOKENIZER_FILE};

/// `config.json`, as far as it is read.
#[derive(serde::Deserialize)]
struct Config {
    model_type: String,
    num_hidden_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rope_theta: Option<f64>,
    rms_norm_eps: f32,
    hidden_act: Option<String>,
    /// How files before transformers 5 say how the rotary embedding is scaled.
    rope_scaling: Option<RopeJson>,
    /// How later ones say it, with the base.
    rope_parameters: Option<RopeJson>,
    tie_word_embeddings: Option<bool>,
    #[serde(default)]
    use_sliding_window: bool,
    sliding_window: Option<usize>,
    quantization_config: Option<Value>,
    eos_token_id: Option<Value>,
}

/// Imports the folder `source`; blocking.
///
/// # Errors
/// It is of another kind or broken, or what comes of it cannot be written.
pub fn import(source: &Path, target: Target<'_>) -> Result<DecoderDetails, ModelError> {
    if let Some(reason) = onnx_export(source) {
        return Err(ModelError::file(source, reason));
    }
    let path = source.join("config.json");
    let config: Config = read_json(&path)?;
    let shape = config
        .shape()
        .map_err(|reason| ModelError::file(&path, reason))?;
    check_shape(&shape, &path)?;
    let weights = FolderWeights::open(source)?;
    if let Some(name) = weights.stranger(shape.layers)? {
        return Err(super::stranger(source, &name));
    }
    let chat = chat_template(source)?;
    let tokenizer = source.join("tokenizer.json");
    let tokenizer = read_bounded(&tokenizer)?;
    let out = target.out;
    write_decoder(&weights, &shape, target)?;
    durable::replace(&out.join(TOKENIZER_FILE), &tokenizer)?;
    template::write(out, &chat)?;
    let mut end_tokens = end_tokens(config.eos_token_id.as_ref());
    // Often the only place that names the token at the end of a turn.
    let generation = read_json::<Value>(&source.join("generation_config.json")).unwrap_or_default();
    for id in self::end_tokens(generation.get("eos_token_id")) {
        if !end_tokens.contains(&id) {
            end_tokens.push(id);
        }
    }
    Ok(DecoderDetails {
        context: shape.context,
        end_tokens,
    })
}

impl Config {
    fn shape(&self) -> Result<LlamaShape, String> {
        if !["llama", "qwen2"].contains(&self.model_type.as_str()) {
            return Err(format!(
                "a decoder of type {:?}; llama (SmolLM, too) and qwen2 are read",
                self.model_type
            ));
        }
        if let Some(activation) = self.hidden_act.as_ref().filter(|it| *it != "silu") {
            return Err(format!("its activation is {activation:?}; silu is read"));
        }
        if let Some(quantised) = &self.quantization_config {
            let method = quantised.get("quant_method").and_then(Value::as_str);
            return Err(format!(
                "its weights are quantised ({}); take the plain ones, or a GGUF file",
                method.unwrap_or("by a method that it does not name")
            ));
        }
        let heads = self.num_attention_heads;
        let rope = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let base = rope.and_then(|rope| rope.rope_theta).or(self.rope_theta);
        // Within the window, attention is to all that came before.
        let window = self.sliding_window.filter(|_| self.use_sliding_window);
        let context = self
            .max_position_embeddings
            .min(window.unwrap_or(usize::MAX));
        Ok(LlamaShape {
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: self
                .head_dim
                .unwrap_or(self.hidden_size.checked_div(heads).unwrap_or(0)),
            vocabulary: self.vocab_size,
            context: context.min(super::MAX_CONTEXT),
            rope: Rope {
                base: base.unwrap_or(10_000.0),
                scaling: rope.map_or(Ok(Scaling::None), RopeJson::scaling)?,
            },
            epsilon: self.rms_norm_eps,
            tied: self.tie_word_embeddings,
        })
    }
}

fn end_tokens(value: Option<&Value>) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The template with the tokens that it names: from a file of its own, as newer folders have it, or from
/// `tokenizer_config.json`.
fn chat_template(source: &Path) -> Result<String, ModelError> {
    let path = source.join("tokenizer_config.json");
    let config = match path.is_file() {
        true => read_json::<Value>(&path)?,
        false => Value::Null,
    };
    let own = source.join(CHAT_TEMPLATE_FILE);
    let text = match fs::read_to_string(&own) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            named_template(&config["chat_template"]).ok_or_else(|| {
                ModelError::file(&path, "there is no chat_template; take an instruct model")
            })?
        }
        Err(error) => return Err(FileError::at("read", &own)(error).into()),
    };
    let token = |key: &str| {
        let token = &config[key];
        let text = token.as_str().or(token["content"].as_str());
        text.map(str::to_owned)
    };
    template::with_tokens(source, &text, token("bos_token"), token("eos_token"))
}

/// A template, or the one named `default` of several.
fn named_template(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let mut named = value.as_array()?.iter();
    let default = named.find(|it| it["name"].as_str() == Some("default"))?;
    default["template"].as_str().map(str::to_owned)
}

/// What to do with a folder that holds a graph made elsewhere, where it holds no weights.
fn onnx_export(source: &Path) -> Option<String> {
    let has = |name: &str| source.join(name).exists() || source.join("onnx").join(name).exists();
    let names = ["model.safetensors", "model.safetensors.index.json"];
    if names.iter().any(|name| source.join(name).exists()) {
        return None;
    }
    let what = if has("decoder_model_merged.onnx") {
        "a merged decoder of Optimum, two graphs in one,"
    } else if source.join("genai_config.json").exists() {
        "a folder of onnxruntime-genai"
    } else if has("model.onnx") || has("decoder_model.onnx") {
        "an ONNX export"
    } else {
        return None;
    };
    Some(format!(
        "{what} is not run as it comes: it has no inputs for adapters, and its cache cannot be written in place. \
         Import the model's safetensors folder or a GGUF file of it; the graph is then made here"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(more: &str) -> Result<LlamaShape, String> {
        let text = format!(
            "{{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 64, \"intermediate_size\": 64, \
             \"num_attention_heads\": 4, \"vocab_size\": 8, \"max_position_embeddings\": 131072, \
             \"rms_norm_eps\": 1e-5{more}}}"
        );
        let config: Config = serde_json::from_str(&text).expect("JSON");
        config.shape()
    }

    #[test]
    fn base_and_scaling_are_read_from_old_and_new_files() {
        let linear = Scaling::Linear(2.0);
        let old =
            ", \"rope_theta\": 500.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}";
        let new = ", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0, \"rope_theta\": 500.0}";
        for text in [old, new] {
            let rope = shape(text).expect("it is read").rope;
            assert_eq!((rope.base, &rope.scaling), (500.0, &linear), "{text}");
        }
        let plain = shape(", \"rope_scaling\": null").expect("it is read");
        assert_eq!(
            (plain.rope.base, plain.rope.scaling),
            (10_000.0, Scaling::None)
        );
        assert_eq!(
            (plain.context, plain.head_dim),
            (super::super::MAX_CONTEXT, 16)
        );
    }

    #[test]
    fn what_would_be_another_model_is_refused() {
        for (more, wanted) in [
            (", \"hidden_act\": \"gelu\"", "silu is read"),
            (
                ", \"quantization_config\": {\"quant_method\": \"awq\"}",
                "quantised (awq)",
            ),
            (
                ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}",
                "yarn",
            ),
        ] {
            let reason = shape(more).expect_err("it is not read");
            assert!(reason.contains(wanted), "{reason}");
        }
        let window = ", \"use_sliding_window\": true, \"sliding_window\": 4096";
        assert_eq!(shape(window).expect("it is read").context, 4096);
    }

    #[test]
    fn a_graph_made_elsewhere_is_told_from_weights() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let touch = |name: &str| fs::write(folder.path().join(name), "").expect("writable");
        assert_eq!(onnx_export(folder.path()), None);
        for (name, wanted) in [
            ("model.onnx", "an ONNX export"),
            ("genai_config.json", "onnxruntime-genai"),
            ("decoder_model_merged.onnx", "two graphs in one"),
        ] {
            touch(name);
            let reason = onnx_export(folder.path()).expect("no weights");
            assert!(
                reason.contains(wanted) && reason.contains("safetensors"),
                "{reason}"
            );
        }
        touch("model.safetensors");
        assert_eq!(onnx_export(folder.path()), None);
    }

    #[test]
    fn one_of_several_templates_is_the_default() {
        let several = serde_json::json!([{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]);
        assert_eq!(named_template(&several).as_deref(), Some("b"));
        assert_eq!(named_template(&Value::Null), None);
    }
}
