//! A run's figures with their intervals, and what the arms' differences are worth.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::adviser::{Advice, advise};
use super::arms::{AnswerRow, Arm};
use super::corpus::Corpus;
use super::judge::JudgeResults;
use super::measures::{MEASURES, Measure, measure};
use super::questions::{Kind, StudyQuestion};
use super::recall::Retrieval;
use super::rows::RunHeader;
use super::score::{Grade, SIMILAR, SOMEWHAT, Score, score};
use super::stats::{DRAWS, Draws, SEED, mcnemar};
use super::twins::{TwinMeasures, twins};
use crate::model::{Embedder, ModelError};
use crate::types::{Digest, Status};

/// Version of the layout of `results.json`.
const FORMAT: u32 = 1;

/// Texts embedded in one call.
const BATCH: usize = 16;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figured {
    /// The value, in the unit of its measure (shares 0 to 1).
    pub value: f64,
    /// 2.5th percentile over bootstrap draws of questions.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
    /// Questions that have a say.
    pub count: usize,
}

/// One arm's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    /// The arm.
    pub arm: Arm,
    /// As a table shows it.
    pub title: String,
    /// Questions asked.
    pub asked: usize,
    /// Of them neither answered nor refused: the box failed.
    pub failed: usize,
    /// Figures, dates and names that stand in no evidence, over all answers; `None` without a library.
    pub ungrounded: Option<usize>,
    /// Most resident memory of the whole process while it was the arm's turn, bytes.
    pub peak_bytes: Option<u64>,
    /// By key of the measure; a measure without a question is left out.
    pub figures: BTreeMap<String, Figured>,
    /// The same question asked for several places.
    pub twins: TwinMeasures,
}

/// McNemar's exact test on fully correct answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mcnemar {
    /// Questions that only the first arm has fully right.
    pub only_first: usize,
    /// Questions that only the second arm has fully right.
    pub only_second: usize,
    /// Two-sided probability of so uneven a split, were both alike.
    pub p: f64,
}

/// Two arms on the same questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first arm.
    pub first: Arm,
    /// The second arm.
    pub second: Arm,
    /// Key of the measure.
    pub measure: String,
    /// Second minus first.
    pub difference: f64,
    /// 2.5th percentile of the difference, questions drawn in pairs.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
    /// Two-sided, from the same draws; at least one in their number.
    pub p: f64,
    /// For fully correct answers.
    #[serde(default)]
    pub mcnemar: Option<Mcnemar>,
}

/// Everything that a report says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of the layout.
    pub format: u32,
    /// What was run, to run it again.
    pub command: String,
    /// The processor.
    pub machine: String,
    /// What the answers were made with.
    pub run: RunHeader,
    /// SHA-256 of the frozen test part of the set.
    pub test_sha256: Digest,
    /// Questions by kind, those that all arms were asked.
    pub questions: BTreeMap<Kind, usize>,
    /// Questions left out, since some arm was not asked them.
    pub left_out: usize,
    /// Cosines from which an answer is similar, and somewhat similar.
    pub bands: [f32; 2],
    /// Draws of a bootstrap, and its seed.
    pub bootstrap: [u64; 2],
    /// Whether the board reports energy.
    pub energy_reported: bool,
    /// The arms.
    pub arms: Vec<ArmResult>,
    /// Pairs of arms.
    pub comparisons: Vec<Comparison>,
    /// Whether the gold section is found.
    pub retrieval: Option<Retrieval>,
    /// What a judge said; `None`: none was used.
    pub judge: Option<JudgeResults>,
    /// What to do for this corpus.
    pub advice: Vec<Advice>,
}

/// What [`results`] works on.
pub struct Material<'a> {
    /// The whole set.
    pub set: &'a [StudyQuestion],
    /// The documents it rests on.
    pub corpus: &'a Corpus,
    /// What the answers were made with.
    pub run: RunHeader,
    /// The answers.
    pub rows: &'a [AnswerRow],
    /// What was run.
    pub command: String,
    /// The processor.
    pub machine: String,
    /// SHA-256 of the test part.
    pub test_sha256: Digest,
}

