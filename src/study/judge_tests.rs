//! Tests of the judge: scripted replies, and a scripted server for what goes wrong on the way.

use super::super::arms::testing::row;
use super::super::endpoint::tests::{Act, Server, endpoint};
use super::super::measures::testing::question;
use super::*;
use crate::study::ChatReply;
use crate::types::Tokens;

/// Says its replies in turn, the last for ever.
struct Scripted {
    replies: Vec<&'static str>,
    asked: Vec<String>,
}

impl ChatEndpoint for Scripted {
    fn model(&self) -> &str {
        "scripted"
    }

    fn complete(&mut self, request: &ChatRequest) -> Result<ChatReply, EndpointError> {
        self.asked.push(request.messages[1].content.clone());
        let text = match self.replies.len() {
            1 => self.replies[0],
            _ => self.replies.remove(0),
        };
        let tokens = Tokens::default();
        match text {
            "fail" => Err(EndpointError::Unavailable {
                url: "x".into(),
                attempts: 1,
                reason: "down".into(),
            }),
            text => Ok(ChatReply {
                text: text.to_owned(),
                tokens,
            }),
        }
    }

    fn ledger(&self) -> Ledger {
        Ledger {
            calls: self.asked.len() as u64,
            ..Ledger::default()
        }
    }
}

const GOOD: &str = r#"{"accuracy": 0.8, "correctness": "correct", "succinctness": 4}"#;

