//! Worked scores, those of degenerate answers first.

use super::super::arms::testing::row;
use super::super::questions::read_text;
use super::*;
use crate::types::Citation;

const SECTION: &str =
    "Sow maize 2 inches deep. On sand sow it 3 inches deep. Rows are 30 inches apart.";

fn question() -> StudyQuestion {
    let text = r#"{"id":"a","split":"test","kind":"answerable","question":"How deep do I sow maize?","gold":{"document":"d.md","section":"Depth"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"About 2 inches deep."}"#;
    read_text(text, std::path::Path::new("set"))
        .expect("sound")
        .remove(0)
}

fn unanswerable() -> StudyQuestion {
    let text = r#"{"id":"b","split":"test","kind":"near_miss_fact","question":"How much zinc?"}"#;
    read_text(text, std::path::Path::new("set"))
        .expect("sound")
        .remove(0)
}

fn scored(text: &str) -> Score {
    score(
        &question(),
        SECTION,
        &row(Arm::BaseRag, "a", text),
        Some(0.8),
    )
}

#[test]
fn a_right_answer_is_fully_right() {
    let score = scored("Sow 2 inches deep.");
    assert_eq!((score.facts_right, score.facts), (1, 1));
    assert_eq!(score.grade, Some(Grade::Fully));
    assert_eq!(score.band, Some(Band::Similar));
    assert_eq!(
        score.stated,
        Stated {
            right: 1,
            strange: 0
        }
    );
    assert!(!score.refused && !score.contradicts);
}

#[test]
fn an_empty_answer_is_worth_nothing_and_is_no_refusal() {
    let score = scored("");
    assert_eq!((score.facts_right, score.grade), (0, Some(Grade::Not)));
    assert_eq!(
        (score.f1, score.band, score.length_ratio),
        (Some(0.0), Some(Band::Not), None)
    );
    assert_eq!(score.stated, Stated::default());
    assert!(!score.refused);
}

#[test]
fn the_whole_passage_holds_the_fact_but_is_not_fully_right() {
    let passage = format!(
        "{SECTION} {}",
        "Keep the rows straight and the planter level. ".repeat(20)
    );
    let score = scored(&passage);
    assert_eq!((score.facts_right, score.grade), (1, Some(Grade::Partly)));
    assert!(score.f1.expect("a reference") < 0.1);
    assert!(score.length_ratio.expect("a reference") > 20.0);
}

#[test]
fn the_gold_number_with_a_wrong_unit_is_wrong_and_contradicts() {
    let score = scored("Sow 2 feet deep.");
    assert_eq!((score.facts_right, score.grade), (0, Some(Grade::Not)));
    assert!(score.contradicts);
    assert_eq!(
        score.stated,
        Stated {
            right: 0,
            strange: 1
        }
    );
}

#[test]
fn refusing_everything_is_right_only_where_there_is_no_answer() {
    let refusal = |id: &str| AnswerRow {
        status: Status::Refused,
        reason: Some("not in my library".into()),
        ..row(Arm::BaseProduct, id, "")
    };
    let wrong = score(&question(), SECTION, &refusal("a"), None);
    assert!(wrong.refused);
    assert_eq!(
        (wrong.facts_right, wrong.grade, wrong.band),
        (0, Some(Grade::Not), Some(Band::Not))
    );
    let right = score(&unanswerable(), "", &refusal("b"), None);
    assert!(right.refused);
    assert_eq!((right.grade, right.f1, right.band), (None, None, None));
}

#[test]
fn a_model_that_says_it_does_not_know_has_refused() {
    assert!(scored("I do not know how deep.").refused);
    assert!(!scored("I do not know, perhaps 4 inches.").refused);
}

#[test]
fn a_failure_is_neither_an_answer_nor_a_refusal() {
    let failed = AnswerRow {
        status: Status::Failed,
        ..row(Arm::BaseProduct, "a", "")
    };
    let score = score(&question(), SECTION, &failed, None);
    assert!(score.failed && !score.refused);
    assert_eq!(score.grade, Some(Grade::Not));
}

#[test]
fn what_no_cited_passage_has_is_ungrounded_and_closed_book_has_no_ground() {
    let cited = AnswerRow {
        citations: vec![Citation {
            document: "d.md".into(),
            title: "Maize".into(),
            section: "Depth".into(),
            page: None,
            place: "Iowa, US".into(),
            quote: String::new(),
            score: 0.5,
        }],
        evidence: vec![SECTION.into()],
        ..row(Arm::BaseRag, "a", "Sow 2 inches deep, at 12 °C.")
    };
    let score = |row: &AnswerRow| super::score(&question(), SECTION, row, None);
    assert_eq!(score(&cited).ungrounded, Some(vec!["12 °C".to_owned()]));
    assert!(score(&cited).gold_cited);
    assert_eq!(score(&row(Arm::Base, "a", "12 °C")).ungrounded, None);
}
