//! What an import reads: GGUF files, `transformers` folders, PEFT folders, vocabularies, our own model folders.

use std::path::{Path, PathBuf};

use almanac::model::folder::Manifest;
use almanac::model::import::adapter::import_adapter;
use almanac::model::import::{Calibration, Precision, Storage, import_decoder, import_embedder};
use almanac::model::{TokenCounter as _, Vocabulary, adapter_base};

use crate::{Target, joined, parts, scratch, tiny};

pub const TARGETS: &[Target] = &[
    Target {
        words: GGUF,
        memory_mib: 96,
        catches: true,
        ..Target::new("gguf", gguf, tiny::ggufs)
    },
    Target {
        words: CONFIG,
        memory_mib: 96,
        catches: true,
        ..Target::new("safetensors", safetensors, folders)
    },
    Target {
        words: CONFIG,
        ..Target::new("embedder", embedder, embedders)
    },
    Target {
        words: &[
            "\"peft_type\":\"LORA\"",
            "\"r\":",
            "\"lora_alpha\":",
            "\"use_rslora\":",
            "\"use_dora\":",
            "\"bias\":",
            "base_model.model.model.layers.0.",
            "self_attn.q_proj",
            ".lora_A.weight",
            ".lora_B.weight",
            "lora.0.qkv.a",
            "lora.0.qkv.b",
            "lora.",
            "\"dtype\":\"F16\"",
            "\"shape\":[",
            "\"data_offsets\":[",
        ],
        ..Target::new("adapter", adapter, adapters)
    },
    Target {
        words: &[
            "0.qkv",
            "0.gate_up",
            "0.o",
            "0.down",
            "0.keys",
            "0.values",
            "1.qkv",
            "\"dtype\":\"I8\"",
            "\"dtype\":\"F32\"",
            "\"shape\":[",
            "\"data_offsets\":[",
        ],
        ..Target::new("calibration", calibration, calibrations)
    },
    Target {
        words: &[
            "\"model\":",
            "\"type\":\"BPE\"",
            "\"type\":\"WordPiece\"",
            "\"type\":\"Unigram\"",
            "\"type\":\"WordLevel\"",
            "\"vocab\":",
            "\"merges\":",
            "\"added_tokens\":",
            "\"normalizer\":",
            "\"pre_tokenizer\":",
            "\"decoder\":",
            "\"post_processor\":",
            "\"ByteLevel\"",
            "\"Split\"",
            "\"Regex\":",
            "\"String\":",
            "\"Sequence\"",
            "\"Digits\"",
            "\"Template\"",
            "\"TemplateProcessing\"",
            "\"truncation\":",
            "\"padding\":",
            "\"Replace\"",
            "\"Metaspace\"",
            "\"Precompiled\"",
            "\"unk_token\":",
            "\"byte_fallback\":true",
            "null",
        ],
        catches: true,
        ..Target::new("tokenizer", tokenizer, tokenizers)
    },
    Target {
        words: &[
            "format = 1\n",
            "kind = ",
            "precision = ",
            "[files.",
            "length = ",
            "sha256 = ",
            "end_tokens = [",
        ],
        ..Target::new("model-list", model_list, model_lists)
    },
];

const GGUF: &[&str] = &[
    "GGUF",
    "general.architecture",
    "general.alignment",
    "llama",
    "qwen2",
    ".block_count",
    ".context_length",
    ".embedding_length",
    ".feed_forward_length",
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".rope.freq_base",
    ".rope.scaling.type",
    ".rope.scaling.factor",
    ".rope.dimension_count",
    "tokenizer.ggml.model",
    "gpt2",
    "tokenizer.ggml.pre",
    "smollm",
    "llama-bpe",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.token_type",
    "tokenizer.chat_template",
    "token_embd.weight",
    "output_norm.weight",
    "output.weight",
    "rope_freqs.weight",
    "blk.0.attn_q.weight",
    "blk.0.attn_q.bias",
];

const CONFIG: &[&str] = &[
    "\"model_type\":",
    "\"llama\"",
    "\"qwen2\"",
    "\"bert\"",
    "\"num_hidden_layers\":",
    "\"hidden_size\":",
    "\"intermediate_size\":",
    "\"num_attention_heads\":",
    "\"num_key_value_heads\":",
    "\"head_dim\":",
    "\"vocab_size\":",
    "\"max_position_embeddings\":",
    "\"rope_theta\":",
    "\"rope_scaling\":",
    "\"rope_parameters\":",
    "\"rope_type\":",
    "\"linear\"",
    "\"llama3\"",
    "\"yarn\"",
    "\"factor\":",
    "\"low_freq_factor\":",
    "\"high_freq_factor\":",
    "\"original_max_position_embeddings\":",
    "\"rms_norm_eps\":",
    "\"eos_token_id\":",
    "\"tie_word_embeddings\":",
    "1e400",
    "18446744073709551615",
    "\"dtype\":\"F32\"",
    "\"dtype\":\"BF16\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "\n%%%%\n",
];

/// Imports what lies at `source` and, where that worked, opens what can be opened without the runtime.
fn decoder(source: &Path) {
    let out = scratch::folder().join("out");
    let imported = import_decoder("x", source, &out, Precision::Int8.into(), &mut |_, _| {});
    if let Ok(manifest) = imported {
        manifest.verify(&out).expect("what was written is there");
        read_text(&out);
    }
}

