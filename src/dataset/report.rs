//! What a build made, in the form of Table 13 of arXiv:2401.08406.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use ndarray::ArrayView1;
use serde::Serialize;

use super::filter::{Reason, Thresholds};
use super::material::Unit;
use super::measures::{divergence, diversity};
use super::mode::Mode;
use super::pair::Scores;
use super::teacher::Manner;
use crate::study::Ledger;

/// What the hands used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Used {
    /// Requests and tokens of the teacher, earlier runs of this build included.
    pub teacher: Ledger,
    /// Those of the answers.
    pub answers: Ledger,
    /// Those of the judge.
    pub judge: Ledger,
    /// Questions that were held out.
    pub held_out: usize,
}

/// Measures of the pairs of one mode: a row of the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Pairs.
    pub pairs: usize,
    /// Mean coverage, 1 to 5, of those that were graded.
    pub coverage: Option<f64>,
    /// Mean words of a question: the paper's "prompt size", and its details.
    pub question_words: f64,
    /// Mean words of an answer.
    pub answer_words: f64,
    /// Mean over sections of their questions' diversity; higher is more diverse.
    pub diversity: Option<f64>,
    /// Mean over sections of the divergence between section and questions, nats; lower is more overlap.
    pub overlap: Option<f64>,
    /// Mean relevance, 1 to 5.
    pub relevance: Option<f64>,
    /// Mean global relevance, 1 to 5.
    pub global_relevance: Option<f64>,
    /// Mean fluency, 1 to 5.
    pub fluency: Option<f64>,
    /// Share whose section a search for the question finds among the first three.
    pub found_at_3: f64,
}

/// Figures of a build.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Who wrote the questions.
    pub generator: String,
    /// With answers, or answers later.
    pub manner: Manner,
    /// Who judged.
    pub judge: Option<String>,
    /// Whether meanings were compared.
    pub embedder: bool,
    /// Documents read.
    pub documents: usize,
    /// Of them those with a question.
    pub documents_asked: usize,
    /// Sections asked about.
    pub sections: usize,
    /// Sections and modes of which nothing could be used.
    pub unusable_sections: usize,
    /// The first of them, each with its reason.
    pub unusable: Vec<String>,
    /// What was kept.
    pub thresholds: Thresholds,
    /// As written, by mode.
    pub written: BTreeMap<Mode, Row>,
    /// As kept, by mode.
    pub kept: BTreeMap<Mode, Row>,
    /// Pairs dropped, by reason.
    pub dropped: BTreeMap<Reason, usize>,
    /// What was used.
    pub used: Used,
}

/// A pair as the report sees it.
pub struct Measured<'a> {
    /// Its section.
    pub unit: &'a Unit,
    /// Its mode.
    pub mode: Mode,
    /// The question.
    pub question: &'a str,
    /// What it is worth.
    pub scores: &'a Scores,
    /// Why it was dropped, if it was.
    pub reason: Option<Reason>,
    /// The question's vector.
    pub vector: Option<ArrayView1<'a, f32>>,
}

