//! Runs a decoder graph: tokens in, logits out, the cache kept between calls.

use std::path::Path;
use std::sync::Arc;

use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::ModelError;
use super::adapter::{Adapter, Ports};
use super::folder::GRAPH_FILE;
use super::import::without_adapters;
use super::in_turn::InTurn;
use super::kv_cache::{CacheShape, Element, KvCache};
use super::runtime::Runtime;
use super::steps::{SPARE, fill};
use crate::durable::FileError;

/// An open graph; several decoders run it in turn, a step at a time, each with a cache of its own.
pub(super) type SharedSession = Arc<InTurn<Session>>;

/// A decoder and the cache of the conversation it is in.
pub struct Decoder {
    session: SharedSession,
    cache: KvCache,
    /// The tokens of the cache's positions, and the adapter that they were read with.
    read: Vec<i64>,
    adapter: Option<String>,
    ports: Ports,
    mask: Vec<i64>,
}

/// Which positions of a step get logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// The last one.
    Last,
    /// All of them.
    All,
}

impl Logits {
    /// How many of `tokens` positions.
    pub(super) fn of(self, tokens: usize) -> usize {
        match self {
            Logits::Last => tokens.min(1),
            Logits::All => tokens,
        }
    }
}

impl Decoder {
    /// Opens the decoder in `folder` with a cache of `context` positions; blocking.
    ///
    /// Layers and sizes are read from the graph.
    ///
    /// # Errors
    /// The graph has not the inputs of a decoder, or the runtime does not take it.
    pub fn open(runtime: &Runtime, folder: &Path, context: usize) -> Result<Self, ModelError> {
        let session = runtime.open(&folder.join(GRAPH_FILE))?;
        Decoder::on(Arc::new(InTurn::new(session)), folder, context)
    }

    /// As [`Decoder::open`], without inputs for adapters.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn open_bare(runtime: &Runtime, folder: &Path, context: usize) -> Result<Self, ModelError> {
        let path = folder.join(GRAPH_FILE);
        let whole = std::fs::read(&path).map_err(FileError::at("read", &path))?;
        let graph =
            without_adapters(&whole).ok_or_else(|| ModelError::file(&path, "not an ONNX graph"))?;
        let session = runtime.open_graph(&graph, folder)?;
        Decoder::on(Arc::new(InTurn::new(session)), folder, context)
    }

    /// As [`Decoder::open`], on the graph of `folder` that another decoder has open.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn on(session: SharedSession, folder: &Path, context: usize) -> Result<Self, ModelError> {
        let (shape, ports) = {
            let graph = session.lock();
            let shape = cache_shape(&graph, "past_key_values.");
            (shape, Ports::of(&graph))
        };
        let shape = shape.ok_or_else(|| {
            ModelError::file(
                folder.join(GRAPH_FILE),
                "the graph has no past_key_values.N.key inputs of a known size",
            )
        })?;
        Ok(Decoder {
            cache: KvCache::new(shape, context)?,
            session,
            read: Vec::new(),
            adapter: None,
            ports,
            mask: vec![1; context + SPARE],
        })
    }

    /// The graph, for another decoder.
    pub fn session(&self) -> &SharedSession {
        &self.session
    }

    /// Positions of the cache.
    pub fn capacity(&self) -> usize {
        self.cache.capacity()
    }

    /// Forgets all positions from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.cache.truncate(length);
        self.read.truncate(length);
    }

    /// Keeps of what was read only what `tokens` begin with too, and tells how many positions that is: at most all
    /// but the last of `tokens`, none where `adapter` is another than the one it was read with.
    pub fn keep(&mut self, tokens: &[i64], adapter: Option<&Adapter>) -> usize {
        let same = self.adapter.as_deref() == adapter.map(|adapter| adapter.name.as_str());
        let same = same && self.keeps_rows_apart(adapter);
        let shared = if same { shared(&self.read, tokens) } else { 0 };
        self.truncate(shared);
        shared
    }

    /// What the graph takes of an adapter.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Whether the logits of a position are the same however the text is cut into steps.
    ///
    /// Not with an adapter in single precision: its narrow products are shared out among threads by columns, and from
    /// another number of columns follow other partial sums.
    pub fn keeps_rows_apart(&self, adapter: Option<&Adapter>) -> bool {
        adapter.is_none() || self.ports.whole
    }

    /// Appends `tokens` and returns the logits of `rows`, row by row; blocking.
    ///
    /// The logits of a position depend on the tokens up to it alone, to the bit, and not on how they were cut into
    /// steps (see [`Decoder::keeps_rows_apart`]), so that guesses can be verified and prefixes reused without changing
    /// a text. The runtime keeps to that for steps that are [filled up](fill): rows are added, and forgotten.
    ///
    /// # Errors
    /// The tokens do not fit the cache, or the runtime failed.
    pub fn step(
        &mut self,
        tokens: &[i64],
        rows: Logits,
        adapter: Option<&Adapter>,
    ) -> Result<Vec<f32>, ModelError> {
        let length = self.cache.length();
        let Some(last) = tokens
            .last()
            .filter(|_| length + tokens.len() <= self.cache.capacity())
        else {
            return Err(ModelError::PromptTooLong {
                tokens: length + tokens.len(),
                limit: self.cache.capacity(),
            });
        };
        let added = match self.keeps_rows_apart(adapter) {
            true => fill(length, tokens.len()),
            false => 0,
        };
        let wanted = rows.of(tokens.len());
        let all = [tokens, &vec![*last; added]].concat();
        let total = length + all.len();
        let start = [-((wanted + added) as i64)];
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = vec![
            (
                "input_ids",
                TensorRef::from_array_view(([1, all.len()], &all[..]))?.into(),
            ),
            (
                "attention_mask",
                TensorRef::from_array_view(([1, total], &self.mask[..total]))?.into(),
            ),
            (
                "logits_start",
                TensorRef::from_array_view(([1], &start[..]))?.into(),
            ),
        ];
        for (name, past) in self.cache.pasts() {
            inputs.push((name, past.into()));
        }
        for (name, weights) in adapter.iter().flat_map(|adapter| &adapter.inputs) {
            inputs.push((name, weights.into()));
        }
        let mut session = self.session.lock();
        let outputs = session.run_with_options(inputs, self.cache.options())?;
        let logits = outputs
            .get("logits")
            .ok_or_else(|| ModelError::Run("the graph gave no logits".into()))?;
        let (_, values) = logits.try_extract_tensor::<f32>()?;
        let values = values[..values.len() / (wanted + added) * wanted].to_vec();
        drop(outputs);
        drop(session);
        self.cache.advance(tokens.len());
        self.read.extend(tokens);
        self.adapter = adapter.map(|adapter| adapter.name.clone());
        Ok(values)
    }
}

