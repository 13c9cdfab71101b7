//! Named weights as `f32`, whatever file they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::blocks::BlockType;
use super::gguf::GgufFile;
use crate::durable::FileError;
use crate::model::ModelError;

/// A matrix or vector in row-major order, as `torch` stores it: `[out, in]` for a linear layer.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Sizes, slowest first.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Weight {
    /// Rows and columns.
    ///
    /// # Errors
    /// It is no matrix.
    pub fn matrix(&self, name: &str) -> Result<(usize, usize), String> {
        match self.shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns)),
            _ => Err(format!(
                "{name} has shape {:?}, a matrix is expected",
                self.shape
            )),
        }
    }
}

/// A source of weights under the names that Hugging Face's `transformers` gives them.
pub trait WeightSource {
    /// The weight `name`; `None` when the source has none. Blocking.
    ///
    /// # Errors
    /// The source is broken.
    fn weight(&self, name: &str) -> Result<Option<Weight>, ModelError>;

    /// Whether there is a weight `name`.
    ///
    /// # Errors
    /// The source is broken.
    fn has(&self, name: &str) -> Result<bool, ModelError>;

    /// Where the weights come from, for messages.
    fn path(&self) -> &Path;

    /// The weight `name`, which must exist and have `shape`.
    ///
    /// # Errors
    /// It does not, with both shapes named.
    fn expect(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let weight = self
            .weight(name)?
            .ok_or_else(|| ModelError::file(self.path(), format!("there is no weight {name:?}")))?;
        if weight.shape != shape {
            return Err(ModelError::file(
                self.path(),
                format!("{name} has shape {:?}, expected {shape:?}", weight.shape),
            ));
        }
        Ok(weight.values)
    }
}

/// Weights of a decoder's GGUF file.
pub struct GgufWeights<'a> {
    /// The open file.
    pub file: &'a GgufFile,
    /// Its path, for messages.
    pub path: &'a Path,
    /// Heads of queries and of keys, where their rows are reordered: files of the `llama` architecture are so.
    pub reordered: Option<(usize, usize)>,
}

impl WeightSource for GgufWeights<'_> {
    fn weight(&self, name: &str) -> Result<Option<Weight>, ModelError> {
        let Some(gguf_name) = gguf_name(name) else {
            return Ok(None);
        };
        let Some(info) = self.file.tensor(&gguf_name) else {
            return Ok(None);
        };
        let shape = info.shape.clone();
        let mut values = self.file.read_f32(&gguf_name)?;
        let heads = self.reordered.and_then(|(heads, kv_heads)| match name {
            _ if name.contains("self_attn.q_proj") => Some(heads),
            _ if name.contains("self_attn.k_proj") => Some(kv_heads),
            _ => None,
        });
        if let Some(heads) = heads {
            values = split_halves(&values, shape[0], heads);
        }
        Ok(Some(Weight { shape, values }))
    }

    fn has(&self, name: &str) -> Result<bool, ModelError> {
        Ok(gguf_name(name).is_some_and(|name| self.file.tensor(&name).is_some()))
    }

    fn path(&self) -> &Path {
        self.path
    }
}

/// llama.cpp stores the rows of Q and K so that rotated pairs are neighbours; `transformers`, and with it
/// every adapter, has the first halves of all pairs before the second halves. Undo it, head by head.
fn split_halves(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    // Not a head's rows: whoever asked for them will see that by their shape.
    if rows == 0 || !rows.is_multiple_of(2 * heads) {
        return values.to_vec();
    }
    let columns = values.len() / rows;
    let head_rows = rows / heads;
    let mut ordered = Vec::with_capacity(values.len());
    for head in 0..heads {
        for half in 0..2 {
            for pair in 0..head_rows / 2 {
                let row = head * head_rows + 2 * pair + half;
                ordered.extend_from_slice(&values[row * columns..(row + 1) * columns]);
            }
        }
    }
    ordered
}

