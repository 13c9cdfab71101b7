//! The room as a whole, with a scripted model.

use std::ops::ControlFlow;

use super::testing::{Scripted, Shelf};
use super::*;
use crate::config::{AnswerConfig, Config};
use crate::model::{Finish, Generator};
use crate::types::{Place, Question, Reading, ReadingValue, Status};

const DEPTH: &str = "Plant maize about 2 inches (5 cm) deep in Iowa. Rain can settle the soil.";

fn iowa() -> Place {
    Place::new("US", "Iowa")
}

fn shelf() -> Shelf {
    Shelf::default()
        .with(&iowa(), "Seeding depth", DEPTH)
        .with(
            &iowa(),
            "Nitrogen rate",
            "Maize needs 124 lb of nitrogen per acre after soybean.",
        )
        .with(
            &Place::new("IN", "Punjab"),
            "Sowing depth",
            "Sow maize seed 3 to 5 cm deep.",
        )
}

fn config() -> AnswerConfig {
    AnswerConfig {
        refuse_below: 0.5,
        ..Config::defaults(None).expect("defaults are valid").answer
    }
}

fn answerer(generator: Box<dyn Generator>) -> Answerer {
    Answerer::new(AnswererParts {
        passages: Box::new(shelf()),
        generator,
        embedder: None,
        config: config(),
        top_k: 2,
        place: iowa(),
        adapter: None,
    })
}

fn question(text: &str) -> Question {
    Question {
        text: text.to_owned(),
        ..Question::default()
    }
}

/// The outcome and the streamed parts.
fn ask(reply: &str, question: &Question) -> (Outcome, Vec<String>) {
    let mut parts = Vec::new();
    let outcome = answerer(Scripted::says(reply))
        .answer(question, &[], &mut |progress| {
            if let Progress::Text(text) = progress {
                parts.push(text.to_owned());
            }
            ControlFlow::Continue(())
        })
        .expect("nothing breaks");
    (outcome, parts)
}

#[test]
fn a_grounded_draft_is_the_answer_and_cites_its_passage() {
    let (outcome, parts) = ask(
        "Plant maize 2 inches deep.",
        &question("How deep should I plant maize?"),
    );
    assert_eq!(outcome.status, Status::Answered);
    assert_eq!(outcome.text.as_deref(), Some("Plant maize 2 inches deep."));
    assert_eq!(parts.concat(), "Plant maize 2 inches deep.");
    assert_eq!(outcome.citations[0].section, "Seeding depth");
    assert_eq!(outcome.citations[0].place, "Iowa, US");
    assert!(!outcome.quoted);
}

#[test]
fn an_ungrounded_draft_is_replaced_by_a_quotation_that_says_so() {
    let (outcome, parts) = ask(
        "Plant maize 4 inches deep.",
        &question("How deep should I plant maize?"),
    );
    let text = outcome.text.expect("an answer");
    assert!(text.contains("2 inches (5 cm)"), "{text}");
    assert!(!text.contains('4'), "{text}");
    assert_eq!(parts.concat(), text);
    assert!(outcome.quoted);
    let reason = outcome.reason.expect("a reason");
    assert!(
        reason.contains("quotation") && !reason.contains('4'),
        "{reason}"
    );
}

#[test]
fn a_draft_is_cut_at_its_first_ungrounded_sentence() {
    let reply = "Plant maize 2 inches deep. Then spray Roundup at 3 l/ha. Good luck.";
    let (outcome, _) = ask(reply, &question("How deep should I plant maize?"));
    assert_eq!(outcome.text.as_deref(), Some("Plant maize 2 inches deep."));
    assert!(
        outcome.tokens.generated < reply.len() / 4,
        "generation stopped early"
    );
}

#[test]
fn a_grounded_draft_about_something_else_is_replaced() {
    let (outcome, _) = ask(
        "Rain can settle the soil.",
        &question("How deep should I plant maize?"),
    );
    assert!(outcome.quoted);
    assert!(outcome.text.expect("an answer").contains("2 inches"));
}

#[test]
fn the_same_question_has_another_answer_in_another_place() {
    let asked = Question {
        place: Some(Place::new("IN", "Punjab")),
        ..question("How deep should I plant maize?")
    };
    let (outcome, _) = ask("Nonsense 99 kg.", &asked);
    assert_eq!(
        outcome.text.as_deref(),
        Some("Sow maize seed 3 to 5 cm deep.")
    );
}

#[test]
fn a_place_named_in_the_question_goes_before_the_box_place() {
    let (outcome, _) = ask(
        "Nonsense 99 kg.",
        &question("How deep should maize be planted in Punjab?"),
    );
    assert_eq!(outcome.citations[0].place, "Punjab, IN");
}