/// The figures of `pairs`; what they do not tell is left empty.
pub fn report(pairs: &[Measured<'_>]) -> Report {
    let mut report = Report {
        generator: String::new(),
        manner: Manner::Combined,
        judge: None,
        embedder: false,
        documents: 0,
        documents_asked: 0,
        sections: 0,
        unusable_sections: 0,
        unusable: Vec::new(),
        thresholds: Thresholds::rules(),
        written: BTreeMap::new(),
        kept: BTreeMap::new(),
        dropped: BTreeMap::new(),
        used: Used::default(),
    };
    for mode in Mode::ALL {
        let of_mode: Vec<&Measured<'_>> = pairs.iter().filter(|pair| pair.mode == mode).collect();
        let kept: Vec<&Measured<'_>> = of_mode
            .iter()
            .copied()
            .filter(|pair| pair.reason.is_none())
            .collect();
        if !of_mode.is_empty() {
            report.written.insert(mode, row(&of_mode));
            report.kept.insert(mode, row(&kept));
        }
    }
    for reason in pairs.iter().filter_map(|pair| pair.reason) {
        *report.dropped.entry(reason).or_default() += 1;
    }
    report
}

fn row(pairs: &[&Measured<'_>]) -> Row {
    let graded = |of: &dyn Fn(&Scores) -> Option<u8>| {
        mean(
            pairs
                .iter()
                .filter_map(|pair| of(pair.scores))
                .map(f64::from),
        )
    };
    let counted = |of: &dyn Fn(&Scores) -> usize| {
        mean(pairs.iter().map(|pair| of(pair.scores) as f64)).unwrap_or_default()
    };
    let mut sections: BTreeMap<(&str, usize), Vec<&Measured<'_>>> = BTreeMap::new();
    for pair in pairs {
        sections
            .entry((&pair.unit.source.id, pair.unit.number))
            .or_default()
            .push(pair);
    }
    let overlaps = sections.values().filter_map(|own| {
        let questions: Vec<&str> = own.iter().map(|pair| pair.question).collect();
        divergence(&own[0].unit.text(), &questions)
    });
    let diversities = sections.values().filter_map(|own| {
        let vectors: Vec<ArrayView1<'_, f32>> = own.iter().filter_map(|pair| pair.vector).collect();
        diversity(&vectors)
    });
    let found = pairs
        .iter()
        .filter(|pair| pair.scores.found_at.is_some_and(|at| at <= 3))
        .count();
    Row {
        pairs: pairs.len(),
        coverage: graded(&|scores| scores.coverage),
        question_words: counted(&|scores| scores.question_words),
        answer_words: counted(&|scores| scores.answer_words),
        diversity: mean(diversities),
        overlap: mean(overlaps),
        relevance: graded(&|scores| scores.relevance),
        global_relevance: graded(&|scores| scores.global_relevance),
        fluency: graded(&|scores| scores.fluency),
        found_at_3: if pairs.is_empty() {
            0.0
        } else {
            found as f64 / pairs.len() as f64
        },
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

impl Report {
    /// Pairs as written.
    pub fn all(&self) -> usize {
        self.written.values().map(|row| row.pairs).sum()
    }

    /// Pairs kept.
    pub fn accepted(&self) -> usize {
        self.kept.values().map(|row| row.pairs).sum()
    }
}

impl fmt::Display for Report {
    /// As Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.accepted() as f64 / self.all().max(1) as f64;
        let manner = match self.manner {
            Manner::Combined => "questions and answers together",
            Manner::QuestionsOnly => "questions first, answers by retrieval",
        };
        writeln!(f, "# Questions and answers by {}\n", self.generator)?;
        writeln!(
            f,
            "{manner}; {} sections of {} documents; {} pairs written, {} kept ({share:.0} %).\n",
            self.sections,
            self.documents,
            self.all(),
            self.accepted()
        )?;
        writeln!(f, "{}", table("Written", &self.written))?;
        writeln!(f, "{}", table("Kept", &self.kept))?;
        writeln!(
            f,
            "Coverage, relevance, global relevance and fluency: 1 to 5, by {}. Words: a question's, the paper's prompt size. Diversity: \
             mean distance to the nearest other question of the section{}; higher is more diverse. Overlap: Kullback-Leibler \
             divergence of section and questions in nats; lower is more overlap. Found: share whose section a search for the question \
             gives among the first three.\n",
            self.judge
                .as_deref()
                .unwrap_or("a judge, of which there was none"),
            if self.embedder {
                ""
            } else {
                " (no embedder was there)"
            },
        )?;
        writeln!(f, "| dropped because | pairs |\n|---|---|")?;
        for (reason, count) in &self.dropped {
            writeln!(f, "| {} | {count} |", reason.what())?;
        }
        writeln!(
            f,
            "\n| tokens of | requests | again | failed | in | out |\n|---|---|---|---|---|---|"
        )?;
        for (who, used) in [
            ("questions", self.used.teacher),
            ("answers", self.used.answers),
            ("grades", self.used.judge),
        ] {
            let Ledger {
                calls,
                retries,
                failures,
                tokens_in,
                tokens_out,
            } = used;
            writeln!(
                f,
                "| {who} | {calls} | {retries} | {failures} | {tokens_in} | {tokens_out} |"
            )?;
        }
        if self.used.held_out > 0 {
            writeln!(
                f,
                "\n{} questions were held out, with their documents.",
                self.used.held_out
            )?;
        }
        if self.unusable_sections > 0 {
            writeln!(
                f,
                "\n{} sections gave nothing usable; the next run asks again:",
                self.unusable_sections
            )?;
            self.unusable
                .iter()
                .try_for_each(|one| writeln!(f, "- {one}"))?;
        }
        Ok(())
    }
}

fn table(name: &str, rows: &BTreeMap<Mode, Row>) -> String {
    let shown =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let mut text = format!(
        "| {name} | pairs | Coverage ↑ | words | Diversity ↑ | Overlap ↓ | Relevance ↑ | Global relevance ↑ | Fluency ↑ | Found ↑ | answer words |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for (mode, row) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} | {} | {} | {} | {} | {} | {:.0} % | {:.1} |",
            mode.name(),
            row.pairs,
            shown(row.coverage),
            row.question_words,
            shown(row.diversity),
            shown(row.overlap),
            shown(row.relevance),
            shown(row.global_relevance),
            shown(row.fluency),
            100.0 * row.found_at_3,
            row.answer_words,
        );
    }
    text
}
