//! The attention cache: one buffer a layer and side, allocated once and written in place.
//!
//! ONNX Runtime's `GroupQueryAttention` appends to the past in place when past and present are the
//! same memory. `ort` has no safe way to say so; the only `unsafe` of the model room that is not a
//! file map is here.

use std::ptr::{self, NonNull};

use ort::AsPointer as _;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::sys::ONNXTensorElementDataType;
use ort::value::DynValue;

use super::ModelError;
use super::steps::SPARE;

/// Keys and values of one conversation, for at most `capacity` positions.
pub struct KvCache {
    options: RunOptions<HasSelectedOutputs>,
    pasts: Vec<(String, DynValue)>,
    /// What the two above lead to.
    _buffers: Buffers,
    capacity: usize,
    length: usize,
}

/// Sizes of a decoder's cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheShape {
    /// Transformer blocks.
    pub layers: usize,
    /// Key and value heads.
    pub heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How a number is kept.
    pub element: Element,
}

/// How a number of the cache is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    F32,
    /// 8 bits, by steps that the graph knows.
    I8,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::I8 => 1,
        }
    }

    fn code(self) -> ONNXTensorElementDataType {
        match self {
            Element::F32 => ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
            Element::I8 => ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        }
    }
}

/// Keys and values of all layers, a buffer a layer and side, for a number of positions.
pub(super) struct Buffers {
    /// Words, so that every element is aligned; zeros, so that pages are taken as they are touched.
    memory: Vec<Vec<u64>>,
    shape: [i64; 4],
    element: Element,
}

impl Buffers {
    pub fn new(shape: CacheShape, capacity: usize) -> Self {
        let bytes = shape.heads * capacity * shape.head_dim * shape.element.bytes();
        let buffer = || vec![0; bytes.div_ceil(size_of::<u64>())];
        Buffers {
            memory: (0..2 * shape.layers).map(|_| buffer()).collect(),
            shape: [
                1,
                shape.heads as i64,
                capacity as i64,
                shape.head_dim as i64,
            ],
            element: shape.element,
        }
    }

    /// Pairs of values on the memory of each buffer, for the past and for the present: `name` is told the layer and the
    /// side. They must not outlive the buffers.
    pub fn aliases(
        &mut self,
        name: impl Fn(&str, usize, &str) -> String,
    ) -> Result<Vec<[(String, DynValue); 2]>, ModelError> {
        let mut pairs = Vec::new();
        for at in 0..self.memory.len() {
            let side = if at % 2 == 0 { "key" } else { "value" };
            let past = (name("past", at / 2, side), self.alias(at)?);
            let present = (name("present", at / 2, side), self.alias(at)?);
            pairs.push([past, present]);
        }
        Ok(pairs)
    }

    /// A value on the memory of the buffer `at`.
    fn alias(&mut self, at: usize) -> Result<DynValue, ModelError> {
        let memory = MemoryInfo::new(
            AllocationDevice::CPU,
            0,
            AllocatorType::Device,
            MemoryType::Default,
        )?;
        let elements = self.shape.iter().product::<i64>() as usize;
        let mut value = ptr::null_mut();
        // SAFETY: the buffer has room for so many elements and is neither moved nor freed while values lead to it: whoever
        // has them keeps the buffers beside them. The value owns none of the memory. That several values lead to the same
        // memory is the purpose: the operator reads positions below the past length and writes those from it
        // on, and operators run one after the other.
        #[allow(unsafe_code)]
        unsafe {
            let status = (ort::api().CreateTensorWithDataAsOrtValue)(
                memory.ptr(),
                self.memory[at].as_mut_ptr().cast(),
                elements * self.element.bytes(),
                self.shape.as_ptr(),
                self.shape.len(),
                self.element.code(),
                &mut value,
            );
            ort::Error::result_from_status(status)?;
            let value = NonNull::new(value).ok_or_else(|| ModelError::Run("no tensor".into()))?;
            Ok(DynValue::from_ptr(value, Some(&Allocator::default())))
        }
    }
}

impl KvCache {
    /// A cache of `capacity` positions and those that fill steps up; memory is `2 * layers * heads * head_dim` numbers a
    /// position, taken as it is touched.
    ///
    /// # Errors
    /// The runtime cannot make views of it.
    pub fn new(shape: CacheShape, capacity: usize) -> Result<Self, ModelError> {
        let mut buffers = Buffers::new(shape, capacity + SPARE);
        let mut outputs = OutputSelector::default();
        let mut pasts = Vec::new();
        let name = |when: &str, layer: usize, side: &str| match when {
            "past" => format!("past_key_values.{layer}.{side}"),
            _ => format!("present.{layer}.{side}"),
        };
        for [past, (present, value)] in buffers.aliases(name)? {
            outputs = outputs.preallocate(present, value);
            pasts.push(past);
        }
        Ok(KvCache {
            options: RunOptions::new()?.with_outputs(outputs),
            pasts,
            _buffers: buffers,
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

    /// The past inputs by name: the memory that [`KvCache::options`] has as outputs.
    pub fn pasts(&self) -> &[(String, DynValue)] {
        &self.pasts
    }
}