/// The questions that every arm of `rows` was asked, in the order of `set`, and how many others were asked.
pub fn common<'a>(set: &'a [StudyQuestion], rows: &[AnswerRow]) -> (Vec<&'a StudyQuestion>, usize) {
    let arms: BTreeSet<Arm> = rows.iter().map(|row| row.arm).collect();
    let mut asked: BTreeMap<&str, BTreeSet<Arm>> = BTreeMap::new();
    for row in rows {
        asked.entry(&row.id).or_default().insert(row.arm);
    }
    let common: Vec<&StudyQuestion> = set
        .iter()
        .filter(|question| asked.get(question.id.as_str()) == Some(&arms))
        .collect();
    let left_out = asked.len() - common.len();
    (common, left_out)
}

/// Similarity of answer and reference of each row that has both, by arm and question; blocking.
///
/// # Errors
/// The embedder fails.
pub fn similarities(
    questions: &[&StudyQuestion],
    rows: &[AnswerRow],
    embedder: &dyn Embedder,
) -> Result<BTreeMap<(Arm, String), f32>, ModelError> {
    let references: BTreeMap<&str, &str> = questions
        .iter()
        .filter_map(|question| Some((question.id.as_str(), question.answer.as_deref()?)))
        .collect();
    let pairs: Vec<(&AnswerRow, &str)> = rows
        .iter()
        .filter(|row| row.status == Status::Answered && !row.text.trim().is_empty())
        .filter_map(|row| Some((row, *references.get(row.id.as_str())?)))
        .collect();
    let mut found = BTreeMap::new();
    for pairs in pairs.chunks(BATCH) {
        let answers: Vec<&str> = pairs.iter().map(|(row, _)| row.text.as_str()).collect();
        let references: Vec<&str> = pairs.iter().map(|(_, reference)| *reference).collect();
        let (answers, references) = (embedder.embed(&answers)?, embedder.embed(&references)?);
        for (at, (row, _)) in pairs.iter().enumerate() {
            let cosine = answers.row(at).dot(&references.row(at));
            found.insert((row.arm, row.id.clone()), cosine);
        }
    }
    Ok(found)
}

/// Scores of `rows` by arm, each in the order of `questions`.
pub fn scores(
    material: &Material<'_>,
    questions: &[&StudyQuestion],
    cosines: &BTreeMap<(Arm, String), f32>,
) -> BTreeMap<Arm, Vec<Score>> {
    let rows: BTreeMap<(Arm, &str), &AnswerRow> = material
        .rows
        .iter()
        .map(|row| ((row.arm, row.id.as_str()), row))
        .collect();
    let mut all: BTreeMap<Arm, Vec<Score>> = BTreeMap::new();
    for question in questions {
        let gold = question.gold.as_ref();
        let section = gold.and_then(|gold| material.corpus.section(&gold.document, &gold.section));
        let section = section.unwrap_or_default();
        for arm in Arm::ALL {
            if let Some(row) = rows.get(&(arm, question.id.as_str())) {
                let cosine = cosines.get(&(arm, question.id.clone())).copied();
                all.entry(arm)
                    .or_default()
                    .push(score(question, &section, row, cosine));
            }
        }
    }
    all
}

/// The figures of a run; `retrieval` and `judge` are taken in as they are.
///
/// # Errors
/// The embedder fails.
pub fn results(
    material: &Material<'_>,
    embedder: &dyn Embedder,
    retrieval: Option<Retrieval>,
    judge: Option<JudgeResults>,
) -> Result<Results, ModelError> {
    let (questions, left_out) = common(material.set, material.rows);
    let cosines = similarities(&questions, material.rows, embedder)?;
    let scores = scores(material, &questions, &cosines);
    let draws = Draws::new(questions.len(), DRAWS, SEED);
    let arms: Vec<ArmResult> = scores
        .iter()
        .map(|(arm, of_arm)| ArmResult {
            twins: twins(*arm, &questions, material.rows, of_arm),
            ..arm_result(*arm, of_arm, material.rows, &draws)
        })
        .collect();
    let mut kinds = BTreeMap::new();
    for question in &questions {
        *kinds.entry(question.kind).or_default() += 1;
    }
    let comparisons = comparisons(&scores, &draws);
    Ok(Results {
        format: FORMAT,
        command: material.command.clone(),
        machine: material.machine.clone(),
        run: material.run.clone(),
        test_sha256: material.test_sha256,
        questions: kinds,
        left_out,
        bands: [SIMILAR, SOMEWHAT],
        bootstrap: [DRAWS as u64, SEED],
        energy_reported: material.rows.iter().any(|row| row.energy_j.is_some()),
        advice: advise(&arms, &comparisons),
        arms,
        comparisons,
        retrieval,
        judge,
    })
}

