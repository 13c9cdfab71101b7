//! A new edition's library, built while the old one answers.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::super::error::ServiceError;
use super::super::rooms::Rooms;
use crate::documents::Document;
use crate::durable::{self, FileError};
use crate::edition::Edition;
use crate::library::{IngestOptions, Library, Progress};

/// Ids of the documents that came with an edition, in its folder: all others are the farm's own.
const CORPUS: &str = "corpus.json";
/// What somebody set right by hand, in an edition's folder.
const TAGS: &str = "tags.json";
/// The farm's own documents that are taken over in one go.
const TOGETHER: usize = 64;

/// Fills the library of `rooms` with the edition's documents and with what the farm itself put into that of
/// `before`. No text is embedded that the library before has embedded with the same embedder: an edition with
/// another adapter costs reading and cutting only. Blocking.
///
/// # Errors
/// A document cannot be read, or a library or the disk fails.
pub fn fill(rooms: &Rooms, before: Option<&Rooms>) -> Result<(), ServiceError> {
    let edition = rooms.edition();
    if let Some(before) = before {
        carry_tags(&before.edition().folder, &edition.folder)?;
    }
    rooms.check()?;
    let library = rooms.library()?;
    let before = match before {
        Some(before) if Library::is_in(&before.edition().folder) => {
            let older = before.library()?;
            library.learn(&older);
            Some((before, older))
        }
        _ => None,
    };
    take_corpus(edition, &library)?;
    match before {
        Some((before, older)) => carry_documents((before.edition(), &older), (edition, &library)),
        None => Ok(()),
    }
}

/// Takes over to the rooms `to`, which are gone back to, what the farm itself put into those of `from` since.
/// Blocking.
///
/// # Errors
/// A library or the disk fails.
pub fn carry_back(from: &Rooms, to: &Rooms) -> Result<(), ServiceError> {
    let (newer, older) = (from.library()?, to.library()?);
    older.learn(&newer);
    carry_documents((from.edition(), &newer), (to.edition(), &older))
}

fn take_corpus(edition: &Edition, library: &Library) -> Result<(), ServiceError> {
    let documents = edition.files().join("documents");
    if documents.is_dir() {
        let on_step = &mut |_: &Progress<'_>| ControlFlow::Continue(());
        let report = library.ingest_paths(&[documents], IngestOptions::default(), on_step)?;
        if let Some(failure) = report.failed.first() {
            let (path, reason) = (failure.path.display(), &failure.reason);
            return Err(ServiceError::Machine(format!("{path}: {reason}")));
        }
    }
    let entries = library.documents().into_iter();
    let ids: Vec<String> = entries.map(|entry| entry.id).collect();
    let list =
        serde_json::to_vec(&ids).map_err(|error| ServiceError::Machine(error.to_string()))?;
    Ok(durable::replace(&edition.folder.join(CORPUS), &list)?)
}

/// Takes the farm's own documents over: those that did not come with the edition `from`. A document that came
/// with the other edition goes before one of the same id.
fn carry_documents(
    (from, library): (&Edition, &Library),
    (to, into): (&Edition, &Library),
) -> Result<(), ServiceError> {
    let (came, comes) = (corpus_of(&from.folder)?, corpus_of(&to.folder)?);
    let mut group: Vec<Document> = Vec::new();
    let own = library.documents().into_iter();
    for entry in own.filter(|entry| !came.contains(&entry.id)) {
        let there = into.document(&entry.id);
        if there.is_some_and(|there| there.digest == entry.digest) {
            continue;
        }
        if comes.contains(&entry.id) {
            tracing::warn!(document = entry.id, "the edition brings its own");
        } else if let Some(document) = library.tree(&entry.id)? {
            group.push(document);
        }
        if group.len() == TOGETHER {
            into.ingest_all(&std::mem::take(&mut group))?;
        }
    }
    into.ingest_all(&group)?;
    Ok(())
}

fn carry_tags(from: &Path, to: &Path) -> Result<(), ServiceError> {
    let path = from.join(TAGS);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at("read", &path)(error).into()),
        Ok(bytes) => Ok(durable::replace(&to.join(TAGS), &bytes)?),
    }
}

fn corpus_of(folder: &Path) -> Result<BTreeSet<String>, ServiceError> {
    let path = folder.join(CORPUS);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(FileError::at("read", &path)(error).into()),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| ServiceError::Machine(format!("{}: {error}", path.display()))),
    }
}
