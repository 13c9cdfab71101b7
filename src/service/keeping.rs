//! Backup, restore and rebuild of the library, and what a damaged one gets back at the start.
//!
//! A backup crosses the socket in pieces: the file is read and written by whoever gave the command, since
//! the unit keeps the daemon from most folders.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ServiceError;
use super::rooms::{Rooms, to_value};
use crate::control::{PIECE_BYTES, Progress};
use crate::durable::{self, FileError};
use crate::library::{self, BackupReport, RebuildReport};
use crate::types::Digest;

/// A part of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPiece {
    /// What is in the whole.
    pub report: BackupReport,
    /// SHA-256 of the whole.
    pub sha256: Digest,
    /// The bytes from where it was asked for, as hexadecimal digits; none at the end.
    pub bytes: String,
}

/// Told while the index is made anew.
type OnProgress<'a> = &'a mut dyn FnMut(&Progress);

impl Rooms {
    /// Makes a backup (at offset 0), and gives a piece of the one that was made last.
    pub(super) fn back_up(&self, offset: u64) -> Result<Value, ServiceError> {
        let path = self.state().join("library-backup.zip");
        let note = self.state().join("library-backup.json");
        if offset == 0 {
            let report = self.library()?.back_up(&path)?;
            let mut file = File::open(&path).map_err(FileError::at("open", &path))?;
            let digest = Digest::of_reader(&mut file).map_err(FileError::at("read", &path))?;
            let sha256 = digest.0;
            let whole = BackupPiece {
                report,
                sha256,
                bytes: String::new(),
            };
            durable::replace(&note, to_value(&whole)?.to_string().as_bytes())?;
        }
        let noted = std::fs::read(&note).map_err(FileError::at("read", &note))?;
        let mut piece: BackupPiece = serde_json::from_slice(&noted).map_err(|error| {
            ServiceError::Machine(format!("{}: cannot be read: {error}", note.display()))
        })?;
        let bytes = read_piece(&path, offset).map_err(FileError::at("read", &path))?;
        if offset + bytes.len() as u64 >= piece.report.bytes {
            remove(&path)?;
            remove(&note)?;
        }
        piece.bytes = hex::encode(bytes);
        to_value(&piece)
    }

    /// Takes a piece of a backup that is to be restored.
    pub(super) fn upload(&self, offset: u64, bytes: &str) -> Result<Value, ServiceError> {
        let path = self.upload_path();
        if offset == 0 {
            remove(&path)?;
        }
        let length = std::fs::metadata(&path).map_or(0, |found| found.len());
        let bytes = hex::decode(bytes).map_err(|error| {
            ServiceError::Invalid(format!("the piece at {offset} is not hexadecimal: {error}"))
        })?;
        if length != offset || bytes.len() > PIECE_BYTES {
            return Err(ServiceError::Invalid(format!(
                "a piece of {} bytes at {offset}, expected at most {PIECE_BYTES} at {length}; begin again at 0",
                bytes.len()
            )));
        }
        durable::append(&path, &bytes)?;
        to_value(&serde_json::json!({ "offset": offset + bytes.len() as u64 }))
    }

    /// Restores what was uploaded, which must be `sha256`.
    pub(super) fn restore(
        &self,
        sha256: Digest,
        on_progress: OnProgress<'_>,
    ) -> Result<Value, ServiceError> {
        let path = self.upload_path();
        let mut file = File::open(&path).map_err(FileError::at("open", &path))?;
        let (found, _) = Digest::of_reader(&mut file).map_err(FileError::at("read", &path))?;
        if found != sha256 {
            let text = format!("the backup arrived as {found}, expected {sha256}; try again");
            return Err(ServiceError::Invalid(text));
        }
        let library = self.library_anew()?;
        let restored = library.restore(&path, &mut telling(on_progress));
        remove(&path)?;
        let report = restored?;
        self.renew_golden(&library)?;
        to_value(&report)
    }

    /// Makes the index anew.
    pub(super) fn rebuild(&self, on_progress: OnProgress<'_>) -> Result<Value, ServiceError> {
        let library = self.library_anew()?;
        let report: RebuildReport = library.rebuild(&mut telling(on_progress))?;
        self.renew_golden(&library)?;
        to_value(&report)
    }

    /// Brings documents back that a damaged index lost; blocking; how many there were to bring back.
    ///
    /// # Errors
    /// The library cannot be opened, or embedder or disk fail.
    pub fn complete(&self, on_progress: OnProgress<'_>) -> Result<usize, ServiceError> {
        let library = self.library()?;
        let missing = library.unbuilt().len();
        if missing > 0 {
            let report = library.complete(&mut telling(on_progress))?;
            for document in report.lost {
                tracing::error!(document, "a document is damaged: ingest it again");
            }
        }
        Ok(missing)
    }

    fn upload_path(&self) -> PathBuf {
        self.state().join("library-restore.zip")
    }
}

/// What the library tells, in the words of the socket.
fn telling<'a>(
    on_progress: OnProgress<'a>,
) -> impl FnMut(&library::Progress<'_>) -> ControlFlow<()> + 'a {
    |step| {
        on_progress(&Progress {
            text: step.name.to_owned(),
            done: step.done as u64,
            total: step.total as u64,
        });
        ControlFlow::Continue(())
    }
}

fn read_piece(path: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(PIECE_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::at("remove", path)(error))
        }
        _ => Ok(()),
    }
}
