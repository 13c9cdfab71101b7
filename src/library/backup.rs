//! A library in one file: a zip of its documents as they were read, of the tags that somebody set right,
//! and of a manifest with a digest for each. All that a search needs is made from them again.
//!
//! | entry | what |
//! |---|---|
//! | `documents/<n>.json` | a document's JSON form, with the tags that were found |
//! | `tags.json` | the corrections |
//! | `manifest.json` | format, version, and for each entry its size and SHA-256 |
//!
//! The same library gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::corrections::Corrections;
use super::original::Original;
use super::{Library, LibraryError};
use crate::documents::{self, Correction, Document};
use crate::durable::{self, FileError};
use crate::types::Digest;

const FORMAT: &str = "almanac library";
const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const TAGS: &str = "tags.json";

/// Largest manifest and largest file of corrections, in bytes.
const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;

/// Largest document, in bytes of its JSON form.
const MAX_JSON_BYTES: u64 = 8 * documents::MAX_DOCUMENT_BYTES;

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Documents in it.
    pub documents: usize,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// Ids of documents that are not in it: what was read of them is damaged; ingest them again.
    pub left_out: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    documents: Vec<Listed>,
    tags: Sealed,
}

/// A document in the manifest.
#[derive(Clone, Serialize, Deserialize)]
struct Listed {
    id: String,
    /// The file that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(flatten)]
    sealed: Sealed,
}

/// An entry of the zip.
#[derive(Clone, Serialize, Deserialize)]
struct Sealed {
    entry: String,
    bytes: u64,
    sha256: Digest,
}

impl Library {
    /// Writes all documents and corrections, as they are at this moment, into `file`; blocking; durable when
    /// it returns. Searches and ingests go on meanwhile.
    ///
    /// # Errors
    /// The disk fails; an older `file` is then still there.
    pub fn back_up(&self, file: &Path) -> Result<BackupReport, LibraryError> {
        let (reader, corrections, ids) = {
            let writer = self.writer();
            let ids: BTreeSet<String> = writer.documents.keys().cloned().collect();
            (
                writer.store.archive().reader()?,
                writer.corrections.to_json(),
                ids,
            )
        };
        let mut left_out = Vec::new();
        let mut documents = 0;
        durable::replace_with(file, |out| {
            let mut writing = Writing::new(out);
            let ids: BTreeSet<&str> = ids.iter().map(String::as_str).chain(reader.ids()).collect();
            for id in ids {
                match reader.read(id).map_err(io::Error::other)? {
                    Some(original) => writing.document(&original)?,
                    None => left_out.push(id.to_owned()),
                }
            }
            documents = writing.documents.len();
            writing.finish(&corrections)
        })?;
        let found = std::fs::metadata(file).map_err(FileError::at("look at", file))?;
        Ok(BackupReport {
            documents,
            bytes: found.len(),
            left_out,
        })
    }
}

/// A backup that is being written.
struct Writing<'a> {
    zip: ZipWriter<StreamWriter<&'a mut dyn Write>>,
    documents: Vec<Listed>,
}

impl<'a> Writing<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Writing {
            zip: ZipWriter::new_stream(out),
            documents: Vec::new(),
        }
    }

    fn document(&mut self, original: &Original) -> io::Result<()> {
        let json = documents::to_json(&original.document).to_string();
        let entry = format!("documents/{:06}.json", self.documents.len() + 1);
        let sealed = self.entry(entry, json.as_bytes())?;
        self.documents.push(Listed {
            id: original.document.id.clone(),
            // A path that JSON cannot hold is left: it only serves to notice that a file is gone.
            file: original.file.clone().filter(|file| file.to_str().is_some()),
            sealed,
        });
        Ok(())
    }

    fn entry(&mut self, entry: String, bytes: &[u8]) -> io::Result<Sealed> {
        self.zip
            .start_file(entry.as_str(), SimpleFileOptions::default())?;
        self.zip.write_all(bytes)?;
        Ok(Sealed {
            entry,
            bytes: bytes.len() as u64,
            sha256: Digest::of(bytes),
        })
    }

    fn finish(mut self, corrections: &[u8]) -> io::Result<()> {
        let manifest = Manifest {
            tags: self.entry(TAGS.into(), corrections)?,
            format: FORMAT.into(),
            version: VERSION,
            documents: std::mem::take(&mut self.documents),
        };
        let manifest = serde_json::to_vec_pretty(&manifest)?;
        self.entry(MANIFEST.into(), &manifest)?;
        self.zip.finish()?;
        Ok(())
    }
}

