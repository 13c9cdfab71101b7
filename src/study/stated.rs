//! What an answer states: right figures, strange ones, and those that contradict a key fact.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::checker::stands;
use super::facts::{is_alike, is_of, is_right, places};
use super::figures::{Figure, figures};
use super::questions::{Fact, SentReading, StudyQuestion};

/// The figures of an answer, sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// They belong to a key fact, or stand in the gold section in the same unit (or converted exactly).
    pub right: usize,
    /// They stand in neither, and not in the question or its readings either.
    pub strange: usize,
}

/// Sorts the figures of `answer`; one that only repeats the question or a reading is not counted.
///
/// The whole gold section has only right figures: length and token F1 tell it from an answer.
pub fn stated(question: &StudyQuestion, section: &str, answer: &str) -> Stated {
    let gold = figures(section);
    let told = told(question);
    let mut stated = Stated::default();
    for figure in figures(answer) {
        let of_a_fact = question
            .facts
            .iter()
            .any(|fact| is_of(fact, &figure, answer));
        if of_a_fact || gold.iter().any(|source| stands(&figure, source)) {
            stated.right += 1;
        } else if !told.iter().any(|source| same(&figure, source)) {
            stated.strange += 1;
        }
    }
    stated
}

/// Whether `answer` gives, for a key fact that it does not hold, another value of the same kind of
/// quantity (or another month where the fact is a date). Figures of other key facts, of the question and
/// of its readings contradict nothing; neither does one end of a range that lacks the other.
pub fn contradicts(question: &StudyQuestion, answer: &str) -> bool {
    let told = told(question);
    let found = figures(answer);
    let of_any = |figure: &Figure| {
        question
            .facts
            .iter()
            .any(|fact| is_of(fact, figure, answer))
    };
    let missing = question.facts.iter().filter(|fact| !is_right(fact, answer));
    for fact in missing {
        if let Fact::Words { any_of, .. } = fact {
            if other_month(any_of, question, answer) {
                return true;
            }
            continue;
        }
        let contradicting = |figure: &&Figure| {
            is_alike(fact, figure, answer)
                && !of_any(figure)
                && !told.iter().any(|source| same(figure, source))
        };
        if found.iter().any(|figure| contradicting(&figure)) {
            return true;
        }
    }
    false
}

/// Figures that the asker gave.
fn told(question: &StudyQuestion) -> Vec<Figure> {
    let readings: Vec<String> = question.readings.iter().map(SentReading::text).collect();
    figures(&format!("{}\n{}", question.question, readings.join("\n")))
}

fn same(figure: &Figure, source: &Figure) -> bool {
    (figure.value - source.value).abs() < 1e-9 || stands(figure, source)
}

/// A pattern that is a constant of this file and compiles; the tests run it. `May` only where a date is
/// likely: the verb opens sentences and follows nouns.
static MONTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(January|February|March|April|June|July|August|September|October|November|December)\b|(?:\b(?:in|by|until|till|from|early|late|mid|to|and|or|before|after|of|through|between)[ -]|\d )(May)\b|\b(May) \d",
    )
    .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

fn months(text: &str) -> BTreeSet<String> {
    MONTH
        .captures_iter(text)
        .filter_map(|found| {
            found
                .iter()
                .skip(1)
                .flatten()
                .next()
                .map(|name| name.as_str().to_owned())
        })
        .collect()
}

/// Whether a fact of dates is missing and the answer names a month that neither it nor the question has.
fn other_month(any_of: &[String], question: &StudyQuestion, answer: &str) -> bool {
    // "of" lets `May` alone be read as the month.
    let of_fact: Vec<BTreeSet<String>> = any_of
        .iter()
        .map(|words| months(&format!("of {words}")))
        .collect();
    if of_fact.iter().any(BTreeSet::is_empty) {
        return false;
    }
    let mut known: BTreeSet<String> = of_fact.into_iter().flatten().collect();
    known.extend(months(&question.question));
    for fact in &question.facts {
        if let Fact::Words { any_of, .. } = fact {
            known.extend(
                any_of
                    .iter()
                    .flat_map(|words| months(&format!("of {words}"))),
            );
        }
    }
    months(answer).iter().any(|month| !known.contains(month))
}

