//! Named weights as `f32`, whatever file they come from.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

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
            [rows, columns] => Ok((rows, columns)),
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

/// Weights of a GGUF file of the `llama` architecture.
pub struct GgufWeights<'a> {
    /// The open file.
    pub file: &'a GgufFile,
    /// Its path, for messages.
    pub path: &'a Path,
    /// Attention heads; needed to undo llama.cpp's reordering of Q and K.
    pub heads: usize,
    /// Heads of K and V.
    pub kv_heads: usize,
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
        let heads = match name {
            _ if name.contains("self_attn.q_proj") => Some(self.heads),
            _ if name.contains("self_attn.k_proj") => Some(self.kv_heads),
            _ => None,
        };
        if let Some(heads) = heads {
            values = split_halves(&values, shape[0], heads);
        }
        Ok(Some(Weight { shape, values }))
    }

    fn path(&self) -> &Path {
        self.path
    }
}

/// llama.cpp stores the rows of Q and K so that rotated pairs are neighbours; `transformers`, and with it
/// every adapter, has the first halves of all pairs before the second halves. Undo it, head by head.
fn split_halves(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
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
    let module = match module {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{module}.{kind}"))
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

    fn path(&self) -> &Path {
        &self.path
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
mod tests {
    use super::*;

    #[test]
    fn transposing_swaps_rows_and_columns() {
        assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], 2, 3), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn rotated_pairs_become_halves() {
        // One head of four rows, one column: pairs (0, 1) and (2, 3).
        assert_eq!(
            split_halves(&[0.0, 1.0, 2.0, 3.0], 4, 1),
            [0.0, 2.0, 1.0, 3.0]
        );
    }

    #[test]
    fn names_of_transformers_map_to_ggml_names() {
        let name = "model.layers.7.self_attn.o_proj.weight";
        assert_eq!(gguf_name(name).as_deref(), Some("blk.7.attn_output.weight"));
        assert_eq!(gguf_name("model.layers.7.other.weight"), None);
    }
}