/// A backup of which every digest was found right.
pub(super) struct Backup {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    documents: Vec<Listed>,
    corrections: BTreeMap<String, Correction>,
}

impl Backup {
    /// Opens the file at `path` and checks every entry; blocking.
    ///
    /// # Errors
    /// It cannot be read, or is no whole backup.
    pub fn open(path: &Path) -> Result<Backup, LibraryError> {
        let file = File::open(path).map_err(FileError::at("open", path))?;
        let bad = |reason: &dyn std::fmt::Display| LibraryError::Backup {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| bad(&error))?;
        let manifest =
            read_entry(&mut zip, MANIFEST, MAX_LIST_BYTES).map_err(|error| bad(&error))?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|error| bad(&format!("{MANIFEST}: {error}")))?;
        if manifest.format != FORMAT || manifest.version != VERSION {
            let (format, version) = (manifest.format, manifest.version);
            return Err(bad(&format!(
                "it holds {format:?} version {version}, expected {FORMAT:?} version {VERSION}"
            )));
        }
        let corrections = read_sealed(&mut zip, &manifest.tags, MAX_LIST_BYTES);
        let corrections = corrections.map_err(|error| bad(&error))?;
        let corrections = Corrections::from_json(path, &corrections)?;
        let mut backup = Backup {
            path: path.to_owned(),
            zip,
            documents: manifest.documents,
            corrections,
        };
        let mut ids = BTreeSet::new();
        for listed in backup.documents.clone() {
            backup.document(&listed).map_err(|error| bad(&error))?;
            if !ids.insert(listed.id.clone()) {
                return Err(bad(&format!("{:?} stands in it twice", listed.id)));
            }
        }
        Ok(backup)
    }

    /// The corrections, by document.
    pub fn corrections(&self) -> BTreeMap<String, Correction> {
        self.corrections.clone()
    }

    /// Ids and packed originals of its documents, read and checked again.
    pub fn bodies(&mut self) -> impl Iterator<Item = (String, io::Result<Vec<u8>>)> {
        let listed = self.documents.clone().into_iter();
        listed.map(|listed| {
            let body = self.document(&listed);
            let body = body.map(|document| Original::pack(&document, listed.file.as_deref()));
            (listed.id, body)
        })
    }

    fn document(&mut self, listed: &Listed) -> io::Result<Document> {
        let bytes = read_sealed(&mut self.zip, &listed.sealed, MAX_JSON_BYTES)?;
        let document = documents::from_json(&self.path, &bytes).map_err(io::Error::other)?;
        if document.id != listed.id {
            let (entry, found) = (&listed.sealed.entry, &document.id);
            let text = format!("{entry} is {found:?}, expected {:?}", listed.id);
            return Err(io::Error::other(text));
        }
        Ok(document)
    }
}

fn read_sealed(
    zip: &mut ZipArchive<BufReader<File>>,
    sealed: &Sealed,
    most: u64,
) -> io::Result<Vec<u8>> {
    let bytes = read_entry(zip, &sealed.entry, most.min(sealed.bytes))?;
    let found = Digest::of(&bytes);
    if bytes.len() as u64 != sealed.bytes || found != sealed.sha256 {
        let (entry, expected) = (&sealed.entry, sealed.sha256);
        return Err(io::Error::other(format!(
            "{entry} has digest {found}, expected {expected}"
        )));
    }
    Ok(bytes)
}

fn read_entry(
    zip: &mut ZipArchive<BufReader<File>>,
    entry: &str,
    most: u64,
) -> io::Result<Vec<u8>> {
    let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{entry}: {error}"));
    let found = zip.by_name(entry).map_err(|error| named(&error))?;
    let mut bytes = Vec::new();
    let read = found.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| named(&error))?;
    match bytes.len() as u64 > most {
        true => Err(named(&format!("it is larger than {most} bytes"))),
        false => Ok(bytes),
    }
}
