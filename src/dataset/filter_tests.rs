use ndarray::array;

use super::*;

#[test]
fn a_question_must_be_clear_on_its_own() {
    for clear in [
        "How deep should maize be sown in Iowa?",
        "In “Sowing”, how deep is seed drilled?",
        "At what temperature does maize germinate?",
        "In the table “Seed rates”, what is the seed rate for loam?",
    ] {
        assert!(is_clear(clear), "{clear}");
    }
    for unclear in [
        "Sow maize deep.",
        "What?",
        "What does the passage say on depth?",
        "How deep is it?",
        "What is it? And why?",
        "What are their leaves?",
        "What yield is described above for maize?",
        "how deep is maize sown?",
    ] {
        assert!(!is_clear(unclear), "{unclear}");
    }
}

#[test]
fn an_answer_must_say_something_that_stands_there() {
    let passage = ["Sow maize 5 cm deep in dry soil."];
    let fault = |answer| fault_of_answer("How deep is maize sown?", answer, &passage);
    assert_eq!(fault("Maize is sown 5 cm deep."), None);
    assert_eq!(fault("Maize is sown 8 cm deep."), Some(Reason::Ungrounded));
    assert_eq!(fault("Maize is sown deep."), Some(Reason::NoAnswer));
    assert_eq!(fault(""), Some(Reason::NoAnswer));
    assert_eq!(fault("The text does not say."), Some(Reason::NoAnswer));
}

#[test]
fn each_low_score_has_its_reason() {
    let good = Scores {
        grounded: 1.0,
        on_topic: 1.0,
        found_at: Some(1),
        points_back: Some(1),
        ..Scores::default()
    };
    let least = Thresholds::written();
    let fault = |change: &dyn Fn(&mut Scores)| {
        let mut scores = good.clone();
        change(&mut scores);
        fault_of_scores(&scores, &least)
    };
    assert_eq!(fault(&|_| ()), None);
    assert_eq!(
        fault(&|scores| scores.grounded = 0.9),
        Some(Reason::Ungrounded)
    );
    assert_eq!(
        fault(&|scores| scores.on_topic = 0.5),
        Some(Reason::OffTopic)
    );
    let strict = Thresholds::of_sentences();
    let mut strange = good.clone();
    strange.asked_of = Some(0.8);
    assert_eq!(fault_of_scores(&strange, &strict), Some(Reason::OffTopic));
    assert_eq!(
        fault(&|scores| scores.points_back = Some(2)),
        Some(Reason::PointsElsewhere)
    );
    assert_eq!(
        fault(&|scores| scores.found_at = None),
        Some(Reason::NotFound)
    );
    assert_eq!(
        fault(&|scores| scores.coverage = Some(3)),
        Some(Reason::Judged)
    );
    assert_eq!(fault(&|scores| scores.global_relevance = Some(1)), None);
}

#[test]
fn repeats_go_and_questions_with_two_answers_go_both() {
    let seen = |question, answer| Seen {
        question,
        answer,
        vector: None,
    };
    let found = repeated(&[
        seen("How deep is maize sown?", "Maize is sown 5 cm deep."),
        seen("How deep should maize be sown?", "Maize is sown 5 cm deep."),
        seen("What was the yield?", "The yield was 4 t/ha in dry years."),
        seen("What was the yield?", "Manure gave 6.1 t/ha."),
        seen(
            "What is the seed rate for loam?",
            "The seed rate for loam is 120 kg/ha.",
        ),
        seen(
            "What is the seed rate for clay?",
            "The seed rate for clay is 140 kg/ha.",
        ),
    ]);
    let expected = [
        (1, Reason::Duplicate),
        (2, Reason::Ambiguous),
        (3, Reason::Ambiguous),
    ];
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn meaning_finds_repeats_in_other_words() {
    let (one, other) = (array![1.0_f32, 0.0], array![0.99_f32, 0.14]);
    let seen = |question, vector| Seen {
        question,
        answer: "Maize is sown 5 cm deep.",
        vector,
    };
    let found = repeated(&[
        seen("What sowing depth suits maize best?", Some(one.view())),
        seen("Maize: what sowing depth?", Some(other.view())),
    ]);
    assert_eq!(found.get(&1), Some(&Reason::Duplicate));
}

#[test]
fn held_out_questions_and_their_documents_do_not_leak() {
    let line = r#"{"id":"a","split":"test","kind":"answerable","question":"How deep should maize be sown?","gold":{"document":"iowa/maize.md","section":"Depth"},"facts":[{"name":"d","any_of":["x"]}]}"#;
    let set = crate::study::read_text(line, std::path::Path::new("set")).expect("sound");
    let held = |splits: &[Split]| {
        HeldOut::new(&set, splits, &mut |_| {
            Ok::<_, std::convert::Infallible>(None)
        })
        .expect("cannot fail")
    };
    let test = held(&[Split::Test]);
    assert_eq!(
        test.leak("farm/iowa/maize.md", "Why?", None),
        Some(Reason::HeldOutDocument)
    );
    assert_eq!(
        test.leak("other.md", "How deep is maize sown?", None),
        Some(Reason::HeldOutQuestion)
    );
    assert_eq!(
        test.leak("other.md", "How far apart are rows of wheat?", None),
        None
    );
    assert!(held(&[Split::Train]).is_empty());
}