fn gguf_name(name: &str) -> Option<String> {
    let fixed = match name {
        "model.embed_tokens.weight" => Some("token_embd.weight"),
        "model.norm.weight" => Some("output_norm.weight"),
        "lm_head.weight" => Some("output.weight"),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return Some(fixed.to_owned());
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = part.rsplit_once('.')?;
    let (_, module) = LAYER.iter().find(|(name, _)| *name == module)?;
    Some(format!("blk.{layer}.{module}.{kind}"))
}

/// What a layer is made of, with ggml's names.
const LAYER: [(&str, &str); 9] = [
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// Whether `name` is a weight that a decoder of so many layers has. Another one would be left out without a word,
/// and the model would be another.
pub fn is_of_decoder(name: &str, layers: usize) -> bool {
    let modules = LAYER.map(|(name, _)| name);
    match name {
        "model.embed_tokens.weight" | "model.norm.weight" | "lm_head.weight" => true,
        _ => is_of_layer(name, "model.layers.", &modules, layers),
    }
}

/// As [`is_of_decoder`], by ggml's name.
pub fn is_of_ggml_decoder(name: &str, layers: usize) -> bool {
    let modules = LAYER.map(|(_, name)| name);
    match name {
        "token_embd.weight" | "output_norm.weight" | "output.weight" | "rope_freqs.weight" => true,
        _ => is_of_layer(name, "blk.", &modules, layers),
    }
}

fn is_of_layer(name: &str, prefix: &str, modules: &[&str], layers: usize) -> bool {
    let rest = name
        .strip_prefix(prefix)
        .and_then(|rest| rest.split_once('.'));
    let Some((layer, part)) = rest else {
        return false;
    };
    let is_module = |(module, kind): (&str, &str)| {
        let biased = kind == "bias" && !module.ends_with("norm");
        modules.contains(&module) && (kind == "weight" || biased)
    };
    // Tables of cosines that old files keep; they follow from the configuration.
    let is_table = part == "self_attn.rotary_emb.inv_freq";
    layer.parse().is_ok_and(|layer: usize| layer < layers)
        && (is_table || part.rsplit_once('.').is_some_and(is_module))
}

/// Weights of one safetensors file.
pub struct SafetensorsWeights {
    path: PathBuf,
    map: Mmap,
    prefix: &'static str,
}

impl SafetensorsWeights {
    /// Opens the file and checks its header; `prefix` is put before every name asked for. Blocking.
    ///
    /// # Errors
    /// The file cannot be opened or is no safetensors file.
    pub fn open(path: &Path, prefix: &'static str) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(FileError::at("open", path))?;
        // SAFETY: as for GGUF: read-only, and nobody of ours writes the source of an import.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(FileError::at("map", path))?;
        let weights = SafetensorsWeights {
            path: path.to_owned(),
            map,
            prefix,
        };
        weights.tensors()?;
        Ok(weights)
    }

    /// Names and shapes of all tensors.
    ///
    /// # Errors
    /// The header is broken.
    pub fn shapes(&self) -> Result<BTreeMap<String, Vec<usize>>, ModelError> {
        Ok(self
            .tensors()?
            .iter()
            .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
            .collect())
    }

    fn tensors(&self) -> Result<SafeTensors<'_>, ModelError> {
        SafeTensors::deserialize(&self.map).map_err(|error| {
            ModelError::file(
                &self.path,
                format!("not a usable safetensors file: {error}"),
            )
        })
    }
}

impl WeightSource for SafetensorsWeights {
    fn weight(&self, name: &str) -> Result<Option<Weight>, ModelError> {
        let tensors = self.tensors()?;
        let Ok(view) = tensors.tensor(&format!("{}{name}", self.prefix)) else {
            return Ok(None);
        };
        let block_type = match view.dtype() {
            Dtype::F32 => BlockType::F32,
            Dtype::F16 => BlockType::F16,
            Dtype::BF16 => BlockType::Bf16,
            other => {
                return Err(ModelError::file(
                    &self.path,
                    format!("{name} is {other:?}; F32, F16 and BF16 are read"),
                ));
            }
        };
        Ok(Some(Weight {
            shape: view.shape().to_vec(),
            values: block_type.dequantise(view.data()),
        }))
    }

    fn has(&self, name: &str) -> Result<bool, ModelError> {
        let name = format!("{}{name}", self.prefix);
        Ok(self.tensors()?.tensor(&name).is_ok())
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Weights of a `transformers` folder: `model.safetensors`, or several files that an index names.
pub struct FolderWeights {
    folder: PathBuf,
    files: Vec<SafetensorsWeights>,
}

/// Most files of one model; the largest models have some 200.
const MAX_FILES: usize = 1024;

impl FolderWeights {
    /// Opens the files of `folder`; blocking.
    ///
    /// # Errors
    /// There are none, the index names what is no file of the folder, or a file is no safetensors file.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let index = folder.join("model.safetensors.index.json");
        let names = if index.is_file() {
            index_names(&index)?
        } else {
            ["model.safetensors".to_owned()].into()
        };
        let files = names.iter();
        let files = files.map(|name| SafetensorsWeights::open(&folder.join(name), ""));
        Ok(FolderWeights {
            files: files.collect::<Result<_, _>>()?,
            folder: folder.to_owned(),
        })
    }

    /// The first weight that a decoder of so many layers has not.
    ///
    /// # Errors
    /// A header is broken.
    pub fn stranger(&self, layers: usize) -> Result<Option<String>, ModelError> {
        for file in &self.files {
            let mut names = file.shapes()?.into_keys();
            if let Some(name) = names.find(|name| !is_of_decoder(name, layers)) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

fn index_names(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let read: Index = super::read_json(index)?;
    let names: BTreeSet<String> = read.weight_map.into_values().collect();
    let is_plain = |name: &String| {
        let mut parts = Path::new(name).components();
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    };
    if let Some(name) = names.iter().find(|name| !is_plain(name)) {
        let reason = format!("it names {name:?}, expected a file beside it");
        return Err(ModelError::file(index, reason));
    }
    if names.is_empty() || names.len() > MAX_FILES {
        let reason = format!("it names {} files, expected 1 to {MAX_FILES}", names.len());
        return Err(ModelError::file(index, reason));
    }
    Ok(names)
}

impl WeightSource for FolderWeights {
    fn weight(&self, name: &str) -> Result<Option<Weight>, ModelError> {
        for file in &self.files {
            if let Some(weight) = file.weight(name)? {
                return Ok(Some(weight));
            }
        }
        Ok(None)
    }

    fn has(&self, name: &str) -> Result<bool, ModelError> {
        for file in &self.files {
            if file.has(name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn path(&self) -> &Path {
        &self.folder
    }
}

/// The transpose of a row-major `[rows, columns]` matrix.
pub fn transpose<T: Copy + Default>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    /// Blocks of this edge keep both sides in the first-level cache.
    const EDGE: usize = 32;
    let mut transposed = vec![T::default(); values.len()];
    for row_block in (0..rows).step_by(EDGE) {
        for column_block in (0..columns).step_by(EDGE) {
            for row in row_block..rows.min(row_block + EDGE) {
                for column in column_block..columns.min(column_block + EDGE) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
