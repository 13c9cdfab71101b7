//! Tests of a run's figures: hand-made answers to hand-made questions.

use std::path::Path;

use ndarray::Array2;

use super::super::arms::testing::row;
use super::super::corpus::testing::corpus;
use super::super::questions::read_text;
use super::*;
use crate::model::TokenCounter;

/// Vectors that are equal for equal texts and at a right angle otherwise (two lengths apart at least).
struct ByLength;

impl TokenCounter for ByLength {
    fn count(&self, text: &str) -> usize {
        text.len()
    }
}

impl Embedder for ByLength {
    fn dimension(&self) -> usize {
        64
    }

    fn max_tokens(&self) -> usize {
        64
    }

    fn digest(&self) -> Digest {
        Digest::of(b"by length")
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        let mut all = Array2::zeros((texts.len(), 64));
        for (at, text) in texts.iter().enumerate() {
            all[[at, text.len() % 64]] = 1.0;
        }
        Ok(all)
    }
}

pub(crate) fn set() -> Vec<StudyQuestion> {
    let mut lines: Vec<String> = (0..30)
        .map(|at| {
            let place = ["Iowa", "Punjab", "Goias"][at % 3];
            format!(
                r#"{{"id":"q{at}","split":"test","kind":"answerable","question":"How deep?","place":{{"region":"{place}"}},"pair":"p{}","gold":{{"document":"d.md","section":"Depth"}},"facts":[{{"name":"depth","numbers":[{}],"unit":"cm"}}],"answer":"{} cm"}}"#,
                at / 3,
                at % 3 + 1,
                at % 3 + 1
            )
        })
        .collect();
    for at in 30..40 {
        lines.push(format!(
            r#"{{"id":"q{at}","split":"test","kind":"absent","question":"Zinc?","lacks":["zinc"]}}"#
        ));
    }
    read_text(&lines.join("\n"), Path::new("set")).expect("sound")
}

/// Base is right every sixth time, base + RAG always; only the product refuses.
pub(crate) fn rows(set: &[StudyQuestion]) -> Vec<AnswerRow> {
    let mut rows = Vec::new();
    for arm in [Arm::Base, Arm::BaseRag, Arm::BaseProduct] {
        for (at, question) in set.iter().enumerate() {
            let reference = question.answer.clone();
            let mut row = match (arm, reference) {
                (Arm::Base, Some(reference)) if at % 6 == 0 => row(arm, &question.id, &reference),
                (Arm::Base, _) => row(arm, &question.id, "About 9 cm."),
                (_, Some(reference)) => row(arm, &question.id, &reference),
                (Arm::BaseRag, None) => row(arm, &question.id, "About 9 cm."),
                (_, None) => AnswerRow {
                    status: Status::Refused,
                    ..row(arm, &question.id, "")
                },
            };
            row.timing.total = 100;
            row.peak_bytes = Some(1 << 20);
            rows.push(row);
        }
    }
    rows
}

pub(crate) fn sample() -> Results {
    let set = set();
    let rows = rows(&set);
    let corpus = corpus(&[(
        "d.md",
        "# Maize\n\n## Depth\n\nSow 1 cm, 2 cm or 3 cm deep.\n",
    )]);
    let material = Material {
        set: &set,
        corpus: &corpus,
        run: RunHeader {
            format: RunHeader::FORMAT,
            version: "0".into(),
            split: "test".into(),
            set_sha256: Digest::of(b"set"),
            documents_sha256: corpus.digest(),
            decoder: "small@1".into(),
            embedder: Digest::of(b"by length"),
            adapter: None,
            settings: "top_k 3".into(),
        },
        rows: &rows,
        command: "almanac study".into(),
        machine: "a machine".into(),
        test_sha256: Digest::of(b"set"),
    };
    results(&material, &ByLength, None, None).expect("embeds")
}

#[test]
fn the_figures_are_those_of_the_answers() {
    let results = sample();
    let value = |arm, key: &str| results.arm(arm).expect("run").figures[key].value;
    assert!((value(Arm::Base, "key_fact_recall") - 5.0 / 30.0).abs() < 1e-12);
    assert_eq!(value(Arm::BaseRag, "key_fact_recall"), 1.0);
    assert_eq!(value(Arm::BaseRag, "refusal_recall"), 0.0);
    assert_eq!(value(Arm::BaseProduct, "refusal_recall"), 1.0);
    assert_eq!(value(Arm::BaseProduct, "refusal_precision"), 1.0);
    assert_eq!(value(Arm::BaseRag, "similar"), 1.0);
    assert_eq!(results.sizes(), (40, 30));
    assert_eq!(results.arm(Arm::BaseRag).expect("run").twins.differ, 30);
    assert_eq!(
        results.arm(Arm::Base).expect("run").peak_bytes,
        Some(1 << 20)
    );
}

#[test]
fn an_interval_lies_around_its_figure_and_a_sure_one_has_no_width() {
    let results = sample();
    let base = results.arm(Arm::Base).expect("run").figures["key_fact_recall"];
    assert!(base.low < base.value && base.value < base.high, "{base:?}");
    let rag = results.arm(Arm::BaseRag).expect("run").figures["key_fact_recall"];
    assert_eq!((rag.low, rag.high, rag.count), (1.0, 1.0, 30));
}

#[test]
fn arms_are_compared_in_pairs_of_the_same_questions() {
    let results = sample();
    let of = |key: &str| {
        let is = |one: &&Comparison| {
            one.first == Arm::Base && one.second == Arm::BaseRag && one.measure == key
        };
        results
            .comparisons
            .iter()
            .find(is)
            .expect("compared")
            .clone()
    };
    let recall = of("key_fact_recall");
    assert!((recall.difference - 25.0 / 30.0).abs() < 1e-12);
    assert!(recall.low > 0.6 && recall.p < 0.01, "{recall:?}");
    let fully = of("fully_correct").mcnemar.expect("tested");
    assert_eq!((fully.only_first, fully.only_second), (0, 25));
    assert!(fully.p < 1e-6);
    assert!(
        results
            .advice
            .last()
            .expect("advice")
            .sentence
            .starts_with("Use the library")
    );
}

#[test]
fn a_question_that_an_arm_was_not_asked_is_left_out_for_all() {
    let set = set();
    let mut rows = rows(&set);
    rows.pop();
    let (questions, left_out) = common(&set, &rows);
    assert_eq!((questions.len(), left_out), (39, 1));
}

#[test]
fn results_are_read_as_they_are_written() {
    let results = sample();
    let text = serde_json::to_string(&results).expect("plain data");
    let read: Results = serde_json::from_str(&text).expect("the same layout");
    assert_eq!(read.arms.len(), results.arms.len());
    assert_eq!(read.questions, results.questions);
}
