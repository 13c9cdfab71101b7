//! From published weights to a model folder that ONNX Runtime loads.
//!
//! An import reads the publisher's files and writes one folder: `model.onnx` with its weights beside it
//! in `model.onnx.data`, `tokenizer.json`, for decoders `chat_template.jinja`, and `model.toml`, which
//! names every file with its digest. Nothing is fetched here and no Python runs.

pub mod adapter;
mod bare;
mod bert;
mod blocks;
mod calibration;
mod decoder_folder;
mod decoder_gguf;
mod gguf;
mod linear;
mod llama;
mod onnx;
mod rope;
mod several;
mod template;
mod vocabulary;
mod weights;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

pub(super) use bare::without_adapters;
pub use calibration::Calibration;
pub(super) use linear::quantise_rows;
pub use llama::Precision;
pub(super) use several::for_several;
pub(super) use weights::transpose;

use self::bert::BertShape;
use self::calibration::Calibrated;
use self::llama::LlamaShape;
use self::onnx::GraphBuilder;
use self::weights::{SafetensorsWeights, WeightSource};
use super::ModelError;
use super::folder::{
    CALIBRATION_FILE, CHAT_TEMPLATE_FILE, GRAPH_FILE, Kind, Manifest, TOKENIZER_FILE, WEIGHTS_FILE,
};
use crate::durable::{self, FileError};

/// Layers done, of how many.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Version of the graphs that are written: a model that was imported with another is worth importing anew.
pub const GRAPHS: u32 = 2;

/// How a decoder is stored, and what makes it so.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'a> {
    /// Of weights and products.
    pub precision: Precision,
    /// What was measured of it, if anything: the 8-bit graph then loses less.
    pub calibration: Option<&'a Calibration>,
    /// Whether the cache keeps keys and values in 8 bits, a quarter of the memory; needs a calibration.
    pub small_cache: bool,
}

impl From<Precision> for Storage<'_> {
    fn from(precision: Precision) -> Self {
        Storage {
            precision,
            calibration: None,
            small_cache: false,
        }
    }
}

/// Imports a decoder of the Llama family from a GGUF file or a `transformers` folder into `out`.
///
/// Blocking; takes seconds to minutes. `out` is complete when its `model.toml` is there, which is
/// written last.
///
/// # Errors
/// The source is of another kind or broken, the scales are for another one, or `out` cannot be written.
pub fn import_decoder(
    name: &str,
    source: &Path,
    out: &Path,
    storage: Storage<'_>,
    progress: Progress<'_>,
) -> Result<Manifest, ModelError> {
    begin(out)?;
    let target = Target {
        out,
        storage,
        progress,
    };
    let details = if source.is_dir() {
        decoder_folder::import(source, target)?
    } else {
        decoder_gguf::import(source, target)?
    };
    let mut manifest = Manifest::new(Kind::Decoder, name, storage.precision);
    manifest.context_tokens = details.context;
    manifest.end_tokens = details.end_tokens;
    let mut files = vec![GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE, CHAT_TEMPLATE_FILE];
    // Adapters that come later have to be moved along.
    if let Some(calibration) = storage.calibration {
        durable::replace(&out.join(CALIBRATION_FILE), calibration.file())?;
        files.push(CALIBRATION_FILE);
    }
    manifest.seal(out, &files)
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
    shape
        .check()
        .map_err(|reason| ModelError::file(source.join("config.json"), reason))?;
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
    let tokenizer = read_bounded(&tokenizer)?;
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

/// Where a decoder is imported to, and how.
struct Target<'a> {
    out: &'a Path,
    storage: Storage<'a>,
    progress: Progress<'a>,
}

fn write_decoder(
    weights: &dyn WeightSource,
    shape: &LlamaShape,
    target: Target<'_>,
) -> Result<(), ModelError> {
    let (progress, storage) = (target.progress, target.storage);
    if storage.small_cache && storage.calibration.is_none() {
        return Err(ModelError::file(
            weights.path(),
            "keys and values can be kept in 8 bits only where they were measured; give the import the file that \
             training/calibrate.py writes",
        ));
    }
    let calibrated;
    let weights = match storage.calibration {
        Some(calibration) => {
            calibration
                .check(shape)
                .map_err(|reason| ModelError::file(weights.path(), reason))?;
            calibrated = Calibrated {
                source: weights,
                calibration,
            };
            &calibrated
        }
        None => weights,
    };
    write_graph(target.out, |graph| {
        llama::write_decoder(graph, weights, shape, storage, &mut |done| {
            progress(done, shape.layers);
        })
    })
}

/// The error for a weight that a decoder of the family has not.
fn stranger(path: &Path, name: &str) -> ModelError {
    ModelError::file(
        path,
        format!(
            "it has the weight {name:?}, which no plain decoder of the family has: it is of another architecture, \
             quantised, or an adapter is not merged; take the plain model"
        ),
    )
}

/// Longest context of a graph: the configuration takes no longer one, and its tables of cosines stay small.
const MAX_CONTEXT: usize = 32_768;

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
        (shape.context, MAX_CONTEXT),
    ];
    let fits = sizes.iter().all(|(size, most)| (1..=*most).contains(size))
        && shape.heads.is_multiple_of(shape.kv_heads)
        && shape.epsilon.is_finite()
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

/// Longest file that is read whole, bytes: vocabularies have up to some 20 MB.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

fn read_bounded(path: &Path) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(FileError::at("read", path))?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(ModelError::file(
            path,
            format!("it has more than {MAX_FILE_BYTES} bytes"),
        )),
        false => Ok(bytes),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let bytes = read_bounded(path)?;
    serde_json::from_slice(&bytes).map_err(|error| ModelError::file(path, error.to_string()))
}
