//! A LoRA adapter in memory, as inputs of the decoder's graph.

mod form;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ort::session::Session;
use ort::value::{DynValue, Tensor, ValueType};
use safetensors::SafeTensors;

pub use form::{FORMAT, MAX_RANK, MODULES, names};

use self::form::{First, Module, PACKED};
use super::ModelError;
use super::folder::Manifest;
use super::import::{quantise_rows, transpose};
use crate::durable::FileError;
use crate::types::Digest;

/// Largest adapter file that is read, bytes: it is read whole.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The weights of one adapter, ready to be bound.
pub struct Adapter {
    /// Its name: the file's, without extension.
    pub name: String,
    /// Graph inputs by name.
    pub(super) inputs: Vec<(String, DynValue)>,
}

/// What the graph of a decoder takes of an adapter.
pub struct Ports {
    /// The known size of each input, by name; the ranks are open.
    sizes: BTreeMap<String, usize>,
    /// Whether the first factors go in as int8 with their scales.
    pub whole: bool,
}

impl Ports {
    /// Those of the graph in `session`.
    pub fn of(session: &Session) -> Self {
        let known = |kind: &ValueType| match kind {
            ValueType::Tensor { shape, .. } => shape.iter().copied().find(|size| *size > 0),
            _ => None,
        };
        let mut ports = Ports {
            sizes: BTreeMap::new(),
            whole: false,
        };
        for input in session.overridable_initializers() {
            let name = input.name();
            if !name.starts_with("lora.") {
                continue;
            }
            ports.whole |= name.ends_with(".a_scale");
            let size = known(input.dtype()).and_then(|size| usize::try_from(size).ok());
            ports.sizes.extend(size.map(|size| (name.to_owned(), size)));
        }
        ports
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        !self.sizes.is_empty()
    }
}

impl Adapter {
    /// Reads the adapter file at `path` for the decoder `base`, whose graph has `ports`; blocking.
    ///
    /// # Errors
    /// The file is no adapter, was made for another base, or does not fit the graph.
    pub fn open(path: &Path, base: &Manifest, ports: &Ports) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::file(path, reason);
        if !ports.are_there() {
            let name = &base.name;
            return Err(wrong(format!(
                "the decoder {name} was opened with no input for adapters"
            )));
        }
        let (bytes, metadata) = read(path)?;
        let made_for = metadata.get("base").map_or("", String::as_str);
        if made_for != base.digest().to_string() {
            return Err(wrong(format!(
                "it was made for the base {} ({made_for:.12}), the decoder is {} ({:.12})",
                metadata.get("base_name").map_or("?", String::as_str),
                base.name,
                base.digest().to_string(),
            )));
        }
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| wrong(format!("not a usable adapter: {error}")))?;
        let modules = match is_packed(&metadata) {
            true => form::packed(&tensors, &ports.sizes),
            false => form::apart(&tensors, &ports.sizes),
        };
        let modules = modules.map_err(|reason| {
            wrong(format!(
                "{reason}; it does not fit the decoder {}: convert its PEFT folder again with \
                 `almanac models import-adapter`",
                base.name
            ))
        })?;
        let mut inputs = Vec::new();
        for module in modules {
            bind(module, ports.whole, &mut inputs)?;
        }
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        Ok(Adapter {
            name: name.unwrap_or_default(),
            inputs,
        })
    }
}

/// Adds the inputs of `module`, the first factor in int8 where the graph takes it `whole`.
fn bind(
    module: Module,
    whole: bool,
    inputs: &mut Vec<(String, DynValue)>,
) -> Result<(), ModelError> {
    let (width, ranks) = (module.width, module.ranks);
    let a = format!("lora.{}.a", module.name);
    let first = match module.a {
        First::Single(rows) if whole => {
            let (levels, scales) = quantise_rows(&rows, ranks, width);
            First::Whole { levels, scales }
        }
        other => other,
    };
    match first {
        First::Single(rows) => {
            let columns = transpose(&rows, ranks, width);
            inputs.push((a, Tensor::from_array(([width, ranks], columns))?.into_dyn()));
        }
        First::Whole { levels, scales } => {
            let columns = transpose(&levels, ranks, width);
            let scales = Tensor::from_array(([ranks], scales))?.into_dyn();
            inputs.push((format!("{a}_scale"), scales));
            inputs.push((a, Tensor::from_array(([width, ranks], columns))?.into_dyn()));
        }
    }
    let b = Tensor::from_array(([ranks, module.outputs], module.b))?;
    inputs.push((format!("lora.{}.b", module.name), b.into_dyn()));
    Ok(())
}

/// Digest of the language model that the adapter file at `path` was made for; blocking.
///
/// # Errors
/// The file is no adapter in our form.
pub fn adapter_base(path: &Path) -> Result<Digest, ModelError> {
    let (_, metadata) = read(path)?;
    let base = metadata.get("base").and_then(|base| base.parse().ok());
    base.ok_or_else(|| ModelError::file(path, "it does not name its base; import it again"))
}

fn is_packed(metadata: &HashMap<String, String>) -> bool {
    metadata.get("format").map(String::as_str) == Some(PACKED)
}

/// The bytes of an adapter file in our form, and what its header says.
fn read(path: &Path) -> Result<(Vec<u8>, HashMap<String, String>), ModelError> {
    let wrong = |reason: String| ModelError::file(path, reason);
    let length = std::fs::metadata(path)
        .map_err(FileError::at("look at", path))?
        .len();
    if length > MAX_BYTES {
        return Err(wrong(format!(
            "{length} bytes; an adapter has at most {MAX_BYTES}"
        )));
    }
    let bytes = std::fs::read(path).map_err(FileError::at("read", path))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)
        .map_err(|error| wrong(format!("not a usable adapter: {error}")))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    if !is_packed(&metadata) && metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(wrong(
            "it is not in our form; convert a PEFT folder with `almanac models import-adapter`"
                .into(),
        ));
    }
    Ok((bytes, metadata))
}
