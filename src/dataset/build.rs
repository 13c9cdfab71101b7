//! From sections to a data set: write, answer, measure, judge, filter; each step goes on where it was cut.

mod sieve;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::error::DatasetError;
use super::filter::{self, Reason, Thresholds};
use super::judge::Judge;
use super::kept::Kept;
use super::material::{Unit, units};
use super::mode::Mode;
use super::pair::{Pair, Provenance, Scores};
use super::report::{Measured, Report, Used, report};
use super::teacher::{Draft, Job, Manner, Reply, Teacher, spent, sum};
use crate::documents::Passage;
use crate::library::Library;
use crate::model::Embedder;
use crate::study::{Ledger, Split, StudyQuestion};
use crate::types::{Digest, Question};

/// Sections in a row whose reply may be unusable before the teacher is given up.
const MOST_UNUSABLE: usize = 10;
/// Unusable sections that a report names.
const MOST_NAMED: usize = 20;
/// What is built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Context modes, each asked of every section.
    pub modes: Vec<Mode>,
    /// With answers, or answers later.
    pub manner: Manner,
    /// Most questions a section.
    pub per_section: usize,
    /// What is kept.
    pub thresholds: Thresholds,
    /// Questions that must not be learnt.
    pub held_out: Vec<StudyQuestion>,
    /// Their splits that count.
    pub splits: Vec<Split>,
}

/// Who works on it.
pub struct Hands<'a> {
    /// Writes the questions.
    pub teacher: &'a mut (dyn Teacher + 'static),
    /// Answers those that came without; needed for questions only.
    pub answers: Option<&'a mut (dyn Answers + 'static)>,
    /// Grades pairs, where there is one.
    pub judge: Option<&'a mut Judge>,
    /// Compares meanings, where there is one.
    pub embedder: Option<Arc<dyn Embedder>>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The pairs kept, in the order of the documents.
    pub pairs: Vec<Pair>,
    /// The others, each with its reason.
    pub dropped: Vec<Dropped>,
    /// Figures.
    pub report: Report,
}

/// A pair that was dropped.
#[derive(Clone, Debug, Serialize)]
pub struct Dropped {
    /// Why.
    pub reason: Reason,
    /// Id of its document.
    pub document: String,
    /// The nearest heading.
    pub section: String,
    /// Its context mode.
    pub mode: Mode,
    /// The question.
    pub question: String,
    /// The answer, if it has one.
    pub answer: Option<String>,
    /// What it is worth, as far as it was measured.
    pub scores: Scores,
}

/// Hears what is done, of how many, and what it is.
pub type Listener<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// What a teacher said of one section.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    drafts: Vec<Draft>,
    /// Set where nothing could be used: it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
    ledger: Ledger,
}

/// A value that was paid for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Paid<T> {
    value: T,
    ledger: Ledger,
}

/// A pair on its way.
struct Candidate {
    unit: Arc<Unit>,
    mode: Mode,
    question: String,
    answer: Option<String>,
    support: Option<String>,
    gold: Option<Passage>,
    scores: Scores,
    reason: Option<Reason>,
}

/// A build in progress.
struct Build<'a> {
    library: &'a Library,
    plan: &'a Plan,
    hands: Hands<'a>,
    folder: &'a Path,
    candidates: Vec<Candidate>,
    used: Used,
    unusable: Vec<String>,
    sections: usize,
}

/// Builds a data set over the documents of `library`; `folder` keeps what was paid for. Blocking, for as
/// long as the teacher takes; a build that was cut goes on from there.
///
/// # Errors
/// A hand cannot go on, `folder` is of another build, or the disk fails.
pub fn build<'a>(
    library: &'a Library,
    plan: &'a Plan,
    hands: Hands<'a>,
    folder: &'a Path,
    on: Listener<'_>,
) -> Result<Built, DatasetError> {
    let mut build = Build {
        library,
        plan,
        hands,
        folder,
        candidates: Vec::new(),
        used: Used::default(),
        unusable: Vec::new(),
        sections: 0,
    };
    build.write(on)?;
    build.answer(on)?;
    build.measure(on)?;
    let vectors = build.vectors(on)?;
    build.point_back(vectors.as_ref())?;
    build.hold_out(vectors.as_ref())?;
    build.sift(vectors.as_ref());
    build.judge(on)?;
    Ok(build.finish(vectors.as_ref()))
}

