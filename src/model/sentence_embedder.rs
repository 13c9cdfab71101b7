//! The embedder that stands on an ONNX graph.

use std::path::Path;

use ndarray::{Array2, s};
use ort::session::Session;
use ort::value::{TensorRef, ValueType};

use super::folder::{GRAPH_FILE, Kind, Manifest};
use super::in_turn::InTurn;
use super::runtime::Runtime;
use super::vocabulary::Vocabulary;
use super::{Embedder, ModelError, TokenCounter};
use crate::types::Digest;

/// Texts that are embedded in one run: more gains little on two to four cores and costs memory.
const BATCH: usize = 16;

/// A BERT encoder with mean pooling.
pub struct SentenceEmbedder {
    session: InTurn<Session>,
    vocabulary: Vocabulary,
    dimension: usize,
    max_tokens: usize,
    digest: Digest,
}

impl SentenceEmbedder {
    /// Opens the embedder in `folder`; blocking.
    ///
    /// # Errors
    /// The folder holds no finished embedder, or the runtime does not take it.
    pub fn open(runtime: &Runtime, folder: &Path) -> Result<Self, ModelError> {
        let manifest = Manifest::open_kind(folder, Kind::Embedder)?;
        let path = folder.join(GRAPH_FILE);
        let session = runtime.open(&path)?;
        let width = session
            .outputs()
            .first()
            .and_then(|output| match output.dtype() {
                ValueType::Tensor { shape, .. } => usize::try_from(*shape.get(1)?).ok(),
                _ => None,
            });
        let dimension = width.ok_or_else(|| {
            ModelError::file(
                &path,
                "the graph's first output is no matrix of a known width",
            )
        })?;
        Ok(SentenceEmbedder {
            session: InTurn::new(session),
            vocabulary: Vocabulary::open(folder)?,
            dimension,
            max_tokens: manifest.context_tokens,
            digest: manifest.digest(),
        })
    }

    fn embed_batch(
        &self,
        batch: &[(usize, Vec<i64>)],
        rows: &mut Array2<f32>,
    ) -> Result<(), ModelError> {
        let longest = batch
            .iter()
            .map(|(_, tokens)| tokens.len())
            .max()
            .unwrap_or(0);
        let mut tokens = Array2::<i64>::zeros((batch.len(), longest));
        let mut mask = Array2::<i64>::zeros((batch.len(), longest));
        for (row, (_, text)) in batch.iter().enumerate() {
            for (column, token) in text.iter().enumerate() {
                tokens[[row, column]] = *token;
                mask[[row, column]] = 1;
            }
        }
        let mut session = self.session.lock();
        let outputs = session.run(ort::inputs![
            "input_ids" => TensorRef::from_array_view(&tokens)?,
            "attention_mask" => TensorRef::from_array_view(&mask)?,
        ])?;
        let vectors = outputs[0].try_extract_array::<f32>()?;
        let vectors = vectors
            .into_dimensionality::<ndarray::Ix2>()
            .map_err(|error| ModelError::Run(error.to_string()))?;
        for (vector, (at, _)) in vectors.rows().into_iter().zip(batch) {
            rows.slice_mut(s![*at, ..]).assign(&vector);
        }
        Ok(())
    }
}

impl TokenCounter for SentenceEmbedder {
    fn count(&self, text: &str) -> usize {
        self.vocabulary.count(text)
    }
}

impl Embedder for SentenceEmbedder {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        let mut encoded = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            let mut tokens = self.vocabulary.encode(text, true)?;
            if tokens.len() > self.max_tokens
                && let Some(end) = tokens.last().copied()
            {
                // The closing token stays, as in the tokenizer's own truncation.
                tokens.truncate(self.max_tokens - 1);
                tokens.push(end);
            }
            encoded.push((at, tokens));
        }
        // Neighbours of equal length waste no padding.
        encoded.sort_by_key(|(_, tokens)| tokens.len());
        let mut rows = Array2::zeros((texts.len(), self.dimension));
        for batch in encoded.chunks(BATCH) {
            self.embed_batch(batch, &mut rows)?;
        }
        Ok(rows)
    }
}
