//! PEFT's LoRA weights, converted to the optional inputs of our decoder graph.
//!
//! A linear layer with an adapter is `y = W x + (alpha / r) B A x` (Hu et al., arXiv:2106.09685,
//! section 4.1). The graph multiplies row vectors, `y = x W' + (x a) b`, and packs layers that read the
//! same input; so a = [A_q' | A_k' | A_v'] and b is block-diagonal, with alpha / r folded in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::Message as _;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use super::onnx::ModelProto;
use super::read_json;
use super::weights::{SafetensorsWeights, Weight, WeightSource, transpose};
use crate::durable::{self, FileError};
use crate::model::ModelError;
use crate::model::folder::{ADAPTER_FORMAT, GRAPH_FILE, Manifest};

/// What PEFT writes before every name.
const PREFIX: &str = "base_model.model.";

/// The parts of each packed module, in the order in which the graph packs them.
const MODULES: [(&str, &[&str]); 4] = [
    (
        "qkv",
        &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    ),
    ("o", &["self_attn.o_proj"]),
    ("gate_up", &["mlp.gate_proj", "mlp.up_proj"]),
    ("down", &["mlp.down_proj"]),
];

/// `adapter_config.json`, as far as it is read.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f32,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    bias: Option<String>,
}

/// Converts the PEFT folder `source` to the adapter file `out` for the decoder in `base`; blocking.
///
/// The file is safetensors in half precision, with the base's digest in its metadata.
///
/// # Errors
/// No LoRA of plain form, or one for layers or sizes that the base does not have.
pub fn import_adapter(source: &Path, base: &Path, out: &Path) -> Result<(), ModelError> {
    let config_path = source.join("adapter_config.json");
    let config: PeftConfig = read_json(&config_path)?;
    let plain_bias = config.bias.as_deref().is_none_or(|bias| bias == "none");
    if config.peft_type != "LORA" || config.use_dora || !plain_bias {
        return Err(ModelError::file(
            &config_path,
            "only LoRA without DoRA and bias is read",
        ));
    }
    if !(1..=256).contains(&config.r) {
        return Err(ModelError::file(
            &config_path,
            format!("rank {} is not 1 to 256", config.r),
        ));
    }
    let rank = config.r as f32;
    let scale = config.lora_alpha / if config.use_rslora { rank.sqrt() } else { rank };
    let weights_path = source.join("adapter_model.safetensors");
    let weights = SafetensorsWeights::open(&weights_path, PREFIX)?;
    let widths = lora_widths(base)?;
    let converted = convert(&weights, &widths, scale)?;
    write(&converted, &Manifest::open(base)?, out)
}

/// The known size of each LoRA input of the decoder in `base`, by name.
fn lora_widths(base: &Path) -> Result<BTreeMap<String, usize>, ModelError> {
    let path = base.join(GRAPH_FILE);
    let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
    let model = ModelProto::decode(&bytes[..])
        .map_err(|error| ModelError::file(&path, format!("not an ONNX graph: {error}")))?;
    let inputs = model.graph.map(|graph| graph.input).unwrap_or_default();
    let widths: BTreeMap<String, usize> = inputs
        .into_iter()
        .filter(|input| input.name.starts_with("lora."))
        .filter_map(|input| {
            let shape = input.kind?.tensor?.shape?;
            let known = shape.dim.iter().find_map(|dim| dim.value)?;
            Some((input.name, usize::try_from(known).ok()?))
        })
        .collect();
    if widths.is_empty() {
        return Err(ModelError::file(
            &path,
            "this decoder has no inputs for adapters; import it again",
        ));
    }
    Ok(widths)
}

/// Inputs of the graph by name, with their open size set to the adapter's rank.
type Converted = BTreeMap<String, Weight>;

fn convert(
    weights: &SafetensorsWeights,
    widths: &BTreeMap<String, usize>,
    scale: f32,
) -> Result<Converted, ModelError> {
    let layers: BTreeSet<&str> = widths
        .keys()
        .filter_map(|name| name.strip_prefix("lora.")?.split('.').next())
        .collect();
    let mut converted = Converted::new();
    let mut used = 0;
    for layer in layers {
        for (module, parts) in MODULES {
            let mut pairs = Vec::new();
            for part in parts {
                let name = |side| format!("model.layers.{layer}.{part}.lora_{side}.weight");
                let pair = (weights.weight(&name("A"))?, weights.weight(&name("B"))?);
                used += usize::from(pair.0.is_some()) + usize::from(pair.1.is_some());
                pairs.push(pair);
            }
            if pairs.iter().all(|(a, b)| a.is_none() && b.is_none()) {
                continue;
            }
            let inputs: [String; 2] = [
                format!("lora.{layer}.{module}.a"),
                format!("lora.{layer}.{module}.b"),
            ];
            let size = |name: &String| {
                let none = || format!("the decoder has no input {name}; import it again");
                let size = widths.get(name).copied();
                size.ok_or_else(|| ModelError::file(weights.path(), none()))
            };
            let sizes = (size(&inputs[0])?, size(&inputs[1])?);
            let packed = pack(&pairs, sizes, scale).map_err(|reason| {
                ModelError::file(weights.path(), format!("layer {layer}, {module}: {reason}"))
            })?;
            let [a, b] = inputs;
            converted.insert(a, packed.0);
            converted.insert(b, packed.1);
        }
    }
    let names = weights.shapes()?;
    if used == 0 || used != names.len() {
        return Err(ModelError::file(
            weights.path(),
            format!(
                "{used} of its {} weights fit the base; is it for another model?",
                names.len()
            ),
        ));
    }
    Ok(converted)
}

