//! The smallest models of each kind: what the model targets begin with.

#[path = "../../support/gguf.rs"]
mod gguf;

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use gguf::{Meta, Tensor};

/// Byte-level BPE of six tokens.
pub const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,
"added_tokens":[{"id":0,"content":"<|im_end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
{"type":"Split","pattern":{"Regex":"\\p{L}+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]},"post_processor":null,
"decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
"vocab":{"<|im_end|>":0,"a":1,"b":2,"aa":3,"5":4,"c":5},"merges":["a a"]}}"#;

/// Word pieces, as an embedder has them.
pub const WORD_PIECES: &str = r###"{"version":"1.0","truncation":{"direction":"Right","max_length":8,"strategy":"LongestFirst","stride":0},
"padding":{"strategy":{"Fixed":8},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"},
"added_tokens":[{"id":0,"content":"[PAD]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
"pre_tokenizer":{"type":"BertPreTokenizer"},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]}}},
"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
"vocab":{"[PAD]":0,"[CLS]":1,"[UNK]":2,"how":3,"deep":4,"##er":5}}}"###;

const VOCABULARY: usize = 6;
const CONTEXT: usize = 16;

/// ggml's number, bytes of a block, values of a block.
type Kind = (u32, usize, usize);
const F32: Kind = (0, 4, 1);
const F16: Kind = (1, 2, 1);
const Q4_0: Kind = (2, 18, 32);
const Q4_1: Kind = (3, 20, 32);
const Q8_0: Kind = (8, 34, 32);
const BF16: Kind = (30, 2, 1);

/// GGUF files: one of each architecture, with different types and rotary embeddings.
pub fn ggufs() -> Vec<Vec<u8>> {
    vec![
        gguf("llama", 8, [F32, F32, F32], &[]),
        gguf("llama", 32, [Q8_0, Q4_0, Q4_1], &[]),
        gguf("qwen2", 32, [F16, BF16, Q8_0], &[]),
        gguf(
            "llama",
            8,
            [F16, BF16, F32],
            &[
                (".rope.scaling.type", "linear".into()),
                (".rope.scaling.factor", 4.0.into()),
            ],
        ),
    ]
}

