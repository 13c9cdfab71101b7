//! What was measured of a decoder's activations: scales that make them easy to round to 8 bits (SmoothQuant), and how
//! large keys and values become.
//!
//! A few channels of what a layer reads are far larger than the rest, and the 8 bits of a row reach up to its
//! largest value. `W x = (W diag(s)) (x / s)`: the weights, whose rows have scales of their own, take over a part of
//! that (Xiao et al., arXiv:2211.10438, equation 4: `s = max|x|^alpha / max|W|^(1 - alpha)` over some texts, which
//! `training/calibrate.py` measures). What writes x is divided by s once and for all: the norm before queries, keys and
//! values, and before gate and up-projection; the up-projection for the down-projection; the values for the
//! output projection, where heads that share values share scales. Nothing is left to do at run time.
//!
//! The scales are powers of two. So no digit of a weight changes, none of an adapter's within the range of half
//! precision, and a graph in single precision gives the same logits to the bit.
//!
//! A file is safetensors. For each layer it has exponents in int8, named after the module that reads: `<layer>.qkv` and
//! `<layer>.gate_up` `[hidden]`, `<layer>.o` `[kv_heads, head_dim]`, `<layer>.down` `[intermediate]`; and in single
//! precision the largest absolute value of each channel of rotated keys and of values before they are divided,
//! `<layer>.keys` and `<layer>.values` `[kv_heads, head_dim]`.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::blocks::BlockType;
use super::llama::LlamaShape;
use super::read_bounded;
use super::weights::{Weight, WeightSource};
use crate::model::ModelError;

/// Largest exponent, up or down: beyond it, half precision would lose an adapter's numbers.
const MAX_EXPONENT: i8 = 12;

/// Tensors of a layer.
const TENSORS: usize = 6;

/// How much larger than measured a key or value may become before its 8 bits are cut off.
const ROOM: f32 = 1.1;

/// What was measured of one decoder.
#[derive(Clone, Debug)]
pub struct Calibration {
    layers: Vec<Scales>,
    file: Vec<u8>,
}

/// By what each channel of what a module reads is divided, and how large what the cache keeps becomes.
#[derive(Clone, Debug, PartialEq)]
struct Scales {
    qkv: Vec<f32>,
    /// For the values of each key head; `head_dim` of them a head.
    o: Vec<f32>,
    head_dim: usize,
    gate_up: Vec<f32>,
    down: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// What one step of 8 bits stands for, for each channel of a layer's keys and of its values: `[kv_heads * head_dim]`.
#[derive(Debug, PartialEq)]
pub(super) struct CacheSteps {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
}

impl Calibration {
    /// Reads the file at `path`; blocking.
    ///
    /// # Errors
    /// As [`Calibration::parse`], or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Calibration::parse(read_bounded(path)?, path)
    }

    /// The calibration in `file`; `path` names it in errors.
    ///
    /// # Errors
    /// It is no calibration.
    pub fn parse(file: Vec<u8>, path: &Path) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::file(path, reason);
        let tensors = SafeTensors::deserialize(&file)
            .map_err(|error| wrong(format!("not a usable calibration: {error}")))?;
        // A name that is none of a layer's is missing as one of the last's.
        let layers = (0..tensors.len() / TENSORS)
            .map(|layer| Scales::read(&tensors, layer))
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong)?;
        if layers.is_empty() || !tensors.len().is_multiple_of(TENSORS) {
            return Err(wrong(format!(
                "it has {} tensors, expected {TENSORS} for each layer",
                tensors.len()
            )));
        }
        Ok(Calibration { layers, file })
    }

    /// The file that they were read from.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// Whether they are for a decoder of this `shape`; else why not.
    pub(super) fn check(&self, shape: &LlamaShape) -> Result<(), String> {
        let kept = shape.kv_heads * shape.head_dim;
        let fits = |scales: &Scales| {
            [scales.qkv.len(), scales.gate_up.len()] == [shape.hidden; 2]
                && [scales.o.len(), scales.keys.len(), scales.values.len()] == [kept; 3]
                && scales.down.len() == shape.intermediate
                && scales.head_dim == shape.head_dim
        };
        if self.layers.len() == shape.layers && self.layers.iter().all(fits) {
            return Ok(());
        }
        Err(format!(
            "its calibration is for a decoder of {} layers and other sizes than this one's ({shape:?}); is it the \
             model that was meant?",
            self.layers.len()
        ))
    }

    /// How a cache in 8 bits keeps keys and values of `layer`; none where the decoder has no such layer.
    pub(super) fn cache_steps(&self, layer: usize) -> Option<CacheSteps> {
        let scales = self.layers.get(layer)?;
        // A channel that is never anything needs no step of nothing.
        let step = |largest: f32| (largest * ROOM).max(1e-6) / 127.0;
        let keys = scales.keys.iter().map(|largest| step(*largest));
        let values = scales.values.iter().zip(&scales.o);
        Some(CacheSteps {
            keys: keys.collect(),
            values: values.map(|(largest, by)| step(largest / by)).collect(),
        })
    }

    /// Moves the factors of an adapter's layer `part` of the transformer block `block` along: `a` reads what is
    /// divided, `b` adds to what is.
    pub(super) fn adapt(&self, block: &str, part: &str, a: &mut Weight, b: &mut Weight) {
        let layer = block.parse().ok().and_then(|at: usize| self.layers.get(at));
        if let Some(scales) = layer {
            scales.multiply_columns(part, a);
            scales.divide_rows(part, b);
        }
    }

    /// The weight `name`, with what is to be folded into it.
    fn fold(&self, name: &str, weight: &mut Weight) {
        let parts = name
            .strip_prefix("model.layers.")
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(layer, rest)| Some((layer.parse().ok()?, rest.rsplit_once('.')?)));
        let Some((layer, (module, kind))) = parts else {
            return;
        };
        let layer: usize = layer;
        if let Some(scales) = self.layers.get(layer) {
            if kind == "weight" {
                scales.multiply_columns(module, weight);
            }
            scales.divide_rows(module, weight);
        }
    }
}