/// Packs the parts of one module: a `[width, ranks]` and b `[ranks, outputs]`.
fn pack(
    pairs: &[(Option<Weight>, Option<Weight>)],
    (width, outputs): (usize, usize),
    scale: f32,
) -> Result<(Weight, Weight), String> {
    let mut a_rows = Vec::new();
    let mut blocks = Vec::new();
    let mut ranks = 0;
    let mut known_outputs = 0;
    for pair in pairs {
        let (Some(a), Some(b)) = pair else {
            return Err(
                "every packed layer must have both weights (target all or none of them)".into(),
            );
        };
        let ((rank, columns), (rows, b_rank)) = (a.matrix("lora_A")?, b.matrix("lora_B")?);
        if columns != width || b_rank != rank {
            return Err(format!(
                "A is {rank} x {columns}, B is {rows} x {b_rank}, the base is {width} wide"
            ));
        }
        a_rows.extend_from_slice(&a.values);
        blocks.push((
            ranks,
            known_outputs,
            rank,
            rows,
            transpose(&b.values, rows, rank),
        ));
        ranks += rank;
        known_outputs += rows;
    }
    if known_outputs != outputs {
        return Err(format!(
            "B gives {known_outputs} outputs, the base has {outputs}"
        ));
    }
    let mut b_packed = vec![0.0; ranks * outputs];
    for (first_rank, first_output, rank, rows, block) in blocks {
        for r in 0..rank {
            let start = (first_rank + r) * outputs + first_output;
            for (to, from) in b_packed[start..start + rows]
                .iter_mut()
                .zip(&block[r * rows..])
            {
                *to = from * scale;
            }
        }
    }
    Ok((
        Weight {
            shape: vec![width, ranks],
            values: transpose(&a_rows, ranks, width),
        },
        Weight {
            shape: vec![ranks, outputs],
            values: b_packed,
        },
    ))
}

fn write(converted: &Converted, base: &Manifest, out: &Path) -> Result<(), ModelError> {
    let bytes: Vec<(&String, &Weight, Vec<u8>)> = converted
        .iter()
        .map(|(name, weight)| {
            let halves = weight.values.iter();
            let bytes = halves.flat_map(|value| half::f16::from_f32(*value).to_le_bytes());
            (name, weight, bytes.collect())
        })
        .collect();
    let broken = |error: safetensors::SafeTensorError| ModelError::file(out, error.to_string());
    let views = bytes
        .iter()
        .map(|(name, weight, bytes)| {
            let view = TensorView::new(Dtype::F16, weight.shape.clone(), bytes).map_err(broken)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let metadata = [
        ("format".to_owned(), ADAPTER_FORMAT.to_owned()),
        ("base".to_owned(), base.digest().to_string()),
        ("base_name".to_owned(), base.name.clone()),
    ];
    let file = safetensors::serialize(views, Some(metadata.into())).map_err(broken)?;
    durable::replace(out, &file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(shape: [usize; 2], values: &[f32]) -> Option<Weight> {
        Some(Weight {
            shape: shape.to_vec(),
            values: values.to_vec(),
        })
    }

    #[test]
    fn packed_parts_give_what_each_part_alone_gives() {
        // Two parts of rank 1 over an input of width 2; outputs of 1 and 2 rows.
        let pairs = [
            (weight([1, 2], &[1.0, 2.0]), weight([1, 1], &[3.0])),
            (weight([1, 2], &[4.0, 5.0]), weight([2, 1], &[6.0, 7.0])),
        ];
        let (a, b) = pack(&pairs, (2, 3), 0.5).expect("fits");
        assert_eq!(a.values, [1.0, 4.0, 2.0, 5.0]);
        assert_eq!(b.values, [1.5, 0.0, 0.0, 0.0, 3.0, 3.5]);
    }

    #[test]
    fn a_decoder_with_half_of_an_input_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("adapter_model.safetensors");
        let zeros = [0; 32];
        let views = [("A", vec![1, 8]), ("B", vec![8, 1])].map(|(side, shape)| {
            let name = format!("{PREFIX}model.layers.0.self_attn.o_proj.lora_{side}.weight");
            (
                name,
                TensorView::new(Dtype::F32, shape, &zeros).expect("sizes match"),
            )
        });
        let file = safetensors::serialize(views, None).expect("it can be written");
        std::fs::write(&path, file).expect("writable");
        let weights = SafetensorsWeights::open(&path, PREFIX).expect("it is one");
        let widths = BTreeMap::from([("lora.0.o.a".to_owned(), 8)]);
        let error = convert(&weights, &widths, 1.0).expect_err("half of it");
        assert!(error.to_string().contains("lora.0.o.b"), "{error}");
    }

    #[test]
    fn an_adapter_of_another_width_is_refused() {
        let pairs = [(weight([1, 3], &[0.0; 3]), weight([1, 1], &[0.0]))];
        assert!(pack(&pairs, (2, 1), 1.0).is_err());
    }
}
