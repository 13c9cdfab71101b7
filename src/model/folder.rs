//! A model folder and the manifest `model.toml` that seals it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::import::Precision;
use crate::durable::{self, FileError};
use crate::types::Digest;

/// The graph.
pub const GRAPH_FILE: &str = "model.onnx";
/// Its weights, at page boundaries.
pub const WEIGHTS_FILE: &str = "model.onnx.data";
/// The vocabulary.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// How a chat becomes a prompt.
pub const CHAT_TEMPLATE_FILE: &str = "chat_template.jinja";
/// What was measured of its activations and is folded into the weights, where it was: an adapter is moved along.
pub const CALIBRATION_FILE: &str = "calibration.safetensors";
/// The manifest; a folder without it is unfinished.
pub const MANIFEST_FILE: &str = "model.toml";
/// Version of the layout of a model folder.
const FORMAT: u32 = 1;

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Writes text.
    Decoder,
    /// Turns text into vectors.
    Embedder,
}

/// Length and digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Bytes.
    pub length: u64,
    /// SHA-256.
    pub sha256: Digest,
}

/// What a model folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the folder's layout.
    pub format: u32,
    /// What the model does.
    pub kind: Kind,
    /// Its name, as the recipe has it.
    pub name: String,
    /// How its weights are stored.
    pub precision: Precision,
    /// Longest text, tokens.
    pub context_tokens: usize,
    /// Tokens that end an answer.
    #[serde(default)]
    pub end_tokens: Vec<u32>,
    /// Every file of the folder.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// A manifest without files.
    pub fn new(kind: Kind, name: &str, precision: Precision) -> Self {
        Manifest {
            format: FORMAT,
            kind,
            name: name.to_owned(),
            precision,
            context_tokens: 0,
            end_tokens: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// Reads the manifest of `folder`; does not look at the other files.
    ///
    /// # Errors
    /// There is none, or one of another layout.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(MANIFEST_FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ModelError::file(
                    folder,
                    "there is no finished model here; run `almanac models import`",
                ));
            }
            other => other.map_err(FileError::at("read", &path))?,
        };
        let manifest: Manifest =
            toml::from_str(&text).map_err(|error| ModelError::file(&path, error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(ModelError::file(
                &path,
                format!(
                    "layout {} is not read (this version reads {FORMAT}); import the model again",
                    manifest.format
                ),
            ));
        }
        Ok(manifest)
    }

    /// As [`Manifest::open`], for a model of `kind`.
    ///
    /// # Errors
    /// As [`Manifest::open`], or the model is of the other kind.
    pub fn open_kind(folder: &Path, kind: Kind) -> Result<Self, ModelError> {
        let manifest = Manifest::open(folder)?;
        if manifest.kind == kind {
            Ok(manifest)
        } else {
            Err(ModelError::file(
                folder,
                format!(
                    "a model of kind {kind:?} is needed, this is {:?}",
                    manifest.kind
                ),
            ))
        }
    }

    /// Digests `files` of `folder` and writes the manifest: the folder is then finished. Blocking.
    ///
    /// # Errors
    /// A file cannot be read, or the manifest not written.
    pub fn seal(mut self, folder: &Path, files: &[&str]) -> Result<Self, ModelError> {
        for name in files {
            self.files
                .insert((*name).to_owned(), digest_file(&folder.join(name))?);
        }
        let text = toml::to_string(&self)
            .map_err(|error| ModelError::file(folder.join(MANIFEST_FILE), error.to_string()))?;
        durable::replace(&folder.join(MANIFEST_FILE), text.as_bytes())?;
        Ok(self)
    }

    /// Takes the manifest of `folder` away: the folder is then unfinished.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn unseal(folder: &Path) -> Result<(), ModelError> {
        let path = folder.join(MANIFEST_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::at("remove", &path)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Names the model: the digest over the names and digests of its files.
    pub fn digest(&self) -> Digest {
        let lines: String = self
            .files
            .iter()
            .map(|(name, entry)| format!("{}  {name}\n", entry.sha256))
            .collect();
        Digest::of(lines.as_bytes())
    }

    /// Name and first digits of the digest, as shown in answers.
    pub fn short_name(&self) -> String {
        format!("{}@{}", self.name, &self.digest().to_string()[..8])
    }

    /// Reads every file again and compares; blocking.
    ///
    /// # Errors
    /// A file is missing or changed, named.
    pub fn verify(&self, folder: &Path) -> Result<(), ModelError> {
        for (name, entry) in &self.files {
            let path = folder.join(name);
            let found = digest_file(&path)?;
            if found != *entry {
                return Err(ModelError::file(
                    path,
                    format!(
                        "it has changed since it was imported: {} bytes with sha256 {}, expected {} bytes \
                         with {}; import the model again",
                        found.length, found.sha256, entry.length, entry.sha256
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn digest_file(path: &Path) -> Result<FileEntry, ModelError> {
    let mut file = File::open(path).map_err(FileError::at("open", path))?;
    let (sha256, length) = Digest::of_reader(&mut file).map_err(FileError::at("read", path))?;
    Ok(FileEntry { length, sha256 })
}
