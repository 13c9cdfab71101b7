//! Tiny random decoders of each kind that is imported, against logits that `transformers` computed
//! (`tests/references/family.py`): safetensors and GGUF, every number format, biases, tied and own heads, grouped
//! heads, scaled rotary embeddings.

#[path = "support/gguf.rs"]
mod gguf;
#[path = "support/models.rs"]
mod models;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use almanac::model::import::{Calibration, Precision, Storage, import_decoder};
use almanac::model::{Logits, Runtime, TextGenerator};
use gguf::{Meta, Tensor};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a case is, as `family.py` has it.
#[derive(Clone, Deserialize)]
struct Case {
    name: String,
    source: String,
    architecture: String,
    kind: String,
    hidden: usize,
    intermediate: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    layers: usize,
    vocabulary: usize,
    tied: bool,
    biased: Vec<String>,
    rope: Value,
    style: String,
    files: usize,
    #[serde(default)]
    factors: Vec<f32>,
    tokens: Vec<i64>,
    logits: Vec<f32>,
}

#[derive(Deserialize)]
struct References {
    context: usize,
    cases: Vec<Case>,
}

fn references() -> References {
    serde_json::from_str(include_str!("references/family.json")).expect("valid JSON")
}

/// A packed format: its number in ggml, bytes and values of a block, where its half-precision scale and minimum
/// lie, what scales its levels to about 1, and the minimum over the scale.
struct Blocks {
    number: u32,
    bytes: usize,
    values: usize,
    scale_at: usize,
    minimum_at: Option<usize>,
    unit: f64,
    minimum: f64,
}

fn blocks(kind: &str) -> Option<Blocks> {
    let (number, bytes, values, scale_at, minimum_at, unit, minimum) = match kind {
        "Q4_0" => (2, 18, 32, 0, None, 1.0 / 4.6, 0.0),
        "Q4_1" => (3, 20, 32, 0, Some(2), 1.0 / 4.6, -7.5),
        "Q5_0" => (6, 22, 32, 0, None, 1.0 / 9.2, 0.0),
        "Q5_1" => (7, 24, 32, 0, Some(2), 1.0 / 9.2, -15.5),
        "Q8_0" => (8, 34, 32, 0, None, 1.0 / 74.0, 0.0),
        "Q4_K" => (12, 144, 256, 0, Some(2), 1.0 / 252.0, 7.5),
        "Q5_K" => (13, 176, 256, 0, Some(2), 1.0 / 504.0, 15.5),
        "Q6_K" => (14, 210, 256, 208, None, 1.0 / 1369.0, 0.0),
        _ => return None,
    };
    Some(Blocks {
        number,
        bytes,
        values,
        scale_at,
        minimum_at,
        unit,
        minimum,
    })
}

