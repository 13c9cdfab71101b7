//! From published weights to a model folder that ONNX Runtime loads.
//!
//! An import reads the publisher's files and writes one folder: `model.onnx` with its weights beside it
//! in `model.onnx.data`, `tokenizer.json`, for decoders `chat_template.jinja`, and `model.toml`, which
//! names every file with its digest. Nothing is fetched here and no Python runs.

pub mod adapter;
mod bert;
mod blocks;
mod gguf;
mod llama;
mod onnx;
mod several;
mod vocabulary;
mod weights;

use std::fs;
use std::path::Path;

use serde_json::Value;

pub use llama::Precision;
pub(super) use llama::quantise_rows;
pub(super) use several::for_several;
pub(super) use weights::transpose;

use self::bert::BertShape;
use self::gguf::GgufFile;
use self::llama::LlamaShape;
use self::onnx::GraphBuilder;
use self::weights::{GgufWeights, SafetensorsWeights, WeightSource};
use super::ModelError;
use super::folder::{CHAT_TEMPLATE_FILE, GRAPH_FILE, Kind, Manifest, TOKENIZER_FILE, WEIGHTS_FILE};
use crate::durable::{self, FileError};

/// Layers done, of how many.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Version of the graphs that are written: a model that was imported with another is worth importing anew.
pub const GRAPHS: u32 = 2;

/// Imports a decoder of the Llama family from a GGUF file or a `transformers` folder into `out`.
///
/// Blocking; takes seconds to minutes. `out` is complete when its `model.toml` is there, which is
/// written last.
///
/// # Errors
/// The source is of another kind or broken, or `out` cannot be written.
pub fn import_decoder(
    name: &str,
    source: &Path,
    out: &Path,
    precision: Precision,
    progress: Progress<'_>,
) -> Result<Manifest, ModelError> {
    begin(out)?;
    let details = if source.is_dir() {
        decoder_from_folder(source, out, precision, progress)?
    } else {
        decoder_from_gguf(source, out, precision, progress)?
    };
    let mut manifest = Manifest::new(Kind::Decoder, name, precision);
    manifest.context_tokens = details.context;
    manifest.end_tokens = details.end_tokens;
    manifest.seal(
        out,
        &[GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE, CHAT_TEMPLATE_FILE],
    )
}

/// Imports a BERT sentence embedder from a sentence-transformers folder into `out`; blocking.
///
/// # Errors
/// As [`import_decoder`].
pub fn import_embedder(
    name: &str,
    source: &Path,
    out: &Path,
    progress: Progress<'_>,
) -> Result<Manifest, ModelError> {
    begin(out)?;
    let shape: BertShape = read_json(&source.join("config.json"))?;
    if shape.model_type != "bert" || shape.hidden_act != "gelu" {
        return Err(ModelError::file(
            source.join("config.json"),
            format!(
                "an embedder of type {:?} with activation {:?}; bert with gelu is read",
                shape.model_type, shape.hidden_act
            ),
        ));
    }
    let weights_path = source.join("model.safetensors");
    let prefix = if SafetensorsWeights::open(&weights_path, "")?
        .weight("bert.embeddings.LayerNorm.weight")?
        .is_some()
    {
        "bert."
    } else {
        ""
    };
    let weights = SafetensorsWeights::open(&weights_path, prefix)?;
    write_graph(out, |graph| {
        let layers = shape.num_hidden_layers;
        bert::write_embedder(graph, &weights, &shape, &mut |done| progress(done, layers))
    })?;
    let tokenizer = source.join("tokenizer.json");
    let tokenizer = fs::read(&tokenizer).map_err(FileError::at("read", &tokenizer))?;
    durable::replace(&out.join(TOKENIZER_FILE), &tokenizer)?;
    let mut manifest = Manifest::new(Kind::Embedder, name, Precision::F32);
    // The length that the model was trained to embed, where its makers say so.
    let trained = read_json::<Value>(&source.join("sentence_bert_config.json"))
        .ok()
        .and_then(|config| config.get("max_seq_length")?.as_u64())
        .map_or(shape.max_position_embeddings, |tokens| tokens as usize);
    manifest.context_tokens = trained.min(shape.max_position_embeddings);
    manifest.seal(out, &[GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE])
}

struct DecoderDetails {
    context: usize,
    end_tokens: Vec<u32>,
}

