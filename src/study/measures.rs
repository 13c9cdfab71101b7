//! The measures of an arm: what is summed over which questions, and how it is shown.

use serde::{Deserialize, Serialize};

use super::questions::Kind;
use super::score::{Band, Grade, Score};
use super::stats::median;

/// How a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A share, shown in per cent.
    Share,
    /// A plain number.
    Number,
    /// Tokens.
    Tokens,
    /// Milliseconds.
    Milliseconds,
    /// Joules.
    Joules,
}

/// What one question adds to a measure: numerator and denominator, `None` where it has no say.
type Part = fn(&Score) -> Option<(f64, f64)>;

/// How the questions' parts become one figure.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Sum of numerators over sum of denominators.
    Ratio(Part),
    /// The middle value.
    Median(fn(&Score) -> Option<f64>),
}

/// One measure.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its key in `results.json`.
    pub key: &'static str,
    /// Its line in a table.
    pub title: &'static str,
    /// How it is shown.
    pub unit: Unit,
    /// How it is made.
    pub way: Way,
}

const fn ratio(key: &'static str, title: &'static str, part: Part) -> Measure {
    Measure {
        key,
        title,
        unit: Unit::Share,
        way: Way::Ratio(part),
    }
}

/// Every measure, in the order of the report; each is over the questions that it names.
pub const MEASURES: &[Measure] = &[
    ratio("key_fact_recall", "key facts right (recall)", |one| {
        of_answerable(one, one.facts_right as f64 / one.facts.max(1) as f64)
    }),
    ratio(
        "key_fact_precision",
        "figures stated that are right (precision)",
        |one| {
            let (right, strange) = (one.stated.right as f64, one.stated.strange as f64);
            (right + strange > 0.0).then_some((right, right + strange))
        },
    ),
    ratio("fully_correct", "answers fully correct", |one| {
        graded(one, Grade::Fully)
    }),
    ratio("partly_correct", "partly correct", |one| {
        graded(one, Grade::Partly)
    }),
    ratio("not_correct", "not correct (refusals with them)", |one| {
        graded(one, Grade::Not)
    }),
    ratio(
        "contradiction",
        "answers that contradict a key fact",
        |one| of_answerable(one, truth(one.contradicts)),
    ),
    ratio("token_f1", "token F1 against the reference", |one| {
        Some((one.f1?, 1.0))
    }),
    ratio("similar", "similar to the reference", |one| {
        banded(one, Band::Similar)
    }),
    ratio("somewhat_similar", "somewhat similar", |one| {
        banded(one, Band::Somewhat)
    }),
    ratio("not_similar", "not similar (refusals with them)", |one| {
        banded(one, Band::Not)
    }),
    Measure {
        key: "cosine",
        title: "cosine to the reference, mean of answers",
        unit: Unit::Number,
        way: Way::Ratio(|one| Some((f64::from(one.cosine?), 1.0))),
    },
    ratio("readings_right", "readings used rightly", |one| {
        Some((truth(one.reading?.is_right()), 1.0))
    }),
    ratio("reading_stated", "reading stated", |one| {
        Some((truth(one.reading?.value), 1.0))
    }),
    ratio("limit_stated", "its limit stated", |one| {
        Some((truth(one.reading?.limit), 1.0))
    }),
    ratio("verdict_right", "verdict right", |one| {
        Some((truth(one.reading?.verdict), 1.0))
    }),
    ratio("gold_cited", "gold section cited", |one| {
        one.ungrounded.as_ref()?;
        of_answerable(one, truth(one.gold_cited))
    }),
    ratio("quoted", "answers that are quotations", |one| {
        one.ungrounded.as_ref()?;
        answered(one).then_some((truth(one.quoted), 1.0))
    }),
    ratio("grounded", "answers with nothing ungrounded", |one| {
        let strange = one.ungrounded.as_ref()?;
        answered(one).then_some((truth(strange.is_empty()), 1.0))
    }),
    Measure {
        key: "ungrounded",
        title: "ungrounded figures, dates, names an answer",
        unit: Unit::Number,
        way: Way::Ratio(|one| {
            let strange = one.ungrounded.as_ref()?;
            answered(one).then_some((strange.len() as f64, 1.0))
        }),
    },
    ratio("refusal_recall", "unanswerable: refused", |one| {
        refused_of(one, |kind| kind != Kind::Answerable)
    }),
    ratio("refused_absent", "  absent", |one| {
        refused_of(one, |kind| kind == Kind::Absent)
    }),
    ratio(
        "refused_near_miss",
        "  near misses, all three kinds",
        |one| refused_of(one, Kind::is_near_miss),
    ),
    ratio("refused_near_miss_fact", "    fact lacking", |one| {
        refused_of(one, |kind| kind == Kind::NearMissFact)
    }),
    ratio("refused_near_miss_place", "    place not covered", |one| {
        refused_of(one, |kind| kind == Kind::NearMissPlace)
    }),
    ratio("refused_false_premise", "    false premise", |one| {
        refused_of(one, |kind| kind == Kind::FalsePremise)
    }),
    ratio("refused_answerable", "answerable: refused", |one| {
        refused_of(one, |kind| kind == Kind::Answerable)
    }),
    ratio("refusal_precision", "refusals that are right", |one| {
        one.refused
            .then_some((truth(one.kind != Kind::Answerable), 1.0))
    }),
    Measure {
        key: "length_ratio",
        title: "words for each word of the reference",
        unit: Unit::Number,
        way: Way::Ratio(|one| Some((one.length_ratio?, 1.0))),
    },
    Measure {
        key: "tokens_in",
        title: "tokens in, mean",
        unit: Unit::Tokens,
        way: Way::Ratio(|one| Some((one.tokens_in as f64, 1.0))),
    },
    Measure {
        key: "tokens_out",
        title: "tokens out, mean",
        unit: Unit::Tokens,
        way: Way::Ratio(|one| Some((one.tokens_out as f64, 1.0))),
    },
    Measure {
        key: "first_token_ms",
        title: "first token, median",
        unit: Unit::Milliseconds,
        way: Way::Median(|one| Some(one.first_token_ms? as f64)),
    },
    Measure {
        key: "total_ms",
        title: "whole answer, median",
        unit: Unit::Milliseconds,
        way: Way::Median(|one| answered(one).then_some(one.total_ms as f64)),
    },
    Measure {
        key: "energy_j",
        title: "energy an answer, mean",
        unit: Unit::Joules,
        way: Way::Ratio(|one| Some((one.energy_j?, 1.0))),
    },
];

