//! Tests of lessons on a small shelf.

use std::path::Path;

use super::super::questions::read_text;
use super::*;
use crate::answer::AnswererParts;
use crate::answer::testing::{Scripted, Shelf};
use crate::config::Config;
use crate::types::Place;

/// `document-0` answers the training question, `document-1` the test question, `document-2` neither.
fn teacher() -> (Teacher, Vec<StudyQuestion>) {
    let iowa = Place::new("US", "Iowa");
    let shelf = Shelf::default()
        .with(&iowa, "Seeding depth", "Plant maize 2 inches deep.")
        .with(
            &iowa,
            "Maize depth of water",
            "Maize roots reach 60 inches deep.",
        )
        .with(
            &iowa,
            "Maize stand",
            "Plant maize at 30 inches between rows.",
        );
    let set = read_text(
        concat!(
            r#"{"id":"a","split":"train","kind":"answerable","question":"How deep should I plant maize?","place":{"country":"US","region":"Iowa"},"gold":{"document":"document-0","section":"Seeding depth"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"2 inches deep."}"#,
            "\n",
            r#"{"id":"b","split":"test","kind":"answerable","question":"How deep do maize roots go?","place":{"country":"US","region":"Iowa"},"gold":{"document":"document-1","section":"Maize depth of water"},"facts":[{"name":"depth","numbers":[60],"unit":"inch"}],"answer":"60 inches."}"#,
            "\n",
            r#"{"id":"c","split":"train","kind":"near_miss_fact","question":"How much does maize seed cost?","place":{"country":"US","region":"Iowa"},"lacks":["seed cost"]}"#,
        ),
        Path::new("set"),
    )
    .expect("sound");
    let answerer = Answerer::new(AnswererParts {
        passages: Box::new(shelf),
        generator: Scripted::says(""),
        embedder: None,
        config: Config::defaults(None).expect("valid").answer,
        top_k: 3,
        place: Place::default(),
        adapter: None,
    });
    (Teacher::new(answerer, &set, Split::Train), set)
}

fn learned(lesson: &Lesson) -> &str {
    let last = lesson.messages.last().expect("three messages");
    assert_eq!(last.role, "assistant");
    &last.content
}

#[test]
fn an_answerable_question_comes_with_its_document_and_again_without() {
    let (teacher, set) = teacher();
    let lessons = teacher.lessons(&set[0]).expect("a shelf never fails");
    let told: Vec<(Withheld, usize, &str)> = lessons
        .iter()
        .map(|one| (one.withheld, one.documents.len(), learned(one)))
        .collect();
    assert_eq!(
        told,
        [
            (Withheld::Nothing, 1, "2 inches deep."),
            (Withheld::Nothing, 2, "2 inches deep."),
            (Withheld::Document, 1, NOT_SAID),
            (Withheld::Fact, 1, NOT_SAID),
        ]
    );
    assert!(lessons[0].key_is_right && !lessons[2].key_is_right);
    assert!(!lessons[2].documents.contains(&"document-0".to_owned()));
}

#[test]
fn a_fact_is_withheld_with_its_sentence_and_nothing_else() {
    let facts = |text| match read_text(text, Path::new("set")) {
        Ok(set) => set[0].facts.clone(),
        Err(error) => panic!("{error}"),
    };
    let depth = facts(
        r#"{"id":"a","split":"train","kind":"answerable","question":"How deep?","place":{"country":"US"},"gold":{"document":"d","section":"s"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"2 inches deep."}"#,
    );
    let text = "Plant in May. Plant 5.08 cm deep. Firm the soil.\n| depth | row |\n| 2 inches | 30 inches |";
    assert_eq!(
        without(text, &depth),
        "Plant in May. Firm the soil.\n| depth | row |"
    );
    assert_eq!(without("2 inches.", &depth), "");
    assert_eq!(without(text, &[]), text);
}

#[test]
fn no_lesson_shows_a_document_of_another_part_of_the_set() {
    let (teacher, set) = teacher();
    for question in [&set[0], &set[2]] {
        for lesson in teacher.lessons(question).expect("a shelf never fails") {
            assert!(!lesson.documents.contains(&"document-1".to_owned()));
            let shown = &lesson.messages[1].content;
            assert!(!shown.contains("60 inches"), "{shown}");
        }
    }
}

#[test]
fn what_the_library_lacks_is_learned_as_not_said() {
    let (teacher, set) = teacher();
    let lessons = teacher.lessons(&set[2]).expect("a shelf never fails");
    assert!(!lessons.is_empty());
    for lesson in &lessons {
        assert_eq!((learned(lesson), lesson.answered), (NOT_SAID, false));
    }
}