/// How an answer used the reading that came with its question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadingUse {
    /// The reading's value is stated.
    pub value: bool,
    /// The limit that it is held against is stated.
    pub limit: bool,
    /// The verdict is right: see `verdict`.
    pub verdict: bool,
}

impl ReadingUse {
    /// Value, limit and verdict are all there.
    pub fn is_right(self) -> bool {
        self.value && self.limit && self.verdict
    }
}

/// How `answer` uses the readings of `question`; `None` for a question without.
pub fn reading_use(question: &StudyQuestion, answer: &str) -> Option<ReadingUse> {
    if question.readings.is_empty() || question.facts.is_empty() {
        return None;
    }
    let (mut value, mut limit, mut right) = (true, true, true);
    for fact in &question.facts {
        match (fact.name(), fact) {
            ("reading", _) => value &= is_right(fact, answer),
            ("verdict", Fact::Words { any_of, .. }) => right &= verdict(question, any_of, answer),
            _ => limit &= is_right(fact, answer),
        }
    }
    Some(ReadingUse {
        value,
        limit,
        verdict: right,
    })
}

/// Whether one of `any_of` is said of the reading: in a sentence with its value, or in the opening one, and
/// not after a `not`. "Sow only above 15 °C" judges no reading of 9 °C.
fn verdict(question: &StudyQuestion, any_of: &[String], answer: &str) -> bool {
    let readings = told_values(question);
    split_sentences(answer)
        .into_iter()
        .enumerate()
        .any(|(at, sentence)| {
            let has_value = figures(sentence).iter().any(|figure| {
                readings
                    .iter()
                    .any(|value| (figure.value - value).abs() < 1e-9)
            });
            let lower = sentence.to_lowercase();
            (has_value || (at == 0 && opens_with_a_verdict(&lower)))
                && any_of
                    .iter()
                    .any(|words| said(&lower, &words.to_lowercase()))
        })
}

fn told_values(question: &StudyQuestion) -> Vec<f64> {
    question
        .readings
        .iter()
        // Figures are read without their sign.
        .map(|reading| reading.value.abs())
        .collect()
}

/// "Yes, sow now." and "Too cold." judge without a figure; "Sow above 15 °C." does not.
fn opens_with_a_verdict(sentence: &str) -> bool {
    ["yes", "no", "not", "too", "it is", "it's"]
        .iter()
        .any(|words| places(sentence, words).first() == Some(&0))
}

fn said(sentence: &str, words: &str) -> bool {
    places(sentence, words).into_iter().any(|at| {
        let before = sentence[..at].trim_end();
        !(before.ends_with(" not") || before.ends_with("n't") || before == "not")
    })
}

