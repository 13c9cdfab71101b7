//! Which files an ingest reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::LibraryError;
use super::ingest::{IngestFailure, IngestReport};
use crate::documents;
use crate::durable::FileError;

/// A file to read, with its id and the folder or file that was asked for.
#[derive(Debug)]
pub(super) struct Task {
    pub id: String,
    pub path: PathBuf,
    pub root: PathBuf,
}

/// The absolute forms of `paths`.
pub(super) fn roots(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
    paths
        .iter()
        .map(|path| match std::fs::canonicalize(path) {
            Ok(root) => Ok(root),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LibraryError::NoSuchPath { path: path.clone() })
            }
            Err(error) => Err(FileError::at("look at", path)(error).into()),
        })
        .collect()
}

/// The files below `roots`, in sorted order, each once; what cannot be walked goes into `report`.
pub(super) fn tasks(roots: &[PathBuf], report: &mut IngestReport) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut seen = BTreeSet::new();
    for root in roots {
        let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
        let walk = WalkDir::new(root)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()));
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    report.failed.push(IngestFailure {
                        path: error.path().unwrap_or(root).to_owned(),
                        reason: error.to_string(),
                    });
                    continue;
                }
            };
            if !entry.file_type().is_file() || !seen.insert(entry.path().to_owned()) {
                continue;
            }
            if entry.depth() > 0 && documents::is_tags(entry.path()) {
                continue;
            }
            // A file that was named is read whatever it is, so that its user hears why not.
            if entry.depth() > 0 && !documents::is_supported(entry.path()) {
                report.skipped += 1;
                continue;
            }
            tasks.push(Task {
                id: id_of(root, entry.path()),
                path: entry.into_path(),
                root: root.clone(),
            });
        }
    }
    tasks
}

/// The path below `root`, with forward slashes; a file that is the root itself has its name.
fn id_of(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let relative = match relative.as_os_str().is_empty() {
        true => path.file_name().map_or(path, Path::new),
        false => relative,
    };
    relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}