#[test]
fn an_uncovered_place_is_refused() {
    let (outcome, parts) = ask(
        "Plant maize 2 inches deep.",
        &question("How deep should I plant maize in Kenya?"),
    );
    assert_eq!(outcome.status, Status::Refused);
    assert_eq!((outcome.text, parts), (None, Vec::new()));
    let asked = Question {
        place: Some(Place::new("KE", "Nakuru")),
        ..question("How deep should I plant maize?")
    };
    let (outcome, _) = ask("Plant maize 2 inches deep.", &asked);
    assert_eq!(outcome.status, Status::Refused);
}

#[test]
fn an_absent_topic_is_refused_before_the_model_runs() {
    let (outcome, _) = ask(
        "32 psi.",
        &question("What tire pressure should the tractor have?"),
    );
    assert_eq!(outcome.status, Status::Refused);
    assert_eq!(outcome.tokens.generated, 0);
    assert!(outcome.citations.is_empty());
}

#[test]
fn what_holds_for_one_crop_is_never_said_of_another() {
    let mut shelf = shelf();
    for passage in &mut shelf.passages {
        passage.crops = vec!["maize".into()];
    }
    let mut parts = answerer(Scripted::says("Plant 2 inches deep.")).into_parts();
    parts.passages = Box::new(shelf);
    let asked = Question {
        crop: Some("wheat".into()),
        ..question("How deep should I plant wheat?")
    };
    let outcome = Answerer::new(parts)
        .answer(&asked, &[], &mut |_| ControlFlow::Continue(()))
        .expect("nothing breaks");
    assert_eq!(outcome.status, Status::Refused);
}

#[test]
fn a_section_on_a_crop_speaks_of_it_in_a_sheet_on_others() {
    let mut shelf = Shelf::default().with(
        &iowa(),
        "Sorghum",
        "Cut sorghum 55 days after sowing, since young sorghum holds poison.",
    );
    shelf.passages[0].crops = vec!["forage".into()];
    let mut parts = answerer(Scripted::says("Cut it 55 days after sowing.")).into_parts();
    parts.passages = Box::new(shelf);
    let asked = Question {
        crop: Some("sorghum".into()),
        ..question("How many days after sowing may I cut sorghum?")
    };
    let outcome = Answerer::new(parts)
        .answer(&asked, &[], &mut |_| ControlFlow::Continue(()))
        .expect("nothing breaks");
    assert_eq!(outcome.status, Status::Answered);
}

#[test]
fn a_wider_place_is_said() {
    let asked = Question {
        place: Some(Place {
            district: Some("Story".into()),
            ..iowa()
        }),
        ..question("How deep should I plant maize?")
    };
    let (outcome, _) = ask("Plant maize 2 inches deep.", &asked);
    assert_eq!(
        outcome.citations[0].place,
        "Iowa, US (asked for Story, Iowa, US)"
    );
    assert!(
        outcome
            .reason
            .expect("a reason")
            .contains("Story, Iowa, US")
    );
}

#[test]
fn with_the_guard_off_the_raw_draft_is_let_through() {
    let mut parts = answerer(Scripted::says("Plant maize 4 inches deep. 99 kg")).into_parts();
    parts.config.guard = false;
    let outcome = Answerer::new(parts)
        .answer(
            &question("How deep should I plant maize?"),
            &[],
            &mut |_| ControlFlow::Continue(()),
        )
        .expect("nothing breaks");
    assert_eq!(
        outcome.text.as_deref(),
        Some("Plant maize 4 inches deep. 99 kg")
    );
}

