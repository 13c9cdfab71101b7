//! Files and folders into the library, one whole document after another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use super::{Change, Library, LibraryError};
use crate::documents;
use crate::durable::FileError;

/// Passages committed before searches see them, as a share of the library (one in so many), so that
/// a long ingest spends little time on indexing what it has.
const PUBLISH_SHARE: usize = 8;

/// Fewest passages that are made searchable together.
const PUBLISH_FLOOR: usize = 256;

/// How to ingest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestOptions {
    /// Also remove documents that came from one of the given folders and whose file is gone.
    pub sync: bool,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is in the library.
    Taken(Change),
    /// It cannot be read; the reason stands in the report.
    Failed,
    /// It is gone, and so is its document.
    Removed,
}

/// Told after every file.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// Files done, this one included.
    pub done: usize,
    /// Files in all.
    pub total: usize,
    /// The document's id or, when it cannot be read, the file.
    pub name: &'a str,
    /// What became of it.
    pub outcome: Outcome,
    /// Passages of it.
    pub passages: usize,
}

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IngestFailure {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it and what to do.
    pub reason: String,
}

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestReport {
    /// New documents.
    pub added: usize,
    /// Documents that replaced an older one.
    pub replaced: usize,
    /// Documents that were there already.
    pub unchanged: usize,
    /// Ids of the documents that were removed.
    pub removed: Vec<String>,
    /// Passages of the documents added and replaced.
    pub passages: usize,
    /// Files that could not be read; all others were taken.
    pub failed: Vec<IngestFailure>,
    /// Files in the folders that no reader knows.
    pub skipped: usize,
    /// Whether `progress` ended it early; what was done until then stays.
    pub stopped: bool,
}

/// A file to read, with its id.
#[derive(Debug)]
struct Task {
    id: String,
    path: PathBuf,
}

impl Library {
    /// Takes in the documents at `paths`, folders with all below them in sorted order; blocking.
    ///
    /// A document's id is its path relative to the folder given, with forward slashes; a single file's is
    /// its name. Hidden files are passed over. Each document is durable once `progress` has heard of it;
    /// when `progress` breaks, the rest is left. Bad files go into the report.
    ///
    /// # Errors
    /// A path does not exist, a sync finds no documents at all, or the embedder or the disk fails: what
    /// was done until then stays.
    pub fn ingest_paths(
        &self,
        paths: &[PathBuf],
        options: IngestOptions,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<IngestReport, LibraryError> {
        let mut report = IngestReport::default();
        let roots = roots(paths)?;
        let tasks = tasks(&roots, &mut report);
        let gone = match options.sync {
            true => self.gone(&roots, &tasks, &report)?,
            false => Vec::new(),
        };
        let result = self.run(&tasks, &gone, &mut report, progress);
        self.publish();
        result.map(|()| report)
    }

    fn run(
        &self,
        tasks: &[Task],
        gone: &[String],
        report: &mut IngestReport,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), LibraryError> {
        let total = tasks.len() + gone.len();
        let mut done = 0;
        let mut ids = BTreeMap::new();
        let mut unpublished = 0;
        let mut tell = |name: &str, outcome, passages| {
            done += 1;
            progress(&Progress {
                done,
                total,
                name,
                outcome,
                passages,
            })
        };
        for task in tasks {
            let (name, outcome, passages) = self.take(task, &mut ids, report)?;
            unpublished += passages;
            if unpublished >= PUBLISH_FLOOR.max(self.snapshots.current().len() / PUBLISH_SHARE) {
                self.publish();
                unpublished = 0;
            }
            if tell(&name, outcome, passages).is_break() {
                report.stopped = true;
                return Ok(());
            }
        }
        for id in gone {
            // A file that moved within the folders has given its id a new file by now.
            if ids.contains_key(id.as_str()) || !self.commit_removal(id)? {
                continue;
            }
            report.removed.push(id.clone());
            if tell(id, Outcome::Removed, 0).is_break() {
                report.stopped = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads and commits one file; its name for the progress, what became of it, its new passages.
    fn take(
        &self,
        task: &Task,
        ids: &mut BTreeMap<String, PathBuf>,
        report: &mut IngestReport,
    ) -> Result<(String, Outcome, usize), LibraryError> {
        let mut fail = |reason: String| {
            report.failed.push(IngestFailure {
                path: task.path.clone(),
                reason,
            });
            let name = task.path.display().to_string();
            Ok((name, Outcome::Failed, 0))
        };
        let document = match documents::read_file(&task.path, &task.id) {
            Ok(document) => document,
            Err(error) => return fail(error.to_string()),
        };
        if let Some(first) = ids.get(&document.id) {
            return fail(format!(
                "{}: its id {:?} is that of {} too; give one of them an `id` in its front matter",
                task.path.display(),
                document.id,
                first.display()
            ));
        }
        ids.insert(document.id.clone(), task.path.clone());
        let ingested = self.commit(&document, Some(&task.path))?;
        let new = match ingested.change {
            Change::Added => {
                report.added += 1;
                ingested.passages
            }
            Change::Replaced => {
                report.replaced += 1;
                ingested.passages
            }
            Change::Unchanged => {
                report.unchanged += 1;
                0
            }
        };
        report.passages += new;
        Ok((document.id, Outcome::Taken(ingested.change), new))
    }

    /// Ids of the documents that came from below `roots` and whose file is gone.
    fn gone(
        &self,
        roots: &[PathBuf],
        tasks: &[Task],
        report: &IngestReport,
    ) -> Result<Vec<String>, LibraryError> {
        // What could not be walked may still be there.
        if !report.failed.is_empty() {
            return Ok(Vec::new());
        }
        let there: BTreeSet<&Path> = tasks.iter().map(|task| task.path.as_path()).collect();
        for root in roots.iter().filter(|root| root.is_dir()) {
            if !there.iter().any(|file| file.starts_with(root)) {
                return Err(LibraryError::NothingToSync { path: root.clone() });
            }
        }
        let below = |file: &Path| roots.iter().any(|root| file.starts_with(root));
        Ok(self
            .writer()
            .documents
            .values()
            .filter(|document| {
                let file = document.entry.file.as_deref();
                file.is_some_and(|file| below(file) && !there.contains(file))
            })
            .map(|document| document.entry.id.clone())
            .collect())
    }
}

/// The absolute forms of `paths`.
fn roots(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
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
fn tasks(roots: &[PathBuf], report: &mut IngestReport) -> Vec<Task> {
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
            // A file that was named is read whatever it is, so that its user hears why not.
            if entry.depth() > 0 && !documents::is_supported(entry.path()) {
                report.skipped += 1;
                continue;
            }
            tasks.push(Task {
                id: id_of(root, entry.path()),
                path: entry.into_path(),
            });
        }
    }
    tasks
}

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

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
