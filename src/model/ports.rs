//! The attention caches of several texts on one graph with a port for each.
//!
//! As in [`super::kv_cache`], past and present are the same memory. A port without a text reads and writes a cache of
//! [`IDLE`] positions that nobody else looks at.

use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::DynValue;

use super::ModelError;
use super::kv_cache::{Buffers, CacheShape};
use super::steps::SPARE;

/// Positions that a port without a text writes in each step.
pub const IDLE: usize = 2;

/// A cache for each port, and the one of those that have nothing to do.
pub struct Caches {
    caches: Vec<Buffers>,
    idle: Buffers,
    active: Vec<bool>,
    options: RunOptions<HasSelectedOutputs>,
    pasts: Vec<(String, DynValue)>,
}

impl Caches {
    /// `ports` caches of `capacity` positions each and those that fill steps up; memory is `2 * layers * heads * head_dim`
    /// numbers a port and position, taken as it is touched.
    ///
    /// # Errors
    /// The runtime cannot allocate.
    pub fn new(shape: CacheShape, ports: usize, capacity: usize) -> Result<Self, ModelError> {
        Ok(Caches {
            caches: (0..ports)
                .map(|_| Buffers::new(shape, capacity + SPARE))
                .collect(),
            idle: Buffers::new(shape, IDLE),
            active: Vec::new(),
            options: RunOptions::new()?.with_outputs(OutputSelector::default()),
            pasts: Vec::new(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.caches.len()
    }

    /// From now on the ports for which `active` says so read and write their caches, the others none.
    ///
    /// # Errors
    /// The runtime failed.
    pub fn select(&mut self, active: &[bool]) -> Result<(), ModelError> {
        if self.active == active {
            return Ok(());
        }
        let mut outputs = OutputSelector::default();
        self.pasts.clear();
        self.active.clear();
        for (port, own) in self.caches.iter_mut().enumerate() {
            let cache = match active.get(port) {
                Some(true) => own,
                _ => &mut self.idle,
            };
            let name =
                |when: &str, layer: usize, side: &str| format!("port.{port}.{when}.{layer}.{side}");
            for [past, (present, value)] in cache.aliases(name)? {
                outputs = outputs.preallocate(present, value);
                self.pasts.push(past);
            }
        }
        self.options = RunOptions::new()?.with_outputs(outputs);
        self.active.extend(active);
        Ok(())
    }

    /// Options of a run that writes the caches.
    pub fn options(&self) -> &RunOptions<HasSelectedOutputs> {
        &self.options
    }

    /// The past inputs by name: the memory that [`Caches::options`] has as outputs.
    pub fn pasts(&self) -> &[(String, DynValue)] {
        &self.pasts
    }
}
