//! How an adapter lies in its file.
//!
//! A linear layer with an adapter is `y = W x + (alpha / r) B A x` (Hu et al., arXiv:2106.09685,
//! section 4.1). The graph multiplies row vectors, `y = x W' + (x a) b`, and packs layers that read the
//! same input; so its a = [A_q' | A_k' | A_v'], and its b is block-diagonal.
//!
//! A file has the factors of each layer apart, for most of such a b is zeros: A, `[rank, width]`, in int8 with a scale a
//! row where the graph takes it so, else in half precision; B', `[rank, outputs]`, with alpha / r folded in, in half
//! precision. Files of the form before have a and b as the graph takes them, in half precision.

use std::collections::{BTreeMap, BTreeSet};

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::model::import::transpose;

/// Names the form of the files that are written.
pub const FORMAT: &str = "almanac-adapter-2";
/// Names the form before it.
pub(super) const PACKED: &str = "almanac-adapter-1";
/// Largest rank of a layer's factors.
pub const MAX_RANK: usize = 256;

/// The layers that each module of the graph packs, in its order.
pub const MODULES: [(&str, &[&str]); 4] = [
    (
        "qkv",
        &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    ),
    ("o", &["self_attn.o_proj"]),
    ("gate_up", &["mlp.gate_proj", "mlp.up_proj"]),
    ("down", &["mlp.down_proj"]),
];

/// Names in a file of a layer's A, the scales of its rows, and B', for `part` of the transformer block `block`.
pub fn names(block: &str, part: &str) -> [String; 3] {
    ["a", "a_scale", "b"].map(|factor| format!("lora.{block}.{part}.{factor}"))
}

/// The factors of one module of the graph.
#[derive(Debug, PartialEq)]
pub(super) struct Module {
    /// Block and module, as the graph names them.
    pub name: String,
    /// Rows of A, all parts' one below the other: `[ranks, width]`.
    pub a: First,
    /// Width of what it reads.
    pub width: usize,
    /// Ranks of all parts.
    pub ranks: usize,
    /// Block-diagonal, `[ranks, outputs]`.
    pub b: Vec<f32>,
    /// Outputs of all parts.
    pub outputs: usize,
}

/// A first factor, row by row.
#[derive(Debug, PartialEq)]
pub(super) enum First {
    Single(Vec<f32>),
    Whole { levels: Vec<i8>, scales: Vec<f32> },
}

/// Known sizes of the graph's inputs by name.
type Sizes = BTreeMap<String, usize>;

/// The modules in a file that has the factors of each layer apart.
///
/// # Errors
/// The tensor that the graph has no place for, with what was expected.
pub(super) fn apart(tensors: &SafeTensors<'_>, sizes: &Sizes) -> Result<Vec<Module>, String> {
    let mut present = BTreeSet::new();
    for name in sorted_names(tensors) {
        let place = place_of(name).ok_or_else(|| format!("{name} is no part of an adapter"))?;
        known(
            sizes,
            &format!("lora.{}.{}.a", place.0, MODULES[place.1].0),
            name,
        )?;
        present.insert(place);
    }
    let mut modules = Vec::new();
    for (block, module) in present {
        let (module, parts) = MODULES[module];
        let name = format!("{block}.{module}");
        let mut factors = Vec::new();
        for part in parts {
            factors.push(Factors::read(tensors, &names(block, part))?);
        }
        modules.push(pack(name, &factors, sizes)?);
    }
    Ok(modules)
}

/// The modules in a file that has them as the graph takes them.
///
/// # Errors
/// As [`apart`].
pub(super) fn packed(tensors: &SafeTensors<'_>, sizes: &Sizes) -> Result<Vec<Module>, String> {
    let mut modules = Vec::new();
    for name in sorted_names(tensors) {
        known(sizes, name, name)?;
        let Some(module) = name.strip_suffix(".a") else {
            let a = name.strip_suffix(".b").map(|module| format!("{module}.a"));
            if a.is_none_or(|a| tensors.tensor(&a).is_err()) {
                return Err(format!("{name} is there without its a"));
            }
            continue;
        };
        let (a, [width, ranks]) = matrix(tensors, name)?;
        let b_name = format!("{module}.b");
        let (b, [b_ranks, outputs]) = matrix(tensors, &b_name)?;
        let fits = width == known(sizes, name, name)? && outputs == known(sizes, &b_name, &b_name)?;
        if !fits || b_ranks != ranks || !(1..=3 * MAX_RANK).contains(&ranks) {
            return Err(format!(
                "{name} is {width} x {ranks}, its b {b_ranks} x {outputs}"
            ));
        }
        modules.push(Module {
            name: module.trim_start_matches("lora.").to_owned(),
            a: First::Single(transpose(&halves(&a, name)?, width, ranks)),
            width,
            ranks,
            b: halves(&b, &b_name)?,
            outputs,
        });
    }
    Ok(modules)
}

fn sorted_names<'a>(tensors: &'a SafeTensors<'_>) -> Vec<&'a str> {
    let mut names = tensors.names();
    names.sort_unstable();
    names
}

