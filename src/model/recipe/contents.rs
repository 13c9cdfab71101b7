//! The list of what was unpacked: what makes a second fetch quick, and damage findable.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Architecture, RecipeError};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Name of the list in the folder of a fetched model.
pub const CONTENTS: &str = "contents.toml";

/// Name of the list in the state's `runtime` folder.
pub const RUNTIME: &str = "runtime.toml";

/// What was unpacked into a folder, and from what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The recipe's name.
    pub recipe: String,
    /// The package's version.
    pub version: String,
    /// The processor it is for.
    pub architecture: Architecture,
    /// Digest of the package.
    pub sha256: Digest,
    /// The files, in the recipe's order.
    #[serde(rename = "file")]
    pub files: Vec<UnpackedFile>,
}

/// One unpacked file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnpackedFile {
    /// Name in the folder.
    pub path: PathBuf,
    /// Length.
    pub bytes: u64,
    /// Digest.
    pub sha256: Digest,
}

impl Contents {
    /// Reads the list at `path`; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is no such list.
    pub fn read(path: &Path) -> Result<Option<Contents>, RecipeError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(FileError::at("read", path))?,
        };
        toml::from_str(&text)
            .map(Some)
            .map_err(|error| RecipeError::Contents {
                path: path.to_owned(),
                reason: error.message().to_owned(),
            })
    }

    /// Whether `folder` holds each file at its length; quick, for "is it there already".
    pub fn is_in(&self, folder: &Path) -> bool {
        self.files.iter().all(|file| {
            std::fs::metadata(folder.join(&file.path))
                .is_ok_and(|found| found.is_file() && found.len() == file.bytes)
        })
    }

    /// Checks the digest of each file in `folder`; blocking, reads them whole.
    ///
    /// # Errors
    /// The first file that cannot be read or has changed.
    pub fn verify(&self, folder: &Path) -> Result<(), RecipeError> {
        for file in &self.files {
            let path = folder.join(&file.path);
            let found = digest_of(&path)?;
            file.expect(path, found)?;
        }
        Ok(())
    }

    /// Copies the files of the folder `from` beside the list to be written at `list`; blocking; durable.
    ///
    /// # Errors
    /// A file cannot be read or written, or is not the one of this list; there is no list then.
    pub fn copy(&self, from: &Path, list: &Path) -> Result<(), RecipeError> {
        let to = list.parent().unwrap_or(Path::new("."));
        durable::create_folder(to)?;
        forget(list)?;
        for file in &self.files {
            let source = from.join(&file.path);
            let mut reader = File::open(&source).map_err(FileError::at("open", &source))?;
            let path = to.join(&file.path);
            create_parent(&path)?;
            let mut found = Digest([0; 32]);
            durable::replace_with(&path, |out| {
                let mut tee = Tee {
                    from: &mut reader,
                    to: out,
                };
                found = Digest::of_reader(&mut tee)?.0;
                Ok(())
            })?;
            file.expect(source, found)?;
        }
        self.write(list)
    }

    /// Writes the list to `path`; durable when it returns.
    pub(super) fn write(&self, path: &Path) -> Result<(), RecipeError> {
        let text = toml::to_string(self).map_err(|error| RecipeError::Contents {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(durable::replace(path, text.as_bytes())?)
    }
}

impl UnpackedFile {
    fn expect(&self, path: PathBuf, found: Digest) -> Result<(), RecipeError> {
        if found == self.sha256 {
            return Ok(());
        }
        Err(RecipeError::Digest {
            path,
            expected: self.sha256,
            found,
            hint: "`almanac models fetch --again` gets it anew",
        })
    }
}

/// Removes the list at `path`, so that a half-replaced folder counts as empty.
pub(super) fn forget(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => {
            other.map_err(FileError::at("remove", path))?;
            path.parent().map_or(Ok(()), durable::sync_folder)
        }
    }
}

pub(super) fn create_parent(path: &Path) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), durable::create_folder)
}

pub(super) fn digest_of(path: &Path) -> Result<Digest, FileError> {
    File::open(path)
        .and_then(|mut file| Digest::of_reader(&mut file))
        .map(|(digest, _)| digest)
        .map_err(FileError::at("read", path))
}

/// Passes on what is read from `from` to `to`, so that one pass both copies and digests.
pub(super) struct Tee<'a> {
    pub from: &'a mut dyn Read,
    pub to: &'a mut dyn Write,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.to.write_all(&buffer[..read])?;
        Ok(read)
    }
}