#[test]
fn breaking_off_stops_the_generation() {
    let mut steps = 0;
    let result = answerer(Scripted::says(
        "Plant maize 2 inches deep. And so on. And on.",
    ))
    .answer(
        &question("How deep should I plant maize?"),
        &[],
        &mut |_| {
            steps += 1;
            if steps > 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    assert!(matches!(result, Err(AnswerError::Stopped)));
    assert_eq!(steps, 4);
}

#[test]
fn an_unfinished_last_sentence_is_dropped() {
    let generator = Box::new(Scripted {
        finish: Finish::Length,
        ..*Scripted::says("Plant maize 2 inches deep. The soil should")
    });
    let outcome = answerer(generator)
        .answer(
            &question("How deep should I plant maize?"),
            &[],
            &mut |_| ControlFlow::Continue(()),
        )
        .expect("nothing breaks");
    assert_eq!(outcome.text.as_deref(), Some("Plant maize 2 inches deep."));
}

#[test]
fn the_longest_answer_is_kept_to() {
    let asked = Question {
        max_chars: Some(40),
        ..question("How deep should I plant maize?")
    };
    let (outcome, _) = ask("Nonsense 99 kg.", &asked);
    let text = outcome.text.expect("an answer");
    assert!(text.chars().count() <= 40 && text.ends_with('…'), "{text}");
}

#[test]
fn a_reading_may_be_said_and_is_returned() {
    let reading = Reading {
        device: "probe-3".into(),
        name: "soil-temperature".into(),
        value: ReadingValue::Number(9.5),
        unit: Some("°C".into()),
        at: 1_795_334_400,
    };
    assert_eq!(
        super::prompt::fact(&reading),
        "soil-temperature of probe-3 was 9.5 °C at 2026-11-22 08:00 UTC"
    );
    let asked = Question {
        readings: vec![reading.clone()],
        ..question("How deep should I plant maize?")
    };
    let reply = "Plant maize 2 inches deep. The soil temperature was 9.5 °C.";
    let (outcome, _) = ask(reply, &asked);
    assert_eq!(outcome.text.as_deref(), Some(reply));
    assert_eq!(outcome.readings, [reading]);
}

#[test]
fn passages_are_dropped_from_the_end_when_the_prompt_is_too_long() {
    let mut parts = answerer(Scripted::says("Plant maize 2 inches deep.")).into_parts();
    parts.generator = Box::new(Scripted {
        context: 96 + 70,
        ..*Scripted::says("Plant maize 2 inches deep.")
    });
    let outcome = Answerer::new(parts)
        .answer(
            &question("How deep should I plant maize?"),
            &[],
            &mut |_| ControlFlow::Continue(()),
        )
        .expect("one passage fits");
    assert!(outcome.tokens.prompt <= 70);
    let mut parts = answerer(Scripted::says("")).into_parts();
    parts.generator = Box::new(Scripted {
        context: 96 + 10,
        ..*Scripted::says("")
    });
    let error = Answerer::new(parts)
        .answer(
            &question("How deep should I plant maize?"),
            &[],
            &mut |_| ControlFlow::Continue(()),
        )
        .expect_err("not even the question fits");
    assert!(error.is_the_askers());
}

#[test]
fn a_tuned_model_that_finds_no_answer_in_the_text_makes_a_refusal_and_not_a_quotation() {
    let answer = |refuse_below: f32| {
        let mut parts = answerer(Scripted::says(NOT_SAID)).into_parts();
        parts.adapter = Some("farm".into());
        parts.config.refuse_below = refuse_below;
        parts.config.guard = refuse_below > 0.0;
        let asked = question("How deep should I plant maize?");
        let mut streamed = String::new();
        let outcome = Answerer::new(parts)
            .answer(&asked, &[], &mut |progress| {
                if let Progress::Text(text) = progress {
                    streamed.push_str(text);
                }
                ControlFlow::Continue(())
            })
            .expect("nothing breaks");
        (outcome, streamed)
    };
    let (outcome, streamed) = answer(0.9);
    assert_eq!(outcome.status, Status::Refused);
    assert_eq!((outcome.text, streamed.as_str()), (None, ""));
    let reason = outcome.reason.expect("a reason");
    assert!(reason.contains("do not say this"), "{reason}");
    assert_eq!(outcome.adapter.as_deref(), Some("farm"));
    assert_eq!(outcome.doubt, Some(0.9));
    // The bare model declines at even odds.
    assert_eq!(answer(0.0).0.status, Status::Refused);
}

#[test]
fn a_reading_is_held_against_a_doubtful_limit_only_where_a_tuned_model_does_not_decline() {
    let answer = |reply: &str, refuse_below: f32| {
        let mut parts = answerer(Scripted::says(reply)).into_parts();
        parts.adapter = Some("farm".into());
        parts.config.refuse_below = refuse_below;
        let asked = Question {
            readings: vec![Reading {
                device: String::new(),
                name: "planting-depth".into(),
                value: ReadingValue::Number(4.0),
                unit: Some("inch".into()),
                at: 0,
            }],
            ..question("How deep should I plant maize?")
        };
        let mut on = |_: Progress<'_>| ControlFlow::Continue(());
        Answerer::new(parts)
            .answer(&asked, &[], &mut on)
            .expect("nothing breaks")
    };
    let doubted = answer(NOT_SAID, 0.99);
    assert_eq!(doubted.status, Status::Refused, "{doubted:?}");
    for (reply, refuse_below) in [("Nonsense.", 0.99), (NOT_SAID, 0.1)] {
        let text = answer(reply, refuse_below).text.expect("an answer");
        assert!(text.contains("4 inch is above 2 inches"), "{text}");
    }
}

#[test]
fn briefs_hold_one_passage_more_each_and_point_at_the_same_sentence() {
    let answerer = answerer(Scripted::says(""));
    let briefs = answerer
        .briefs(&question("How deep should I plant maize?"))
        .expect("a shelf never fails");
    let counts: Vec<usize> = briefs.iter().map(|brief| brief.passages.len()).collect();
    assert_eq!(counts, [1, 2]);
    for brief in &briefs {
        assert!(brief.key.contains("2 inches"), "{}", brief.key);
        assert!(brief.messages[1].content.contains(&brief.key));
    }
    let nowhere = Question {
        place: Some(Place::new("BR", "Goias")),
        ..question("How deep should I plant maize?")
    };
    assert!(answerer.briefs(&nowhere).expect("no failure").is_empty());
}