/// splitmix64 of the tensor's number and the place.
fn word(seed: usize, at: usize) -> u64 {
    let mut z = ((seed as u64) << 32)
        .wrapping_add(at as u64)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// From -0.5 to 0.5.
fn uniform(seed: usize, at: usize) -> f64 {
    (word(seed, at) >> 40) as f64 / 16_777_216.0 - 0.5
}

/// The numbers of a tensor as its file stores them.
fn bytes(name: &str, shape: &[usize], seed: usize, kind: &str) -> Vec<u8> {
    if let Some(blocks) = blocks(kind) {
        return packed(shape, seed, &blocks);
    }
    let number = |at: usize| {
        let number = uniform(seed, at);
        let number = match shape {
            _ if name.contains("norm") => 1.0 + 0.25 * number,
            [_, columns] => number * (12.0 / *columns as f64).sqrt(),
            _ => number,
        };
        number as f32
    };
    let numbers = (0..shape.iter().product()).map(number);
    match kind {
        "F32" => numbers.flat_map(f32::to_le_bytes).collect(),
        "F16" => numbers
            .flat_map(|it| f16::from_f32(it).to_le_bytes())
            .collect(),
        "BF16" => numbers
            .flat_map(|it| ((it.to_bits() >> 16) as u16).to_le_bytes())
            .collect(),
        other => panic!("no such kind: {other}"),
    }
}

fn packed(shape: &[usize], seed: usize, blocks: &Blocks) -> Vec<u8> {
    let count = shape.iter().product::<usize>() / blocks.values;
    let unit = blocks.unit / (shape[1] as f64).sqrt();
    let mut bytes: Vec<u8> = (0..count * blocks.bytes)
        .map(|at| word(seed, at) as u8)
        .collect();
    for (number, block) in bytes.chunks_exact_mut(blocks.bytes).enumerate() {
        let scale = unit * (1.0 + uniform(seed + 1000, number));
        let mut put = |at: usize, number: f64| {
            block[at..at + 2].copy_from_slice(&f16::from_f32(number as f32).to_le_bytes());
        };
        put(blocks.scale_at, scale);
        if let Some(at) = blocks.minimum_at {
            put(at, scale * blocks.minimum);
        }
    }
    bytes
}

impl Case {
    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let (hidden, wide) = (self.hidden, self.intermediate);
        let (query, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut shapes = BTreeMap::from([
            (
                "model.embed_tokens.weight".to_owned(),
                vec![self.vocabulary, hidden],
            ),
            ("model.norm.weight".to_owned(), vec![hidden]),
        ]);
        if !self.tied {
            shapes.insert("lm_head.weight".into(), vec![self.vocabulary, hidden]);
        }
        for layer in 0..self.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            for (module, shape) in [
                ("self_attn.q_proj", [query, hidden]),
                ("self_attn.k_proj", [keys, hidden]),
                ("self_attn.v_proj", [keys, hidden]),
                ("self_attn.o_proj", [hidden, query]),
                ("mlp.gate_proj", [wide, hidden]),
                ("mlp.up_proj", [wide, hidden]),
                ("mlp.down_proj", [hidden, wide]),
            ] {
                shapes.insert(name(&format!("{module}.weight")), shape.to_vec());
                if self.biased.iter().any(|biased| biased == module) {
                    shapes.insert(name(&format!("{module}.bias")), vec![shape[0]]);
                }
            }
            for norm in ["input_layernorm.weight", "post_attention_layernorm.weight"] {
                shapes.insert(name(norm), vec![hidden]);
            }
        }
        shapes
    }

    fn rope(&self, key: &str) -> f32 {
        self.rope[key].as_f64().expect("a number") as f32
    }

    /// Writes the model as its makers would publish it.
    fn publish(&self, folder: &Path, context: usize) -> PathBuf {
        if self.source == "gguf" {
            let path = folder.join("model.gguf");
            fs::write(&path, self.gguf(context)).expect("writable");
            return path;
        }
        self.safetensors(folder);
        let write = |name: &str, value: Value| {
            fs::write(folder.join(name), value.to_string()).expect("writable");
        };
        write("config.json", self.config(context));
        write(
            "tokenizer_config.json",
            json!({"chat_template": "{{ messages }}"}),
        );
        write("tokenizer.json", tokenizer(self.vocabulary));
        folder.to_owned()
    }

    fn config(&self, context: usize) -> Value {
        let mut config = json!({
            "model_type": self.architecture, "num_hidden_layers": self.layers, "hidden_size": self.hidden,
            "intermediate_size": self.intermediate, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "head_dim": self.head_dim, "vocab_size": self.vocabulary,
            "max_position_embeddings": context, "rms_norm_eps": 1e-5, "hidden_act": "silu",
            "tie_word_embeddings": self.tied, "eos_token_id": 0,
        });
        if self.style == "new" {
            config["rope_parameters"] = self.rope.clone();
        } else {
            config["rope_theta"] = self.rope["rope_theta"].clone();
            let mut scaling = self.rope.clone();
            let fields = scaling.as_object_mut().expect("an object");
            fields.remove("rope_theta");
            let kind = fields.remove("rope_type").expect("it names its type");
            config["rope_scaling"] = match kind.as_str() {
                Some("default") => Value::Null,
                _ => {
                    fields.insert("type".into(), kind);
                    scaling
                }
            };
        }
        config
    }

    fn safetensors(&self, folder: &Path) {
        let dtype = match self.kind.as_str() {
            "F16" => Dtype::F16,
            "BF16" => Dtype::BF16,
            _ => Dtype::F32,
        };
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .shapes()
            .into_iter()
            .enumerate()
            .map(|(seed, (name, shape))| {
                let bytes = bytes(&name, &shape, seed, &self.kind);
                (name, shape, bytes)
            })
            .collect();
        let mut index = BTreeMap::new();
        for (number, part) in tensors
            .chunks(tensors.len().div_ceil(self.files))
            .enumerate()
        {
            let views = part.iter().map(|(name, shape, bytes)| {
                (
                    name,
                    TensorView::new(dtype, shape.clone(), bytes).expect("sizes match"),
                )
            });
            let file = match self.files {
                1 => "model.safetensors".to_owned(),
                files => format!("model-{:05}-of-{files:05}.safetensors", number + 1),
            };
            let written = safetensors::serialize(views, None).expect("it can be written");
            fs::write(folder.join(&file), written).expect("writable");
            index.extend(part.iter().map(|(name, ..)| (name.clone(), file.clone())));
        }
        if self.files > 1 {
            let index = json!({"weight_map": index});
            let path = folder.join("model.safetensors.index.json");
            fs::write(path, index.to_string()).expect("writable");
        }
    }

    fn gguf(&self, context: usize) -> Vec<u8> {
        let key = |name: &str| format!("{}.{name}", self.architecture);
        let tokens: Vec<String> = (0..self.vocabulary).map(|id| format!("t{id}")).collect();
        let mut metadata: Vec<(String, Meta)> = vec![
            (
                "general.architecture".into(),
                self.architecture.as_str().into(),
            ),
            (key("block_count"), self.layers.into()),
            (key("context_length"), context.into()),
            (key("embedding_length"), self.hidden.into()),
            (key("feed_forward_length"), self.intermediate.into()),
            (key("attention.head_count"), self.heads.into()),
            (key("attention.head_count_kv"), self.kv_heads.into()),
            (key("attention.key_length"), self.head_dim.into()),
            (key("attention.layer_norm_rms_epsilon"), 1e-5f32.into()),
            (key("rope.dimension_count"), self.head_dim.into()),
            (key("rope.freq_base"), self.rope("rope_theta").into()),
            ("tokenizer.ggml.model".into(), "gpt2".into()),
            ("tokenizer.ggml.pre".into(), "smollm".into()),
            ("tokenizer.ggml.tokens".into(), tokens.into()),
            ("tokenizer.ggml.merges".into(), Meta::Texts(Vec::new())),
            (
                "tokenizer.ggml.token_type".into(),
                Meta::Numbers(vec![1; self.vocabulary]),
            ),
            ("tokenizer.chat_template".into(), "{{ messages }}".into()),
        ];
        if self.rope["rope_type"] == "linear" {
            metadata.push((key("rope.scaling.type"), "linear".into()));
            metadata.push((key("rope.scaling.factor"), self.rope("factor").into()));
        }
        let mut tensors: Vec<Tensor> = self
            .shapes()
            .into_iter()
            .enumerate()
            .map(|(seed, (name, shape))| {
                let kind = if shape.len() == 1 { "F32" } else { &self.kind };
                Tensor {
                    bytes: bytes(&name, &shape, seed, kind),
                    name: ggml_name(&name),
                    shape,
                    kind: ggml_number(kind),
                }
            })
            .collect();
        if !self.factors.is_empty() {
            tensors.push(Tensor {
                name: "rope_freqs.weight".into(),
                shape: vec![self.factors.len()],
                kind: 0,
                bytes: self
                    .factors
                    .iter()
                    .flat_map(|it| it.to_le_bytes())
                    .collect(),
            });
        }
        gguf::write(&metadata, &tensors)
    }
}