fn decoder_from_gguf(
    source: &Path,
    out: &Path,
    precision: Precision,
    progress: Progress<'_>,
) -> Result<DecoderDetails, ModelError> {
    let file = GgufFile::open(source)?;
    let architecture = file.text("general.architecture")?.to_owned();
    if architecture != "llama" {
        return Err(ModelError::file(
            source,
            format!("the architecture is {architecture:?}; \"llama\" is read from GGUF"),
        ));
    }
    if file.value("llama.rope.scaling.type").is_some() || file.tensor("rope_freqs.weight").is_some()
    {
        return Err(ModelError::file(
            source,
            "it scales its rotary embedding, which is not read yet",
        ));
    }
    let heads = file.integer("llama.attention.head_count")?;
    let hidden = file.integer("llama.embedding_length")?;
    let tokens = file.texts("tokenizer.ggml.tokens")?.len();
    let shape = LlamaShape {
        layers: file.integer("llama.block_count")?,
        hidden,
        intermediate: file.integer("llama.feed_forward_length")?,
        heads,
        kv_heads: file
            .integer("llama.attention.head_count_kv")
            .unwrap_or(heads),
        head_dim: file
            .integer("llama.attention.key_length")
            .unwrap_or(hidden.checked_div(heads).unwrap_or(0)),
        vocabulary: tokens,
        context: file.integer("llama.context_length")?,
        rope_base: file.number("llama.rope.freq_base").unwrap_or(10_000.0) as f32,
        epsilon: file
            .number("llama.attention.layer_norm_rms_epsilon")
            .unwrap_or(1e-5) as f32,
    };
    check_shape(&shape, source)?;
    let weights = GgufWeights {
        file: &file,
        path: source,
        heads: shape.heads,
        kv_heads: shape.kv_heads,
    };
    write_graph(out, |graph| {
        llama::write_decoder(graph, &weights, &shape, precision, &mut |done| {
            progress(done, shape.layers);
        })
    })?;
    let tokenizer = vocabulary::tokenizer_json(&file, source)?;
    durable::replace(&out.join(TOKENIZER_FILE), tokenizer.to_string().as_bytes())?;
    let template = file.text("tokenizer.chat_template")?;
    durable::replace(&out.join(CHAT_TEMPLATE_FILE), template.as_bytes())?;
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

/// A decoder's `config.json`, as far as it is read.
#[derive(serde::Deserialize)]
struct LlamaConfig {
    model_type: String,
    num_hidden_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rope_theta: Option<f32>,
    rms_norm_eps: f32,
    rope_scaling: Option<Value>,
    eos_token_id: Option<Value>,
}

fn decoder_from_folder(
    source: &Path,
    out: &Path,
    precision: Precision,
    progress: Progress<'_>,
) -> Result<DecoderDetails, ModelError> {
    let config_path = source.join("config.json");
    let config: LlamaConfig = read_json(&config_path)?;
    if !["llama", "qwen2"].contains(&config.model_type.as_str()) || config.rope_scaling.is_some() {
        return Err(ModelError::file(
            &config_path,
            format!(
                "a decoder of type {:?}; llama and qwen2 without rope_scaling are read",
                config.model_type
            ),
        ));
    }
    let heads = config.num_attention_heads;
    let shape = LlamaShape {
        layers: config.num_hidden_layers,
        hidden: config.hidden_size,
        intermediate: config.intermediate_size,
        heads,
        kv_heads: config.num_key_value_heads.unwrap_or(heads),
        head_dim: config
            .head_dim
            .unwrap_or(config.hidden_size.checked_div(heads).unwrap_or(0)),
        vocabulary: config.vocab_size,
        context: config.max_position_embeddings,
        rope_base: config.rope_theta.unwrap_or(10_000.0),
        epsilon: config.rms_norm_eps,
    };
    check_shape(&shape, &config_path)?;
    let weights = SafetensorsWeights::open(&source.join("model.safetensors"), "")?;
    write_graph(out, |graph| {
        llama::write_decoder(graph, &weights, &shape, precision, &mut |done| {
            progress(done, shape.layers);
        })
    })?;
    let path = source.join("tokenizer.json");
    let tokenizer = fs::read(&path).map_err(FileError::at("read", &path))?;
    durable::replace(&out.join(TOKENIZER_FILE), &tokenizer)?;
    let path = source.join("tokenizer_config.json");
    let template = read_json::<Value>(&path)?;
    let template = template["chat_template"].as_str().ok_or_else(|| {
        ModelError::file(&path, "there is no chat_template; take an instruct model")
    })?;
    durable::replace(&out.join(CHAT_TEMPLATE_FILE), template.as_bytes())?;
    Ok(DecoderDetails {
        context: shape.context,
        end_tokens: end_tokens(config.eos_token_id.as_ref()),
    })
}

fn end_tokens(value: Option<&Value>) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Bounds that keep a hostile header from costing memory, and products from overflowing.
fn check_shape(shape: &LlamaShape, path: &Path) -> Result<(), ModelError> {
    let sizes = [
        (shape.layers, 256),
        (shape.hidden, 16_384),
        (shape.intermediate, 65_536),
        (shape.heads, 256),
        (shape.kv_heads, 256),
        (shape.head_dim, 512),
        (shape.vocabulary, 1 << 20),
        (shape.context, 1 << 20),
    ];
    let fits = sizes.iter().all(|(size, most)| (1..=*most).contains(size))
        && shape.heads.is_multiple_of(shape.kv_heads)
        && shape.head_dim.is_multiple_of(2);
    if fits {
        Ok(())
    } else {
        Err(ModelError::file(
            path,
            format!("these sizes make no decoder: {shape:?}"),
        ))
    }
}

fn begin(out: &Path) -> Result<(), ModelError> {
    durable::create_folder(out)?;
    Manifest::unseal(out)
}

fn write_graph(
    out: &Path,
    build: impl FnOnce(&mut GraphBuilder<'_>) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let mut encoded = Vec::new();
    let mut refused = None;
    let written = durable::replace_with(&out.join(WEIGHTS_FILE), |data| {
        let mut graph = GraphBuilder::new("almanac", data, WEIGHTS_FILE);
        if let Err(error) = build(&mut graph) {
            refused = Some(error);
            return Err(std::io::Error::other("the graph could not be built"));
        }
        encoded = graph.finish()?;
        Ok(())
    });
    // Why the graph could not be built says more than that its weights were not written.
    if let Some(error) = refused {
        return Err(error);
    }
    written?;
    durable::replace(&out.join(GRAPH_FILE), &encoded)?;
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let bytes = fs::read(path).map_err(FileError::at("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| ModelError::file(path, error.to_string()))
}
