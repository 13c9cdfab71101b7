//! Writes the graph of a BERT sentence embedder: encoder, mean over the tokens, length 1.
//!
//! `input_ids`, `attention_mask` -> `sentence_embedding`, as sentence-transformers computes it
//! (modules Transformer, Pooling with `pooling_mode_mean_tokens`, Normalize).

use super::onnx::{Attribute, Dim, ElementType, GraphBuilder};
use super::weights::{WeightSource, transpose};
use crate::model::ModelError;

/// Sizes of an encoder, as in its `config.json`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct BertShape {
    /// `bert` is the only type that is read.
    pub model_type: String,
    /// Encoder blocks.
    pub num_hidden_layers: usize,
    /// Width.
    pub hidden_size: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest text, tokens.
    pub max_position_embeddings: usize,
    /// Token types; only the first is used.
    pub type_vocab_size: usize,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f32,
    /// Activation; `gelu` is the only one that is read.
    pub hidden_act: String,
}

impl BertShape {
    /// Holds the sizes against bounds that keep a hostile file from costing memory, and products from overflowing.
    ///
    /// # Errors
    /// The sizes, where they make no encoder.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            (self.num_hidden_layers, 256),
            (self.hidden_size, 16_384),
            (self.intermediate_size, 65_536),
            (self.num_attention_heads, 256),
            (self.vocab_size, 1 << 20),
            (self.max_position_embeddings, 32_768),
            (self.type_vocab_size, 256),
        ];
        let fits = sizes.iter().all(|(size, most)| (1..=*most).contains(size))
            && self.hidden_size.is_multiple_of(self.num_attention_heads)
            && self.layer_norm_eps.is_finite();
        match fits {
            true => Ok(()),
            false => Err(format!("these sizes make no encoder: {self:?}")),
        }
    }
}