/// With how many tokens both begin, at most all but the last of `tokens`.
pub(super) fn shared(read: &[i64], tokens: &[i64]) -> usize {
    let pairs = read.iter().zip(&tokens[..tokens.len().max(1) - 1]);
    pairs.take_while(|(read, token)| read == token).count()
}

/// Sizes of the graph's cache inputs, whose names begin with `prefix`.
pub(super) fn cache_shape(session: &Session, prefix: &str) -> Option<CacheShape> {
    let mut layers = 0;
    let mut sizes = None;
    for input in session.inputs() {
        let name = input.name();
        if name.starts_with(prefix) && name.ends_with(".key") {
            layers += 1;
            let ValueType::Tensor { shape, ty, .. } = input.dtype() else {
                return None;
            };
            let element = match ty {
                TensorElementType::Float32 => Element::F32,
                TensorElementType::Int8 => Element::I8,
                _ => return None,
            };
            let size = |at: usize| usize::try_from(*shape.get(at)?).ok();
            sizes = Some((size(1)?, size(3)?, element));
        }
    }
    let (heads, head_dim, element) = sizes?;
    // As an import has them; a graph that says more would have the cache take all memory.
    let fits = layers <= 256 && (1..=256).contains(&heads) && (1..=512).contains(&head_dim);
    fits.then_some(CacheShape {
        layers,
        heads,
        head_dim,
        element,
    })
}

/// The position of the largest of `logits`; the first of equals.
pub fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in logits.iter().enumerate() {
        if *value > logits[best] {
            best = at;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::argmax;

    #[test]
    fn the_first_of_equal_logits_wins() {
        assert_eq!(argmax(&[0.0, 2.0, 2.0, -1.0]), 1);
        assert_eq!(argmax(&[f32::NAN, 1.0]), 0);
    }
}