impl Build<'_> {
    fn made_by(&self) -> String {
        let teacher = &self.hands.teacher;
        format!("{}@{}", teacher.name(), teacher.version())
    }

    /// The drafts of every section and mode.
    fn write(&mut self, on: Listener<'_>) -> Result<(), DatasetError> {
        let path = self.folder.join("drafts.jsonl");
        let mut kept: Kept<Said> =
            Kept::open(&path, &self.made_by(), self.hands.teacher.is_costly())?;
        let documents = self.library.documents();
        let mut in_a_row = 0;
        for (done, entry) in documents.iter().enumerate() {
            on(&format!("questions on {}", entry.id), done, documents.len());
            let Some(document) = self.library.tree(&entry.id)? else {
                continue;
            };
            for unit in units(&document, self.library) {
                let unit = Arc::new(unit);
                self.sections += 1;
                for mode in self.plan.modes.clone() {
                    let said = self.said(&unit, mode, &mut kept)?;
                    in_a_row = match &said.unusable {
                        Some(_) => in_a_row + 1,
                        None => 0,
                    };
                    if in_a_row >= MOST_UNUSABLE {
                        kept.flush()?;
                        return Err(DatasetError::Unusable {
                            teacher: self.hands.teacher.name(),
                            count: in_a_row,
                            reason: said.unusable.unwrap_or_default(),
                        });
                    }
                    self.take(&unit, mode, said);
                }
            }
        }
        kept.flush()?;
        self.used.teacher = kept
            .values()
            .fold(Ledger::default(), |all, said| sum(all, said.ledger));
        Ok(())
    }

    /// What the teacher says of a section, or said in an earlier run.
    fn said(
        &mut self,
        unit: &Unit,
        mode: Mode,
        kept: &mut Kept<Said>,
    ) -> Result<Said, DatasetError> {
        let (manner, wanted) = (self.plan.manner, unit.questions(self.plan.per_section));
        let text = Digest::of(unit.text().as_bytes());
        let (id, number) = (&unit.source.id, unit.number);
        let key = Digest::of(
            format!(
                "{id}\n{number}\n{text}\n{}\n{manner:?}\n{wanted}",
                mode.name()
            )
            .as_bytes(),
        );
        let earlier = kept.get(&key).cloned();
        if let Some(said) = earlier.as_ref().filter(|said| said.unusable.is_none()) {
            return Ok(said.clone());
        }
        let before = self.hands.teacher.ledger();
        let reply = self.hands.teacher.write(&Job {
            unit,
            mode,
            manner,
            wanted,
        })?;
        let now = spent(before, self.hands.teacher.ledger());
        let ledger = earlier.map_or(now, |earlier| sum(earlier.ledger, now));
        let said = match reply {
            Reply::Drafts(drafts) => Said {
                drafts,
                unusable: None,
                ledger,
            },
            Reply::Unusable(reason) => Said {
                drafts: Vec::new(),
                unusable: Some(reason),
                ledger,
            },
        };
        kept.push(key, said.clone())?;
        Ok(said)
    }

    fn take(&mut self, unit: &Arc<Unit>, mode: Mode, said: Said) {
        if let Some(reason) = said.unusable {
            self.unusable.push(format!(
                "{}, {:?}, {}: {reason}",
                unit.source.id,
                unit.heading(),
                mode.name()
            ));
        }
        for draft in said.drafts {
            let clear = filter::is_clear(&draft.question);
            self.candidates.push(Candidate {
                unit: Arc::clone(unit),
                mode,
                question: draft.question,
                answer: draft.answer,
                support: draft.support,
                gold: None,
                scores: Scores::default(),
                reason: (!clear).then_some(Reason::Form),
            });
        }
    }

    /// Answers by retrieval, for clear questions that came without.
    fn answer(&mut self, on: Listener<'_>) -> Result<(), DatasetError> {
        let Some(answers) = self.hands.answers.as_deref_mut() else {
            return Ok(());
        };
        let mut kept: Kept<Paid<Option<String>>> =
            Kept::open(&self.folder.join("answers.jsonl"), &answers.name(), true)?;
        let corpus = corpus_digest(self.library);
        let total = self.candidates.len();
        for (done, one) in self.candidates.iter_mut().enumerate() {
            if one.answer.is_some() || one.reason.is_some() {
                continue;
            }
            on("answers", done, total);
            let place = Some(one.unit.source.place.clone())
                .filter(|place| one.mode != Mode::None && !place.is_general());
            let key = Digest::of(format!("{corpus}\n{place:?}\n{}", one.question).as_bytes());
            let paid = match kept.get(&key) {
                Some(paid) => paid.clone(),
                None => {
                    let before = answers.ledger();
                    let value = answers.answer(&Question {
                        text: one.question.clone(),
                        place,
                        ..Question::default()
                    })?;
                    let ledger = spent(before, answers.ledger());
                    let paid = Paid { value, ledger };
                    kept.push(key, paid.clone())?;
                    paid
                }
            };
            one.answer = paid.value;
        }
        self.used.answers = kept
            .values()
            .fold(Ledger::default(), |all, paid| sum(all, paid.ledger));
        Ok(())
    }

    /// The gold passage and every score that needs no judge.
    fn finish(self, vectors: Option<&Array2<f32>>) -> Built {
        let measured: Vec<Measured<'_>> = self
            .candidates
            .iter()
            .enumerate()
            .map(|(at, one)| Measured {
                unit: &one.unit,
                mode: one.mode,
                question: &one.question,
                scores: &one.scores,
                reason: one.reason,
                vector: row(vectors, at),
            })
            .collect();
        let documents: BTreeSet<&str> = self
            .candidates
            .iter()
            .map(|one| one.unit.source.id.as_str())
            .collect();
        let report = Report {
            generator: self.made_by(),
            manner: self.plan.manner,
            documents: self.library.documents().len(),
            documents_asked: documents.len(),
            sections: self.sections,
            thresholds: self.plan.thresholds,
            judge: self.hands.judge.as_ref().map(|judge| judge.name()),
            embedder: self.hands.embedder.is_some(),
            unusable_sections: self.unusable.len(),
            unusable: self.unusable.iter().take(MOST_NAMED).cloned().collect(),
            used: self.used.clone(),
            ..report(&measured)
        };
        let names = Names {
            generator: self.made_by(),
            answered_by: self.hands.answers.as_ref().map(|answers| answers.name()),
            judge: report.judge.clone(),
        };
        let (mut pairs, mut dropped) = (Vec::new(), Vec::new());
        for one in self.candidates {
            match (one.reason, &one.gold, &one.answer) {
                (None, Some(gold), Some(answer)) => {
                    pairs.push(pair(&one, gold, answer, &names, self.plan.manner))
                }
                (reason, ..) => dropped.push(Dropped {
                    reason: reason.unwrap_or(Reason::NoAnswer),
                    document: one.unit.source.id.clone(),
                    section: one.unit.heading().to_owned(),
                    mode: one.mode,
                    question: one.question,
                    answer: one.answer,
                    scores: one.scores,
                }),
            }
        }
        Built {
            pairs,
            dropped,
            report,
        }
    }
}

