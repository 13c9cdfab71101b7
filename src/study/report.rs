//! A run over a question set and its figures.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::calibrate::{Calibration, Scored, calibrate};
use super::checker::{Evidence, ungrounded};
use super::facts::is_right;
use super::questions::{Kind, Split, StudyQuestion};
use crate::answer::Outcome;
use crate::types::{Question, Status};

/// Refusals among questions that cannot be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refusals {
    /// Questions of the kind.
    pub asked: usize,
    /// Of them refused, as they should be.
    pub refused: usize,
}

/// The figures of one part of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Answerable questions.
    pub answerable: usize,
    /// Of them answered.
    pub answered: usize,
    /// Key facts of all answerable questions; a refused question has none right.
    pub facts: usize,
    /// Key facts right.
    pub facts_right: usize,
    /// Questions with all their key facts right.
    pub wholly_right: usize,
    /// Answers that cite the gold section of the gold document.
    pub gold_cited: usize,
    /// Answers that are quotations rather than the model's draft.
    pub quoted: usize,
    /// Figures, dates and names of all answers that stand in no evidence, by the checker.
    pub ungrounded: usize,
    /// Nothing of the kind in the library.
    pub absent: Refusals,
    /// Crop and topic there, the fact not.
    pub near_miss_fact: Refusals,
    /// Topic there, the place not.
    pub near_miss_place: Refusals,
    /// It takes for granted what is not so.
    pub false_premise: Refusals,
}

/// One question of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its part of the set.
    pub split: Split,
    /// Whether it can be answered.
    pub kind: Kind,
    /// What became of it; absent when answering failed.
    pub status: Option<Status>,
    /// How likely the passages were thought to answer it.
    pub relevance: f32,
    /// The answer or the reason.
    pub text: String,
    /// Whether it is a quotation.
    pub quoted: bool,
    /// Key facts.
    pub facts: usize,
    /// Key facts right.
    pub facts_right: usize,
    /// Whether the gold section is cited.
    pub gold_cited: bool,
    /// What stands in no evidence.
    pub ungrounded: Vec<String>,
    /// Milliseconds.
    pub total_ms: u64,
}

/// A run over a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Both parts together.
    pub all: Counts,
    /// Each part.
    pub by_split: BTreeMap<Split, Counts>,
    /// The threshold that the development part asks for, from the relevances of this run.
    pub calibration: Option<Calibration>,
    /// Every question.
    pub rows: Vec<Row>,
}

/// Asks every question of `set` through `answer` and scores what comes back.
///
/// A question that `answer` fails on counts as refused wrongly; its error is the row's text.
pub fn run<E: fmt::Display>(
    set: &[StudyQuestion],
    answer: &mut dyn FnMut(&Question) -> Result<Outcome, E>,
) -> Report {
    let rows: Vec<Row> = set
        .iter()
        .map(|question| match answer(&question.ask()) {
            Ok(outcome) => score(question, &outcome),
            Err(error) => Row {
                text: format!("failed: {error}"),
                ..blank(question)
            },
        })
        .collect();
    Report::of(rows)
}

fn blank(question: &StudyQuestion) -> Row {
    Row {
        id: question.id.clone(),
        split: question.split,
        kind: question.kind,
        status: None,
        relevance: 0.0,
        text: String::new(),
        quoted: false,
        facts: question.facts.len(),
        facts_right: 0,
        gold_cited: false,
        ungrounded: Vec::new(),
        total_ms: 0,
    }
}

fn score(question: &StudyQuestion, outcome: &Outcome) -> Row {
    let mut row = Row {
        status: Some(outcome.status),
        relevance: outcome.relevance,
        text: outcome.reason.clone().unwrap_or_default(),
        quoted: outcome.quoted,
        total_ms: outcome.timing.total,
        ..blank(question)
    };
    let Some(text) = outcome
        .text
        .as_deref()
        .filter(|_| outcome.status == Status::Answered)
    else {
        return row;
    };
    row.facts_right = question
        .facts
        .iter()
        .filter(|fact| is_right(fact, text))
        .count();
    row.gold_cited = question.gold.as_ref().is_some_and(|gold| {
        outcome
            .citations
            .iter()
            .any(|cited| cited.document == gold.document && cited.section == gold.section)
    });
    row.ungrounded = ungrounded(text, &evidence(question, outcome));
    row.text = text.to_owned();
    row
}

fn evidence<'a>(question: &'a StudyQuestion, outcome: &'a Outcome) -> Evidence<'a> {
    let mut texts: Vec<&str> = vec![&question.question];
    texts.extend(outcome.evidence.iter().map(String::as_str));
    for cited in &outcome.citations {
        texts.extend([
            cited.quote.as_str(),
            &cited.title,
            &cited.section,
            &cited.place,
        ]);
    }
    texts.extend(question.crop.as_deref());
    Evidence { texts }
}

impl Report {
    /// The figures of `rows`.
    pub fn of(rows: Vec<Row>) -> Self {
        let mut all = Counts::default();
        let mut by_split: BTreeMap<Split, Counts> = BTreeMap::new();
        for row in &rows {
            all.add(row);
            by_split.entry(row.split).or_default().add(row);
        }
        let scored: Vec<Scored> = rows
            .iter()
            .map(|row| Scored {
                split: row.split,
                kind: row.kind,
                relevance: row.relevance,
            })
            .collect();
        Report {
            all,
            by_split,
            calibration: calibrate(&scored),
            rows,
        }
    }
}

