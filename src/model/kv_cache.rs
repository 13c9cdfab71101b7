//! The attention cache: one buffer a layer and side, allocated once and written in place.
//!
//! ONNX Runtime's `GroupQueryAttention` appends to the past in place when past and present are the
//! same memory. `ort` has no safe way to say so; the only `unsafe` of the model room that is not a
//! file map is here.

use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::Shape;
use ort::value::{Tensor, TensorRefMut};

use super::ModelError;

/// Keys and values of one conversation, for at most `capacity` positions.
pub struct KvCache {
    options: RunOptions<HasSelectedOutputs>,
    buffers: Vec<Buffer>,
    shape: [i64; 4],
    capacity: usize,
    length: usize,
}

struct Buffer {
    past_name: String,
    data: *mut f32,
}

// SAFETY: the pointers lead into tensors that `options` owns and that live as long as it; nobody else
// has them, and the cache is used by one thread at a time (it is not `Sync`).
#[allow(unsafe_code)]
unsafe impl Send for KvCache {}

impl KvCache {
    /// A cache of `capacity` positions for `layers` layers; memory is
    /// `8 * layers * heads * capacity * head_dim` bytes, taken as it is touched.
    ///
    /// # Errors
    /// The runtime cannot allocate.
    pub fn new(
        layers: usize,
        heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> Result<Self, ModelError> {
        let shape = [1, heads as i64, capacity as i64, head_dim as i64];
        let mut outputs = OutputSelector::default();
        let mut buffers = Vec::new();
        for layer in 0..layers {
            for part in ["key", "value"] {
                let zeros = vec![0f32; heads * capacity * head_dim];
                let mut tensor = Tensor::from_array((shape, zeros))?;
                let data = tensor.data_ptr_mut().cast::<f32>();
                outputs = outputs.preallocate(format!("present.{layer}.{part}"), tensor);
                buffers.push(Buffer {
                    past_name: format!("past_key_values.{layer}.{part}"),
                    data,
                });
            }
        }
        Ok(KvCache {
            options: RunOptions::new()?.with_outputs(outputs),
            buffers,
            shape,
            capacity,
            length: 0,
        })
    }

    /// Positions in use.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Positions there are.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all positions from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Counts `tokens` more positions as written.
    pub fn advance(&mut self, tokens: usize) {
        self.length = (self.length + tokens).min(self.capacity);
    }

    /// Options of a run that writes the cache.
    pub fn options(&self) -> &RunOptions<HasSelectedOutputs> {
        &self.options
    }

    /// The past inputs by name: views of the buffers that [`KvCache::options`] has as outputs.
    ///
    /// # Errors
    /// The runtime cannot make a view.
    pub fn past(&self) -> Result<Vec<(&str, TensorRefMut<'_, f32>)>, ModelError> {
        self.buffers
            .iter()
            .map(|buffer| {
                let memory = MemoryInfo::new(
                    AllocationDevice::CPU,
                    0,
                    AllocatorType::Device,
                    MemoryType::Default,
                )?;
                // SAFETY: `data` leads to a tensor of exactly this shape, which `options` owns for the
                // life of `self`. Input and output are the same memory on purpose: the operator reads
                // positions below the past length and writes those from it on.
                #[allow(unsafe_code)]
                let view = unsafe {
                    TensorRefMut::from_raw(memory, buffer.data.cast(), Shape::new(self.shape))
                }?;
                Ok((buffer.past_name.as_str(), view))
            })
            .collect()
    }
}