/// Weights of `transformers` by name, with their shapes: two heads, one of keys and values.
fn shapes(hidden: usize, biases: bool) -> Vec<(String, Vec<usize>)> {
    let half = hidden / 2;
    let layer = |name: &str| format!("model.layers.0.{name}");
    let mut shapes = vec![
        (
            "model.embed_tokens.weight".to_owned(),
            vec![VOCABULARY, hidden],
        ),
        (layer("input_layernorm.weight"), vec![hidden]),
        (layer("self_attn.q_proj.weight"), vec![hidden, hidden]),
        (layer("self_attn.k_proj.weight"), vec![half, hidden]),
        (layer("self_attn.v_proj.weight"), vec![half, hidden]),
        (layer("self_attn.o_proj.weight"), vec![hidden, hidden]),
        (layer("post_attention_layernorm.weight"), vec![hidden]),
        (layer("mlp.gate_proj.weight"), vec![hidden, hidden]),
        (layer("mlp.up_proj.weight"), vec![hidden, hidden]),
        (layer("mlp.down_proj.weight"), vec![hidden, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    if biases {
        for (part, width) in [("q", hidden), ("k", half), ("v", half)] {
            shapes.push((layer(&format!("self_attn.{part}_proj.bias")), vec![width]));
        }
    }
    shapes
}

fn gguf(architecture: &str, hidden: usize, kinds: [Kind; 3], more: &[(&str, Meta)]) -> Vec<u8> {
    let key = |name: &str| format!("{architecture}{name}");
    let words = ["<|im_end|>", "a", "b", "aa", "5", "c"].map(str::to_owned);
    let mut metadata: Vec<(String, Meta)> = vec![
        ("general.architecture".into(), architecture.into()),
        (key(".block_count"), 1.into()),
        (key(".context_length"), CONTEXT.into()),
        (key(".embedding_length"), hidden.into()),
        (key(".feed_forward_length"), hidden.into()),
        (key(".attention.head_count"), 2.into()),
        (key(".attention.head_count_kv"), 1.into()),
        (key(".attention.layer_norm_rms_epsilon"), 1e-5.into()),
        (key(".rope.freq_base"), 10_000.0.into()),
        ("tokenizer.ggml.model".into(), "gpt2".into()),
        ("tokenizer.ggml.pre".into(), "smollm".into()),
        ("tokenizer.ggml.tokens".into(), words.to_vec().into()),
        (
            "tokenizer.ggml.merges".into(),
            vec!["a a".to_owned()].into(),
        ),
        (
            "tokenizer.ggml.token_type".into(),
            Meta::Numbers(vec![3, 1, 1, 1, 1, 4]),
        ),
        ("tokenizer.ggml.eos_token_id".into(), 0.into()),
        ("tokenizer.chat_template".into(), "{{ messages }}".into()),
    ];
    metadata.extend(more.iter().map(|(name, value)| (key(name), value.clone())));
    let tensors: Vec<Tensor> = shapes(hidden, architecture == "qwen2")
        .into_iter()
        .enumerate()
        .map(|(number, (name, shape))| {
            let (kind, bytes, values) = if shape.len() == 1 {
                F32
            } else {
                kinds[number % 3]
            };
            let bytes = vec![0; shape.iter().product::<usize>() / values * bytes];
            Tensor {
                name: ggml_name(&name),
                shape,
                kind,
                bytes,
            }
        })
        .collect();
    gguf::write(&metadata, &tensors)
}

fn ggml_name(name: &str) -> String {
    let names: BTreeMap<&str, &str> = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.0.input_layernorm", "blk.0.attn_norm"),
        ("model.layers.0.post_attention_layernorm", "blk.0.ffn_norm"),
        ("model.layers.0.self_attn.q_proj", "blk.0.attn_q"),
        ("model.layers.0.self_attn.k_proj", "blk.0.attn_k"),
        ("model.layers.0.self_attn.v_proj", "blk.0.attn_v"),
        ("model.layers.0.self_attn.o_proj", "blk.0.attn_output"),
        ("model.layers.0.mlp.gate_proj", "blk.0.ffn_gate"),
        ("model.layers.0.mlp.up_proj", "blk.0.ffn_up"),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down"),
    ]
    .into();
    let (module, kind) = name.rsplit_once('.').expect("a module and a kind");
    format!("{}.{kind}", names[module])
}

fn safetensors(shapes: &[(String, Vec<usize>)], dtype: Dtype, bytes_each: usize) -> Vec<u8> {
    let longest = shapes
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>());
    let zeros = vec![0; longest.max().unwrap_or(0) * bytes_each];
    let views = shapes.iter().map(|(name, shape)| {
        let bytes = &zeros[..shape.iter().product::<usize>() * bytes_each];
        (
            name,
            TensorView::new(dtype, shape.clone(), bytes).expect("sizes match"),
        )
    });
    safetensors::serialize(views, None).expect("it can be written")
}

/// `config.json` and weights of decoders.
pub fn folders() -> Vec<(String, Vec<u8>)> {
    let config = |kind: &str, more: &str| {
        format!(
            "{{\"model_type\":\"{kind}\",\"num_hidden_layers\":1,\"hidden_size\":8,\"intermediate_size\":8,\
             \"num_attention_heads\":2,\"num_key_value_heads\":1,\"vocab_size\":{VOCABULARY},\"hidden_act\":\"silu\",\
             \"max_position_embeddings\":{CONTEXT},\"rms_norm_eps\":1e-5,\"eos_token_id\":[0],{more}}}"
        )
    };
    let llama3 = "\"rope_theta\":10000.0,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\
        \"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8}";
    let linear = "\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2.0,\"rope_theta\":10000.0},\
        \"tie_word_embeddings\":true";
    vec![
        (
            config("llama", llama3),
            safetensors(&shapes(8, false), Dtype::F32, 4),
        ),
        (
            config("qwen2", linear),
            safetensors(&shapes(8, true), Dtype::BF16, 2),
        ),
    ]
}

/// `config.json` and weights of an embedder.
pub fn bert() -> (String, Vec<u8>) {
    let config = format!(
        "{{\"model_type\":\"bert\",\"num_hidden_layers\":1,\"hidden_size\":4,\"intermediate_size\":4,\
         \"num_attention_heads\":2,\"vocab_size\":{VOCABULARY},\"max_position_embeddings\":8,\
         \"type_vocab_size\":2,\"layer_norm_eps\":1e-12,\"hidden_act\":\"gelu\"}}"
    );
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        (
            "embeddings.word_embeddings.weight".into(),
            vec![VOCABULARY, 4],
        ),
        ("embeddings.position_embeddings.weight".into(), vec![8, 4]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, 4]),
    ];
    let mut norms = vec!["embeddings".to_owned()];
    for part in [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "intermediate.dense",
    ] {
        shapes.push((format!("encoder.layer.0.{part}.weight"), vec![4, 4]));
        shapes.push((format!("encoder.layer.0.{part}.bias"), vec![4]));
    }
    for part in ["attention.output", "output"] {
        shapes.push((format!("encoder.layer.0.{part}.dense.weight"), vec![4, 4]));
        shapes.push((format!("encoder.layer.0.{part}.dense.bias"), vec![4]));
        norms.push(format!("encoder.layer.0.{part}"));
    }
    for name in norms {
        shapes.push((format!("{name}.LayerNorm.weight"), vec![4]));
        shapes.push((format!("{name}.LayerNorm.bias"), vec![4]));
    }
    (config, safetensors(&shapes, Dtype::F32, 4))
}

/// `adapter_config.json` and weights of an adapter of rank 1 for the first of [`ggufs`].
pub fn peft() -> (String, Vec<u8>) {
    let mut shapes = Vec::new();
    for (part, outputs) in [("o", 8), ("q", 8), ("k", 4), ("v", 4)] {
        let name = |side: &str| {
            format!("base_model.model.model.layers.0.self_attn.{part}_proj.lora_{side}.weight")
        };
        shapes.push((name("A"), vec![1, 8]));
        shapes.push((name("B"), vec![outputs, 1]));
    }
    let config = "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"bias\":\"none\"}";
    (config.to_owned(), safetensors(&shapes, Dtype::F32, 4))
}

/// What was measured of the first of [`ggufs`]: nothing that would change it.
pub fn calibration() -> Vec<u8> {
    let zeros = [0; 4 * 4];
    let view = |dtype, shape: &[usize], bytes: usize| {
        TensorView::new(dtype, shape.to_vec(), &zeros[..bytes]).expect("sizes match")
    };
    let tensors = [
        ("0.qkv", view(Dtype::I8, &[8], 8)),
        ("0.gate_up", view(Dtype::I8, &[8], 8)),
        ("0.down", view(Dtype::I8, &[8], 8)),
        ("0.o", view(Dtype::I8, &[1, 4], 4)),
        ("0.keys", view(Dtype::F32, &[1, 4], 16)),
        ("0.values", view(Dtype::F32, &[1, 4], 16)),
    ];
    safetensors::serialize(tensors, None).expect("it can be written")
}
