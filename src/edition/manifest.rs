//! `edition.toml`: what an edition is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::signature::PublicKey;
use super::{EditionError, limits};
use crate::durable;
use crate::types::{Digest, Place};

/// The manifest's name in an edition's folder.
pub(super) const FILE_NAME: &str = "edition.toml";
/// The signature beside it.
pub(super) const SIGNATURE_NAME: &str = "edition.toml.minisig";
/// The format written and read here.
const FORMAT: u32 = 1;
/// The product in every manifest.
const PRODUCT: &str = "almanac";

/// What an edition is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format; 1.
    pub format: u32,
    /// For people.
    pub name: String,
    /// Grows from edition to edition; 0 is the box's own.
    pub serial: u64,
    /// `almanac`.
    pub product: String,
    /// A box whose clock is trusted does not take it earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// From then on it is stale: boxes warn of it and still take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
    /// Oldest Almanac that can run it, for example `0.2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
    /// Free text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// What the machine must have.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hardware: Hardware,
    /// What decides on refusals.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What a trial may cost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budgets: Budgets,
    /// Keys that boxes trust, or no longer trust, from this edition on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keys: KeyChanges,
    /// Models and documents.
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Questions that the edition must answer before it serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
}

/// What the machine must have; what is open is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardware {
    /// Processor architectures, for example `aarch64`; any when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Memory of the whole machine, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
}

/// What decides on refusals; an open one leaves the configuration's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Relevance of the best passage, 0 to 1, under which the box refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse_below: Option<f32>,
}

/// What a trial may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    /// Longest time of one golden answer, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_ms: Option<u64>,
    /// Most memory of the trial's own (mapped weights not counted), MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Longest time of the whole trial with loading, seconds; 600 when open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_s: Option<u64>,
}

/// Changes of the trusted keys; each key as the line that `minisign` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyChanges {
    /// Trusted from now on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// Never trusted again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retire: Vec<String>,
}

/// One file of an edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// What it is for.
    pub role: Role,
    /// Where it lies: relative to the state folder in edition 0, else to the edition's `files`.
    pub path: PathBuf,
    /// Its length, bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Of an adapter: the language model that it fits, as [`Manifest::decoder`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
}

/// What a file of an edition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Part of the language model.
    Decoder,
    /// Part of the embedder.
    Embedder,
    /// An adapter for the language model.
    Adapter,
    /// libonnxruntime.
    Runtime,
    /// A document.
    Document,
}

