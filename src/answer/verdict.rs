//! What a reading says beside the limit that a sentence gives: below it, above it, within it.
//!
//! A small model gets such comparisons wrong as often as right, and arithmetic needs no model.

use std::collections::BTreeSet;

use super::quantity::{Quantity, quantities};
use super::{prompt, words};
use crate::types::{Reading, ReadingValue};

/// Most bytes between the two ends of a range: `17 to 21 percent`.
const RANGE_GAP: usize = 5;

/// What stands between the two ends of a range.
const JOINTS: &[&str] = &["to", "and", "or", "-", "–", "—"];

/// A reading held against a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Position of the reading.
    pub reading: usize,
    /// Position of the sentence.
    pub sentence: usize,
    /// One whole sentence: `The soil temperature of 44 °F is below 50 °F.`
    pub text: String,
}

/// Compares one of `readings` with a figure of its kind in one of `sentences`; `None` where none has such a figure.
///
/// A count of the same things ("3 moths" for moths) goes before a bare number, then the sentence to which `weight` gives
/// most for that reading, then the order of `sentences`.
pub fn verdict(
    readings: &[Reading],
    sentences: &[&str],
    weight: &dyn Fn(usize, &Reading) -> f32,
) -> Option<Verdict> {
    let mut best: Option<((bool, f32), Verdict)> = None;
    for (place, sentence) in sentences.iter().enumerate() {
        let stated = quantities(sentence);
        for (at, reading) in readings.iter().enumerate() {
            let Some((alike, text)) = held_against(reading, &stated, sentence) else {
                continue;
            };
            let rank = (alike, weight(place, reading));
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                let verdict = Verdict {
                    reading: at,
                    sentence: place,
                    text,
                };
                best = Some((rank, verdict));
            }
        }
    }
    best.map(|(_, verdict)| verdict)
}

/// `reading` beside the figure in `sentence` that it can be held against, and whether both are of the same things.
fn held_against(reading: &Reading, stated: &[Quantity], sentence: &str) -> Option<(bool, String)> {
    let measured = measured(reading)?;
    [true, false].into_iter().find_map(|alike| {
        let limits = limits(reading, &measured, stated, alike);
        Some((alike, told(reading, &measured, &limits, sentence)?))
    })
}

/// Those of `stated` that `measured` can be held against: with `alike` of the same things only.
fn limits<'a>(
    reading: &Reading,
    measured: &Quantity,
    stated: &'a [Quantity],
    alike: bool,
) -> Vec<&'a Quantity> {
    let named = words::content(counted(&spoken(reading)));
    let concerns = |limit: &Quantity| {
        let things = limit.things();
        things.is_empty()
            || things
                .iter()
                .any(|thing| named.contains(thing) || measured.things().contains(thing))
    };
    stated
        .iter()
        .filter(|one| match alike {
            true => measured.is_alike(one),
            false => measured.is_comparable(one),
        })
        .filter(|one| concerns(one))
        .collect()
}

/// The kind of figure that answers a question with this reading.
pub fn measured(reading: &Reading) -> Option<Quantity> {
    let ReadingValue::Number(value) = reading.value else {
        return None;
    };
    // With its name: a pH is told by it alone.
    let fact = format!("{} {}", spoken(reading), prompt::amount(reading));
    quantities(&fact)
        .into_iter()
        .find(|one| one.value() == Some(value))
}

/// Share of the words of a reading's name among `stems`, 0 to 1; what a count is taken over does not count.
pub fn named(reading: &Reading, stems: &BTreeSet<String>) -> f32 {
    let name = words::content(counted(&spoken(reading)));
    let held = name.intersection(stems).count();
    held as f32 / name.len().max(1) as f32
}

/// Moths per trap are moths: what they are counted over is not what is counted.
fn counted(name: &str) -> &str {
    name.split(" per ").next().unwrap_or_default()
}

/// The name of what was measured, in words: `soil temperature`.
pub fn spoken(reading: &Reading) -> String {
    reading.name.replace(['-', '_'], " ")
}

/// The comparison in words.
fn told(
    reading: &Reading,
    measured: &Quantity,
    limits: &[&Quantity],
    sentence: &str,
) -> Option<String> {
    let first = limits.first()?;
    let second = limits
        .get(1)
        .filter(|second| is_range(first, second, sentence));
    let name = spoken(reading);
    let value = prompt::amount(reading);
    let of = match reading.device.as_str() {
        "" => String::new(),
        device => format!(" ({device})"),
    };
    let end = second.map_or(first.end, |second| second.end);
    let limit = sentence.get(first.start..end)?.trim();
    let (low, high) = (first, second.unwrap_or(first));
    let relation = match (measured.compare(low)?, measured.compare(high)?) {
        (below, _) if below.is_lt() => "is below",
        (_, above) if above.is_gt() => "is above",
        _ if second.is_some() => "is within",
        _ => "is exactly",
    };
    Some(format!("The {name}{of} of {value} {relation} {limit}."))
}

