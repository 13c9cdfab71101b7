//! Reads GGUF files (version 2 and 3), as llama.cpp's `docs/gguf.md` describes them.
//!
//! Every length is checked against the file before anything is allocated, so that a lying header
//! costs an error and not the machine's memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::blocks::BlockType;
use crate::durable::FileError;
use crate::model::ModelError;

const MAGIC: &[u8; 4] = b"GGUF";
/// Deepest nesting of arrays that is read; real files have none.
const MAX_DEPTH: usize = 4;
/// Most values in the arrays of a file, 128 MiB of memory: the largest vocabularies with their merges have a million.
const MAX_VALUES: usize = 4 << 20;

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any integer type.
    Integer(i128),
    /// `f32` or `f64`.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// Values of one type.
    Array(Vec<Value>),
}

/// Where a tensor lies and what it holds.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Sizes as numpy has them: slowest first (the file stores them reversed).
    pub shape: Vec<usize>,
    /// How the numbers are packed.
    pub block_type: BlockType,
    range: Range<usize>,
}

/// An open GGUF file; its tensors stay on disk until they are read.
pub struct GgufFile {
    path: PathBuf,
    map: Mmap,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl GgufFile {
    /// Opens the file and reads its header; blocking.
    ///
    /// # Errors
    /// Not a GGUF file, a version or type that is not read, or a length that points outside the file.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(FileError::at("open", path))?;
        // SAFETY: the map is read-only, and the source file of an import is not written by anyone of ours;
        // bytes that change under us could only give wrong weights, which the digest check finds.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(FileError::at("map", path))?;
        let wrong =
            |reason: String| ModelError::file(path, format!("not a usable GGUF file: {reason}"));
        let (metadata, tensors) = parse_header(&map).map_err(wrong)?;
        Ok(GgufFile {
            path: path.to_owned(),
            map,
            metadata,
            tensors,
        })
    }

    /// The metadata value of `key`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The integer metadata value of `key`.
    ///
    /// # Errors
    /// The key is missing, no integer, or out of range.
    pub fn integer(&self, key: &str) -> Result<usize, ModelError> {
        match self.metadata.get(key) {
            Some(Value::Integer(value)) => usize::try_from(*value).ok(),
            _ => None,
        }
        .ok_or_else(|| self.missing(key, "a whole number"))
    }

    fn number(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key)? {
            Value::Float(value) => Some(*value),
            #[allow(clippy::cast_precision_loss)]
            Value::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The text of `key`.
    ///
    /// # Errors
    /// The key is missing or no text.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.missing(key, "a text")),
        }
    }

    /// The texts of the array `key`.
    ///
    /// # Errors
    /// The key is missing or no array of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let Some(Value::Array(values)) = self.metadata.get(key) else {
            return Err(self.missing(key, "an array of texts"));
        };
        values
            .iter()
            .map(|value| match value {
                Value::Text(text) => Ok(text.as_str()),
                _ => Err(self.missing(key, "an array of texts")),
            })
            .collect()
    }

    /// The number of `key`, if the file has the key.
    ///
    /// # Errors
    /// The key is no number.
    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.metadata.get(key) {
            None => Ok(None),
            Some(_) => match self.number(key) {
                Some(number) => Ok(Some(number)),
                None => Err(self.missing(key, "a number")),
            },
        }
    }

    /// The whole number of `key`, if the file has the key.
    ///
    /// # Errors
    /// The key is no whole number or out of range.
    pub fn optional_integer(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.metadata.get(key) {
            None => Ok(None),
            Some(_) => self.integer(key).map(Some),
        }
    }

    /// Names of the tensors.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor `name`, if the file has it.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// The tensor `name` as `f32`, row by row; blocking.
    ///
    /// # Errors
    /// The file has no such tensor.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let info = self.tensors.get(name).ok_or_else(|| {
            ModelError::file(&self.path, format!("the file has no tensor {name:?}"))
        })?;
        // The range was checked against the file when the header was read.
        Ok(info.block_type.dequantise(&self.map[info.range.clone()]))
    }

    fn missing(&self, key: &str, what: &str) -> ModelError {
        ModelError::file(
            &self.path,
            format!("the metadata key {key:?} is missing or not {what}"),
        )
    }
}