/// The measure `key`.
pub fn measure(key: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.key == key)
}

impl Measure {
    /// Its value over `scores`; `None` where no question has a say.
    pub fn value<'a>(&self, scores: impl Iterator<Item = &'a Score>) -> Option<f64> {
        match self.way {
            Way::Median(of) => median(scores.filter_map(of).collect()),
            Way::Ratio(part) => {
                let (mut above, mut below) = (0.0, 0.0);
                for (numerator, denominator) in scores.filter_map(part) {
                    above += numerator;
                    below += denominator;
                }
                (below > 0.0).then(|| above / below)
            }
        }
    }

    /// How many of `scores` have a say.
    pub fn count<'a>(&self, scores: impl Iterator<Item = &'a Score>) -> usize {
        match self.way {
            Way::Median(of) => scores.filter_map(of).count(),
            Way::Ratio(part) => scores.filter_map(part).count(),
        }
    }
}

impl Unit {
    /// `value` as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{:.1} %", 100.0 * value),
            Unit::Number => format!("{value:.2}"),
            Unit::Tokens => format!("{value:.0}"),
            Unit::Milliseconds if value >= 10_000.0 => format!("{:.1} s", value / 1_000.0),
            Unit::Milliseconds => format!("{value:.0} ms"),
            Unit::Joules => format!("{value:.1} J"),
        }
    }
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn answered(one: &Score) -> bool {
    !one.refused && !one.failed
}

