//! `edition.toml`: what an edition is made of.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::EditionError;
use crate::durable;
use crate::types::{Digest, Place};

/// The manifest's name in an edition's folder.
pub(super) const FILE_NAME: &str = "edition.toml";
/// The format written and read here.
const FORMAT: u32 = 1;
/// The product in every manifest.
const PRODUCT: &str = "almanac";
/// A manifest is a few kilobytes; a longer one is not read.
const MAX_BYTES: u64 = 1024 * 1024;

/// What an edition is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format; 1.
    pub format: u32,
    /// For people.
    pub name: String,
    /// Grows from edition to edition; 0 is the box's own.
    pub serial: u64,
    /// `almanac`.
    pub product: String,
    /// What decides on refusals.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Models and documents.
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Questions that the edition must answer before it serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
}

/// What decides on refusals; an open one leaves the configuration's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Relevance of the best passage, 0 to 1, under which the box refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse_below: Option<f32>,
}

/// One file of an edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// What it is for.
    pub role: Role,
    /// Where it lies, relative to the state folder.
    pub path: PathBuf,
    /// Its length, bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// What a file of an edition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

impl Manifest {
    /// An empty edition `serial`.
    pub fn new(serial: u64, name: &str) -> Self {
        Manifest {
            format: FORMAT,
            name: name.to_owned(),
            serial,
            product: PRODUCT.to_owned(),
            thresholds: Thresholds::default(),
            files: Vec::new(),
            golden: Vec::new(),
        }
    }

    /// Reads and checks the manifest in `folder`. Blocking.
    ///
    /// # Errors
    /// It cannot be read, is of another format or product, or a path leaves the state folder.
    pub fn read(folder: &Path) -> Result<Manifest, EditionError> {
        let path = folder.join(FILE_NAME);
        let wrong = |reason: String| EditionError::Manifest {
            path: path.clone(),
            reason,
        };
        let length = std::fs::metadata(&path)
            .map_err(EditionError::io("read", &path))?
            .len();
        if length > MAX_BYTES {
            return Err(wrong(format!(
                "the manifest has {length} bytes, at most {MAX_BYTES} are read"
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(EditionError::io("read", &path))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// Writes the manifest into `folder`; durable when it returns. Blocking.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), EditionError> {
        let path = folder.join(FILE_NAME);
        let text = toml::to_string(self).map_err(|error| EditionError::Manifest {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(durable::replace(&path, text.as_bytes())?)
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
                "the path {:?} leaves the state folder; only plain relative paths are allowed",
                file.path
            )),
            None => Ok(()),
        }
    }
}

fn stays_inside(path: &Path) -> bool {
    !path.as_os_str().is_empty()
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileEntry {
        FileEntry {
            role: Role::Decoder,
            path: path.into(),
            length: 3,
            sha256: Digest::of(b"abc"),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut manifest = Manifest::new(0, "edition 0");
        manifest.files.push(file("models/a/model.onnx"));
        manifest.golden.push(Golden {
            question: "How deep?".into(),
            place: Some(Place::new("US", "Iowa")),
            crop: None,
            document: Some("us-iowa/maize-planting.md".into()),
            facts: vec!["2 inches".into()],
        });
        manifest.write(folder.path()).expect("writable");
        assert_eq!(Manifest::read(folder.path()).expect("readable"), manifest);
    }

    #[test]
    fn a_path_that_leaves_the_state_folder_is_refused() {
        for path in ["/etc/passwd", "../other", "a/../../b", ""] {
            let mut manifest = Manifest::new(0, "edition 0");
            manifest.files.push(file(path));
            assert!(manifest.check().is_err(), "{path}");
        }
    }

    #[test]
    fn another_format_or_product_is_refused_with_what_was_expected() {
        let mut manifest = Manifest::new(0, "edition 0");
        manifest.format = 2;
        assert!(manifest.check().expect_err("format 2").contains("format 1"));
        manifest.format = 1;
        manifest.product = "toaster".into();
        assert!(manifest.check().expect_err("a toaster").contains("almanac"));
    }
}