fn judged(
    replies: &[&'static str],
    known: Vec<JudgeLine>,
) -> (Result<JudgeResults, JudgeError>, Vec<JudgeLine>, usize) {
    let questions = [question("a", Kind::Answerable), question("b", Kind::Absent)];
    let questions: Vec<&StudyQuestion> = questions.iter().collect();
    let rows = [
        row(Arm::BaseRag, "a", "2 inches"),
        row(Arm::BaseRag, "b", "5 kg"),
    ];
    let judging = Judging {
        questions: &questions,
        rows: &rows,
        repeats: REPEATS,
    };
    let mut endpoint = Scripted {
        replies: replies.to_vec(),
        asked: Vec::new(),
    };
    let mut kept = Vec::new();
    let found = judge(&judging, &mut endpoint, known, &mut |line, _, _| {
        kept.extend(line.cloned());
        Ok(())
    });
    (found, kept, endpoint.asked.len())
}

#[test]
fn an_answer_is_judged_five_times_by_one_guideline() {
    let (found, kept, asked) = judged(&["The answer should mention 2 inches.", GOOD], Vec::new());
    let arm = &found.expect("judged").arms[&Arm::BaseRag];
    // Only what can be answered is judged: one guideline, five judgements.
    assert_eq!((asked, kept.len(), arm.judged, arm.unjudged), (6, 6, 1, 0));
    assert!((arm.accuracy.expect("some").value - 0.8).abs() < 1e-12);
    assert_eq!(arm.correct.expect("some").value, 1.0);
    assert_eq!(arm.succinctness.expect("some").value, 4.0);
}

#[test]
fn what_was_judged_before_costs_nothing_again() {
    let (first, kept, _) = judged(&["guideline", GOOD], Vec::new());
    let (second, again, asked) = judged(&["fail"], kept);
    assert_eq!((asked, again.len()), (0, 0));
    assert_eq!(second.expect("known").arms, first.expect("judged").arms);
}

#[test]
fn broken_replies_get_two_more_chances_and_then_count_as_unjudged() {
    let (found, _, asked) = judged(&["guideline", "so so"], Vec::new());
    let arm = &found.expect("judged").arms[&Arm::BaseRag];
    assert_eq!((asked, arm.judged, arm.unjudged), (1 + 5 * 3, 0, 1));
    assert_eq!((arm.accuracy, arm.correct), (None, None));
    let (found, _, asked) = judged(&["guideline", "so so", GOOD], Vec::new());
    assert_eq!(found.expect("judged").arms[&Arm::BaseRag].judged, 1);
    assert_eq!(asked, 7);
}

#[test]
fn a_judge_that_stays_away_is_given_up() {
    let (found, _, asked) = judged(&["fail"], Vec::new());
    assert!(found.is_err());
    assert_eq!(asked, MOST_FAILURES);
}

#[test]
fn a_refusal_is_inaccurate_without_a_request() {
    let refused = AnswerRow {
        status: Status::Refused,
        ..row(Arm::BaseProduct, "a", "")
    };
    let question = question("a", Kind::Answerable);
    let judging = Judging {
        questions: &[&question],
        rows: &[refused, row(Arm::Base, "a", "I do not know.")],
        repeats: 2,
    };
    let mut endpoint = Scripted {
        replies: vec!["fail"],
        asked: Vec::new(),
    };
    let found = judge(&judging, &mut endpoint, Vec::new(), &mut |_, _, _| Ok(())).expect("judged");
    assert!(endpoint.asked.is_empty());
    for arm in [Arm::Base, Arm::BaseProduct] {
        assert_eq!(found.arms[&arm].accuracy.expect("some").value, 0.0);
        assert_eq!(found.arms[&arm].incorrect.expect("some").value, 1.0);
        assert_eq!(found.arms[&arm].succinctness, None);
    }
}

#[test]
fn grades_are_found_in_whatever_stands_around_them() {
    let read = |text: &str| parse(text);
    assert_eq!(read(GOOD), Some((0.8, Correctness::Correct, 4)));
    assert_eq!(
        read(
            "Sure! {not json} ```json\n{\"accuracy\": \"0.5\", \"correctness\": \"Partially correct\", \"succinctness\": 2.0, \"why\": \"{}\"}\n``` done"
        ),
        Some((0.5, Correctness::Partly, 2))
    );
    for broken in [
        "",
        "{",
        "0.8",
        r#"{"accuracy": 8, "correctness": "correct", "succinctness": 4}"#,
        r#"{"accuracy": 0.8, "correctness": "excellent", "succinctness": 4}"#,
        r#"{"accuracy": 0.8, "correctness": "correct", "succinctness": 0}"#,
        r#"{"accuracy": null, "correctness": "correct"}"#,
    ] {
        assert_eq!(read(broken), None, "{broken}");
    }
}

#[test]
fn the_judges_noise_is_told_from_the_questions() {
    let one = |id: &str, repeat, accuracy| Judgement {
        accuracy: Some(accuracy),
        ..refused(&row(Arm::Base, id, "x"), repeat)
    };
    let judgements = [
        one("a", 0, 0.4),
        one("a", 1, 0.6),
        one("b", 0, 0.4),
        one("b", 1, 0.6),
    ];
    let arm = &by_arm(&judgements, 2)[&Arm::Base];
    let accuracy = arm.accuracy.expect("some");
    assert!((accuracy.value - 0.5).abs() < 1e-12 && (accuracy.high - accuracy.low).abs() < 1e-12);
    assert!((arm.accuracy_between_repeats - 0.02_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn over_http_failures_on_the_way_are_survived_and_counted() {
    let server = Server::start(vec![
        Act::Says(429, "Retry-After: 0\r\n", "slow down".into()),
        Act::chat("The answer should mention 2 inches."),
        Act::Hangs,
        Act::chat("no JSON"),
        Act::chat(GOOD),
    ]);
    let question = question("a", Kind::Answerable);
    let judging = Judging {
        questions: &[&question],
        rows: &[row(Arm::BaseRag, "a", "2 inches")],
        repeats: REPEATS,
    };
    let mut endpoint = endpoint(&server.url, 3);
    let found = judge(&judging, &mut endpoint, Vec::new(), &mut |_, _, _| Ok(())).expect("judged");
    assert_eq!(found.arms[&Arm::BaseRag].judged, 1);
    let ledger = found.ledger;
    // Refused, guideline, time-out, broken, good, and the four other repeats.
    assert_eq!((ledger.calls, ledger.retries, ledger.failures), (9, 2, 0));
    assert_eq!((ledger.tokens_in, ledger.tokens_out), (7 * 11, 7 * 7));
    assert_eq!(found.model, "judge-1");
}