impl Scales {
    fn read(tensors: &SafeTensors<'_>, layer: usize) -> Result<Scales, String> {
        let one = |module| {
            let name = format!("{layer}.{module}");
            let (shape, scales) = powers(tensors, &name)?;
            match shape[..] {
                [_] => Ok(scales),
                _ => Err(format!("{name} has shape {shape:?}, one size is expected")),
            }
        };
        let name = format!("{layer}.o");
        let (shape, o) = powers(tensors, &name)?;
        let [_, head_dim] = shape[..] else {
            return Err(format!("{name} has shape {shape:?}, heads are expected"));
        };
        Ok(Scales {
            qkv: one("qkv")?,
            o,
            head_dim,
            gate_up: one("gate_up")?,
            down: one("down")?,
            keys: sizes(tensors, &format!("{layer}.keys"))?,
            values: sizes(tensors, &format!("{layer}.values"))?,
        })
    }

    fn multiply_columns(&self, module: &str, weight: &mut Weight) {
        let Some(&[_, columns]) = weight.shape.first_chunk::<2>() else {
            return;
        };
        let shared;
        let scales = match module {
            "self_attn.q_proj" | "self_attn.k_proj" | "self_attn.v_proj" => &self.qkv,
            "self_attn.o_proj" => {
                shared = self.for_query_heads(columns);
                &shared
            }
            "mlp.gate_proj" | "mlp.up_proj" => &self.gate_up,
            "mlp.down_proj" => &self.down,
            _ => return,
        };
        for row in weight.values.chunks_exact_mut(columns.max(1)) {
            for (value, scale) in row.iter_mut().zip(scales) {
                *value *= scale;
            }
        }
    }

    fn divide_rows(&self, module: &str, weight: &mut Weight) {
        let scales = match module {
            "input_layernorm" => &self.qkv,
            "self_attn.v_proj" => &self.o,
            "post_attention_layernorm" => &self.gate_up,
            "mlp.up_proj" => &self.down,
            _ => return,
        };
        // A norm and a bias are one number a row.
        let columns = weight.shape.get(1).copied().unwrap_or(1).max(1);
        for (row, scale) in weight.values.chunks_exact_mut(columns).zip(scales) {
            for value in row {
                *value /= scale;
            }
        }
    }

    /// The scales of the values, once for each query head that reads them; `width` numbers.
    fn for_query_heads(&self, width: usize) -> Vec<f32> {
        let sharing = width / self.o.len().max(1);
        let heads = self.o.chunks_exact(self.head_dim.max(1));
        heads
            .flat_map(|head| std::iter::repeat_n(head, sharing))
            .flatten()
            .copied()
            .collect()
    }
}

/// Shape and powers of two of the exponents `name`.
fn powers(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let view = tensor(tensors, name, Dtype::I8)?;
    let power = |byte: &u8| {
        let exponent = byte.cast_signed();
        match (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            true => Ok(2f32.powi(exponent.into())),
            false => Err(format!(
                "{name} has the exponent {exponent}; they are within {MAX_EXPONENT} of 0"
            )),
        }
    };
    let powers = view.data().iter().map(power).collect::<Result<_, _>>()?;
    Ok((view.shape().to_vec(), powers))
}

/// Largest absolute values, single precision.
fn sizes(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let view = tensor(tensors, name, Dtype::F32)?;
    let sizes = BlockType::F32.dequantise(view.data());
    match sizes.iter().all(|size| size.is_finite() && *size >= 0.0) {
        true => Ok(sizes),
        false => Err(format!("{name} has numbers that are no sizes")),
    }
}

fn tensor<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
) -> Result<TensorView<'a>, String> {
    let view = tensors
        .tensor(name)
        .map_err(|_| format!("there is no {name}"))?;
    match view.dtype() == dtype {
        true => Ok(view),
        false => Err(format!(
            "{name} is {:?}, {dtype:?} is expected",
            view.dtype()
        )),
    }
}

/// The weights of `source` with the scales folded into them.
pub(super) struct Calibrated<'a> {
    pub source: &'a dyn WeightSource,
    pub calibration: &'a Calibration,
}

impl WeightSource for Calibrated<'_> {
    fn weight(&self, name: &str) -> Result<Option<Weight>, ModelError> {
        let mut weight = self.source.weight(name)?;
        if let Some(weight) = &mut weight {
            self.calibration.fold(name, weight);
        }
        Ok(weight)
    }

    fn has(&self, name: &str) -> Result<bool, ModelError> {
        self.source.has(name)
    }

    fn path(&self) -> &Path {
        self.source.path()
    }
}

#[cfg(test)]
#[path = "calibration_tests.rs"]
mod tests;
