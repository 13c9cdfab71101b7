//! What a reading says beside the limit that a sentence gives: below it, above it, within it.
//!
//! A small model gets such comparisons wrong as often as right, and arithmetic needs no model.

use std::collections::BTreeSet;

use super::lexer::Number;
use super::limits::{Limit, contexts, limits};
use super::quantity::{self, Kind, Quantity, quantities};
use super::units::Measure;
use super::{prompt, words};
use crate::types::{Reading, ReadingValue};

/// Shortest first part by which a longer word is named, in bytes: `rain` of `rainfall`.
const SHORTEST_PART: usize = 4;

/// Stems that say which of a channel's values it is, or that stand in every channel's name: limits go without them.
const QUALIFIERS: &[&str] = &[
    "air", "ambient", "averag", "avg", "current", "daili", "latest", "max", "maximum", "min",
    "minimum", "next", "probe", "sensor", "sinc", "total", "valu",
];

/// What the weight of a sentence is multiplied with that speaks of what comes beyond its limit, where the reading is: of
/// "best at 25 to 30 °C" and "hotter than 40 °C harms" the second answers at 43 °C. Of 58 readings of the development and
/// training parts 49 find their limit at 1.2 and 1.3, 48 at 1.1 and 47 without.
const CROSSED: f32 = 1.2;

/// A unit that says that the number is a share of one (SenML's `/`).
const RATIO: &str = "(ratio)";

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

/// By what one limit is taken rather than another.
pub struct Choice<'a> {
    /// What a sentence, by its position, has to do with a reading; `None` for a reading that is beside the point.
    pub weight: &'a dyn Fn(usize, &Reading) -> Option<f32>,
    /// What the words beside a limit have to do with the question.
    pub shared: &'a dyn Fn(&BTreeSet<String>) -> f32,
}

/// Compares one of `readings` with a figure of its kind in one of `sentences`; `None` where none has such a figure.
///
/// A count of the same things ("3 moths" for moths) goes before a bare number, then the sentence of most weight for
/// that reading, then the order of `sentences`. Of several limits in a sentence the one counts whose words are the
/// question's, then one that the reading meets, then the first.
pub fn verdict(readings: &[Reading], sentences: &[&str], choice: &Choice<'_>) -> Option<Verdict> {
    let mut best: Option<((bool, f32), Verdict)> = None;
    for (place, sentence) in sentences.iter().enumerate() {
        let stated = quantity::limits(sentence);
        for (at, reading) in readings.iter().enumerate() {
            let weight = (choice.weight)(place, reading);
            let held = held_against(reading, &stated, sentence, choice);
            let (Some(weight), Some(held)) = (weight, held) else {
                continue;
            };
            let weight = match held.crossed {
                true => CROSSED * weight,
                false => weight,
            };
            let rank = (held.alike, weight);
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                let verdict = Verdict {
                    reading: at,
                    sentence: place,
                    text: held.text,
                };
                best = Some((rank, verdict));
            }
        }
    }
    best.map(|(_, verdict)| verdict)
}

/// A reading beside one limit of a sentence.
struct Held {
    /// Whether both are of the same things.
    alike: bool,
    /// Whether the sentence speaks of what comes beyond the limit, and the reading is there: "above 65 °F", at 70 °F.
    crossed: bool,
    /// The comparison in words.
    text: String,
}

/// `reading` beside the figure in `sentence` that it can be held against.
fn held_against(
    reading: &Reading,
    stated: &[Quantity],
    sentence: &str,
    choice: &Choice<'_>,
) -> Option<Held> {
    let measured = measured(reading)?;
    [true, false].into_iter().find_map(|alike| {
        let of = alike_or_comparable(reading, &measured, stated, alike);
        let limits = limits(&of, sentence);
        let limit = chosen(&limits, (reading, &measured), sentence, choice)?;
        Some(Held {
            alike,
            crossed: limit.is_crossed(&measured, sentence),
            text: told(reading, &measured, limit, sentence)?,
        })
    })
}