/// A question whose answer is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The question.
    pub question: String,
    /// Where it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The crop it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// Id of a document that the answer must cite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Words that the answer must hold, case ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The answer must be the model's own words: a quotation, which a box falls back to when no draft of a broken
    /// model is grounded, will not do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drafted: bool,
    /// The right answer is none: the library does not know.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refuse: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Manifest {
    /// An empty edition `serial`.
    pub fn new(serial: u64, name: &str) -> Self {
        Manifest {
            format: FORMAT,
            name: name.to_owned(),
            serial,
            product: PRODUCT.to_owned(),
            not_before: None,
            expires: None,
            min_version: None,
            notes: String::new(),
            hardware: Hardware::default(),
            thresholds: Thresholds::default(),
            budgets: Budgets::default(),
            keys: KeyChanges::default(),
            files: Vec::new(),
            golden: Vec::new(),
        }
    }

    /// Reads and checks the manifest in `folder`. Blocking.
    ///
    /// # Errors
    /// It cannot be read, is of another format or product, or a path leaves its folder.
    pub fn read(folder: &Path) -> Result<Manifest, EditionError> {
        let path = folder.join(FILE_NAME);
        let bytes = read_bounded(&path, limits::MANIFEST_BYTES)?;
        Manifest::parse(&bytes).map_err(|reason| EditionError::Manifest { path, reason })
    }

    /// Reads a manifest from `bytes` and checks it.
    ///
    /// # Errors
    /// What is wrong, what was expected, and what to do.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        if bytes.len() as u64 > limits::MANIFEST_BYTES {
            return Err(limits::too_long(bytes.len() as u64, limits::MANIFEST_BYTES));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is no text".to_owned())?;
        let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest as it is written.
    ///
    /// # Errors
    /// A value has no form in TOML.
    pub fn to_text(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// Writes the manifest into `folder`; durable when it returns. Blocking.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), EditionError> {
        let path = folder.join(FILE_NAME);
        let text = self.to_text().map_err(|reason| EditionError::Manifest {
            path: path.clone(),
            reason,
        })?;
        Ok(durable::replace(&path, text.as_bytes())?)
    }

    /// Identity of the language model, the one that its adapters name: the digest of the lines
    /// `<sha256>  <name>` of its files without their list, as `sha256sum` prints them, by name.
    pub fn decoder(&self) -> Digest {
        let is_part = |file: &&FileEntry| {
            file.role == Role::Decoder && !file.path.ends_with(limits::MODEL_LIST)
        };
        let named = |file: &FileEntry| {
            let name = file.path.file_name().unwrap_or_default();
            (name.to_string_lossy().into_owned(), file.sha256)
        };
        let parts: BTreeMap<String, Digest> =
            self.files.iter().filter(is_part).map(named).collect();
        let line = |(name, sha256)| format!("{sha256}  {name}\n");
        let lines: String = parts.into_iter().map(line).collect();
        Digest::of(lines.as_bytes())
    }

    /// Bytes of every content once, by digest: what a box without any of it fetches.
    pub fn contents(&self) -> BTreeMap<Digest, u64> {
        let files = self.files.iter();
        files.map(|file| (file.sha256, file.length)).collect()
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "format {} is not known, this version reads format {FORMAT}; install a newer almanac",
                self.format
            ));
        }
        if self.product != PRODUCT {
            return Err(format!(
                "the edition is for {:?}, expected {PRODUCT:?}",
                self.product
            ));
        }
        match self.files.iter().find(|file| !stays_inside(&file.path)) {
            Some(file) => Err(format!(
                "the path {:?} leaves its folder; only plain relative paths are allowed",
                file.path
            )),
            None => Ok(()),
        }
    }

    /// What must hold of an edition that comes from outside, beyond [`Manifest::parse`]: its sizes are
    /// bounded, its paths are of their roles, it is complete, and its adapters fit its language model.
    ///
    /// # Errors
    /// What is wrong and what was expected.
    pub fn check_complete(&self) -> Result<(), String> {
        if self.serial == 0 {
            return Err("serial 0 is the box's own edition; expected 1 or more".into());
        }
        limits::check(self)?;
        for (role, what) in [
            (Role::Decoder, "language model"),
            (Role::Embedder, "embedder"),
        ] {
            let files = || self.files.iter().filter(|file| file.role == role);
            if !files().any(|file| file.path.ends_with(limits::MODEL_LIST)) {
                return Err(format!(
                    "there is no {what}: expected its files with their {}",
                    limits::MODEL_LIST
                ));
            }
            let folders: BTreeSet<_> = files().map(|file| file.path.parent()).collect();
            if folders.len() > 1 {
                return Err(format!(
                    "the {what} lies in {} folders, expected one",
                    folders.len()
                ));
            }
        }
        if self.golden.is_empty() {
            return Err(
                "there is no golden question; expected one that shows that it works".into(),
            );
        }
        let answered =
            |one: &&Golden| one.drafted || one.document.is_some() || !one.facts.is_empty();
        if let Some(both) = self.golden.iter().filter(|one| one.refuse).find(answered) {
            return Err(format!(
                "golden question {:?} is to be refused and answered; expected `refuse` without `document`, `facts` and `drafted`",
                both.question
            ));
        }
        let decoder = self.decoder();
        for adapter in self.files.iter().filter(|file| file.role == Role::Adapter) {
            if adapter.base != Some(decoder) {
                return Err(format!(
                    "the adapter {} fits the language model {}, the edition has {:.12}",
                    adapter.path.display(),
                    adapter.base.map_or("(unnamed)".into(), |base| format!(
                        "{:.12}",
                        base.to_string()
                    )),
                    decoder.to_string()
                ));
            }
        }
        for key in self.keys.add.iter().chain(&self.keys.retire) {
            PublicKey::parse(key).map_err(|error| format!("keys: {error}"))?;
        }
        Ok(())
    }
}

/// Reads a whole regular file of at most `most` bytes; follows no link and never waits on a pipe.
///
/// # Errors
/// It is no regular file, is longer, or cannot be read.
pub(super) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, EditionError> {
    let (file, length) = open_regular(path)?;
    let wrong = |reason| EditionError::Manifest {
        path: path.to_owned(),
        reason,
    };
    if length > most {
        return Err(wrong(limits::too_long(length, most)));
    }
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(EditionError::io("read", path))?;
    if bytes.len() as u64 > most {
        return Err(wrong(limits::too_long(bytes.len() as u64, most)));
    }
    Ok(bytes)
}

/// Opens a regular file and gives its length; a link or a pipe under its name is refused.
///
/// # Errors
/// It is no regular file or cannot be opened.
pub(super) fn open_regular(path: &Path) -> Result<(File, u64), EditionError> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(not_a_file(path));
        }
        other => other.map_err(EditionError::io("open", path))?,
    };
    let found = file.metadata().map_err(EditionError::io("look at", path))?;
    if found.is_file() {
        Ok((file, found.len()))
    } else {
        Err(not_a_file(path))
    }
}

fn not_a_file(path: &Path) -> EditionError {
    EditionError::Manifest {
        path: path.to_owned(),
        reason: "is no regular file; links, folders and pipes are not followed".into(),
    }
}

fn stays_inside(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
