//! PEFT's LoRA weights, converted to our form of an adapter (`model::adapter` reads it and says what it is).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use half::f16;
use prost::Message as _;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use super::calibration::Calibration;
use super::onnx::ModelProto;
use super::weights::{SafetensorsWeights, Weight, WeightSource, transpose};
use super::{quantise_rows, read_json};
use crate::durable::{self, FileError};
use crate::model::ModelError;
use crate::model::adapter::{FORMAT, MAX_RANK, MODULES, names};
use crate::model::folder::{CALIBRATION_FILE, GRAPH_FILE, Manifest};

/// What PEFT writes before every name.
const PREFIX: &str = "base_model.model.";

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
/// The file is safetensors, with the base's digest in its metadata.
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
    if !(1..=MAX_RANK).contains(&config.r) {
        return Err(ModelError::file(
            &config_path,
            format!("rank {} is not 1 to {MAX_RANK}", config.r),
        ));
    }
    let rank = config.r as f32;
    let scale = config.lora_alpha / if config.use_rslora { rank.sqrt() } else { rank };
    let weights_path = source.join("adapter_model.safetensors");
    let weights = SafetensorsWeights::open(&weights_path, PREFIX)?;
    let manifest = Manifest::open(base)?;
    let converted = convert(&weights, &inputs_of(base, &manifest)?, scale)?;
    write(&converted, &manifest, out)
}

/// What a decoder takes of adapters.
struct Inputs {
    /// The known size of each input, by name.
    widths: BTreeMap<String, usize>,
    /// Whether first factors go in as int8.
    whole: bool,
    /// What is folded into its weights.
    calibration: Option<Calibration>,
}

/// The inputs for adapters of the decoder in `base`, whose `manifest` says whether it was calibrated.
fn inputs_of(base: &Path, manifest: &Manifest) -> Result<Inputs, ModelError> {
    let path = base.join(GRAPH_FILE);
    let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
    let model = ModelProto::decode(&bytes[..])
        .map_err(|error| ModelError::file(&path, format!("not an ONNX graph: {error}")))?;
    let inputs = model.graph.map(|graph| graph.input).unwrap_or_default();
    let whole = inputs.iter().any(|input| input.name.ends_with(".a_scale"));
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
    let calibration = match manifest.files.contains_key(CALIBRATION_FILE) {
        true => Some(Calibration::open(&base.join(CALIBRATION_FILE))?),
        false => None,
    };
    Ok(Inputs {
        widths,
        whole,
        calibration,
    })
}

/// A tensor of the file.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn halves(shape: [usize; 2], values: &[f32]) -> Self {
        let halves = values.iter();
        Stored {
            dtype: Dtype::F16,
            shape: shape.to_vec(),
            bytes: halves
                .flat_map(|value| f16::from_f32(*value).to_le_bytes())
                .collect(),
        }
    }
}

/// The tensors of the file by name.
type Converted = BTreeMap<String, Stored>;