/// The one of `limits` that is asked about.
fn chosen<'a>(
    limits: &'a [Limit<'a>],
    (reading, measured): (&Reading, &Quantity),
    sentence: &str,
    choice: &Choice<'_>,
) -> Option<&'a Limit<'a>> {
    let name = name(reading);
    let mut best: Option<((bool, f32, bool), &Limit<'_>)> = None;
    for (limit, context) in limits.iter().zip(contexts(limits, sentence)) {
        let rank = (
            !limit.is_of_another(&name, sentence),
            (choice.shared)(&context),
            limit.is_met(measured, sentence),
        );
        if best.is_none_or(|(other, _)| rank > other) {
            best = Some((rank, limit));
        }
    }
    best.map(|(_, limit)| limit)
}

/// Those of `stated` that `measured` can be held against: with `alike` of the same things only.
fn alike_or_comparable<'a>(
    reading: &Reading,
    measured: &Quantity,
    stated: &'a [Quantity],
    alike: bool,
) -> Vec<&'a Quantity> {
    let named = name(reading);
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

/// What `reading` measured, on the scale of its unit and its name; `None` where it is no number.
pub fn measured(reading: &Reading) -> Option<Quantity> {
    let ReadingValue::Number(value) = reading.value else {
        return None;
    };
    let unit = reading.unit.as_deref().unwrap_or_default();
    let (value, unit) = match unit {
        RATIO => (100.0 * value, "%"),
        _ => (value, unit),
    };
    // With its name: a pH is told by it alone. The figure stands in for the value, which may be a year's or have a sign.
    let mut measured = quantities(&format!("{} 7 {unit}", spoken(reading)))
        .into_iter()
        .find(|one| one.value() == Some(7.0))?;
    if let Kind::Amount(number, _) = &mut measured.kind {
        *number = Number::exact(value);
    }
    Some(measured)
}

/// The stems of the name of what was measured, without what a count is taken over.
pub fn name(reading: &Reading) -> BTreeSet<String> {
    words::content(counted(&spoken(reading)))
}

/// Share of the words of a reading's name among `stems`, 0 to 1, beside a limit in the reading's own unit. What a count
/// is taken over does not count, nor [`QUALIFIERS`], and a limit in degrees is one of a temperature.
pub fn named(reading: &Reading, stems: &BTreeSet<String>) -> f32 {
    let name = name(reading);
    let told = told_by_unit(reading);
    // Rain is what a rainfall is of.
    let begins = |word: &str| {
        let part = |stem: &&String| stem.len() >= SHORTEST_PART && word.starts_with(stem.as_str());
        stems.iter().any(|stem| part(&stem))
    };
    let words: Vec<&String> = name
        .iter()
        .filter(|word| !QUALIFIERS.contains(&word.as_str()))
        .collect();
    let held = words
        .iter()
        .filter(|word| {
            let kin = words::kin(word).iter().any(|other| stems.contains(other));
            stems.contains(**word) || kin || told.contains(&word.as_str()) || begins(word)
        })
        .count();
    held as f32 / words.len().max(1) as f32
}

/// Stems that a reading's unit tells, so that a limit in that unit need not.
fn told_by_unit(reading: &Reading) -> &'static [&'static str] {
    let of = |one: Quantity| Some((one.measure()?, one.over()));
    match measured(reading).and_then(of) {
        Some((Measure::Temperature, _)) => &["temperatur"],
        Some((Measure::Time, _)) => &["day", "hour"],
        Some((Measure::Length, Some(Measure::Time))) => &["speed"],
        Some((Measure::Mass, Some(Measure::Bushel))) => &["test", "weight"],
        _ => &[],
    }
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
    limit: &Limit<'_>,
    sentence: &str,
) -> Option<String> {
    let name = spoken(reading);
    let value = prompt::amount(reading);
    let of = match reading.device.as_str() {
        "" => String::new(),
        device => format!(" ({device})"),
    };
    let (relation, limit) = limit.relation(measured, sentence)?;
    Some(format!("The {name}{of} of {value} {relation} {limit}."))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
