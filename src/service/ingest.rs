//! Documents into the library, and golden questions out of it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::ServiceError;
use super::golden::{self, Candidate};
use super::reports::IngestReport;
use super::rooms::Rooms;
use crate::control::Progress;
use crate::documents::Passage;
use crate::edition::{Golden, zero};
use crate::library::{DocumentEntry, IngestFailure, IngestOptions, Library, Query};

impl Rooms {
    /// Takes documents in; edition 0 then gets golden questions of what the library holds.
    pub(super) fn ingest(
        &self,
        paths: &[PathBuf],
        sync: bool,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<IngestReport, ServiceError> {
        let library = self.library()?;
        let options = IngestOptions { sync };
        let report = library.ingest_paths(paths, options, &mut |step| {
            on_progress(&Progress {
                text: step.name.to_owned(),
                done: step.done as u64,
                total: step.total as u64,
            });
            ControlFlow::Continue(())
        })?;
        self.renew_golden(&library)?;
        let problem = |failure: IngestFailure| {
            let (path, reason) = (failure.path.display().to_string(), failure.reason);
            if reason.contains(&path) {
                reason
            } else {
                format!("{path}: {reason}")
            }
        };
        Ok(IngestReport {
            added: report.added,
            replaced: report.replaced,
            unchanged: report.unchanged,
            removed: report.removed.len(),
            passages: report.passages,
            problems: report.failed.into_iter().map(problem).collect(),
        })
    }

    /// Lets edition 0 ask golden questions of what the library holds now.
    pub(super) fn renew_golden(&self, library: &Library) -> Result<(), ServiceError> {
        if self.serial() == 0 {
            let change = zero::Change {
                golden: Some(self.choose_golden(library)?),
                ..zero::Change::default()
            };
            zero::ensure(self.state(), change)?;
        }
        Ok(())
    }

    /// Questions made of headings, as far as the search finds their document: a heading that is found
    /// elsewhere first says nothing about the box's health.
    fn choose_golden(&self, library: &Library) -> Result<Vec<Golden>, ServiceError> {
        let candidate = |entry: DocumentEntry| {
            let passages = library.passages(&entry.id);
            let headed = |passage: &&Arc<Passage>| passage.section() != entry.title;
            let passage = passages.iter().find(headed).or(passages.first())?;
            Some(Candidate {
                heading: passage.section().to_owned(),
                document: entry.id,
                title: entry.title,
                place: entry.place,
                crop: entry.crops.into_iter().next(),
            })
        };
        let documents = library.documents().into_iter();
        let candidates: Vec<Candidate> = documents.filter_map(candidate).collect();
        let mut found = Vec::new();
        let all = golden::choose(&candidates);
        for golden in &all {
            let results = library.search(&Query {
                text: golden.question.clone(),
                place: golden.place.clone(),
                crop: golden.crop.clone(),
                top_k: 1,
            })?;
            let first = results.hits.first();
            let document = first.map(|hit| hit.passage.document.as_str());
            if document == golden.document.as_deref() {
                found.push(golden.clone());
            }
        }
        Ok(if found.is_empty() { all } else { found })
    }
}
