//! The attention caches of several texts on one graph with a port for each.
//!
//! As in [`super::kv_cache`], past and present are the same memory. A port without a text reads and writes a cache of
//! [`IDLE`] positions that nobody else looks at.

use std::ptr::{self, NonNull};

use ort::AsPointer as _;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::sys;
use ort::value::{DynValue, Tensor};

use super::ModelError;

/// Positions that a port without a text writes in each step.
pub const IDLE: usize = 2;

/// A cache for each port, and the one of those that have nothing to do.
pub struct Caches {
    caches: Vec<Cache>,
    idle: Cache,
    active: Vec<bool>,
    options: RunOptions<HasSelectedOutputs>,
    pasts: Vec<(String, DynValue)>,
}

/// Keys and values of one text, a buffer a layer and side.
struct Cache {
    buffers: Vec<Tensor<f32>>,
    shape: [i64; 4],
}

impl Cache {
    fn new((layers, heads, head_dim): Shape, capacity: usize) -> Result<Self, ModelError> {
        let shape = [1, heads as i64, capacity as i64, head_dim as i64];
        let zeros = || vec![0f32; heads * capacity * head_dim];
        let buffers = (0..2 * layers).map(|_| Tensor::from_array((shape, zeros())));
        Ok(Cache {
            buffers: buffers.collect::<Result<_, _>>()?,
            shape,
        })
    }
}

/// Layers, key-value heads and head width.
pub type Shape = (usize, usize, usize);

impl Caches {
    /// `ports` caches of `capacity` positions each; memory is `8 * layers * heads * capacity * head_dim` bytes a
    /// port, taken as it is touched.
    ///
    /// # Errors
    /// The runtime cannot allocate.
    pub fn new(shape: Shape, ports: usize, capacity: usize) -> Result<Self, ModelError> {
        let caches = (0..ports).map(|_| Cache::new(shape, capacity));
        Ok(Caches {
            caches: caches.collect::<Result<_, _>>()?,
            idle: Cache::new(shape, IDLE)?,
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
            for (at, buffer) in cache.buffers.iter_mut().enumerate() {
                let name = |when| {
                    let side = if at % 2 == 0 { "key" } else { "value" };
                    format!("port.{port}.{when}.{}.{side}", at / 2)
                };
                outputs = outputs.preallocate(name("present"), alias(buffer, cache.shape)?);
                self.pasts.push((name("past"), alias(buffer, cache.shape)?));
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

/// A value on the memory of `buffer`, which must outlive it.
fn alias(buffer: &mut Tensor<f32>, shape: [i64; 4]) -> Result<DynValue, ModelError> {
    let memory = MemoryInfo::new(
        AllocationDevice::CPU,
        0,
        AllocatorType::Device,
        MemoryType::Default,
    )?;
    let bytes = shape.iter().product::<i64>() as usize * size_of::<f32>();
    let mut value = ptr::null_mut();
    // SAFETY: `buffer` is a tensor of exactly this shape, and what is made here lives in `options` and `pasts` of the same
    // `Caches` and, during a run, beside them. The value owns none of the memory. That several values lead to the same
    // memory is the purpose: the operator reads positions below the past length and writes those from it
    // on, and operators run one after the other.
    #[allow(unsafe_code)]
    unsafe {
        let status = (ort::api().CreateTensorWithDataAsOrtValue)(
            memory.ptr(),
            buffer.data_ptr_mut(),
            bytes,
            shape.as_ptr(),
            shape.len(),
            sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
            &mut value,
        );
        ort::Error::result_from_status(status)?;
        let value = NonNull::new(value).ok_or_else(|| ModelError::Run("no tensor".into()))?;
        Ok(DynValue::from_ptr(value, Some(&Allocator::default())))
    }
}
