//! What kind of fact a question asks for: a length, a date, a dose per area.

use std::collections::BTreeSet;

use super::quantity::{Kind, Quantity, Scale};
use super::units::{self, Measure};
use super::words;

/// What the answer to a question must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// A number of some kind.
    pub number: bool,
    /// Of these measures, where the question says so; any number when empty.
    pub measures: Vec<Measure>,
    /// A date or time of year will do, or is what is asked.
    pub date: bool,
    /// Stems of the thing whose figure is asked: `zinc` of "how much zinc", `deep` of "how deep".
    pub focus: Vec<String>,
    /// A figure is what is asked, in so many words: "how many", "how high".
    pub figure: bool,
}

impl Wants {
    /// Reads `question`.
    pub fn of(question: &str) -> Self {
        let lower: Vec<String> = words::split(question).map(str::to_lowercase).collect();
        let text = format!(" {} ", lower.join(" "));
        let mut wants = Wants::default();
        for (phrases, measures, date) in PHRASES {
            if phrases
                .iter()
                .any(|phrase| text.contains(&format!(" {phrase} ")))
            {
                wants.number = wants.number || !measures.is_empty() || !*date;
                wants.measures.extend_from_slice(measures);
                wants.date = wants.date || *date;
            }
        }
        if wants.number && wants.measures.is_empty() {
            wants.measures = counted(&lower);
        }
        wants.focus = focus(&lower);
        wants.figure = asks_figure(question);
        wants
    }

    /// Whether a reading like `measured`, of what `named` says, can be what the question is about: "how many cores do I
    /// take" is not about the soil's temperature.
    pub fn concerns(&self, measured: &Quantity, named: &BTreeSet<String>) -> bool {
        !self.figure
            || measured
                .measure()
                .is_some_and(|measure| self.measures.contains(&measure))
            || self.focus.iter().any(|stem| named.contains(stem))
    }

    /// Also asks for a figure like `measured`, unless another kind is asked for already.
    pub fn add(&mut self, measured: &Quantity) {
        if self.is_open() {
            self.number = true;
            self.measures.extend(measured.measure());
        }
    }

    /// Whether anything in particular is asked.
    pub fn is_open(&self) -> bool {
        !self.number && !self.date
    }

    /// How well a sentence with `stated` serves: 1 the kind asked for, 0.5 some number, 0 none;
    /// 1 when nothing in particular is asked.
    pub fn fit(&self, stated: &[Quantity]) -> f32 {
        if self.is_open() {
            return 1.0;
        }
        let date = self.date && stated.iter().any(Quantity::is_date);
        let number = self.number && stated.iter().any(|one| self.measured(one));
        if date || number {
            1.0
        } else if stated.is_empty() {
            0.0
        } else {
            0.5
        }
    }

    fn measured(&self, quantity: &Quantity) -> bool {
        match &quantity.kind {
            Kind::Amount(_, Scale { unit, .. }) => {
                self.measures.is_empty()
                    || unit.is_some_and(|unit| {
                        self.measures.contains(&unit.measure)
                            || (unit.measure == Measure::Month
                                && self.measures.contains(&Measure::Time))
                    })
            }
            _ => false,
        }
    }
}

/// Words after "how" that ask for a figure.
const FIGURES: &[&str] = &[
    "much", "many", "deep", "high", "tall", "wide", "far", "long", "often", "close", "thick",
];

/// Whether a sentence of `question` begins with "how many" or the like: "here is how many I found" asks for none.
fn asks_figure(question: &str) -> bool {
    question.split(['.', '?', '!', ':', ';', ',']).any(|part| {
        let mut words = words::split(part).map(str::to_lowercase);
        let first = words.next().is_some_and(|word| word == "how");
        first
            && words
                .next()
                .is_some_and(|word| FIGURES.contains(&word.as_str()))
    })
}

/// Words that may stand after "how much" without being the thing asked for.
const NOT_THING: &[&str] = &[
    "is", "are", "too", "does", "do", "should", "must", "can", "will", "did", "goes", "now",
    "leaves",
];

/// The thing asked for: the words after "how much" or "how many" (past a unit and "of"), or the
/// quality after "how".
fn focus(words: &[String]) -> Vec<String> {
    let Some(how) = words
        .windows(2)
        .position(|two| two[0] == "how" && two[1] != "to")
    else {
        return Vec::new();
    };
    let after = &words[how + 1..];
    match after.first().map(String::as_str) {
        Some("deep" | "shallow") => vec![words::stem("deep")],
        Some("much" | "many") => after[1..]
            .iter()
            .skip_while(|word| units::named(word).is_some() || *word == "of")
            .take_while(|word| !words::is_stop(word) && !NOT_THING.contains(&word.as_str()))
            .take(3)
            .map(|word| words::stem(word))
            .collect(),
        _ => Vec::new(),
    }
}

