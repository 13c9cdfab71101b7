//! Writes the graph of a Llama-family decoder.
//!
//! Inputs and outputs are named as Optimum and onnxruntime-genai name them: `input_ids`,
//! `attention_mask`, `past_key_values.N.key|value` -> `logits`, `present.N.key|value`. Two more inputs
//! are optional: `logits_start` (which positions get logits; the last one by default) and the LoRA
//! weights `lora.N.<module>.a|b`, of rank zero by default, with `lora.N.<module>.a_scale` where a is int8.
//!
//! Attention is ONNX Runtime's `GroupQueryAttention` with rotary embedding inside; it keeps keys and values in single
//! precision, or, where memory is short, in 8 bits by steps that were measured. In the int8 graph
//! each activation row is scaled by its own largest absolute value before it is rounded to 8 bits,
//! and each weight column by its own: one scale for all rows ruins small models (perplexity 41.6
//! against 25.9, measured on SmolLM2-135M).
//!
//! There a of an adapter is int8, too, and multiplies the same rounded activations. Whole numbers sum to the same in
//! any order; in single precision the narrow product `input a` would sum in another order with another number of
//! rows, and a text would depend on how it was cut into steps.

use super::Storage;
use super::calibration::Calibration;
use super::linear::quantise_rows;
use super::onnx::{Attribute, Dim, ElementType, GraphBuilder};
use super::rope::Rope;
use super::weights::{WeightSource, transpose};
use crate::model::ModelError;

/// How weights are stored and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8-bit weights and activations, scaled by column and row: the default.
    Int8,
    /// Single precision: the reference to compare with.
    F32,
}

/// Sizes of a decoder.
#[derive(Clone, Debug)]
pub struct LlamaShape {
    /// Transformer blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward part.
    pub intermediate: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Longest context, tokens.
    pub context: usize,
    /// The rotary embedding.
    pub rope: Rope,
    /// Epsilon of the RMS norms.
    pub epsilon: f32,
    /// Whether the head is the embedding; where that is open, it is so when there is no head.
    pub tied: Option<bool>,
}

impl LlamaShape {
    fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Writes the whole graph; `progress` is called after each layer with the layers done.
///
/// # Errors
/// A weight is missing or has another shape than `shape` says.
pub fn write_decoder(
    graph: &mut GraphBuilder<'_>,
    source: &dyn WeightSource,
    shape: &LlamaShape,
    storage: Storage<'_>,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ModelError> {
    let mut writer = DecoderWriter {
        graph,
        source,
        shape,
        precision: storage.precision,
        small_cache: storage.calibration.filter(|_| storage.small_cache),
    };
    writer.declare();
    writer.constants()?;
    let mut residual = writer.embedding()?;
    let norm = writer.norm_weight("model.layers.0.input_layernorm.weight")?;
    let epsilon = Attribute::Float("epsilon", shape.epsilon);
    let axis = Attribute::Int("axis", -1);
    let mut normed = writer.graph.node(
        "SimplifiedLayerNormalization",
        &[&residual, &norm],
        &[axis, epsilon],
    );
    for layer in 0..shape.layers {
        let attended = writer.attention(layer, &normed)?;
        let name = format!("model.layers.{layer}.post_attention_layernorm.weight");
        (normed, residual) = writer.add_and_norm(&attended, &residual, &name)?;
        let forward = writer.feed_forward(layer, &normed)?;
        let name = if layer + 1 < shape.layers {
            format!("model.layers.{}.input_layernorm.weight", layer + 1)
        } else {
            "model.norm.weight".to_owned()
        };
        (normed, residual) = writer.add_and_norm(&forward, &residual, &name)?;
        progress(layer + 1);
    }
    writer.head(&normed)
}

pub(super) struct DecoderWriter<'a, 'w> {
    pub graph: &'a mut GraphBuilder<'w>,
    pub source: &'a dyn WeightSource,
    shape: &'a LlamaShape,
    pub precision: Precision,
    /// By what the cache keeps 8 bits, where it does.
    small_cache: Option<&'a Calibration>,
}

impl DecoderWriter<'_, '_> {
    fn declare(&mut self) {
        let token_shape = [Dim::Named("batch"), Dim::Named("sequence")];
        self.graph
            .input("input_ids", ElementType::I64, &token_shape);
        let mask_shape = [Dim::Named("batch"), Dim::Named("total_sequence")];
        self.graph
            .input("attention_mask", ElementType::I64, &mask_shape);
        let element = match self.small_cache {
            Some(_) => ElementType::I8,
            None => ElementType::F32,
        };
        for layer in 0..self.shape.layers {
            for part in ["key", "value"] {
                let cache = |length| {
                    [
                        Dim::Named("batch"),
                        Dim::Size(self.shape.kv_heads),
                        Dim::Named(length),
                        Dim::Size(self.shape.head_dim),
                    ]
                };
                let name = format!("past_key_values.{layer}.{part}");
                self.graph.input(&name, element, &cache("past_sequence"));
                let name = format!("present.{layer}.{part}");
                self.graph
                    .output(&name, element, &cache("present_sequence"));
            }
        }
        self.graph
            .input("logits_start", ElementType::I64, &[Dim::Size(1)]);
        self.graph.integers("logits_start", &[1], &[-1]);
        let logits = [
            Dim::Named("batch"),
            Dim::Named("logit_rows"),
            Dim::Size(self.shape.vocabulary),
        ];
        self.graph.output("logits", ElementType::F32, &logits);
    }

