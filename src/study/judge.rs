//! A judge from outside: the paper's guideline accuracy, correctness and succinctness, repeated.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arms::{AnswerRow, Arm};
use super::endpoint::{ChatEndpoint, ChatRequest, EndpointError, Ledger, ReplyFormat};
use super::overlap::declines;
use super::questions::{Kind, StudyQuestion};
use super::results::Figured;
use super::stats::{DRAWS, Draws, SEED};
use crate::model::{Message, Role};
use crate::types::{Digest, Status};

/// How often an answer is judged, as in the paper.
pub const REPEATS: u32 = 5;
/// Further requests for one judgement whose text cannot be read.
const SECOND_CHANCES: u64 = 2;
/// The judge is given up after so many requests in a row that failed.
const MOST_FAILURES: usize = 10;

/// The judge's correctness, in the paper's three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correctness {
    /// All that the reference says.
    Correct,
    /// A part of it.
    Partly,
    /// None of it, or the opposite.
    Incorrect,
}

/// What the judge said once of one answer, kept so that it is paid for once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What answered.
    pub arm: Arm,
    /// The question.
    pub id: String,
    /// From 0.
    pub repeat: u32,
    /// SHA-256 of judge, guideline and answer: a judgement of another text does not count.
    pub of: Digest,
    /// Agreement with the guideline, 0 to 1; `None` where no reply could be read.
    pub accuracy: Option<f64>,
    /// The class.
    pub correctness: Option<Correctness>,
    /// 1 (verbose) to 5 (succinct).
    pub succinctness: Option<u8>,
}

/// A guideline that the judge wrote from a question and its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guideline {
    /// The question.
    pub id: String,
    /// SHA-256 of judge, question and reference.
    pub of: Digest,
    /// "The answer should mention ...".
    pub text: String,
}

/// A line of the judge's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JudgeLine {
    /// A judgement.
    Judged(Judgement),
    /// A guideline.
    Guided(Guideline),
}

/// One arm as the judge sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedArm {
    /// Answers judged; a refusal counts as inaccurate and incorrect without a request.
    pub judged: usize,
    /// Answers of which no reply could be read.
    pub unjudged: usize,
    /// Mean guideline accuracy, 0 to 1.
    pub accuracy: Option<Figured>,
    /// Standard deviation between the repeats' means: the judge's own noise, the paper's "±".
    pub accuracy_between_repeats: f64,
    /// Share of replies that say correct.
    pub correct: Option<Figured>,
    /// Share that say partly correct.
    pub partly: Option<Figured>,
    /// Share that say incorrect.
    pub incorrect: Option<Figured>,
    /// Mean succinctness, 1 to 5, of answers given.
    pub succinctness: Option<Figured>,
}

/// What a judge said of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeResults {
    /// The judge.
    pub model: String,
    /// Judgements an answer.
    pub repeats: u32,
    /// Requests and tokens of this run; judgements of an earlier one cost nothing again.
    pub ledger: Ledger,
    /// By arm.
    pub arms: BTreeMap<Arm, JudgedArm>,
}

/// A judge that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The endpoint refuses, or failed too often in a row.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Its judgements cannot be kept.
    #[error(transparent)]
    File(#[from] crate::durable::FileError),
}

/// What is judged, how often.
pub struct Judging<'a> {
    /// The questions; those that can be answered are judged.
    pub questions: &'a [&'a StudyQuestion],
    /// The answers.
    pub rows: &'a [AnswerRow],
    /// Judgements an answer, 1 or more.
    pub repeats: u32,
}

/// Keeps a line and hears how far the judging is: answers done, of how many.
pub type Keep<'a> = &'a mut dyn FnMut(Option<&JudgeLine>, usize, usize) -> Result<(), JudgeError>;

/// Judges every answer that `known` does not hold; blocking, seconds a request.
///
/// Bounded: a guideline a question and `repeats` judgements an answer, three requests each at most, each
/// with the endpoint's own attempts; ten failures in a row end it.
///
/// # Errors
/// The endpoint fails, or `keep` does; what was kept counts in the next run.
pub fn judge(
    judging: &Judging<'_>,
    endpoint: &mut dyn ChatEndpoint,
    known: Vec<JudgeLine>,
    keep: Keep<'_>,
) -> Result<JudgeResults, JudgeError> {
    let mut bench = Bench::new(endpoint, known);
    let wanted: BTreeMap<&str, &StudyQuestion> = judging
        .questions
        .iter()
        .filter(|question| question.kind == Kind::Answerable && question.answer.is_some())
        .map(|question| (question.id.as_str(), *question))
        .collect();
    let rows: Vec<(&AnswerRow, &StudyQuestion)> = judging
        .rows
        .iter()
        .filter_map(|row| Some((row, *wanted.get(row.id.as_str())?)))
        .collect();
    let mut found = Vec::new();
    for (done, (row, question)) in rows.iter().enumerate() {
        found.extend(bench.answer(row, question, judging.repeats, &mut |line| {
            keep(Some(line), done, rows.len())
        })?);
        keep(None, done + 1, rows.len())?;
    }
    Ok(JudgeResults {
        model: bench.endpoint.model().to_owned(),
        repeats: judging.repeats,
        ledger: bench.endpoint.ledger(),
        arms: by_arm(&found, judging.repeats),
    })
}