type Header = (BTreeMap<String, Value>, BTreeMap<String, TensorInfo>);

fn parse_header(bytes: &[u8]) -> Result<Header, String> {
    let mut cursor = Cursor {
        bytes,
        at: 0,
        values: 0,
    };
    if cursor.take(4)? != MAGIC {
        return Err("it does not begin with GGUF".into());
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("version {version}; versions 2 and 3 are read"));
    }
    let tensor_count = cursor.count(8)?;
    let key_count = cursor.count(8)?;
    let mut metadata = BTreeMap::new();
    for _ in 0..key_count {
        let key = cursor.text()?;
        let kind = cursor.u32()?;
        metadata.insert(key, cursor.value(kind, 0)?);
    }
    let mut infos = Vec::new();
    for _ in 0..tensor_count {
        let name = cursor.text()?;
        let dimensions = cursor.u32()?;
        if dimensions == 0 || dimensions > 4 {
            return Err(format!("tensor {name:?} has {dimensions} dimensions"));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(usize::try_from(cursor.u64()?).map_err(|_| "a size beyond this machine")?);
        }
        shape.reverse();
        let kind = cursor.u32()?;
        let block_type = BlockType::from_ggml(kind)
            .ok_or_else(|| format!("tensor {name:?} is of ggml type {kind}; {} are read: take a file of one of these, for example Q8_0 or Q4_K_M", BlockType::READ))?;
        infos.push((name, shape, block_type, cursor.u64()?));
    }
    let alignment = match metadata.get("general.alignment") {
        Some(Value::Integer(value)) if (1..=65_536).contains(value) => *value as usize,
        Some(_) => return Err("general.alignment is out of range".into()),
        None => 32,
    };
    let data_start = cursor.at.next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for (name, shape, block_type, offset) in infos {
        let range = tensor_range(data_start, offset, &shape, block_type)
            .filter(|range| range.end <= bytes.len())
            .ok_or_else(|| format!("tensor {name:?} reaches past the end of the file"))?;
        tensors.insert(
            name,
            TensorInfo {
                shape,
                block_type,
                range,
            },
        );
    }
    Ok((metadata, tensors))
}

fn tensor_range(
    data_start: usize,
    offset: u64,
    shape: &[usize],
    block_type: BlockType,
) -> Option<Range<usize>> {
    let start = data_start.checked_add(usize::try_from(offset).ok()?)?;
    // Blocks run along the last, contiguous dimension.
    if !shape.last()?.is_multiple_of(block_type.block_len()) {
        return None;
    }
    let values = shape
        .iter()
        .try_fold(1usize, |product, size| product.checked_mul(*size))?;
    let length = (values / block_type.block_len()).checked_mul(block_type.block_bytes())?;
    Some(start..start.checked_add(length)?)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Values of arrays so far.
    values: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the header is cut short")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of items of at least `least_bytes` each, which therefore must still be in the file.
    fn count(&mut self, least_bytes: usize) -> Result<usize, String> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.at) as u64;
        if count > left / least_bytes as u64 {
            return Err(format!(
                "it claims {count} items, more than the file can hold"
            ));
        }
        Ok(count as usize)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.count(1)?;
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".into())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if depth < MAX_DEPTH => {
                let kind = self.u32()?;
                let count = self.count(1)?;
                self.values = self.values.saturating_add(count);
                if self.values > MAX_VALUES {
                    return Err(format!(
                        "its arrays have more than {MAX_VALUES} values; no vocabulary is as large"
                    ));
                }
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(kind, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Integer(self.u64()?.into()),
            11 => Value::Integer(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("a metadata value of unknown type {other}")),
        })
    }
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