/// Writes the whole graph; `progress` is called after each layer with the layers done.
///
/// # Errors
/// A weight is missing or has another shape than `shape` says.
pub fn write_embedder(
    graph: &mut GraphBuilder<'_>,
    source: &dyn WeightSource,
    shape: &BertShape,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ModelError> {
    let mut writer = EmbedderWriter {
        graph,
        source,
        shape,
    };
    writer.declare();
    let mut state = writer.embeddings()?;
    for layer in 0..shape.num_hidden_layers {
        state = writer.block(layer, &state)?;
        progress(layer + 1);
    }
    writer.pool(&state);
    Ok(())
}

struct EmbedderWriter<'a, 'w> {
    graph: &'a mut GraphBuilder<'w>,
    source: &'a dyn WeightSource,
    shape: &'a BertShape,
}

impl EmbedderWriter<'_, '_> {
    fn declare(&mut self) {
        let tokens = [Dim::Named("batch"), Dim::Named("sequence")];
        self.graph.input("input_ids", ElementType::I64, &tokens);
        self.graph
            .input("attention_mask", ElementType::I64, &tokens);
        let vectors = [Dim::Named("batch"), Dim::Size(self.shape.hidden_size)];
        self.graph
            .output("sentence_embedding", ElementType::F32, &vectors);
        self.graph.integers("axis_zero", &[1], &[0]);
        self.graph.integers("axis_one", &[1], &[1]);
        self.graph.integers("axis_last", &[1], &[-1]);
        self.graph.floats("tiny", &[], &[1e-12]);
    }

    fn embeddings(&mut self) -> Result<String, ModelError> {
        let (width, positions) = (self.shape.hidden_size, self.shape.max_position_embeddings);
        let words = [self.shape.vocab_size, width];
        let table = self
            .source
            .expect("embeddings.word_embeddings.weight", &words)?;
        self.graph.floats("words", &words, &table);
        let mut table = self
            .source
            .expect("embeddings.position_embeddings.weight", &[positions, width])?;
        let types = self.source.expect(
            "embeddings.token_type_embeddings.weight",
            &[self.shape.type_vocab_size, width],
        )?;
        // One text at a time is embedded, so every token is of the first type: fold it in.
        for row in table.chunks_exact_mut(width) {
            for (value, first) in row.iter_mut().zip(&types) {
                *value += first;
            }
        }
        self.graph.floats("positions", &[positions, width], &table);
        let tokens = self.graph.node("Gather", &["words", "input_ids"], &[]);
        let start = Attribute::Int("start", 1);
        let end = Attribute::Int("end", 2);
        let length = self.graph.node("Shape", &["input_ids"], &[start, end]);
        let places = self.graph.node(
            "Slice",
            &["positions", "axis_zero", &length, "axis_zero"],
            &[],
        );
        let sum = self.graph.node("Add", &[&tokens, &places], &[]);
        let gamma = self.vector("embeddings.LayerNorm.weight", width)?;
        let beta = self.vector("embeddings.LayerNorm.bias", width)?;
        let epsilon = Attribute::Float("epsilon", self.shape.layer_norm_eps);
        Ok(self
            .graph
            .node("LayerNormalization", &[&sum, &gamma, &beta], &[epsilon]))
    }

    fn block(&mut self, layer: usize, input: &str) -> Result<String, ModelError> {
        let (width, wide) = (self.shape.hidden_size, self.shape.intermediate_size);
        let prefix = format!("encoder.layer.{layer}");
        let attended = self.attention(&prefix, input)?;
        let output = format!("{prefix}.attention.output");
        let projected = self.product(&attended, &format!("{output}.dense"), (width, width))?;
        let state = self.add_and_norm(&projected, input, &output)?;
        let dense = format!("{prefix}.intermediate.dense");
        let opened = self.product(&state, &dense, (width, wide))?;
        let bias = self.vector(&format!("{dense}.bias"), wide)?;
        let opened = self.graph.contrib("BiasGelu", &[&opened, &bias], &[]);
        let output = format!("{prefix}.output");
        let closed = self.product(&opened, &format!("{output}.dense"), (wide, width))?;
        self.add_and_norm(&closed, &state, &output)
    }

    fn attention(&mut self, prefix: &str, input: &str) -> Result<String, ModelError> {
        let width = self.shape.hidden_size;
        let mut rows = Vec::new();
        let mut bias = Vec::new();
        for part in ["query", "key", "value"] {
            let name = format!("{prefix}.attention.self.{part}");
            rows.extend(
                self.source
                    .expect(&format!("{name}.weight"), &[width, width])?,
            );
            bias.extend(self.source.expect(&format!("{name}.bias"), &[width])?);
        }
        let weight = format!("{prefix}.attention.qkv.weight");
        self.graph.floats(
            &weight,
            &[width, 3 * width],
            &transpose(&rows, 3 * width, width),
        );
        let bias_name = format!("{prefix}.attention.qkv.bias");
        self.graph.floats(&bias_name, &[3 * width], &bias);
        let to_i32 = Attribute::Int("to", ElementType::I32 as i64);
        let mask = self.graph.node("Cast", &["attention_mask"], &[to_i32]);
        let heads = Attribute::Int("num_heads", self.shape.num_attention_heads as i64);
        Ok(self
            .graph
            .contrib("Attention", &[input, &weight, &bias_name, &mask], &[heads]))
    }

    fn product(
        &mut self,
        input: &str,
        name: &str,
        (width, outputs): (usize, usize),
    ) -> Result<String, ModelError> {
        let weight = format!("{name}.weight");
        let rows = self.source.expect(&weight, &[outputs, width])?;
        self.graph.floats(
            &weight,
            &[width, outputs],
            &transpose(&rows, outputs, width),
        );
        Ok(self.graph.node("MatMul", &[input, &weight], &[]))
    }

    /// Layer norm of branch + bias + input; gamma, beta and bias lie under `name`.
    fn add_and_norm(
        &mut self,
        branch: &str,
        input: &str,
        name: &str,
    ) -> Result<String, ModelError> {
        let width = self.shape.hidden_size;
        let gamma = self.vector(&format!("{name}.LayerNorm.weight"), width)?;
        let beta = self.vector(&format!("{name}.LayerNorm.bias"), width)?;
        let bias = self.vector(&format!("{name}.dense.bias"), width)?;
        let epsilon = Attribute::Float("epsilon", self.shape.layer_norm_eps);
        let inputs = [branch, input, &gamma, &beta, &bias];
        Ok(self
            .graph
            .contrib("SkipLayerNormalization", &inputs, &[epsilon]))
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<String, ModelError> {
        let values = self.source.expect(name, &[length])?;
        self.graph.floats(name, &[length], &values);
        Ok(name.to_owned())
    }

    fn pool(&mut self, state: &str) {
        let to_f32 = Attribute::Int("to", ElementType::F32 as i64);
        let mask = self.graph.node("Cast", &["attention_mask"], &[to_f32]);
        let mask = self.graph.node("Unsqueeze", &[&mask, "axis_last"], &[]);
        let kept = self.graph.node("Mul", &[state, &mask], &[]);
        let drop = Attribute::Int("keepdims", 0);
        let sum = self.graph.node(
            "ReduceSum",
            &[&kept, "axis_one"],
            std::slice::from_ref(&drop),
        );
        let count = self.graph.node("ReduceSum", &[&mask, "axis_one"], &[drop]);
        let mean = self.graph.node("Div", &[&sum, &count], &[]);
        let keep = Attribute::Int("keepdims", 1);
        let length = self.graph.node("ReduceL2", &[&mean, "axis_last"], &[keep]);
        let length = self.graph.node("Add", &[&length, "tiny"], &[]);
        self.graph
            .add("", "Div", &[&mean, &length], &["sentence_embedding"], &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_make_no_encoder_are_refused() {
        let shape = |width: usize, heads: usize| BertShape {
            model_type: "bert".into(),
            num_hidden_layers: 1,
            hidden_size: width,
            intermediate_size: 4,
            num_attention_heads: heads,
            vocab_size: 6,
            max_position_embeddings: 8,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_act: "gelu".into(),
        };
        assert_eq!(shape(4, 2).check(), Ok(()));
        for (width, heads) in [(0, 1), (4, 0), (4, 3), (usize::MAX, 1)] {
            assert!(shape(width, heads).check().is_err(), "{width}, {heads}");
        }
    }
}
