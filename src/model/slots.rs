//! Runs a decoder graph for several texts at once: in each step any of them reads some tokens, and the weights are
//! read once for all.

use std::path::Path;
use std::sync::Arc;

use ort::session::SessionInputValue;
use ort::value::TensorRef;

use super::ModelError;
use super::adapter::{Adapter, Ports};
use super::decoder::{Logits, SharedSession, cache_shape, shared};
use super::folder::GRAPH_FILE;
use super::import::for_several;
use super::in_turn::InTurn;
use super::ports::{Caches, IDLE};
use super::runtime::Runtime;
use super::steps::fill;
use crate::durable::FileError;

/// Most texts at once: each is an operator of its own in every layer.
pub const MOST_SLOTS: usize = 16;

/// A decoder with a cache for each of several texts.
pub struct Slots {
    session: SharedSession,
    caches: Caches,
    /// What the graph takes of an adapter.
    takes: Ports,
    slots: Vec<Slot>,
    capacity: usize,
}

/// What the cache of a slot holds.
#[derive(Clone, Default)]
struct Slot {
    read: Vec<i64>,
    /// The adapter that it was read with.
    adapter: Option<String>,
}

/// What one text reads in a step.
pub struct Part<'a> {
    /// Its slot; each stands in a step at most once.
    pub slot: usize,
    /// What is appended, at least one.
    pub tokens: &'a [i64],
    /// Which of them get logits.
    pub rows: Logits,
}