fn ggml_number(kind: &str) -> u32 {
    match kind {
        "F32" => 0,
        "F16" => 1,
        "BF16" => 30,
        packed => blocks(packed).expect("a known kind").number,
    }
}

fn ggml_name(name: &str) -> String {
    let mut name = name.to_owned();
    for (from, to) in [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.", "attn_"),
        ("mlp.", "ffn_"),
        ("_proj", ""),
    ] {
        name = name.replace(from, to);
    }
    name
}

/// A vocabulary of so many words: these tests give tokens by number.
fn tokenizer(words: usize) -> Value {
    let vocabulary: BTreeMap<String, usize> = (0..words).map(|id| (format!("t{id}"), id)).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    })
}

/// Root of the mean square of `values`.
fn size(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len() as f32;
    (values.map(|value| value * value).sum::<f32>() / count).sqrt()
}

/// The size of their differences, as a share of the size of `right`.
fn apart(found: &[f32], right: &[f32]) -> f32 {
    let pairs = found.iter().zip(right);
    let off: Vec<f32> = pairs.map(|(found, right)| found - right).collect();
    size(off.into_iter()) / size(right.iter().copied())
}

fn runtime() -> Runtime {
    let library = models::folder().join("runtime/libonnxruntime.so");
    Runtime::load(&library, 1).expect("ONNX Runtime")
}