/// Block and module (its place in [`MODULES`]) of the tensor `name`.
fn place_of(name: &str) -> Option<(&str, usize)> {
    let (block, rest) = name.strip_prefix("lora.")?.split_once('.')?;
    let (part, factor) = rest.rsplit_once('.')?;
    let module = MODULES
        .iter()
        .position(|(_, parts)| parts.contains(&part))?;
    ["a", "a_scale", "b"]
        .contains(&factor)
        .then_some((block, module))
}

/// Known size of the graph's input `port`, for the tensor `name`.
fn known(sizes: &Sizes, port: &str, name: &str) -> Result<usize, String> {
    let size = sizes.get(port).copied();
    size.ok_or_else(|| format!("{name}: there is no input {port} that takes it"))
}

/// The factors of one layer.
struct Factors {
    name: String,
    a: First,
    width: usize,
    rank: usize,
    /// `[rank, outputs]`.
    b: Vec<f32>,
    outputs: usize,
}

impl Factors {
    fn read(
        tensors: &SafeTensors<'_>,
        [a_name, scale_name, b_name]: &[String; 3],
    ) -> Result<Factors, String> {
        let (a, [rank, width]) = matrix(tensors, a_name)?;
        let (b, [b_rank, outputs]) = matrix(tensors, b_name)?;
        if b_rank != rank || !(1..=MAX_RANK).contains(&rank) {
            return Err(format!(
                "{a_name} has rank {rank}, {b_name} {b_rank}; both must have the same, 1 to {MAX_RANK}"
            ));
        }
        let first = match a.dtype() {
            Dtype::I8 => First::Whole {
                levels: a.data().iter().map(|byte| byte.cast_signed()).collect(),
                scales: singles(tensors, scale_name, rank)?,
            },
            _ => First::Single(halves(&a, a_name)?),
        };
        Ok(Factors {
            name: a_name.clone(),
            a: first,
            width,
            rank,
            b: halves(&b, b_name)?,
            outputs,
        })
    }
}

/// Packs the layers of one module.
fn pack(name: String, parts: &[Factors], sizes: &Sizes) -> Result<Module, String> {
    let (a_port, b_port) = (format!("lora.{name}.a"), format!("lora.{name}.b"));
    let width = known(sizes, &a_port, &a_port)?;
    let outputs = known(sizes, &b_port, &b_port)?;
    if let Some(other) = parts.iter().find(|part| part.width != width) {
        return Err(format!(
            "{} reads {} values, {a_port} takes {width}",
            other.name, other.width
        ));
    }
    let found: usize = parts.iter().map(|part| part.outputs).sum();
    if found != outputs {
        return Err(format!(
            "the b of {name} give {found} outputs, {b_port} takes {outputs}"
        ));
    }
    let ranks = parts.iter().map(|part| part.rank).sum();
    let mut b = vec![0.0; ranks * outputs];
    let (mut first_rank, mut first_output) = (0, 0);
    for part in parts {
        for (at, row) in part.b.chunks_exact(part.outputs.max(1)).enumerate() {
            let start = (first_rank + at) * outputs + first_output;
            b[start..start + row.len()].copy_from_slice(row);
        }
        first_rank += part.rank;
        first_output += part.outputs;
    }
    Ok(Module {
        a: stack(parts)?,
        name,
        width,
        ranks,
        b,
        outputs,
    })
}

/// The rows of all first factors, one below the other.
fn stack(parts: &[Factors]) -> Result<First, String> {
    let (mut values, mut levels, mut scales) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match &part.a {
            First::Single(rows) => values.extend_from_slice(rows),
            First::Whole {
                levels: rows,
                scales: own,
            } => {
                levels.extend_from_slice(rows);
                scales.extend_from_slice(own);
            }
        }
    }
    match (values.is_empty(), levels.is_empty()) {
        (false, true) => Ok(First::Single(values)),
        (true, false) => Ok(First::Whole { levels, scales }),
        _ => Err(format!(
            "{} and its neighbours are of different types",
            parts[0].name
        )),
    }
}

fn matrix<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
) -> Result<(TensorView<'a>, [usize; 2]), String> {
    let view = tensors
        .tensor(name)
        .map_err(|_| format!("there is no {name}"))?;
    let shape = view.shape().try_into();
    let shape =
        shape.map_err(|_| format!("{name} has shape {:?}, a matrix is expected", view.shape()))?;
    Ok((view, shape))
}

fn halves(view: &TensorView<'_>, name: &str) -> Result<Vec<f32>, String> {
    if view.dtype() != Dtype::F16 {
        return Err(format!(
            "{name} is {:?}, half precision is expected",
            view.dtype()
        ));
    }
    let halves = view.data().chunks_exact(2);
    Ok(halves
        .map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32())
        .collect())
}

fn singles(tensors: &SafeTensors<'_>, name: &str, length: usize) -> Result<Vec<f32>, String> {
    let view = tensors
        .tensor(name)
        .map_err(|_| format!("there is no {name}"))?;
    if view.dtype() != Dtype::F32 || view.shape() != [length] {
        return Err(format!(
            "{name} is {:?} of shape {:?}, {length} numbers in single precision are expected",
            view.dtype(),
            view.shape()
        ));
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    Ok(numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