fn convert(
    weights: &SafetensorsWeights,
    inputs: &Inputs,
    scale: f32,
) -> Result<Converted, ModelError> {
    let blocks: BTreeSet<&str> = inputs
        .widths
        .keys()
        .filter_map(|name| name.strip_prefix("lora.")?.split('.').next())
        .collect();
    let mut converted = Converted::new();
    let mut used = 0;
    for block in blocks {
        for (module, parts) in MODULES {
            let mut pairs = Vec::new();
            for part in parts {
                let name = |side| format!("model.layers.{block}.{part}.lora_{side}.weight");
                let pair = (weights.weight(&name("A"))?, weights.weight(&name("B"))?);
                used += usize::from(pair.0.is_some()) + usize::from(pair.1.is_some());
                pairs.push(pair);
            }
            if pairs.iter().all(|(a, b)| a.is_none() && b.is_none()) {
                continue;
            }
            let size = |factor| {
                let name = format!("lora.{block}.{module}.{factor}");
                let none = || format!("the decoder has no input {name}; import it again");
                let size = inputs.widths.get(&name).copied();
                size.ok_or_else(|| ModelError::file(weights.path(), none()))
            };
            let mut pairs = fitting(pairs, (size("a")?, size("b")?)).map_err(|reason| {
                ModelError::file(weights.path(), format!("layer {block}, {module}: {reason}"))
            })?;
            for (part, (a, b)) in parts.iter().zip(&mut pairs) {
                if let Some(calibration) = &inputs.calibration {
                    calibration.adapt(block, part, a, b);
                }
                store(
                    &names(block, part),
                    (a, b),
                    (scale, inputs.whole),
                    &mut converted,
                );
            }
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

/// The factors of all layers of one module, where they are there and make what it takes.
fn fitting(
    pairs: Vec<(Option<Weight>, Option<Weight>)>,
    (width, outputs): (usize, usize),
) -> Result<Vec<(Weight, Weight)>, String> {
    let mut known_outputs = 0;
    let mut whole = Vec::new();
    for pair in pairs {
        let (Some(a), Some(b)) = pair else {
            return Err(
                "every packed layer must have both weights (target all or none of them)".into(),
            );
        };
        let ((rank, columns), (rows, b_rank)) = (a.matrix("lora_A")?, b.matrix("lora_B")?);
        if columns != width || b_rank != rank || !(1..=MAX_RANK).contains(&rank) {
            return Err(format!(
                "A is {rank} x {columns}, B is {rows} x {b_rank}, the base is {width} wide"
            ));
        }
        known_outputs += rows;
        whole.push((a, b));
    }
    if known_outputs != outputs {
        return Err(format!(
            "B gives {known_outputs} outputs, the base has {outputs}"
        ));
    }
    Ok(whole)
}

/// Adds the factors of one layer, `scale` folded into the second and the first in int8 where the graph takes it `whole`.
fn store(
    [a_name, scale_name, b_name]: &[String; 3],
    (a, b): (&Weight, &Weight),
    (scale, whole): (f32, bool),
    converted: &mut Converted,
) {
    let [rank, width] = [a.shape[0], a.shape[1]];
    if whole {
        // Of what half precision keeps, as where a file of the form before is loaded: the logits are the same.
        let halves = a.values.iter().map(|value| f16::from_f32(*value).to_f32());
        let (levels, scales) = quantise_rows(&halves.collect::<Vec<f32>>(), rank, width);
        let levels = Stored {
            dtype: Dtype::I8,
            shape: vec![rank, width],
            bytes: levels.into_iter().map(i8::cast_unsigned).collect(),
        };
        let scales = Stored {
            dtype: Dtype::F32,
            shape: vec![rank],
            bytes: scales.into_iter().flat_map(f32::to_le_bytes).collect(),
        };
        converted.insert(a_name.clone(), levels);
        converted.insert(scale_name.clone(), scales);
    } else {
        converted.insert(a_name.clone(), Stored::halves([rank, width], &a.values));
    }
    let outputs = b.shape[0];
    let mut rows = transpose(&b.values, outputs, rank);
    for value in &mut rows {
        *value *= scale;
    }
    converted.insert(b_name.clone(), Stored::halves([rank, outputs], &rows));
}

fn write(converted: &Converted, base: &Manifest, out: &Path) -> Result<(), ModelError> {
    let broken = |error: safetensors::SafeTensorError| ModelError::file(out, error.to_string());
    let views = converted
        .iter()
        .map(|(name, stored)| {
            let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
            Ok((name.as_str(), view.map_err(broken)?))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let metadata = [
        ("format".to_owned(), FORMAT.to_owned()),
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

    fn bytes_of(converted: &Converted, name: &str) -> (Dtype, Vec<usize>, Vec<u8>) {
        let stored = &converted[name];
        (stored.dtype, stored.shape.clone(), stored.bytes.clone())
    }

    #[test]
    fn the_second_factor_has_alpha_over_r_in_it_and_the_first_is_in_8_bits_where_it_is_taken_so() {
        let a = weight([1, 2], &[1.0, -1.0]).expect("some");
        let b = weight([3, 1], &[1.0, 2.0, 3.0]).expect("some");
        let [a_name, scale_name, b_name] = &names("0", "self_attn.o_proj");
        for whole in [false, true] {
            let mut converted = Converted::new();
            let places = [a_name.clone(), scale_name.clone(), b_name.clone()];
            store(&places, (&a, &b), (0.5, whole), &mut converted);
            let second = Stored::halves([1, 3], &[0.5, 1.0, 1.5]).bytes;
            assert_eq!(
                bytes_of(&converted, b_name),
                (Dtype::F16, vec![1, 3], second)
            );
            let first = bytes_of(&converted, a_name);
            if whole {
                assert_eq!(first, (Dtype::I8, vec![1, 2], vec![0x7f, 0x81]));
                let scale = (1.0_f32 / 127.0).to_le_bytes().to_vec();
                assert_eq!(
                    bytes_of(&converted, scale_name),
                    (Dtype::F32, vec![1], scale)
                );
            } else {
                let same = Stored::halves([1, 2], &a.values).bytes;
                assert_eq!(first, (Dtype::F16, vec![1, 2], same));
                assert!(!converted.contains_key(scale_name));
            }
        }
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
        let inputs = Inputs {
            widths: BTreeMap::from([("lora.0.o.a".to_owned(), 8)]),
            whole: false,
            calibration: None,
        };
        let error = convert(&weights, &inputs, 1.0)
            .err()
            .expect("half of it is missing");
        assert!(error.to_string().contains("lora.0.o.b"), "{error}");
    }

    #[test]
    fn an_adapter_of_another_width_is_refused() {
        let pairs = vec![(weight([1, 3], &[0.0; 3]), weight([1, 1], &[0.0]))];
        assert!(fitting(pairs, (2, 1)).is_err());
    }
}