type Phrase = (&'static [&'static str], &'static [Measure], bool);

/// Phrases of questions, the measures they ask for, and whether they ask for a date.
const PHRASES: &[Phrase] = &[
    (
        &[
            "how deep",
            "what depth",
            "how shallow",
            "how thick",
            "how high",
            "how tall",
            "how wide",
            "how far apart",
            "row spacing",
        ],
        &[Measure::Length],
        false,
    ),
    (
        &[
            "when",
            "what date",
            "which date",
            "what day",
            "which day",
            "which month",
            "what month",
            "what time",
        ],
        &[],
        true,
    ),
    (
        &["how long", "after how many days", "for how many"],
        &[Measure::Time, Measure::Month],
        false,
    ),
    (
        &[
            "how dry",
            "how wet",
            "moisture",
            "percentage",
            "what share",
            "humidity",
        ],
        &[Measure::Percent],
        false,
    ),
    (
        &[
            "how warm",
            "how cold",
            "how hot",
            "what temperature",
            "soil temperature",
        ],
        &[Measure::Temperature],
        false,
    ),
    (&["ph"], &[Measure::Ph], false),
    (
        &[
            "tire pressure",
            "tyre pressure",
            "what pressure",
            "what vacuum",
        ],
        &[Measure::Pressure],
        false,
    ),
    (
        &[
            "how much",
            "how many",
            "what rate",
            "seeding rate",
            "seed rate",
            "what dose",
            "what count",
            "threshold",
            "how often",
        ],
        &[],
        false,
    ),
];

/// The unit that a "how many litres" or "how much ... per litre" names.
fn counted(words: &[String]) -> Vec<Measure> {
    words
        .windows(3)
        .filter(|three| three[0] == "how" && (three[1] == "many" || three[1] == "much"))
        .filter_map(|three| units::named(&three[2]))
        .map(|unit| unit.measure)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::quantity::quantities;
    use super::*;

    #[test]
    fn a_depth_is_a_length_and_a_when_is_a_date() {
        assert_eq!(
            Wants::of("How deep should I sow?").measures,
            [Measure::Length]
        );
        assert!(Wants::of("When should I plant maize?").date);
        assert_eq!(
            Wants::of("How many gallons a minute?").measures,
            [Measure::Volume]
        );
        assert!(Wants::of("Is inoculant worth buying?").is_open());
    }

    #[test]
    fn the_thing_asked_for_is_found_behind_its_unit() {
        assert_eq!(
            Wants::of("How much zinc should I put on maize?").focus,
            ["zinc"]
        );
        assert_eq!(
            Wants::of("How many kilos of soybean seed do I need?").focus,
            ["soybean", "seed"]
        );
        assert_eq!(Wants::of("How deep should I sow?").focus, ["deep"]);
        assert!(Wants::of("How much is too much?").focus.is_empty());
        assert!(Wants::of("When should I sow?").focus.is_empty());
    }

    #[test]
    fn a_sentence_with_another_measure_fits_by_half() {
        let wants = Wants::of("How deep should I sow?");
        assert_eq!(wants.fit(&quantities("Sow 5 cm deep.")), 1.0);
        assert_eq!(wants.fit(&quantities("Sow 50 kg.")), 0.5);
        assert_eq!(wants.fit(&quantities("Sow deep.")), 0.0);
    }

    #[test]
    fn a_question_for_a_figure_of_its_own_is_not_about_the_reading() {
        let warm = quantities("soil temperature 12 °C").remove(0);
        let named = ["soil".to_owned(), "temperatur".to_owned()].into();
        assert!(!Wants::of("How many cores do I take?").concerns(&warm, &named));
        assert!(Wants::of("How warm must the soil be?").concerns(&warm, &named));
        assert!(Wants::of("Is it warm enough to sow?").concerns(&warm, &named));
        let moths = quantities("moths 4 moth").remove(0);
        let named = ["moth".to_owned()].into();
        assert!(Wants::of("How many moths are too many?").concerns(&moths, &named));
        let counted = Wants::of("I opened 100 flowers, here is how many were bad. Must I spray?");
        assert!(counted.concerns(&warm, &named));
    }
}