impl Counts {
    fn add(&mut self, row: &Row) {
        let answered = row.status == Some(Status::Answered);
        let refused = row.status == Some(Status::Refused);
        self.ungrounded += row.ungrounded.len();
        self.quoted += usize::from(answered && row.quoted);
        let refusals = match row.kind {
            Kind::Answerable => {
                self.answerable += 1;
                self.answered += usize::from(answered);
                self.facts += row.facts;
                self.facts_right += row.facts_right;
                self.wholly_right += usize::from(row.facts > 0 && row.facts_right == row.facts);
                self.gold_cited += usize::from(row.gold_cited);
                return;
            }
            Kind::Absent => &mut self.absent,
            Kind::NearMissFact => &mut self.near_miss_fact,
            Kind::NearMissPlace => &mut self.near_miss_place,
            Kind::FalsePremise => &mut self.false_premise,
        };
        refusals.asked += 1;
        refusals.refused += usize::from(refused);
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.refused, self.asked)
    }
}

impl fmt::Display for Report {
    /// A plain table, one column a part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |split: Split| self.by_split.get(&split).copied().unwrap_or_default();
        let columns = [of(Split::Dev), of(Split::Test), self.all];
        writeln!(f, "{:<38}{:>10}{:>10}{:>10}", "", "dev", "test", "all")?;
        let mut line = |name: &str, cell: &dyn Fn(&Counts) -> String| {
            let cells: Vec<String> = columns.iter().map(cell).collect();
            writeln!(
                f,
                "{name:<38}{:>10}{:>10}{:>10}",
                cells[0], cells[1], cells[2]
            )
        };
        line("answerable: answered", &|c| {
            format!("{}/{}", c.answered, c.answerable)
        })?;
        line("  key facts right", &|c| {
            format!("{}/{}", c.facts_right, c.facts)
        })?;
        line("  all key facts right", &|c| {
            format!("{}/{}", c.wholly_right, c.answerable)
        })?;
        line("  gold section cited", &|c| {
            format!("{}/{}", c.gold_cited, c.answerable)
        })?;
        line("refused: absent", &|c| c.absent.to_string())?;
        line("refused: near miss, fact", &|c| {
            c.near_miss_fact.to_string()
        })?;
        line("refused: near miss, place", &|c| {
            c.near_miss_place.to_string()
        })?;
        line("answers that are quotations", &|c| c.quoted.to_string())?;
        line("ungrounded figures and names", &|c| {
            c.ungrounded.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, kind: Kind, status: Status) -> Row {
        Row {
            id: id.into(),
            split: Split::Dev,
            kind,
            status: Some(status),
            relevance: 0.5,
            text: String::new(),
            quoted: false,
            facts: usize::from(kind == Kind::Answerable) * 2,
            facts_right: 0,
            gold_cited: false,
            ungrounded: Vec::new(),
            total_ms: 0,
        }
    }

    #[test]
    fn right_and_wrong_are_counted_apart() {
        let report = Report::of(vec![
            Row {
                facts_right: 2,
                gold_cited: true,
                ..row("a", Kind::Answerable, Status::Answered)
            },
            Row {
                facts_right: 1,
                ungrounded: vec!["3 cm".into()],
                ..row("b", Kind::Answerable, Status::Answered)
            },
            row("c", Kind::Answerable, Status::Refused),
            row("d", Kind::NearMissPlace, Status::Refused),
            row("e", Kind::NearMissFact, Status::Answered),
        ]);
        let all = report.all;
        assert_eq!((all.answered, all.answerable), (2, 3));
        assert_eq!((all.facts_right, all.facts), (3, 6));
        assert_eq!(
            (all.wholly_right, all.gold_cited, all.ungrounded),
            (1, 1, 1)
        );
        assert_eq!(
            all.near_miss_place,
            Refusals {
                asked: 1,
                refused: 1
            }
        );
        assert_eq!(
            all.near_miss_fact,
            Refusals {
                asked: 1,
                refused: 0
            }
        );
        assert_eq!(all.absent, Refusals::default());
        assert_eq!(report.by_split.get(&Split::Dev), Some(&all));
    }

    #[test]
    fn refusing_all_gets_no_fact_right() {
        let report = Report::of(vec![
            row("a", Kind::Answerable, Status::Refused),
            row("b", Kind::Absent, Status::Refused),
        ]);
        assert_eq!(report.all.facts_right, 0);
        assert_eq!(report.all.absent.refused, 1);
    }

    #[test]
    fn answering_all_gets_no_refusal_right() {
        let report = Report::of(vec![row("b", Kind::Absent, Status::Answered)]);
        assert_eq!(
            report.all.absent,
            Refusals {
                asked: 1,
                refused: 0
            }
        );
    }

    #[test]
    fn an_empty_run_is_all_zeros_and_prints() {
        let report = Report::of(Vec::new());
        assert_eq!(report.all, Counts::default());
        assert!(report.to_string().contains("key facts right"));
    }

    #[test]
    fn a_failed_question_is_neither_answered_nor_refused() {
        let set = super::super::read_text(
            r#"{"id":"a","split":"dev","kind":"absent","question":"x?"}"#,
            std::path::Path::new("set"),
        )
        .expect("sound");
        let report = run(&set, &mut |_| Err::<Outcome, _>("broken"));
        assert_eq!(report.rows[0].text, "failed: broken");
        assert_eq!(
            report.all.absent,
            Refusals {
                asked: 1,
                refused: 0
            }
        );
    }
}