/// The endpoint with what it said before.
struct Bench<'a> {
    endpoint: &'a mut dyn ChatEndpoint,
    guidelines: BTreeMap<Digest, String>,
    judgements: BTreeMap<(Digest, u32), Judgement>,
    failures: usize,
}

impl<'a> Bench<'a> {
    fn new(endpoint: &'a mut dyn ChatEndpoint, known: Vec<JudgeLine>) -> Self {
        let mut bench = Bench {
            endpoint,
            guidelines: BTreeMap::new(),
            judgements: BTreeMap::new(),
            failures: 0,
        };
        for line in known {
            match line {
                JudgeLine::Guided(one) => {
                    bench.guidelines.insert(one.of, one.text);
                }
                JudgeLine::Judged(one) => {
                    bench.judgements.insert((one.of, one.repeat), one);
                }
            }
        }
        bench
    }

    fn answer(
        &mut self,
        row: &AnswerRow,
        question: &StudyQuestion,
        repeats: u32,
        keep: &mut dyn FnMut(&JudgeLine) -> Result<(), JudgeError>,
    ) -> Result<Vec<Judgement>, JudgeError> {
        let text = row.text.trim();
        if row.status != Status::Answered || text.is_empty() || declines(text) {
            return Ok((0..repeats).map(|repeat| refused(row, repeat)).collect());
        }
        let guideline = self.guideline(question, keep)?;
        let of = Digest::of(
            format!(
                "{}\n{guideline}\n{}\n{text}",
                self.endpoint.model(),
                row.arm
            )
            .as_bytes(),
        );
        let mut all = Vec::new();
        for repeat in 0..repeats {
            if let Some(known) = self.judgements.get(&(of, repeat)) {
                all.push(known.clone());
                continue;
            }
            let judgement = Judgement {
                of,
                repeat,
                ..self.judgement(row, question, &guideline, repeat)?
            };
            keep(&JudgeLine::Judged(judgement.clone()))?;
            self.judgements.insert((of, repeat), judgement.clone());
            all.push(judgement);
        }
        Ok(all)
    }

    fn guideline(
        &mut self,
        question: &StudyQuestion,
        keep: &mut dyn FnMut(&JudgeLine) -> Result<(), JudgeError>,
    ) -> Result<String, JudgeError> {
        let reference = question.answer.as_deref().unwrap_or_default();
        let asked = asked(question);
        let of = Digest::of(format!("{}\n{asked}\n{reference}", self.endpoint.model()).as_bytes());
        if let Some(known) = self.guidelines.get(&of) {
            return Ok(known.clone());
        }
        let prompt = format!(
            "{asked}\nReference answer: {reference}\n\nWrite a grading guideline of one to three short sentences: \
             what an answer should mention to agree with the reference, numbers with their units. Begin \
             with \"The answer should mention\". Add nothing that the reference does not say."
        );
        let written = self.complete(prompt, 0, 200)?;
        // Without one the reference itself is the guideline.
        let text = written
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| format!("The answer should mention: {reference}"));
        keep(&JudgeLine::Guided(Guideline {
            id: question.id.clone(),
            of,
            text: text.clone(),
        }))?;
        self.guidelines.insert(of, text.clone());
        Ok(text)
    }

    fn judgement(
        &mut self,
        row: &AnswerRow,
        question: &StudyQuestion,
        guideline: &str,
        repeat: u32,
    ) -> Result<Judgement, JudgeError> {
        let prompt = format!(
            "{}\nReference answer: {}\nGuideline: {guideline}\nAnswer to grade: {}\n\nGrade the answer and reply \
             with one JSON object and nothing else:\n{{\"accuracy\": a number from 0 (nothing of the guideline) to 1 \
             (all of it, and nothing against it), \"correctness\": \"correct\" | \"partially correct\" | \"incorrect\", \
             \"succinctness\": 1 (verbose) to 5 (succinct)}}",
            asked(question),
            question.answer.as_deref().unwrap_or_default(),
            row.text.trim()
        );
        for chance in 0..=SECOND_CHANCES {
            let seed = u64::from(repeat) + 1_000 * chance;
            if let Some(text) = self.complete(prompt.clone(), seed, 200)?
                && let Some((accuracy, correctness, succinctness)) = parse(&text)
            {
                return Ok(Judgement {
                    accuracy: Some(accuracy),
                    correctness: Some(correctness),
                    succinctness: Some(succinctness),
                    ..refused(row, repeat)
                });
            }
        }
        Ok(Judgement {
            accuracy: None,
            correctness: None,
            ..refused(row, repeat)
        })
    }

    /// The reply; `None` when it failed, and others may still succeed.
    fn complete(
        &mut self,
        prompt: String,
        seed: u64,
        max_tokens: usize,
    ) -> Result<Option<String>, JudgeError> {
        let request = ChatRequest {
            messages: vec![
                Message::new(
                    Role::System,
                    "You grade answers to questions of farmers, strictly by the reference.",
                ),
                Message::new(Role::User, prompt),
            ],
            max_tokens,
            // Repeats measure the judge's own noise, which a temperature of 0 would hide.
            temperature: 0.7,
            top_p: 1.0,
            seed,
            format: ReplyFormat::Text,
        };
        match self.endpoint.complete(&request) {
            Ok(reply) => {
                self.failures = 0;
                Ok(Some(reply.text))
            }
            Err(error @ (EndpointError::Refused { .. } | EndpointError::Address { .. })) => {
                Err(error.into())
            }
            Err(error) => {
                self.failures += 1;
                match self.failures >= MOST_FAILURES {
                    true => Err(error.into()),
                    false => Ok(None),
                }
            }
        }
    }
}