    fn constants(&mut self) -> Result<(), ModelError> {
        self.graph.integers("axis_last", &[1], &[-1]);
        self.graph.integers("axis_one", &[1], &[1]);
        self.graph.integers("one", &[], &[1]);
        self.graph.integers("to_the_end", &[1], &[i64::MAX]);
        self.graph.floats("tiny", &[], &[1e-8]);
        self.graph.floats("level", &[], &[1.0 / 127.0]);
        self.graph
            .constant("middle", ElementType::U8, &[], vec![128]);
        self.rotary_tables()?;
        // GroupQueryAttention wants the index of the last position of each row, and the longest length.
        let sum = self.graph.node(
            "ReduceSum",
            &["attention_mask", "axis_one"],
            &[Attribute::Int("keepdims", 0)],
        );
        let last = self.graph.node("Sub", &[&sum, "one"], &[]);
        let to_i32 = Attribute::Int("to", ElementType::I32 as i64);
        self.graph.add(
            "",
            "Cast",
            &[&last],
            &["seqlens_k"],
            std::slice::from_ref(&to_i32),
        );
        let shape = self.graph.node("Shape", &["attention_mask"], &[]);
        let total = self
            .graph
            .node("Gather", &[&shape, "one"], &[Attribute::Int("axis", 0)]);
        self.graph
            .add("", "Cast", &[&total], &["total_length"], &[to_i32]);
        Ok(())
    }

