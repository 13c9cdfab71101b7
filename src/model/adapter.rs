//! A LoRA adapter in memory, as inputs of the decoder's graph.

use std::collections::HashMap;
use std::path::Path;

use half::f16;
use ort::value::{DynValue, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::ModelError;
use super::folder::{ADAPTER_FORMAT, Manifest};
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

impl Adapter {
    /// Reads the adapter file at `path` for the decoder `base`, whose graph wants a in int8 where `whole` says so; blocking.
    ///
    /// # Errors
    /// The file is no adapter, or was made for another base.
    pub fn open(path: &Path, base: &Manifest, whole: bool) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::file(path, reason);
        let broken = |error| wrong(format!("not a usable adapter: {error}"));
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
        let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let mut inputs = Vec::new();
        for (name, view) in tensors.iter() {
            let [rows, columns] = sizes(name, view.dtype(), view.shape()).map_err(wrong)?;
            let halves = view.data().chunks_exact(2);
            let values: Vec<f32> = halves
                .map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32())
                .collect();
            if whole && name.ends_with(".a") {
                let (levels, scales) =
                    quantise_rows(&transpose(&values, rows, columns), columns, rows);
                let levels = transpose(&levels, columns, rows);
                let levels = Tensor::from_array(([rows, columns], levels))?;
                inputs.push((name.to_owned(), levels.into_dyn()));
                let scales = Tensor::from_array(([columns], scales))?;
                inputs.push((format!("{name}_scale"), scales.into_dyn()));
            } else {
                let values = Tensor::from_array(([rows, columns], values))?;
                inputs.push((name.to_owned(), values.into_dyn()));
            }
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

/// Rows and columns of the matrix `name`.
///
/// # Errors
/// It is none of an adapter.
fn sizes(name: &str, dtype: Dtype, shape: &[usize]) -> Result<[usize; 2], String> {
    match shape {
        // Not even an empty matrix may have a huge other side: it would be gone through.
        [rows, columns]
            if dtype == Dtype::F16 && *rows > 0 && *columns > 0 && name.starts_with("lora.") =>
        {
            Ok([*rows, *columns])
        }
        _ => Err(format!("{name} is no half-precision matrix of an adapter")),
    }
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
    if metadata.get("format").map(String::as_str) != Some(ADAPTER_FORMAT) {
        return Err(wrong(
            "it is not in our form; convert a PEFT folder with `almanac models import-adapter`"
                .into(),
        ));
    }
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_half_precision_matrices_with_rows_and_columns_are_of_an_adapter() {
        assert_eq!(sizes("lora.0.o.a", Dtype::F16, &[8, 2]), Ok([8, 2]));
        for (name, dtype, shape) in [
            ("lora.0.o.a", Dtype::F32, [8, 2]),
            ("other", Dtype::F16, [8, 2]),
            ("lora.0.o.a", Dtype::F16, [0, 1 << 60]),
            ("lora.0.o.a", Dtype::F16, [1 << 60, 0]),
        ] {
            assert!(sizes(name, dtype, &shape).is_err(), "{name} {shape:?}");
        }
        assert!(sizes("lora.0.o.a", Dtype::F16, &[8]).is_err());
    }
}
