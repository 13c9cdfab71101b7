//! For tests of this room and of those above: an embedder without a model, and a library in a temporary folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndarray::Array2;

use super::{Library, words};
use crate::config::{Config, DenseMode};
use crate::documents::{Document, read_bytes};
use crate::model::{Embedder, ModelError, TokenCounter};
use crate::types::Digest;

/// Hashes stems into a vector: texts that share words are near each other; always the same.
#[derive(Debug)]
pub(crate) struct HashingEmbedder {
    name: &'static str,
    broken: AtomicBool,
    embedded: AtomicUsize,
}

impl HashingEmbedder {
    /// An embedder whose digest is that of `name`.
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(HashingEmbedder {
            name,
            broken: AtomicBool::new(false),
            embedded: AtomicUsize::new(0),
        })
    }

    /// Texts embedded so far.
    pub(crate) fn embedded(&self) -> usize {
        self.embedded.load(Ordering::SeqCst)
    }

    /// Lets every call fail from now on, or work again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

impl TokenCounter for HashingEmbedder {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

impl Embedder for HashingEmbedder {
    fn dimension(&self) -> usize {
        64
    }

    fn max_tokens(&self) -> usize {
        256
    }

    fn digest(&self) -> Digest {
        Digest::of(self.name.as_bytes())
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ModelError::Run("broken for a test".into()));
        }
        self.embedded.fetch_add(texts.len(), Ordering::SeqCst);
        let mut vectors = Array2::<f32>::zeros((texts.len(), self.dimension()));
        for (text, mut vector) in texts.iter().zip(vectors.outer_iter_mut()) {
            // So that a text without words has a direction too.
            vector[0] = 0.1;
            for term in words::terms(text) {
                let hash = Digest::of(term.as_bytes()).0;
                let sign = if hash[1] < 128 { 1.0 } else { -1.0 };
                vector[usize::from(hash[0]) % 64] += sign;
            }
            let length = vector.dot(&vector).sqrt();
            vector.mapv_inplace(|value| value / length);
        }
        Ok(vectors)
    }
}

/// The library in `folder` with the default configuration, vectors scanned.
pub(crate) fn open(folder: &Path, embedder: Arc<dyn Embedder>) -> Library {
    let mut config = Config::defaults(None).expect("defaults are valid");
    config.library.dense = DenseMode::Exact;
    Library::open(folder, &config.library, &config.search, embedder).expect("openable")
}

/// The Markdown `text` as the document `id`.
pub(crate) fn document(id: &str, text: &str) -> Document {
    read_bytes(Path::new("test.md"), id, text.as_bytes()).expect("readable")
}
