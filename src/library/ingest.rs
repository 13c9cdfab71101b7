//! Files and folders into the library, whole documents in groups.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::taking::{Group, Known, Taken};
use super::walk::{Task, roots, tasks};
use super::{Change, DocumentEntry, Library, LibraryError};
use crate::documents::{self, Document, DocumentError, FolderTags};

/// Passages committed before searches see them, as a share of the library (one in so many), so that
/// a long ingest spends little time on indexing what it has.
const PUBLISH_SHARE: usize = 8;

/// Fewest passages that are made searchable together.
const PUBLISH_FLOOR: usize = 256;

/// Documents that a sync removes in one commit.
const REMOVED_TOGETHER: usize = 64;

/// How to ingest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestOptions {
    /// Also remove documents that came from one of the given folders and whose file is gone.
    pub sync: bool,
}

/// What became of one document, or of a file or line that is none.
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

/// Told of every document, once it is durable.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// Documents done, this one included.
    pub done: usize,
    /// Documents in all, as far as is known before they are read.
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

/// What one run of an ingest knows.
struct Run<'a> {
    report: &'a mut IngestReport,
    /// Documents of this run, with their files.
    ids: BTreeMap<String, PathBuf>,
    /// Files of which every document was read.
    whole: BTreeSet<PathBuf>,
    folders: FolderTags,
    progress: &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    done: usize,
    total: usize,
    unpublished: usize,
    group: Group,
    /// Filled when the first document is embedded.
    known: Option<Known>,
}

impl Run<'_> {
    fn tell(&mut self, name: &str, outcome: Outcome, passages: usize) -> ControlFlow<()> {
        self.done += 1;
        (self.progress)(&Progress {
            done: self.done,
            total: self.total.max(self.done),
            name,
            outcome,
            passages,
        })
    }

    fn tell_taken(&mut self, taken: &Taken) -> ControlFlow<()> {
        self.count(taken);
        let new = match taken.change {
            Change::Unchanged => 0,
            Change::Added | Change::Replaced => taken.passages,
        };
        self.tell(&taken.id, Outcome::Taken(taken.change), new)
    }

    fn count(&mut self, taken: &Taken) {
        match taken.change {
            Change::Added => self.report.added += 1,
            Change::Replaced => self.report.replaced += 1,
            Change::Unchanged => self.report.unchanged += 1,
        }
        if taken.change != Change::Unchanged {
            self.report.passages += taken.passages;
        }
    }

    fn fail(&mut self, path: &Path, reason: String) -> ControlFlow<()> {
        self.report.failed.push(IngestFailure {
            path: path.to_owned(),
            reason,
        });
        self.tell(&path.display().to_string(), Outcome::Failed, 0)
    }
}