/// Whether two quantities are the ends of one range.
fn is_range(first: &Quantity, second: &Quantity, sentence: &str) -> bool {
    // The first end of "17 to 21 percent" shares the unit of the second, which may lie behind it.
    let number_end = sentence[first.start..]
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .map_or(first.end, |length| first.start + length);
    let gap = |from: usize| sentence.get(from..second.start).map(str::trim);
    [first.end, number_end]
        .into_iter()
        .filter_map(gap)
        .any(|between| between.len() <= RANGE_GAP && JOINTS.contains(&between))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(name: &str, value: f64, unit: &str) -> Reading {
        Reading {
            device: String::new(),
            name: name.into(),
            value: ReadingValue::Number(value),
            unit: (!unit.is_empty()).then(|| unit.to_owned()),
            at: 0,
        }
    }

    fn text(reading: Reading, sentence: &str) -> Option<String> {
        verdict(&[reading], &[sentence], &|_, _| 1.0).map(|verdict| verdict.text)
    }

    #[test]
    fn a_count_is_held_against_the_limit_of_its_own_things() {
        let release = "Release 50,000 egg parasitoids per acre when a trap catches 3 moths.";
        assert_eq!(
            text(reading("moths-per-trap", 4.0, "moth"), release).as_deref(),
            Some("The moths per trap of 4 moth is above 3 moths.")
        );
        let leaves = "Spray cotton when the top three leaves carry six whiteflies a leaf.";
        assert_eq!(
            text(reading("whitefly-per-leaf", 8.0, ""), leaves).as_deref(),
            Some("The whitefly per leaf of 8 is above six whiteflies.")
        );
        let plants = "Sow 80,000 plants per hectare.";
        assert_eq!(text(reading("moths-per-trap", 4.0, "moth"), plants), None);
    }

    #[test]
    fn a_sentence_over_the_same_ground_goes_before_one_over_another() {
        let bugs = reading("stink-bugs-on-straw", 1.2, "bug per square metre");
        let found = verdict(
            &[bugs],
            &[
                "Treat at 1 stink bug per 5 plants.",
                "Before sowing, 2 stink bugs per square metre justify a treatment.",
            ],
            &|_, _| 1.0,
        )
        .expect("two limits");
        assert_eq!(found.sentence, 1);
        assert!(
            found.text.contains("is below 2 stink bugs"),
            "{}",
            found.text
        );
    }

    #[test]
    fn of_two_limits_the_one_of_more_weight_counts_and_of_equal_ones_the_first() {
        let ground = [reading("soil-temperature", 44.0, "°F")];
        let sentences = [
            "Store seed below 60 °F.",
            "Plant at a soil temperature of 50 °F.",
        ];
        let found = |weights: [f32; 2]| {
            verdict(&ground, &sentences, &|at, _| weights[at]).map(|verdict| verdict.sentence)
        };
        assert_eq!(found([0.9, 1.0]), Some(1));
        assert_eq!(found([1.0, 1.0]), Some(0));
    }

    #[test]
    fn the_share_of_a_readings_name_leaves_out_what_is_counted_over() {
        let stems = |text: &str| words::content(text);
        let moths = reading("moths-per-trap", 4.0, "moth");
        assert_eq!(named(&moths, &stems("three moths caught")), 1.0);
        let ground = reading("soil-temperature", 44.0, "°F");
        assert_eq!(named(&ground, &stems("wait until the soil is warm")), 0.5);
    }

    #[test]
    fn a_reading_is_below_or_above_a_limit() {
        let wait = "Wait to plant maize until the soil is 50 °F (10 °C) and rising.";
        assert_eq!(
            text(reading("soil-temperature", 44.0, "°F"), wait).as_deref(),
            Some("The soil temperature of 44 °F is below 50 °F.")
        );
        assert_eq!(
            text(reading("soil-temperature", 12.0, "°C"), wait).as_deref(),
            Some("The soil temperature of 12 °C is above 50 °F.")
        );
    }

    #[test]
    fn a_range_has_an_inside() {
        let cut = "Cut rice at 17 to 21 percent grain moisture.";
        let of = |value| text(reading("grain-moisture", value, "%"), cut);
        assert_eq!(
            of(18.5).as_deref(),
            Some("The grain moisture of 18.5% is within 17 to 21 percent.")
        );
        assert!(of(25.0).is_some_and(|text| text.contains("is above")));
        assert!(of(16.0).is_some_and(|text| text.contains("is below")));
    }

    #[test]
    fn figures_of_another_kind_are_no_limit() {
        let deep = "Sow the seed 5 cm deep.";
        assert_eq!(text(reading("soil-temperature", 9.5, "°C"), deep), None);
        assert_eq!(text(reading("soil-temperature", 9.5, "°C"), ""), None);
    }

    #[test]
    fn a_bare_number_is_compared_with_a_bare_number() {
        let ph = "Cotton likes a soil pH of 6 to 8.";
        let told = text(reading("soil-ph", 7.5, ""), ph);
        assert!(
            told.as_deref()
                .is_some_and(|text| text.contains("is within 6 to 8")),
            "{told:?}"
        );
    }
}
