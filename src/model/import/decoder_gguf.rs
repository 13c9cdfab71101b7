//! A decoder's GGUF file: its sizes, weights, vocabulary and template.

use std::path::Path;

use super::gguf::{GgufFile, Value};
use super::llama::LlamaShape;
use super::rope::{self, Rope, Scaling};
use super::weights::{GgufWeights, is_of_ggml_decoder};
use super::{DecoderDetails, Target, check_shape, template, vocabulary, write_decoder};
use crate::durable;
use crate::model::ModelError;
use crate::model::folder::TOKENIZER_FILE;

/// Architectures that are read, with whether the rows of their queries and keys are reordered: what llama.cpp's
/// `convert_hf_to_gguf.py` does for `llama` alone.
const ARCHITECTURES: [(&str, bool); 2] = [("llama", true), ("qwen2", false)];

/// Imports the GGUF file `source`; blocking.
///
/// # Errors
/// It is of another kind or broken, or what comes of it cannot be written.
pub fn import(source: &Path, target: Target<'_>) -> Result<DecoderDetails, ModelError> {
    let file = GgufFile::open(source)?;
    let architecture = file.text("general.architecture")?.to_owned();
    let known = ARCHITECTURES.iter().find(|(name, _)| *name == architecture);
    let Some((_, reordered)) = known else {
        return Err(ModelError::file(
            source,
            format!(
                "the architecture is {architecture:?}; \"llama\" (SmolLM, too) and \"qwen2\" are read from GGUF"
            ),
        ));
    };
    let keys = Keys {
        file: &file,
        architecture: &architecture,
    };
    let shape = keys.shape(source)?;
    check_shape(&shape, source)?;
    let mut names = file.tensor_names();
    if let Some(name) = names.find(|name| !is_of_ggml_decoder(name, shape.layers)) {
        return Err(super::stranger(source, name));
    }
    let weights = GgufWeights {
        file: &file,
        path: source,
        reordered: reordered.then_some((shape.heads, shape.kv_heads)),
    };
    let out = target.out;
    let chat = chat_template(&file, source)?;
    let tokenizer = vocabulary::tokenizer_json(&file, source)?;
    write_decoder(&weights, &shape, target)?;
    durable::replace(&out.join(TOKENIZER_FILE), tokenizer.to_string().as_bytes())?;
    template::write(out, &chat)?;
    let end = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
    Ok(DecoderDetails {
        context: shape.context,
        end_tokens: end
            .into_iter()
            .filter_map(|key| file.integer(key).ok())
            .filter_map(|id| u32::try_from(id).ok())
            .collect(),
    })
}

/// The template with the tokens that it names.
fn chat_template(file: &GgufFile, source: &Path) -> Result<String, ModelError> {
    let text = file.text("tokenizer.chat_template")?;
    let tokens = file.texts("tokenizer.ggml.tokens")?;
    let token = |key: &str| {
        let id = file.integer(key).ok()?;
        tokens.get(id).map(|token| (*token).to_owned())
    };
    template::with_tokens(
        source,
        text,
        token("tokenizer.ggml.bos_token_id"),
        token("tokenizer.ggml.eos_token_id"),
    )
}

/// The metadata under the architecture's name.
struct Keys<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn size(&self, name: &str) -> Result<usize, ModelError> {
        self.file.integer(&self.key(name))
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.file.optional_integer(&self.key(name))
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.file.optional_number(&self.key(name))
    }

    fn shape(&self, source: &Path) -> Result<LlamaShape, ModelError> {
        let wrong = |reason: String| Err(ModelError::file(source, reason));
        let heads = self.size("attention.head_count")?;
        let hidden = self.size("embedding_length")?;
        let head_dim = self.optional_size("attention.key_length")?;
        let head_dim = head_dim.unwrap_or(hidden.checked_div(heads).unwrap_or(0));
        for (key, what) in [
            (
                "attention.value_length",
                "values of another width than keys",
            ),
            ("rope.dimension_count", "heads that are rotated in part"),
        ] {
            if self
                .optional_size(key)?
                .is_some_and(|size| size != head_dim)
            {
                return wrong(format!("it has {what}, which are not read"));
            }
        }
        if self
            .optional_size("expert_count")?
            .is_some_and(|count| count > 0)
        {
            return wrong("it is a mixture of experts; plain decoders are read".into());
        }
        Ok(LlamaShape {
            layers: self.size("block_count")?,
            hidden,
            intermediate: self.size("feed_forward_length")?,
            heads,
            kv_heads: self
                .optional_size("attention.head_count_kv")?
                .unwrap_or(heads),
            head_dim,
            vocabulary: self.file.texts("tokenizer.ggml.tokens")?.len(),
            context: self.size("context_length")?.min(super::MAX_CONTEXT),
            rope: Rope {
                base: self.number("rope.freq_base")?.unwrap_or(10_000.0),
                scaling: self.scaling(source)?,
            },
            epsilon: self
                .number("attention.layer_norm_rms_epsilon")?
                .unwrap_or(1e-5) as f32,
            tied: None,
        })
    }

    fn scaling(&self, source: &Path) -> Result<Scaling, ModelError> {
        let wrong = |reason: String| Err(ModelError::file(source, reason));
        let scaling = match self.file.value(&self.key("rope.scaling.type")) {
            None => Scaling::None,
            Some(Value::Text(kind)) if kind == "none" => Scaling::None,
            Some(Value::Text(kind)) if kind == "linear" => {
                match self.number("rope.scaling.factor")? {
                    Some(factor) => Scaling::Linear(factor),
                    None => return wrong("its rope.scaling.factor is missing".into()),
                }
            }
            Some(Value::Text(kind)) => return wrong(rope::unread(kind)),
            Some(_) => return wrong("its rope.scaling.type is no text".into()),
        };
        // How llama.cpp keeps the stretching of Llama 3.
        if self.file.tensor("rope_freqs.weight").is_none() {
            return Ok(scaling);
        }
        match scaling {
            Scaling::None => Ok(Scaling::Factors(self.file.read_f32("rope_freqs.weight")?)),
            _ => wrong("it scales its rotary embedding twice, which is not read".into()),
        }
    }
}