/// Who made a pair.
struct Names {
    generator: String,
    answered_by: Option<String>,
    judge: Option<String>,
}

fn pair(one: &Candidate, gold: &Passage, answer: &str, names: &Names, manner: Manner) -> Pair {
    let source = &one.unit.source;
    Pair {
        id: Pair::id_of(&source.digest, one.unit.number, &one.question),
        messages: Pair::messages(&one.question, answer),
        document: source.id.clone(),
        document_sha256: source.digest,
        title: source.title.clone(),
        section: one.unit.number,
        headings: one.unit.headings.clone(),
        page: gold.page,
        passage: gold.text.clone(),
        passage_sha256: Digest::of(gold.text.as_bytes()),
        table: gold.table.clone(),
        place: source.place.clone(),
        crops: gold.crops.clone(),
        tags: one.unit.tags.clone(),
        mode: one.mode,
        manner,
        scores: one.scores.clone(),
        provenance: Provenance {
            generator: names.generator.clone(),
            answered_by: names.answered_by.clone(),
            judge: names.judge.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            source: source.source.clone(),
            licence: source.licence.clone(),
            date: source.date.clone(),
        },
    }
}

/// Names the documents of a library: answers from others are others.
fn corpus_digest(library: &Library) -> Digest {
    let lines: String = library
        .documents()
        .iter()
        .map(|entry| format!("{} {}\n", entry.digest, entry.id))
        .collect();
    Digest::of(lines.as_bytes())
}

fn row(vectors: Option<&Array2<f32>>, at: usize) -> Option<ArrayView1<'_, f32>> {
    vectors.map(|vectors| vectors.index_axis(Axis(0), at))
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
