//! The offline side: from a plan to an edition's folder, and what a box on another one would fetch.
//!
//! Built editions lie as they do on a box, `editions/<serial>/` beside `blobs/sha256/`, so that many
//! editions share what they have in common, on the operator's disk and on a stick.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use walkdir::WalkDir;

use super::blobs::Blobs;
use super::manifest::{
    Budgets, FILE_NAME, FileEntry, Golden, Hardware, KeyChanges, Manifest, Role, SIGNATURE_NAME,
    Thresholds, open_regular, read_bounded,
};
use super::moment::Moment;
use super::offer::Offer;
use super::signature::MAX_SIGNATURE_BYTES;
use super::{EditionError, limits};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// A plan: what an edition is to be made of. Paths are relative to the plan's folder.
///
/// What is open is taken over from the edition `base`: a plan with `base` and `adapters` alone makes an
/// adapter-only edition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// For people.
    pub name: String,
    /// Must grow from edition to edition.
    pub serial: u64,
    /// The folder of an edition built earlier.
    pub base: Option<PathBuf>,
    /// Folder of the imported language model.
    pub decoder: Option<PathBuf>,
    /// Folder of the imported embedder.
    pub embedder: Option<PathBuf>,
    /// Imported adapters.
    pub adapters: Option<Vec<PathBuf>>,
    /// Folders with documents.
    pub documents: Option<Vec<PathBuf>>,
    /// See [`Manifest::not_before`].
    pub not_before: Option<Moment>,
    /// See [`Manifest::expires`].
    pub expires: Option<Moment>,
    /// See [`Manifest::min_version`].
    pub min_version: Option<String>,
    /// See [`Manifest::notes`].
    #[serde(default)]
    pub notes: String,
    /// See [`Manifest::hardware`].
    pub hardware: Option<Hardware>,
    /// See [`Manifest::thresholds`].
    pub thresholds: Option<Thresholds>,
    /// See [`Manifest::budgets`].
    pub budgets: Option<Budgets>,
    /// See [`Manifest::keys`]; never taken over.
    #[serde(default)]
    pub keys: KeyChanges,
    /// See [`Manifest::golden`].
    pub golden: Option<Vec<Golden>>,
}

/// An edition that was built.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is made of.
    pub manifest: Manifest,
}

impl Plan {
    /// Reads the plan at `path`; blocking.
    ///
    /// # Errors
    /// It cannot be read, or a key is unknown or of a wrong type (with its line).
    pub fn read(path: &Path) -> Result<Plan, EditionError> {
        let wrong = |reason: String| plan_error(path, reason);
        let bytes = read_bounded(path, limits::MANIFEST_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let mut plan: Plan = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let one = [&mut plan.base, &mut plan.decoder, &mut plan.embedder];
        let many = [&mut plan.adapters, &mut plan.documents];
        for path in (one.into_iter().flatten()).chain(many.into_iter().flatten().flatten()) {
            *path = folder.join(&*path);
        }
        Ok(plan)
    }

    /// Makes the edition under `out`, with its contents beside it; durable when it returns. Blocking.
    /// `fits` tells which language model an adapter file is for.
    ///
    /// # Errors
    /// A file cannot be read or written, or what comes out is no complete edition.
    pub fn build(
        &self,
        out: &Path,
        fits: &dyn Fn(&Path) -> Result<Digest, String>,
    ) -> Result<Built, EditionError> {
        let base = match &self.base {
            Some(folder) => Some(Manifest::read(folder)?),
            None => None,
        };
        let blobs = Blobs::new(out);
        let mut manifest = self.frame(base.as_ref());
        manifest.files = self.files(base.as_ref(), &blobs, fits)?;
        let folder = out.join("editions").join(self.serial.to_string());
        let wrong = |reason: String| plan_error(&folder, reason);
        // As a box would read it, so that it is refused here and not there.
        let text = manifest.to_text().map_err(wrong)?;
        Manifest::parse(text.as_bytes()).map_err(wrong)?;
        manifest.check_complete().map_err(wrong)?;
        for (content, length) in manifest.contents() {
            blobs.verify(&content, length)?;
        }
        durable::create_folder(&folder)?;
        manifest.write(&folder)?;
        Ok(Built { folder, manifest })
    }

    fn frame(&self, base: Option<&Manifest>) -> Manifest {
        let mut manifest = Manifest::new(self.serial, &self.name);
        if let Some(base) = base {
            manifest.hardware = base.hardware.clone();
            manifest.thresholds = base.thresholds;
            manifest.budgets = base.budgets;
            manifest.golden = base.golden.clone();
            manifest.min_version = base.min_version.clone();
        }
        manifest.not_before = self.not_before;
        manifest.expires = self.expires;
        manifest.notes = self.notes.clone();
        manifest.keys = self.keys.clone();
        if let Some(hardware) = &self.hardware {
            manifest.hardware = hardware.clone();
        }
        manifest.thresholds = self.thresholds.unwrap_or(manifest.thresholds);
        manifest.budgets = self.budgets.unwrap_or(manifest.budgets);
        if let Some(golden) = &self.golden {
            manifest.golden = golden.clone();
        }
        if self.min_version.is_some() {
            manifest.min_version = self.min_version.clone();
        }
        manifest
    }

    fn files(
        &self,
        base: Option<&Manifest>,
        blobs: &Blobs,
        fits: &dyn Fn(&Path) -> Result<Digest, String>,
    ) -> Result<Vec<FileEntry>, EditionError> {
        let mut files = Vec::new();
        let mut replaced = Vec::new();
        for (role, folder) in [
            (Role::Decoder, &self.decoder),
            (Role::Embedder, &self.embedder),
        ] {
            if let Some(folder) = folder {
                replaced.push(role);
                files.extend(model(role, folder, blobs)?);
            }
        }
        if let Some(adapters) = &self.adapters {
            replaced.push(Role::Adapter);
            for path in adapters {
                let mut file = store(Role::Adapter, path, &under("adapters", path), blobs)?;
                file.base = Some(fits(path).map_err(|reason| plan_error(path, reason))?);
                files.push(file);
            }
        }
        if let Some(folders) = &self.documents {
            replaced.push(Role::Document);
            for folder in folders {
                files.extend(documents(folder, blobs)?);
            }
        }
        let kept = base.into_iter().flat_map(|base| &base.files);
        files.extend(kept.filter(|file| !replaced.contains(&file.role)).cloned());
        files.sort_by(|a, b| (a.role, &a.path).cmp(&(b.role, &b.path)));
        Ok(files)
    }
}

/// The manifest and the signature of the edition in `folder`; the signature is empty where there is none
/// yet. Blocking.
///
/// # Errors
/// A file is no regular one, is too long, or cannot be read.
pub fn read_offer(folder: &Path) -> Result<Offer, EditionError> {
    let signature = folder.join(SIGNATURE_NAME);
    let is_signed = std::fs::symlink_metadata(&signature).is_ok();
    Ok(Offer {
        manifest: read_bounded(&folder.join(FILE_NAME), limits::MANIFEST_BYTES)?,
        signature: match is_signed {
            true => read_bounded(&signature, MAX_SIGNATURE_BYTES)?,
            false => Vec::new(),
        },
    })
}

/// Where the contents of the edition in `folder` lie: in the folder itself, else two above it, as
/// [`Plan::build`] leaves them.
pub fn contents_of(folder: &Path) -> PathBuf {
    let above = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    match above.ancestors().nth(2) {
        Some(root) if !folder.join("blobs").is_dir() => root.to_owned(),
        _ => folder.to_owned(),
    }
}

/// Writes `signature` beside the manifest in `folder`; durable when it returns. Blocking.
///
/// # Errors
/// The file cannot be written.
pub fn write_signature(folder: &Path, signature: &str) -> Result<(), EditionError> {
    Ok(durable::replace(
        &folder.join(SIGNATURE_NAME),
        signature.as_bytes(),
    )?)
}

/// What a box on one edition fetches for another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Files with new contents, each content once.
    pub fetched: Vec<FileEntry>,
    /// Their bytes.
    pub bytes: u64,
    /// Paths that are no longer there.
    pub gone: Vec<PathBuf>,
}