/// The logits after a case's tokens, of the graph that an import so stored gives.
fn logits(runtime: &Runtime, case: &Case, context: usize, storage: Storage<'_>) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = case.publish(folder.path(), context);
    let out = folder.path().join("out");
    let imported = import_decoder("tiny", &source, &out, storage, &mut |_, _| {});
    let manifest = imported.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(manifest.context_tokens, context);
    let opened = TextGenerator::open(runtime, &out, context);
    let mut generator = opened.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let logits = generator.logits(&case.tokens, Logits::Last, None);
    logits.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

#[test]
fn tiny_decoders_of_every_kind_give_the_references_logits() {
    let references = references();
    let runtime = runtime();
    for case in &references.cases {
        let off = |precision: Precision| {
            let ours = logits(&runtime, case, references.context, precision.into());
            apart(&ours, &case.logits)
        };
        let (single, eight) = (off(Precision::F32), off(Precision::Int8));
        println!(
            "{}: fp32 differs by {single:.1e}, int8 by {eight:.1e}",
            case.name
        );
        assert!(single < 1e-4, "{}: fp32 differs by {single}", case.name);
        assert!(eight < 0.1, "{}: int8 differs by {eight}", case.name);
    }
}

/// A calibration with arbitrary scales that fits the case, as `training/calibrate.py` writes one.
fn calibration(case: &Case) -> Calibration {
    let mut tensors = Vec::new();
    for layer in 0..case.layers {
        for (module, shape) in [
            ("qkv", vec![case.hidden]),
            ("o", vec![case.kv_heads, case.head_dim]),
            ("gate_up", vec![case.hidden]),
            ("down", vec![case.intermediate]),
        ] {
            let seed = 100 + tensors.len();
            let exponent = |at| (word(seed, at) % 7) as u8;
            let exponents = (0..shape.iter().product()).map(|at| exponent(at).wrapping_sub(3));
            let exponents: Vec<u8> = exponents.collect();
            tensors.push((format!("{layer}.{module}"), Dtype::I8, shape, exponents));
        }
        for kept in ["keys", "values"] {
            let sizes = 16f32.to_le_bytes().repeat(case.kv_heads * case.head_dim);
            let shape = vec![case.kv_heads, case.head_dim];
            tensors.push((format!("{layer}.{kept}"), Dtype::F32, shape, sizes));
        }
    }
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (name, view.expect("sizes match"))
    });
    let file = safetensors::serialize(views, None).expect("it can be written");
    Calibration::parse(file, Path::new("scales")).expect("they fit each other")
}

