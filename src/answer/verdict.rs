//! What a reading says beside the limit that a sentence gives: below it, above it, within it.
//!
//! A small model gets such comparisons wrong as often as right, and arithmetic needs no model.

use std::collections::BTreeSet;

use super::lexer::Number;
use super::limits::{Limit, contexts, limits};
use super::quantity::{self, Kind, Quantity, quantities};
use super::{prompt, words};
use crate::types::{Reading, ReadingValue};

/// Shortest first part by which a longer word is named, in bytes: `rain` of `rainfall`.
const SHORTEST_PART: usize = 4;

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
            let (Some(weight), Some((alike, text))) = (weight, held) else {
                continue;
            };
            let rank = (alike, weight);
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
fn held_against(
    reading: &Reading,
    stated: &[Quantity],
    sentence: &str,
    choice: &Choice<'_>,
) -> Option<(bool, String)> {
    let measured = measured(reading)?;
    [true, false].into_iter().find_map(|alike| {
        let of = alike_or_comparable(reading, &measured, stated, alike);
        let limits = limits(&of, sentence);
        let limit = chosen(&limits, (reading, &measured), sentence, choice)?;
        Some((alike, told(reading, &measured, limit, sentence)?))
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

/// Share of the words of a reading's name among `stems`, 0 to 1; what a count is taken over does not count.
pub fn named(reading: &Reading, stems: &BTreeSet<String>) -> f32 {
    let name = name(reading);
    // Rain is what a rainfall is of.
    let begins = |word: &str| {
        let part = |stem: &&String| stem.len() >= SHORTEST_PART && word.starts_with(stem.as_str());
        stems.iter().any(|stem| part(&stem))
    };
    let held = name
        .iter()
        .filter(|word| stems.contains(*word) || begins(word))
        .count();
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