/// Compares the contents of two editions. Pure.
pub fn difference(from: &Manifest, to: &Manifest) -> Difference {
    let have = from.contents();
    let mut fetched = BTreeMap::new();
    for file in &to.files {
        if !have.contains_key(&file.sha256) {
            fetched.entry(file.sha256).or_insert_with(|| file.clone());
        }
    }
    let is_gone = |file: &&FileEntry| !to.files.iter().any(|other| other.path == file.path);
    Difference {
        bytes: fetched.values().map(|file| file.length).sum(),
        fetched: fetched.into_values().collect(),
        gone: from
            .files
            .iter()
            .filter(is_gone)
            .map(|file| file.path.clone())
            .collect(),
    }
}

/// What an import notes for itself beside a model; no part of the model, and not of what its adapters name.
const IMPORT_NOTE: &str = "source.toml";

fn model(role: Role, folder: &Path, blobs: &Blobs) -> Result<Vec<FileEntry>, EditionError> {
    let list = folder.join(limits::MODEL_LIST);
    if !list.is_file() {
        return Err(plan_error(
            folder,
            format!(
                "no imported model: expected its {}; run `almanac models import`",
                limits::MODEL_LIST
            ),
        ));
    }
    let inside = Path::new("models").join(folder.file_name().unwrap_or_default());
    let files = walk(folder)?.into_iter();
    files
        .filter(|path| !path.ends_with(IMPORT_NOTE))
        .map(|path| {
            let name = path.file_name().unwrap_or_default();
            store(role, &path, &inside.join(name), blobs)
        })
        .collect()
}

fn documents(folder: &Path, blobs: &Blobs) -> Result<Vec<FileEntry>, EditionError> {
    let files = walk(folder)?.into_iter();
    files
        .map(|path| {
            let inside = path.strip_prefix(folder).unwrap_or(&path);
            store(
                Role::Document,
                &path,
                &Path::new("documents").join(inside),
                blobs,
            )
        })
        .collect()
}

/// Files below `folder` in order, hidden ones passed over as an ingest does.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, EditionError> {
    let is_shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let mut files = Vec::new();
    for entry in entries.into_iter().filter_entry(is_shown) {
        let entry = entry.map_err(|error| plan_error(folder, error.to_string()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn under(folder: &str, path: &Path) -> PathBuf {
    Path::new(folder).join(path.file_name().unwrap_or_default())
}

/// Copies a file among the contents.
fn store(role: Role, path: &Path, inside: &Path, blobs: &Blobs) -> Result<FileEntry, EditionError> {
    let real = path.canonicalize().map_err(FileError::at("find", path))?;
    let (mut file, _) = open_regular(&real)?;
    let (sha256, length) = Digest::of_reader(&mut file).map_err(FileError::at("read", path))?;
    if !blobs.has(&sha256, length) {
        let (mut file, _) = open_regular(&real)?;
        let to = blobs.path(&sha256);
        durable::create_folder(to.parent().unwrap_or(Path::new(".")))?;
        durable::replace_with(&to, |out| std::io::copy(&mut file, out).map(drop))?;
    }
    Ok(FileEntry {
        role,
        path: inside.to_owned(),
        length,
        sha256,
        base: None,
    })
}

fn plan_error(path: &Path, reason: String) -> EditionError {
    EditionError::Plan {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