fn asked(question: &StudyQuestion) -> String {
    let mut text = format!("Question: {}", question.question);
    if let Some(place) = &question.place {
        text.push_str(&format!("\nPlace: {place}"));
    }
    for reading in &question.readings {
        text.push_str(&format!("\nReading: {}", reading.text()));
    }
    text
}

/// A judgement of no answer.
fn refused(row: &AnswerRow, repeat: u32) -> Judgement {
    Judgement {
        arm: row.arm,
        id: row.id.clone(),
        repeat,
        of: Digest::of(b""),
        accuracy: Some(0.0),
        correctness: Some(Correctness::Incorrect),
        succinctness: None,
    }
}

/// The grades in a reply: its first JSON object with all three in range, whatever stands around it.
fn parse(text: &str) -> Option<(f64, Correctness, u8)> {
    text.match_indices('{').find_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        grades(&values.next()?.ok()?)
    })
}

fn grades(value: &Value) -> Option<(f64, Correctness, u8)> {
    let number = |key: &str| match value.get(key)? {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let accuracy = number("accuracy").filter(|value| (0.0..=1.0).contains(value))?;
    let succinctness = number("succinctness").filter(|value| (1.0..=5.0).contains(value))?;
    let class = value.get("correctness")?.as_str()?.trim().to_lowercase();
    let correctness = match class.as_str() {
        "correct" | "fully correct" => Correctness::Correct,
        "incorrect" | "not correct" | "wrong" => Correctness::Incorrect,
        text if text.contains("part") => Correctness::Partly,
        _ => return None,
    };
    // 1 to 5, so the cast loses only the fraction that rounding took away.
    Some((accuracy, correctness, succinctness.round() as u8))
}

fn by_arm(judgements: &[Judgement], repeats: u32) -> BTreeMap<Arm, JudgedArm> {
    let arms: BTreeSet<Arm> = judgements.iter().map(|one| one.arm).collect();
    let of = |arm: Arm| {
        let mut answers: BTreeMap<&str, Vec<&Judgement>> = BTreeMap::new();
        for one in judgements.iter().filter(|one| one.arm == arm) {
            answers.entry(&one.id).or_default().push(one);
        }
        let answers: Vec<Vec<&Judgement>> = answers.into_values().collect();
        (arm, judged_arm(&answers, repeats))
    };
    arms.into_iter().map(of).collect()
}

fn judged_arm(answers: &[Vec<&Judgement>], repeats: u32) -> JudgedArm {
    let draws = Draws::new(answers.len(), DRAWS, SEED);
    let figured = |of: &dyn Fn(&Judgement) -> Option<f64>| {
        let means: Vec<Option<f64>> = answers
            .iter()
            .map(|repeats| mean(repeats.iter().filter_map(|one| of(one))))
            .collect();
        let over = |drawn: &[usize]| mean(drawn.iter().filter_map(|at| means[*at]));
        let whole: Vec<usize> = (0..means.len()).collect();
        let interval = draws.interval(&over)?;
        Some(Figured {
            value: over(&whole)?,
            low: interval.low,
            high: interval.high,
            count: means.iter().flatten().count(),
        })
    };
    let share = |class: Correctness| {
        figured(&move |one: &Judgement| Some(f64::from(u8::from(one.correctness? == class))))
    };
    let of_repeat = |repeat: u32| {
        let all = answers.iter().flatten().filter(|one| one.repeat == repeat);
        mean(all.filter_map(|one| one.accuracy))
    };
    let judged = answers
        .iter()
        .filter(|all| all.iter().any(|one| one.accuracy.is_some()))
        .count();
    JudgedArm {
        judged,
        unjudged: answers.len() - judged,
        accuracy: figured(&|one| one.accuracy),
        accuracy_between_repeats: deviation((0..repeats).filter_map(of_repeat).collect()),
        correct: share(Correctness::Correct),
        partly: share(Correctness::Partly),
        incorrect: share(Correctness::Incorrect),
        succinctness: figured(&|one| one.succinctness.map(f64::from)),
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

/// Standard deviation of a sample; 0 of fewer than two.
fn deviation(values: Vec<f64>) -> f64 {
    let Some(mean) = mean(values.iter().copied()).filter(|_| values.len() > 1) else {
        return 0.0;
    };
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