fn of_answerable(one: &Score, value: f64) -> Option<(f64, f64)> {
    (one.kind == Kind::Answerable).then_some((value, 1.0))
}

fn graded(one: &Score, grade: Grade) -> Option<(f64, f64)> {
    Some((truth(one.grade? == grade), 1.0))
}

fn banded(one: &Score, band: Band) -> Option<(f64, f64)> {
    Some((truth(one.band? == band), 1.0))
}

fn refused_of(one: &Score, is: fn(Kind) -> bool) -> Option<(f64, f64)> {
    is(one.kind).then_some((truth(one.refused), 1.0))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::study::arms::testing::row;
    use crate::study::{Arm, Split, StudyQuestion, read_text, score};

    pub(crate) fn question(id: &str, kind: Kind) -> StudyQuestion {
        let rest = match kind {
            Kind::Answerable => {
                r#","gold":{"document":"d","section":"s"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"2 inches""#
            }
            _ => "",
        };
        let split = Split::Test.name();
        let kind = kind.name();
        let text = format!(
            r#"{{"id":"{id}","split":"{split}","kind":"{kind}","question":"How deep?"{rest}}}"#
        );
        read_text(&text, std::path::Path::new("set"))
            .expect("sound")
            .remove(0)
    }

    /// The score of `text` given by `arm` to a question of `kind`; "refused" refuses.
    pub(crate) fn scored(arm: Arm, id: &str, kind: Kind, text: &str) -> Score {
        let mut row = row(arm, id, text);
        if text == "refused" {
            row.status = crate::types::Status::Refused;
            row.text.clear();
        }
        score(&question(id, kind), "Sow 2 inches deep.", &row, Some(0.9))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::scored;
    use super::*;
    use crate::study::Arm;

    fn scores() -> Vec<Score> {
        let one = |id, kind, text| scored(Arm::BaseProduct, id, kind, text);
        vec![
            one("a", Kind::Answerable, "2 inches"),
            one("b", Kind::Answerable, "2 feet"),
            one("c", Kind::Answerable, "refused"),
            one("d", Kind::Absent, "refused"),
            one("e", Kind::NearMissFact, "2 inches"),
        ]
    }

    fn value(key: &str) -> Option<f64> {
        measure(key).expect("a measure").value(scores().iter())
    }

    #[test]
    fn each_measure_is_over_the_questions_that_it_names() {
        let third = Some(1.0 / 3.0);
        for (key, expected) in [
            ("key_fact_recall", third),
            ("key_fact_precision", Some(0.5)),
            ("fully_correct", third),
            ("not_correct", Some(2.0 / 3.0)),
            ("contradiction", third),
            ("similar", Some(2.0 / 3.0)),
            ("not_similar", third),
            ("refusal_recall", Some(0.5)),
            ("refused_absent", Some(1.0)),
            ("refused_near_miss", Some(0.0)),
            ("refused_near_miss_place", None),
            ("refused_answerable", third),
            ("refusal_precision", Some(0.5)),
            ("readings_right", None),
            ("energy_j", None),
        ] {
            assert_eq!(value(key), expected, "{key}");
        }
        // Nothing is cited here, so every figure stands nowhere.
        assert_eq!(value("ungrounded"), Some(1.0));
        assert_eq!(
            measure("refusal_precision")
                .expect("one")
                .count(scores().iter()),
            2
        );
    }

    #[test]
    fn no_answer_at_all_has_no_figures() {
        for measure in MEASURES {
            assert_eq!(measure.value([].iter()), None, "{}", measure.key);
        }
    }

    #[test]
    fn every_key_is_there_once() {
        let keys: std::collections::BTreeSet<&str> = MEASURES.iter().map(|one| one.key).collect();
        assert_eq!(keys.len(), MEASURES.len());
    }
}