/// Text to tokens and back, where there is a vocabulary that can be opened.
fn read_text(folder: &Path) {
    let Ok(vocabulary) = Vocabulary::open(folder) else {
        return;
    };
    for text in [
        "How deep? 5 cm, 10 °C!",
        "",
        "\u{fffd}\0 氮肥 <|im_end|>",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        if let Ok(tokens) = vocabulary.encode(text, true) {
            let tokens: Vec<u32> = tokens.iter().map(|token| *token as u32).collect();
            let _ = vocabulary.decode(&tokens);
        }
        let _ = vocabulary.count(text);
    }
    let _ = vocabulary.decode(&[0, 1, 2, u32::MAX]);
}

fn gguf(data: &[u8]) {
    decoder(&scratch::file("x.gguf", data));
}

/// `config.json`, the weights, `tokenizer_config.json`.
fn safetensors(data: &[u8]) {
    let [config, weights, tokenizer] = parts(data);
    let file = |name: &str, bytes: &[u8]| scratch::file(&format!("folder/{name}"), bytes);
    file("config.json", config);
    file("model.safetensors", weights);
    file("tokenizer_config.json", tokenizer);
    file("tokenizer.json", tiny::TOKENIZER.as_bytes());
    decoder(&scratch::folder().join("folder"));
}

fn folders() -> Vec<Vec<u8>> {
    let template = br#"{"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}"#;
    let folders = tiny::folders().into_iter();
    folders
        .map(|(config, weights)| joined(&[config.as_bytes(), &weights, template]))
        .collect()
}

/// `config.json`, the weights.
fn embedder(data: &[u8]) {
    let [config, weights] = parts(data);
    let file = |name: &str, bytes: &[u8]| scratch::file(&format!("bert/{name}"), bytes);
    file("config.json", config);
    file("model.safetensors", weights);
    file("tokenizer.json", tiny::TOKENIZER.as_bytes());
    let (source, out) = (
        scratch::folder().join("bert"),
        scratch::folder().join("bert-out"),
    );
    let _ = import_embedder("x", &source, &out, &mut |_, _| {});
}

fn embedders() -> Vec<Vec<u8>> {
    let (config, weights) = tiny::bert();
    vec![joined(&[config.as_bytes(), &weights])]
}

/// `adapter_config.json`, the weights, the graph that they are for.
fn adapter(data: &[u8]) {
    let [config, weights, graph] = parts(data);
    let file = |name: &str, bytes: &[u8]| scratch::file(name, bytes);
    file("peft/adapter_config.json", config);
    file("peft/adapter_model.safetensors", weights);
    file("base/model.onnx", graph);
    file("base/model.toml", LIST.as_bytes());
    let folder = |name: &str| -> PathBuf { scratch::folder().join(name) };
    let out = folder("adapter.safetensors");
    if import_adapter(&folder("peft"), &folder("base"), &out).is_ok() {
        adapter_base(&out).expect("what was written can be read");
    }
    let _ = adapter_base(&folder("peft/adapter_model.safetensors"));
}

fn adapters() -> Vec<Vec<u8>> {
    let source = scratch::file("seed.gguf", &tiny::ggufs()[0]);
    let out = scratch::folder().join("seed");
    import_decoder("x", &source, &out, Precision::Int8.into(), &mut |_, _| {})
        .expect("the tiny model is right");
    let graph = std::fs::read(out.join("model.onnx")).expect("it was written");
    let (config, weights) = tiny::peft();
    vec![joined(&[config.as_bytes(), &weights, &graph])]
}

/// What was measured of the first of the tiny decoders, and its import with that.
fn calibration(data: &[u8]) {
    let Ok(calibration) = Calibration::parse(data.to_vec(), Path::new("calibration")) else {
        return;
    };
    let source = scratch::file("measured.gguf", &tiny::ggufs()[0]);
    let out = scratch::folder().join("measured");
    for precision in [Precision::Int8, Precision::F32] {
        let storage = Storage {
            precision,
            calibration: Some(&calibration),
            small_cache: precision == Precision::Int8,
        };
        if let Ok(manifest) = import_decoder("x", &source, &out, storage, &mut |_, _| {}) {
            manifest.verify(&out).expect("what was written is there");
        }
    }
}

fn calibrations() -> Vec<Vec<u8>> {
    vec![tiny::calibration()]
}

fn tokenizer(data: &[u8]) {
    let path = scratch::file("words/tokenizer.json", data);
    read_text(path.parent().expect("it lies in a folder"));
}

fn tokenizers() -> Vec<Vec<u8>> {
    vec![tiny::TOKENIZER.into(), tiny::WORD_PIECES.into()]
}

fn model_list(data: &[u8]) {
    let path = scratch::file("list/model.toml", data);
    let folder = path.parent().expect("it lies in a folder");
    if let Ok(manifest) = Manifest::open(folder) {
        assert_eq!(
            manifest.short_name().rsplit('@').next().map(str::len),
            Some(8)
        );
        let _ = manifest.verify(folder);
    }
}

const LIST: &str = "format = 1\nkind = \"decoder\"\nname = \"x\"\nprecision = \"int8\"\ncontext_tokens = 16\n\
    end_tokens = [2]\n[files.\"model.onnx\"]\nlength = 3\n\
    sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";

fn model_lists() -> Vec<Vec<u8>> {
    vec![LIST.into()]
}