/// Sentences, cut at an end mark before white space, so that `8.5` stays whole.
fn split_sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut ended = false;
    for (at, c) in text.char_indices() {
        if ended && c.is_whitespace() {
            sentences.push(text[start..at].trim());
            start = at;
        }
        ended = matches!(c, '.' | '!' | '?');
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

#[cfg(test)]
mod tests {
    use super::super::read_text;
    use super::*;

    const SECTION: &str =
        "Sow maize 2 inches deep. On sand sow it 3 inches deep. Rows are 30 inches apart.";

    fn question(facts: &str) -> StudyQuestion {
        let text = format!(
            r#"{{"id":"a","split":"test","kind":"answerable","question":"How deep do I sow 40 acres?","gold":{{"document":"d","section":"s"}},"facts":[{facts}],"answer":"x"}}"#
        );
        read_text(&text, std::path::Path::new("set"))
            .expect("sound")
            .remove(0)
    }

    fn depth() -> StudyQuestion {
        question(r#"{"name":"depth","numbers":[2],"unit":"inch"}"#)
    }

    fn sorted(answer: &str) -> (usize, usize) {
        let stated = stated(&depth(), SECTION, answer);
        (stated.right, stated.strange)
    }

    #[test]
    fn figures_of_the_section_are_right_and_others_strange() {
        assert_eq!(sorted("2 inches (5 cm), rows 30 inches apart"), (3, 0));
        assert_eq!(sorted("2 inches, or 4 inches"), (1, 1));
        assert_eq!(sorted("For 40 acres, 2 inches"), (1, 0));
    }

    #[test]
    fn the_gold_number_with_a_wrong_unit_is_strange() {
        assert_eq!(sorted("2 feet"), (0, 1));
        assert!(contradicts(&depth(), "Sow 2 feet deep."));
    }

    #[test]
    fn an_empty_answer_states_nothing_and_a_whole_passage_only_right_figures() {
        assert_eq!(sorted(""), (0, 0));
        assert_eq!(sorted(SECTION), (3, 0));
        assert!(!contradicts(&depth(), ""));
        assert!(!contradicts(&depth(), SECTION));
    }

    #[test]
    fn another_value_of_the_same_kind_contradicts() {
        assert!(contradicts(&depth(), "Sow 3 inches deep."));
        assert!(contradicts(&depth(), "Sow 8 cm deep."));
        assert!(!contradicts(
            &depth(),
            "Sow 2 inches deep, 3 inches on sand."
        ));
        assert!(!contradicts(&depth(), "Sow at 10 °C."));
        assert!(!contradicts(&depth(), "Sow the 40 acres."));
    }

    #[test]
    fn one_end_of_a_range_or_another_fact_contradicts_nothing() {
        let range = question(r#"{"name":"depth","numbers":[1,1.5],"unit":"inch"}"#);
        assert!(!contradicts(&range, "1 inch"));
        assert!(contradicts(&range, "1 to 2 inches"));
        let two = question(
            r#"{"name":"clay","numbers":[2],"unit":"inch"},{"name":"sand","numbers":[3],"unit":"inch"}"#,
        );
        assert!(!contradicts(&two, "2 inches on clay."));
    }

    #[test]
    fn another_month_contradicts_a_date() {
        let date = question(r#"{"name":"end","any_of":["May 10","10 May"]}"#);
        assert!(contradicts(&date, "Finish by 15 June."));
        assert!(!contradicts(&date, "Finish by 15 May."));
        assert!(!contradicts(&date, "It may rain."));
        let word = question(r#"{"name":"pest","any_of":["grub"]}"#);
        assert!(!contradicts(&word, "In June, beetles."));
    }

    fn warm() -> StudyQuestion {
        let text = r#"{"id":"a","split":"test","kind":"answerable","question":"Warm enough?","gold":{"document":"d","section":"s"},"facts":[{"name":"reading","numbers":[9.5],"unit":"°C"},{"name":"limit","numbers":[15],"unit":"°C"},{"name":"verdict","any_of":["below","too cold","not warm enough"]}],"answer":"x","readings":[{"name":"soil-temperature","unit":"°C","value":9.5}]}"#;
        read_text(text, std::path::Path::new("set"))
            .expect("sound")
            .remove(0)
    }

    #[test]
    fn a_reading_is_used_rightly_with_value_limit_and_verdict() {
        let used = |answer| reading_use(&warm(), answer).expect("has a reading");
        assert!(used("No: 9.5 °C is below the 15 °C that maize needs.").is_right());
        assert!(used("Too cold. The soil has 9.5 °C, and 15 °C are needed.").is_right());
        let wrong = used("Yes, 9.5 °C is above 15 °C.");
        assert_eq!(
            (wrong.value, wrong.limit, wrong.verdict),
            (true, true, false)
        );
        assert!(!used("9.5 °C is not below 15 °C.").verdict);
        assert!(!used("Never sow below 15 °C.").verdict);
        assert!(!used("").is_right());
        assert_eq!(reading_use(&depth(), "2 inches"), None);
    }

    #[test]
    fn a_reading_below_zero_is_used_rightly_too() {
        let mut frost = warm();
        frost.readings[0].value = -9.5;
        let used = reading_use(&frost, "-9.5 °C is below 15 °C.").expect("has a reading");
        assert!(used.is_right());
    }
}
