//! Writes the graph of a Llama-family decoder.
//!
//! Inputs and outputs are named as Optimum and onnxruntime-genai name them: `input_ids`,
//! `attention_mask`, `past_key_values.N.key|value` -> `logits`, `present.N.key|value`. Two more inputs
//! are optional: `logits_start` (which positions get logits; the last one by default) and the LoRA
//! weights `lora.N.<module>.a|b`, of rank zero by default, with `lora.N.<module>.a_scale` where a is int8.
//!
//! Attention is ONNX Runtime's `GroupQueryAttention` with rotary embedding inside. In the int8 graph
//! each activation row is scaled by its own largest absolute value before it is rounded to 8 bits,
//! and each weight column by its own: one scale for all rows ruins small models (perplexity 41.6
//! against 25.9, measured on SmolLM2-135M).
//!
//! There a of an adapter is int8, too, and multiplies the same rounded activations. Whole numbers sum to the same in
//! any order; in single precision the narrow product `input a` would sum in another order with another number of
//! rows, and a text would depend on how it was cut into steps.

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
    precision: Precision,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ModelError> {
    let mut writer = DecoderWriter {
        graph,
        source,
        shape,
        precision,
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

struct DecoderWriter<'a, 'w> {
    graph: &'a mut GraphBuilder<'w>,
    source: &'a dyn WeightSource,
    shape: &'a LlamaShape,
    precision: Precision,
}

impl DecoderWriter<'_, '_> {
    fn declare(&mut self) {
        let token_shape = [Dim::Named("batch"), Dim::Named("sequence")];
        self.graph
            .input("input_ids", ElementType::I64, &token_shape);
        let mask_shape = [Dim::Named("batch"), Dim::Named("total_sequence")];
        self.graph
            .input("attention_mask", ElementType::I64, &mask_shape);
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
                self.graph
                    .input(&name, ElementType::F32, &cache("past_sequence"));
                let name = format!("present.{layer}.{part}");
                self.graph
                    .output(&name, ElementType::F32, &cache("present_sequence"));
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
        let past = |part| format!("past_key_values.{layer}.{part}");
        let present = |part| format!("present.{layer}.{part}");
        let attended = self.graph.fresh("attended");
        self.graph.add(
            "com.microsoft",
            "GroupQueryAttention",
            &[
                &qkv,
                "",
                "",
                &past("key"),
                &past("value"),
                "seqlens_k",
                "total_length",
                "cos_table",
                "sin_table",
            ],
            &[&attended, &present("key"), &present("value")],
            &[
                Attribute::Int("num_heads", self.shape.heads as i64),
                Attribute::Int("kv_num_heads", self.shape.kv_heads as i64),
                Attribute::Int("do_rotary", 1),
                Attribute::Int("rotary_interleaved", 0),
            ],
        );
        let parts = [(format!("{prefix}.o_proj"), self.shape.hidden)];
        self.linear(&attended, &format!("{layer}.o"), &parts, query)
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

    /// One product for several layers that read the same input, with the optional low-rank addition.
    fn linear(
        &mut self,
        input: &str,
        module: &str,
        parts: &[(String, usize)],
        width: usize,
    ) -> Result<String, ModelError> {
        let mut packed = Vec::new();
        let mut bias = Vec::new();
        let mut outputs = 0;
        for (name, rows) in parts {
            packed.extend(
                self.source
                    .expect(&format!("{name}.weight"), &[*rows, width])?,
            );
            let part = format!("{name}.bias");
            if self.source.has(&part)? {
                bias.resize(outputs, 0.0);
                bias.extend(self.source.expect(&part, &[*rows])?);
            }
            outputs += rows;
        }
        let sizes = (width, outputs);
        let mut product = match self.precision {
            Precision::F32 => {
                let weight = format!("{module}.weight");
                let columns = transpose(&packed, outputs, width);
                self.graph.floats(&weight, &[width, outputs], &columns);
                let product = self.graph.node("MatMul", &[input, &weight], &[]);
                let (a, b) = self.low_rank(module, sizes, ElementType::F32);
                let down = self.graph.node("MatMul", &[input, &a], &[]);
                let up = self.graph.node("MatMul", &[&down, &b], &[]);
                self.graph.node("Add", &[&product, &up], &[])
            }
            Precision::Int8 => {
                let (levels, scales) = quantise_rows(&packed, outputs, width);
                let weight = format!("{module}.weight");
                let columns = transpose(&levels, outputs, width);
                self.graph.bytes(&weight, &[width, outputs], &columns);
                let scale = format!("{module}.scale");
                self.graph.floats(&scale, &[outputs], &scales);
                self.quantised_product(input, &weight, &scale, Some((module, sizes)))
            }
        };
        if !bias.is_empty() {
            bias.resize(outputs, 0.0);
            let name = format!("{module}.bias");
            self.graph.floats(&name, &[outputs], &bias);
            product = self.graph.node("Add", &[&product, &name], &[]);
        }
        Ok(product)
    }

    /// `input` scaled row by row to 8 bits, times an 8-bit weight, with the low-rank addition of a module of a known
    /// width and outputs where one is named, scaled back.
    fn quantised_product(
        &mut self,
        input: &str,
        weight: &str,
        scale: &str,
        adapted: Option<(&str, (usize, usize))>,
    ) -> String {
        let size = self.graph.node("Abs", &[input], &[]);
        let keep = Attribute::Int("keepdims", 1);
        let largest = self.graph.node("ReduceMax", &[&size, "axis_last"], &[keep]);
        let largest = self.graph.node("Add", &[&largest, "tiny"], &[]);
        let unit = self.graph.node("Div", &[input, &largest], &[]);
        let levels = self
            .graph
            .node("QuantizeLinear", &[&unit, "level", "middle"], &[]);
        let mut product = self.whole_product(&levels, weight, scale);
        if let Some((module, sizes)) = adapted {
            let (a, b) = self.low_rank(module, sizes, ElementType::I8);
            let a_scale = format!("{a}_scale");
            let rank = [Dim::Named(&format!("rank.{module}"))];
            self.graph.input(&a_scale, ElementType::F32, &rank);
            self.graph.floats(&a_scale, &[0], &[]);
            let down = self.whole_product(&levels, &a, &a_scale);
            let up = self.graph.node("MatMul", &[&down, &b], &[]);
            product = self.graph.node("Add", &[&product, &up], &[]);
        }
        self.graph.node("Mul", &[&product, &largest], &[])
    }

    /// Levels of activations times those of a weight, to single precision with the weight's scales.
    fn whole_product(&mut self, levels: &str, weight: &str, scale: &str) -> String {
        let inputs = [levels, weight, "level", scale, "middle"];
        self.graph.contrib("MatMulIntegerToFloat", &inputs, &[])
    }

    /// The optional inputs a and b of `module`, of rank zero by default; their names.
    fn low_rank(
        &mut self,
        module: &str,
        (width, outputs): (usize, usize),
        element: ElementType,
    ) -> (String, String) {
        let (a, b) = (format!("lora.{module}.a"), format!("lora.{module}.b"));
        let rank = format!("rank.{module}");
        self.graph
            .input(&a, element, &[Dim::Size(width), Dim::Named(&rank)]);
        self.graph.input(
            &b,
            ElementType::F32,
            &[Dim::Named(&rank), Dim::Size(outputs)],
        );
        // No values, so no bytes, whatever their type.
        self.graph.constant(&a, element, &[width, 0], Vec::new());
        self.graph.floats(&b, &[0, outputs], &[]);
        (a, b)
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

/// Each row divided by its largest absolute value over 127 and rounded; levels and scales.
pub(in crate::model) fn quantise_rows(
    values: &[f32],
    rows: usize,
    columns: usize,
) -> (Vec<i8>, Vec<f32>) {
    let mut levels = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(rows);
    // A row of nothing has no largest value, and no row comes out of nothing.
    for row in values.chunks_exact(columns.max(1)) {
        let largest = row
            .iter()
            .fold(0f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let inverse = 1.0 / scale;
        levels.extend(row.iter().map(|value| (value * inverse).round() as i8));
        scales.push(scale);
    }
    (levels, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_quantised_to_within_half_a_level() {
        let row = [0.3f32, -1.27, 0.0, 0.014];
        let (levels, scales) = quantise_rows(&row, 1, 4);
        assert_eq!(levels, [30, -127, 0, 1]);
        for (level, value) in levels.iter().zip(row) {
            assert!((f32::from(*level) * scales[0] - value).abs() <= scales[0] / 2.0);
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        assert_eq!(quantise_rows(&[0.0; 3], 1, 3), (vec![0, 0, 0], vec![1.0]));
    }
}
