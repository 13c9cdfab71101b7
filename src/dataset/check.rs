//! A data set read again: is it whole, and does every answer stand in its passage?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use super::error::DatasetError;
use super::filter::{HeldOut, fault_of_answer, is_clear};
use super::measures::grounding;
use super::mode::Mode;
use super::pair::Pair;
use crate::durable::FileError;
use crate::types::Digest;

/// Faults that are told; more are counted.
const MOST_FAULTS: usize = 50;

/// What a data set holds and what is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Pairs.
    pub pairs: usize,
    /// Different documents.
    pub documents: usize,
    /// Pairs by mode.
    pub modes: BTreeMap<Mode, usize>,
    /// Pairs by place.
    pub places: BTreeMap<String, usize>,
    /// Pairs by crop; one may count for several.
    pub crops: BTreeMap<String, usize>,
    /// Pairs by licence of their document.
    pub licences: BTreeMap<String, usize>,
    /// Mean words of a question.
    pub question_words: f64,
    /// Mean words of an answer.
    pub answer_words: f64,
    /// SHA-256 of the file.
    pub sha256: Option<Digest>,
    /// Faults in all.
    pub faults: usize,
    /// The first of them.
    pub told: Vec<String>,
}

/// Reads the data set at `path` and holds every pair against its passage, its digests and `held`; blocking.
///
/// # Errors
/// The file cannot be read, or a line is no pair.
pub fn check(path: &Path, held: &HeldOut) -> Result<CheckReport, DatasetError> {
    let mut report = CheckReport::default();
    let (mut ids, mut documents) = (BTreeSet::new(), BTreeSet::new());
    let mut words = (0, 0);
    for (number, line) in BufReader::new(File::open(path).map_err(FileError::at("open", path))?)
        .lines()
        .enumerate()
    {
        let line = line.map_err(FileError::at("read", path))?;
        let pair: Pair = serde_json::from_str(&line).map_err(|error| DatasetError::Line {
            path: path.to_owned(),
            line: number + 1,
            reason: error.to_string(),
        })?;
        for fault in faults(&pair, held) {
            report.tell(format!("line {}: {fault}", number + 1));
        }
        if !ids.insert(pair.id.clone()) {
            report.tell(format!(
                "line {}: the id {} stands there twice",
                number + 1,
                pair.id
            ));
        }
        words.0 += pair.question().split_whitespace().count();
        words.1 += pair.answer().split_whitespace().count();
        report.count(&pair);
        documents.insert(pair.document);
    }
    report.documents = documents.len();
    let pairs = report.pairs.max(1) as f64;
    (report.question_words, report.answer_words) = (words.0 as f64 / pairs, words.1 as f64 / pairs);
    let mut file = File::open(path).map_err(FileError::at("open", path))?;
    let (digest, _) = Digest::of_reader(&mut file).map_err(FileError::at("read", path))?;
    report.sha256 = Some(digest);
    Ok(report)
}

fn faults(pair: &Pair, held: &HeldOut) -> Vec<String> {
    let mut found = Vec::new();
    let (question, answer) = (pair.question(), pair.answer());
    if pair.messages.len() != 2 || question.is_empty() || answer.is_empty() {
        found.push("a question and an answer are expected as its messages".to_owned());
        return found;
    }
    if pair.passage_sha256 != Digest::of(pair.passage.as_bytes()) {
        found.push("the passage is not the one that was asked about".to_owned());
    }
    if pair.id != Pair::id_of(&pair.document_sha256, pair.section, question) {
        found.push("the question is not the one that was written".to_owned());
    }
    if !is_clear(question) {
        found.push(format!(
            "{question:?} is no question that is clear on its own"
        ));
    }
    let headings = pair.headings.join(" ");
    let table = pair.table.as_deref().unwrap_or_default();
    let sources = [pair.passage.as_str(), &pair.title, &headings, table];
    if let Some(reason) = fault_of_answer(question, answer, &sources) {
        found.push(format!("{answer:?}: {}", reason.what()));
    } else if grounding(answer, &[&sources[..], &[question]].concat()) < 1.0 {
        found.push(format!("{answer:?} has words that the passage has not"));
    }
    if let Some(reason) = held.leak(&pair.document, question, None) {
        found.push(format!("{question:?}: {}", reason.what()));
    }
    found
}

impl CheckReport {
    fn tell(&mut self, fault: String) {
        self.faults += 1;
        if self.told.len() < MOST_FAULTS {
            self.told.push(fault);
        }
    }

    fn count(&mut self, pair: &Pair) {
        self.pairs += 1;
        *self.modes.entry(pair.mode).or_default() += 1;
        *self.places.entry(pair.place.to_string()).or_default() += 1;
        for crop in &pair.crops {
            *self.crops.entry(crop.clone()).or_default() += 1;
        }
        let licence = pair
            .provenance
            .licence
            .clone()
            .unwrap_or_else(|| "not stated".into());
        *self.licences.entry(licence).or_default() += 1;
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} pairs of {} documents", self.pairs, self.documents)?;
        writeln!(
            f,
            "{:.1} words a question, {:.1} an answer",
            self.question_words, self.answer_words
        )?;
        let modes: Vec<String> = self
            .modes
            .iter()
            .map(|(mode, count)| format!("{} {count}", mode.name()))
            .collect();
        writeln!(f, "modes: {}", modes.join(", "))?;
        for (name, counts) in [
            ("places", &self.places),
            ("crops", &self.crops),
            ("licences", &self.licences),
        ] {
            let counts: Vec<String> = counts
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            writeln!(f, "{name}: {}", counts.join(", "))?;
        }
        if let Some(digest) = self.sha256 {
            writeln!(f, "sha256: {digest}")?;
        }
        self.told
            .iter()
            .try_for_each(|fault| writeln!(f, "fault: {fault}"))?;
        write!(f, "{} faults", self.faults)
    }
}