fn arm_result(arm: Arm, scores: &[Score], rows: &[AnswerRow], draws: &Draws) -> ArmResult {
    let figures = MEASURES
        .iter()
        .filter_map(|measure| Some((measure.key.to_owned(), figured(measure, scores, draws)?)))
        .collect();
    let peaks = rows.iter().filter(|row| row.arm == arm);
    ArmResult {
        arm,
        title: arm.title().to_owned(),
        asked: scores.len(),
        failed: scores.iter().filter(|score| score.failed).count(),
        ungrounded: arm.has_library().then(|| {
            let strange = scores.iter().filter_map(|score| score.ungrounded.as_ref());
            strange.map(Vec::len).sum()
        }),
        peak_bytes: peaks.filter_map(|row| row.peak_bytes).max(),
        figures,
        twins: TwinMeasures::default(),
    }
}

fn figured(measure: &Measure, scores: &[Score], draws: &Draws) -> Option<Figured> {
    let value = measure.value(scores.iter())?;
    let over = |drawn: &[usize]| measure.value(drawn.iter().map(|at| &scores[*at]));
    let interval = draws.interval(&over)?;
    Some(Figured {
        value,
        low: interval.low,
        high: interval.high,
        count: measure.count(scores.iter()),
    })
}

/// Which arms are held against each other, and by what.
const PAIRS: &[(Arm, Arm)] = &[
    (Arm::Base, Arm::BaseRag),
    (Arm::BaseRag, Arm::BaseProduct),
    (Arm::Base, Arm::BaseProduct),
    (Arm::Base, Arm::Tuned),
    (Arm::BaseRag, Arm::TunedRag),
    (Arm::BaseProduct, Arm::TunedProduct),
    (Arm::Tuned, Arm::TunedRag),
    (Arm::TunedRag, Arm::TunedProduct),
    (Arm::Base, Arm::TunedRag),
];

/// Measures that arms are compared by.
pub const COMPARED: &[&str] = &[
    "key_fact_recall",
    "fully_correct",
    "similar",
    "contradiction",
];

fn comparisons(scores: &BTreeMap<Arm, Vec<Score>>, draws: &Draws) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (first, second) in PAIRS {
        let Some((a, b)) = scores.get(first).zip(scores.get(second)) else {
            continue;
        };
        for key in COMPARED {
            let compared = measure(key).and_then(|measure| compare(measure, a, b, draws));
            found.extend(compared.map(|(difference, interval, p)| Comparison {
                first: *first,
                second: *second,
                measure: (*key).to_owned(),
                difference,
                low: interval.low,
                high: interval.high,
                p,
                mcnemar: (*key == "fully_correct").then(|| fully(a, b)),
            }));
        }
    }
    found
}

fn compare(
    measure: &Measure,
    first: &[Score],
    second: &[Score],
    draws: &Draws,
) -> Option<(f64, super::stats::Interval, f64)> {
    let value =
        |scores: &[Score], drawn: &[usize]| measure.value(drawn.iter().map(|at| &scores[*at]));
    let difference = |drawn: &[usize]| Some(value(second, drawn)? - value(first, drawn)?);
    let whole: Vec<usize> = (0..first.len()).collect();
    Some((
        difference(&whole)?,
        draws.interval(&difference)?,
        draws.p_value(&difference)?,
    ))
}

fn fully(first: &[Score], second: &[Score]) -> Mcnemar {
    let right = |score: &Score| score.grade == Some(Grade::Fully);
    let (mut only_first, mut only_second) = (0, 0);
    for (a, b) in first.iter().zip(second) {
        only_first += usize::from(right(a) && !right(b));
        only_second += usize::from(right(b) && !right(a));
    }
    Mcnemar {
        only_first,
        only_second,
        p: mcnemar(only_first, only_second),
    }
}

impl Results {
    /// The figures of `arm`.
    pub fn arm(&self, arm: Arm) -> Option<&ArmResult> {
        self.arms.iter().find(|one| one.arm == arm)
    }

    /// How many questions there are, and how many of them can be answered.
    pub fn sizes(&self) -> (usize, usize) {
        let answerable = self.questions.get(&Kind::Answerable).copied();
        (
            self.questions.values().sum(),
            answerable.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
pub(crate) mod tests;