    /// cos and sin of each position's angle for each pair of a head.
    fn rotary_tables(&mut self) -> Result<(), ModelError> {
        let divisors = self.shape.rope.divisors(self.shape.head_dim);
        let divisors = divisors.map_err(|reason| ModelError::file(self.source.path(), reason))?;
        let half = divisors.len();
        let mut cos = Vec::with_capacity(self.shape.context * half);
        let mut sin = Vec::with_capacity(self.shape.context * half);
        for position in 0..self.shape.context {
            for divisor in &divisors {
                let angle = position as f64 / divisor;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        self.graph
            .floats("cos_table", &[self.shape.context, half], &cos);
        self.graph
            .floats("sin_table", &[self.shape.context, half], &sin);
        Ok(())
    }

    fn embedding(&mut self) -> Result<String, ModelError> {
        let (rows, width) = (self.shape.vocabulary, self.shape.hidden);
        let table = self
            .source
            .expect("model.embed_tokens.weight", &[rows, width])?;
        if self.precision == Precision::F32 {
            self.graph.floats("embedding", &[rows, width], &table);
            return Ok(self.graph.node("Gather", &["embedding", "input_ids"], &[]));
        }
        // One table for input and head: stored as the head multiplies by it, [hidden, vocabulary],
        // and gathered by column for the input.
        let (levels, scales) = quantise_rows(&table, rows, width);
        self.graph.bytes(
            "embedding",
            &[width, rows],
            &transpose(&levels, rows, width),
        );
        self.graph.floats("embedding_scale", &[rows], &scales);
        let columns = self.graph.node(
            "Gather",
            &["embedding", "input_ids"],
            &[Attribute::Int("axis", 1)],
        );
        let perm = Attribute::Ints("perm", vec![1, 2, 0]);
        let rows = self.graph.node("Transpose", &[&columns], &[perm]);
        let to_f32 = Attribute::Int("to", ElementType::F32 as i64);
        let levels = self.graph.node("Cast", &[&rows], &[to_f32]);
        let scale = self
            .graph
            .node("Gather", &["embedding_scale", "input_ids"], &[]);
        let scale = self.graph.node("Unsqueeze", &[&scale, "axis_last"], &[]);
        Ok(self.graph.node("Mul", &[&levels, &scale], &[]))
    }

    fn norm_weight(&mut self, name: &str) -> Result<String, ModelError> {
        let values = self.source.expect(name, &[self.shape.hidden])?;
        self.graph.floats(name, &[self.shape.hidden], &values);
        Ok(name.to_owned())
    }

    /// The RMS norm of the sum, and the sum.
    fn add_and_norm(
        &mut self,
        branch: &str,
        residual: &str,
        name: &str,
    ) -> Result<(String, String), ModelError> {
        let weight = self.norm_weight(name)?;
        let normed = self.graph.fresh("normed");
        let sum = self.graph.fresh("residual");
        self.graph.add(
            "com.microsoft",
            "SkipSimplifiedLayerNormalization",
            &[branch, residual, &weight],
            &[&normed, "", "", &sum],
            &[Attribute::Float("epsilon", self.shape.epsilon)],
        );
        Ok((normed, sum))
    }

    fn attention(&mut self, layer: usize, input: &str) -> Result<String, ModelError> {
        let (query, kv) = (self.shape.query_width(), self.shape.kv_width());
        let prefix = format!("model.layers.{layer}.self_attn");
        let parts = [
            (format!("{prefix}.q_proj"), query),
            (format!("{prefix}.k_proj"), kv),
            (format!("{prefix}.v_proj"), kv),
        ];
        let qkv = self.linear(input, &format!("{layer}.qkv"), &parts, self.shape.hidden)?;
        let attended = self.attend(layer, &qkv);
        let parts = [(format!("{prefix}.o_proj"), self.shape.hidden)];
        self.linear(&attended, &format!("{layer}.o"), &parts, query)
    }

    /// Attention of packed `qkv` over the cache of `layer`, which it adds to.
    fn attend(&mut self, layer: usize, qkv: &str) -> String {
        let past = |part| format!("past_key_values.{layer}.{part}");
        let present = |part| format!("present.{layer}.{part}");
        let (past_key, past_value) = (past("key"), past("value"));
        let mut inputs = vec![
            qkv,
            "",
            "",
            &past_key,
            &past_value,
            "seqlens_k",
            "total_length",
            "cos_table",
            "sin_table",
        ];
        let mut attributes = vec![
            Attribute::Int("num_heads", self.shape.heads as i64),
            Attribute::Int("kv_num_heads", self.shape.kv_heads as i64),
            Attribute::Int("do_rotary", 1),
            Attribute::Int("rotary_interleaved", 0),
        ];
        let names = ["keys", "values"].map(|part| format!("{layer}.{part}.step"));
        if let Some(steps) = self.small_cache.and_then(|it| it.cache_steps(layer)) {
            for (name, steps) in names.iter().zip([steps.keys, steps.values]) {
                self.graph.floats(name, &[steps.len()], &steps);
            }
            // No positions, bias or sinks of its own.
            inputs.extend(["", "", ""]);
            inputs.extend(names.iter().map(String::as_str));
            attributes.extend([
                Attribute::Text("k_quant_type", "PER_CHANNEL"),
                Attribute::Text("v_quant_type", "PER_CHANNEL"),
                Attribute::Int("kv_cache_bit_width", 8),
            ]);
        }
        let attended = self.graph.fresh("attended");
        self.graph.add(
            "com.microsoft",
            "GroupQueryAttention",
            &inputs,
            &[&attended, &present("key"), &present("value")],
            &attributes,
        );
        attended
    }

    fn feed_forward(&mut self, layer: usize, input: &str) -> Result<String, ModelError> {
        let wide = self.shape.intermediate;
        let prefix = format!("model.layers.{layer}.mlp");
        let parts = [
            (format!("{prefix}.gate_proj"), wide),
            (format!("{prefix}.up_proj"), wide),
        ];
        let both = self.linear(
            input,
            &format!("{layer}.gate_up"),
            &parts,
            self.shape.hidden,
        )?;
        let (gate, up) = (self.graph.fresh("gate"), self.graph.fresh("up"));
        let attributes = [Attribute::Int("axis", -1), Attribute::Int("num_outputs", 2)];
        self.graph
            .add("", "Split", &[&both], &[&gate, &up], &attributes);
        // QuickGelu with alpha 1 is x sigmoid(x), the SiLU of Llama, in one pass.
        let alpha = Attribute::Float("alpha", 1.0);
        let opened = self.graph.contrib("QuickGelu", &[&gate], &[alpha]);
        let product = self.graph.node("Mul", &[&opened, &up], &[]);
        let parts = [(format!("{prefix}.down_proj"), self.shape.hidden)];
        self.linear(&product, &format!("{layer}.down"), &parts, wide)
    }

    fn head(&mut self, normed: &str) -> Result<(), ModelError> {
        let (rows, width) = (self.shape.vocabulary, self.shape.hidden);
        let wanted = self.graph.node(
            "Slice",
            &[normed, "logits_start", "to_the_end", "axis_one"],
            &[],
        );
        let own = self.shape.tied != Some(true) && self.source.has("lm_head.weight")?;
        if !own && self.shape.tied == Some(false) {
            return Err(ModelError::file(
                self.source.path(),
                "there is no lm_head.weight, and the head is not tied to the embedding; is a file missing?",
            ));
        }
        let logits = match (self.precision, own) {
            (Precision::F32, _) => {
                let table = if own {
                    let head = self.source.expect("lm_head.weight", &[rows, width])?;
                    self.graph.floats("head", &[rows, width], &head);
                    "head"
                } else {
                    "embedding"
                };
                let transposed = Attribute::Int("transB", 1);
                self.graph
                    .contrib("FusedMatMul", &[&wanted, table], &[transposed])
            }
            (Precision::Int8, false) => {
                self.quantised_product(&wanted, "embedding", "embedding_scale", None)
            }
            (Precision::Int8, true) => {
                let head = self.source.expect("lm_head.weight", &[rows, width])?;
                let (levels, scales) = quantise_rows(&head, rows, width);
                self.graph
                    .bytes("head", &[width, rows], &transpose(&levels, rows, width));
                self.graph.floats("head_scale", &[rows], &scales);
                self.quantised_product(&wanted, "head", "head_scale", None)
            }
        };
        self.graph.add("", "Identity", &[&logits], &["logits"], &[]);
        Ok(())
    }
}