impl Slots {
    /// Opens the decoder in `folder` with `slots` caches of `capacity` positions; blocking.
    ///
    /// # Errors
    /// The graph is not one that this version imports, or the runtime does not take it.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        slots: usize,
        capacity: usize,
    ) -> Result<Self, ModelError> {
        let path = folder.join(GRAPH_FILE);
        if slots == 0 || slots > MOST_SLOTS {
            let reason = format!("{slots} texts at once; 1 to {MOST_SLOTS} are possible");
            return Err(ModelError::file(&path, reason));
        }
        let single = std::fs::read(&path).map_err(FileError::at("read", &path))?;
        let graph = for_several(&single, slots).ok_or_else(|| {
            let reason = "the graph cannot go on with several texts; import the model again";
            ModelError::file(&path, reason)
        })?;
        let session = runtime.open_graph(&graph, folder)?;
        Slots::on(Arc::new(InTurn::new(session)), folder, slots, capacity)
    }

    /// As [`Slots::open`], on the graph of `folder` that others have open for as many texts: they run it in turn,
    /// a step at a time.
    ///
    /// # Errors
    /// As [`Slots::open`].
    pub fn on(
        session: SharedSession,
        folder: &Path,
        slots: usize,
        capacity: usize,
    ) -> Result<Self, ModelError> {
        let wrong = |reason: &str| ModelError::file(folder.join(GRAPH_FILE), reason);
        let (shape, takes) = {
            let graph = session.lock();
            (cache_shape(&graph, "port.0.past."), Ports::of(&graph))
        };
        // The text of each must not depend on the others' number of rows.
        if !takes.whole {
            return Err(wrong(
                "only 8-bit decoders of this version go on with several texts; import the model again",
            ));
        }
        let shape = shape.ok_or_else(|| {
            wrong("the graph has no caches of a known size; import the model again")
        })?;
        Ok(Slots {
            session,
            caches: Caches::new(shape, slots, capacity)?,
            takes,
            slots: vec![Slot::default(); slots],
            capacity,
        })
    }

    /// How many texts at once.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The graph, for others beside these.
    pub fn session(&self) -> &SharedSession {
        &self.session
    }

    /// What the graph takes of an adapter.
    pub fn takes(&self) -> &Ports {
        &self.takes
    }

    /// Positions of each cache.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all positions of `slot` from `length` on.
    pub fn truncate(&mut self, slot: usize, length: usize) {
        self.slots[slot].read.truncate(length);
    }

    /// How many positions of `slot` hold what `tokens` begin with, too, read with `adapter`; at most all but the last of
    /// `tokens`.
    pub fn shared(&self, slot: usize, tokens: &[i64], adapter: Option<&str>) -> usize {
        let slot = &self.slots[slot];
        match slot.adapter.as_deref() == adapter {
            true => shared(&slot.read, tokens),
            false => 0,
        }
    }

    /// Appends to the texts of `parts` their tokens and returns the logits that each wants, row by row; blocking.
    ///
    /// A text gets the same logits as from [`super::decoder::Decoder::step`], to the bit: its port is filled up as a step is
    /// there.
    ///
    /// # Errors
    /// The tokens do not fit their cache, or the runtime failed.
    pub fn step(
        &mut self,
        parts: &[Part<'_>],
        adapter: Option<&Adapter>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let plan = self.plan(parts)?;
        self.caches.select(&plan.active)?;
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for (name, shape, values) in &plan.integers {
            let value = TensorRef::from_array_view((shape.clone(), values.as_slice()))?;
            inputs.push((name, value.into()));
        }
        for (name, value) in &plan.lengths {
            inputs.push((name, TensorRef::from_array_view(([1], &value[..]))?.into()));
        }
        for (name, past) in self.caches.pasts() {
            inputs.push((name, past.into()));
        }
        for (name, weights) in adapter.iter().flat_map(|adapter| &adapter.inputs) {
            inputs.push((name, weights.into()));
        }
        let mut session = self.session.lock();
        let outputs = session.run_with_options(inputs, self.caches.options())?;
        let logits = outputs
            .get("logits")
            .ok_or_else(|| ModelError::Run("the graph gave no logits".into()))?;
        let (_, values) = logits.try_extract_tensor::<f32>()?;
        let width = values.len() / plan.logits.max(1);
        let mut rest = values;
        let mut all = Vec::new();
        for part in parts {
            let (own, others) = rest.split_at(width * part.rows.of(part.tokens.len()));
            all.push(own.to_vec());
            rest = others;
        }
        drop(outputs);
        drop(session);
        for part in parts {
            let slot = &mut self.slots[part.slot];
            slot.read.extend(part.tokens);
            slot.adapter = adapter.map(|adapter| adapter.name.clone());
        }
        Ok(all)
    }

    /// The inputs of a step that are not caches.
    fn plan(&self, parts: &[Part<'_>]) -> Result<Plan, ModelError> {
        let mut ids: Vec<i64> = Vec::new();
        let mut wanted = Vec::new();
        let mut own = vec![Vec::new(); self.caches.len()];
        for part in parts {
            let first = ids.len() as i64;
            ids.extend(part.tokens);
            let last = ids.len() as i64;
            own[part.slot] = (first..last).collect();
            wanted.extend(last - part.rows.of(part.tokens.len()) as i64..last);
            let needed = self.slots[part.slot].read.len() + part.tokens.len();
            if part.tokens.is_empty() || needed > self.capacity {
                return Err(ModelError::PromptTooLong {
                    tokens: needed,
                    limit: self.capacity,
                });
            }
        }
        let mut plan = Plan {
            active: own.iter().map(|rows| !rows.is_empty()).collect(),
            logits: wanted.len(),
            ..Plan::default()
        };
        // No product has one row, either: another kernel would sum it.
        let rows = ids.len();
        if let [token] = ids[..] {
            ids.push(token);
        }
        let mut joined = vec![0; ids.len()];
        let mut before = 0;
        for (port, mut rows) in own.into_iter().enumerate() {
            for (at, row) in rows.iter().enumerate() {
                joined[*row as usize] = before + at as i64;
            }
            let past = match rows.last() {
                None => {
                    rows = vec![0; IDLE];
                    0
                }
                Some(last) => {
                    let past = self.slots[port].read.len();
                    let added = fill(past, rows.len());
                    rows.extend(std::iter::repeat_n(*last, added));
                    past
                }
            };
            before += rows.len() as i64;
            let total = (past + rows.len()) as i32;
            plan.lengths
                .push((format!("port.{port}.last"), [total - 1]));
            plan.lengths.push((format!("port.{port}.total"), [total]));
            plan.integers
                .push((format!("port.{port}.rows"), vec![rows.len()], rows));
        }
        if rows < ids.len() {
            joined[1] = joined[0];
        }
        let flat = |values: Vec<i64>| (vec![values.len()], values);
        let (shape, values) = flat(joined);
        plan.integers.push(("joined_rows".into(), shape, values));
        let (shape, values) = flat(wanted);
        plan.integers.push(("logit_rows".into(), shape, values));
        let ids = ("input_ids".into(), vec![1, ids.len()], ids);
        plan.integers.push(ids);
        Ok(plan)
    }
}

/// Inputs by name and shape.
#[derive(Default)]
struct Plan {
    integers: Vec<(String, Vec<usize>, Vec<i64>)>,
    lengths: Vec<(String, [i32; 1])>,
    active: Vec<bool>,
    /// Rows that get logits.
    logits: usize,
}