#[test]
fn smoothing_moves_numbers_between_layers_and_changes_no_bit_of_single_precision() {
    let references = references();
    let runtime = runtime();
    for case in &references.cases {
        let calibration = calibration(case);
        let logits = |precision: Precision, calibration| {
            let storage = Storage {
                calibration,
                ..precision.into()
            };
            logits(&runtime, case, references.context, storage)
        };
        let (plain, calibrated) = (
            logits(Precision::F32, None),
            logits(Precision::F32, Some(&calibration)),
        );
        assert_eq!(calibrated, plain, "{}", case.name);
        let (plain, calibrated) = (
            logits(Precision::Int8, None),
            logits(Precision::Int8, Some(&calibration)),
        );
        assert_ne!(calibrated, plain, "{}: nothing was folded", case.name);
    }
}

#[test]
fn a_cache_in_8_bits_moves_logits_a_little() {
    let references = references();
    let runtime = runtime();
    for case in &references.cases {
        let calibration = calibration(case);
        let storage = |small_cache| Storage {
            precision: Precision::F32,
            calibration: Some(&calibration),
            small_cache,
        };
        let small = logits(&runtime, case, references.context, storage(true));
        let whole = logits(&runtime, case, references.context, storage(false));
        let off = apart(&small, &whole);
        println!("{}: a small cache moves logits by {off:.1e}", case.name);
        assert!(0.0 < off && off < 0.2, "{}: {off}", case.name);
    }
}

#[test]
fn a_small_cache_needs_a_calibration() {
    let references = references();
    let case = &references.cases[0];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = case.publish(folder.path(), references.context);
    let storage = Storage {
        small_cache: true,
        ..Precision::Int8.into()
    };
    let out = folder.path().join("out");
    let imported = import_decoder("tiny", &source, &out, storage, &mut |_, _| {});
    let error = imported.expect_err("it is refused").to_string();
    assert!(error.contains("training/calibrate.py"), "{error}");
}

#[test]
fn scales_of_another_decoder_are_refused() {
    let references = references();
    let case = &references.cases[0];
    let mut other = case.clone();
    other.intermediate += 2;
    let calibration = calibration(&other);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = case.publish(folder.path(), references.context);
    let storage = Storage {
        calibration: Some(&calibration),
        ..Precision::Int8.into()
    };
    let out = folder.path().join("out");
    let imported = import_decoder("tiny", &source, &out, storage, &mut |_, _| {});
    let error = imported.expect_err("it is refused").to_string();
    assert!(error.contains("other sizes"), "{error}");
}

/// What an import of a folder says that has the weights of one case and the configuration of another.
fn refused(weights: &Case, config: &Case, context: usize) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    weights.publish(folder.path(), context);
    let text = config.config(context).to_string();
    fs::write(folder.path().join("config.json"), text).expect("writable");
    let out = folder.path().join("out");
    let imported = import_decoder(
        "tiny",
        folder.path(),
        &out,
        Precision::Int8.into(),
        &mut |_, _| {},
    );
    imported.expect_err("it is refused").to_string()
}

#[test]
fn what_would_come_out_as_another_model_is_refused() {
    let references = references();
    let changed = |change: &dyn Fn(&mut Case)| {
        let mut case = references.cases[0].clone();
        change(&mut case);
        case
    };
    let plain = changed(&|_| {});
    let of = |weights: &Case, config: &Case| refused(weights, config, references.context);
    let headless = of(&changed(&|case| case.tied = true), &plain);
    assert!(headless.contains("lm_head.weight"), "{headless}");
    let deeper = of(&changed(&|case| case.layers = 3), &plain);
    assert!(
        deeper.contains("model.layers.2.") && deeper.contains("no plain decoder"),
        "{deeper}"
    );
    let shallower = of(&changed(&|case| case.layers = 1), &plain);
    assert!(
        shallower.contains("there is no weight \"model.layers.1."),
        "{shallower}"
    );
    let yarn = json!({"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0});
    let stretched = of(&plain, &changed(&|case| case.rope = yarn.clone()));
    assert!(
        stretched.contains("\"yarn\"") && stretched.contains("linear and llama3"),
        "{stretched}"
    );
}