impl Library {
    /// Takes in the documents at `paths`, folders with all below them in sorted order; blocking.
    ///
    /// A document's id is its path relative to the folder given, with forward slashes; a single file's is
    /// its name, and documents of a file with one a line have their own. Hidden files are passed over. Each
    /// document is durable once `progress` has heard of it; when `progress` breaks, what is not durable yet is
    /// left. Bad files go into the report. No text is embedded that is in the library already.
    ///
    /// # Errors
    /// A rebuild is under way, a path does not exist, a sync finds no documents at all, or the embedder or the disk fails: what
    /// was done until then stays.
    pub fn ingest_paths(
        &self,
        paths: &[PathBuf],
        options: IngestOptions,
        progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<IngestReport, LibraryError> {
        let _turn = self.turn()?;
        let mut report = IngestReport::default();
        let roots = roots(paths)?;
        let tasks = tasks(&roots, &mut report);
        let mut gone = match options.sync {
            true => self.gone(&roots, &tasks, &report)?,
            false => Vec::new(),
        };
        let total = tasks.iter().map(|task| documents::count(&task.path));
        let mut run = Run {
            total: total.sum::<usize>() + gone.len(),
            report: &mut report,
            ids: BTreeMap::new(),
            whole: BTreeSet::new(),
            folders: FolderTags::default(),
            progress,
            done: 0,
            unpublished: 0,
            group: Group::new(),
            known: None,
        };
        let result = self.read_all(&tasks, &mut run).and_then(|flow| {
            if flow.is_break() {
                return Ok(flow);
            }
            if options.sync {
                gone.extend(self.no_longer_in(&run));
            }
            self.remove_all(&gone, &mut run)
        });
        let is_stopped = matches!(result, Ok(ControlFlow::Break(())));
        report.stopped = is_stopped;
        self.publish();
        result.map(|_| report)
    }

    fn read_all(&self, tasks: &[Task], run: &mut Run<'_>) -> Result<ControlFlow<()>, LibraryError> {
        for task in tasks {
            let documents = run
                .folders
                .of(&task.root, &task.path)
                .and_then(|folder| documents::open(&task.path, &task.id, folder));
            let documents = match documents {
                Ok(documents) => documents,
                Err(error) => {
                    if run.fail(&task.path, error.to_string()).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    continue;
                }
            };
            let failed = run.report.failed.len();
            for document in documents {
                if self.take(task, document, run)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if run.report.failed.len() == failed {
                run.whole.insert(task.path.clone());
            }
        }
        self.commit_taken(run)
    }

    fn remove_all(
        &self,
        gone: &[String],
        run: &mut Run<'_>,
    ) -> Result<ControlFlow<()>, LibraryError> {
        // A file that moved within the folders has given its id a new file by now.
        let is_gone = |id: &&String| !run.ids.contains_key(id.as_str());
        let gone: Vec<&str> = gone.iter().filter(is_gone).map(String::as_str).collect();
        for ids in gone.chunks(REMOVED_TOGETHER) {
            let removed = self.commit_removal(ids)?;
            run.report.removed.extend(removed.iter().cloned());
            for id in removed {
                if run.tell(&id, Outcome::Removed, 0).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes one document into the group, which is committed when it is full.
    fn take(
        &self,
        task: &Task,
        document: Result<Document, DocumentError>,
        run: &mut Run<'_>,
    ) -> Result<ControlFlow<()>, LibraryError> {
        let document = match document {
            Ok(document) => document,
            Err(error) => return Ok(run.fail(&task.path, error.to_string())),
        };
        if let Some(first) = run.ids.get(&document.id) {
            let reason = format!(
                "{}: its id {:?} is that of {} too; give one of them an `id` in its front matter",
                task.path.display(),
                document.id,
                first.display()
            );
            return Ok(run.fail(&task.path, reason));
        }
        run.ids.insert(document.id.clone(), task.path.clone());
        let there = self.prepare(&document, Some(&task.path), &mut run.group)?;
        if let Some(passages) = there {
            return Ok(run.tell_taken(&Taken::unchanged(&document.id, passages)));
        }
        match run.group.is_full() {
            true => self.commit_taken(run),
            false => Ok(ControlFlow::Continue(())),
        }
    }

    /// Commits the group and tells of each of its documents.
    fn commit_taken(&self, run: &mut Run<'_>) -> Result<ControlFlow<()>, LibraryError> {
        if run.group.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let known = run.known.get_or_insert_with(|| self.known());
        let taken = self.commit(&mut run.group, known)?;
        run.unpublished += taken.iter().map(|taken| taken.passages).sum::<usize>();
        if run.unpublished >= PUBLISH_FLOOR.max(self.snapshots.current().len() / PUBLISH_SHARE) {
            self.publish();
            run.unpublished = 0;
        }
        // All of them are durable: all are counted, also where not all are told.
        let mut flow = ControlFlow::Continue(());
        for taken in &taken {
            match flow {
                ControlFlow::Continue(()) => flow = run.tell_taken(taken),
                ControlFlow::Break(()) => run.count(taken),
            }
        }
        Ok(flow)
    }

    /// Ids of the documents that came from a file which was read whole and holds them no longer.
    fn no_longer_in(&self, run: &Run<'_>) -> Vec<String> {
        let writer = self.writer();
        let documents = writer.documents.values();
        let is_stale = |entry: &DocumentEntry| {
            let file = entry.file.as_deref();
            file.is_some_and(|file| run.whole.contains(file)) && !run.ids.contains_key(&entry.id)
        };
        documents
            .filter(|document| is_stale(&document.entry))
            .map(|document| document.entry.id.clone())
            .collect()
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

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
