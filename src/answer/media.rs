//! What a temperature or a moisture was measured in: the soil, the air, a store. A limit for one says nothing of another.

use super::words;

/// What a temperature or a moisture can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Soil,
    Air,
    Day,
    Night,
    Water,
    Grain,
    Store,
}

use Medium::{Air, Day, Grain, Night, Soil, Store, Water};

/// The words that name each, in the singular.
const NAMES: &[(Medium, &[&str])] = &[
    (Soil, &["soil", "ground", "seedbed", "dirt"]),
    (Air, &["air", "weather"]),
    (Day, &["day", "daytime", "afternoon"]),
    (Night, &["night", "nighttime"]),
    (Water, &["water", "flood", "pond"]),
    (Grain, &["grain", "kernel", "paddy"]),
    (
        Store,
        &[
            "bin",
            "cellar",
            "chamber",
            "pile",
            "shed",
            "silo",
            "storage",
            "store",
            "warehouse",
        ],
    ),
];

/// Those that may speak of one thing: the grain of the store, the air by night.
const TOGETHER: &[(Medium, Medium)] = &[(Air, Night), (Air, Day), (Store, Air), (Store, Grain)];

/// Words before `day` after which it is a length of time.
const SPANS: &[&str] = &["a", "per", "few", "each", "every", "of", "several"];

/// Whether what is called `name` was measured in something other than what `text` speaks of; where either names nothing
/// of the kind both may be of one thing. Water that is spoken of beside says nothing, and of moistures only the soil's
/// and that of grain or store are told apart.
pub fn are_apart(name: &str, text: &str) -> bool {
    let own = media(name);
    let mut other = media(text);
    let says = |quality: &str| words::split(name).any(|word| word.eq_ignore_ascii_case(quality));
    if !own.contains(&Water) {
        other.retain(|medium| *medium != Water);
    }
    if says("moisture") {
        other.retain(|medium| matches!(medium, Soil | Grain | Store));
    } else if !says("temperature") {
        return false;
    }
    let may_be_one =
        |a: Medium, b: Medium| a == b || TOGETHER.contains(&(a, b)) || TOGETHER.contains(&(b, a));
    let apart = |one: &Medium| !other.iter().any(|other| may_be_one(*one, *other));
    !own.is_empty() && !other.is_empty() && own.iter().all(apart)
}

fn media(text: &str) -> Vec<Medium> {
    let mut found = Vec::new();
    let mut before = String::new();
    for word in words::split(text).map(str::to_lowercase) {
        let is_span = SPANS.contains(&before.as_str()) || words::is_number(&before);
        found.extend(medium(&word).filter(|medium| !(is_span && *medium == Day)));
        before = word;
    }
    found
}

fn medium(word: &str) -> Option<Medium> {
    let named = |word: &str| {
        let mut all = NAMES.iter();
        all.find(|(_, names)| names.contains(&word))
            .map(|(medium, _)| *medium)
    };
    named(word).or_else(|| named(word.strip_suffix('s')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soil_is_not_the_air_and_the_water_not_the_night() {
        assert!(are_apart("soil temperature", "Air below 28 °F kills."));
        assert!(are_apart("water temperature", "Several nights at 75 °F"));
        assert!(are_apart("soil moisture", "Store the grain at 14%."));
    }

    #[test]
    fn what_names_neither_may_be_of_either() {
        assert!(!are_apart("soil temperature", "Maize sprouts at 50 °F."));
        assert!(!are_apart("ground temperature", "Wait for soil at 50 °F."));
        assert!(!are_apart("mean temperature", "Nights above 20 °C"));
        assert!(!are_apart(
            "soil temperature",
            "Seed takes up water at 8 °C."
        ));
    }

    #[test]
    fn a_grain_in_store_is_grain_and_the_night_has_air() {
        assert!(!are_apart("grain moisture", "In the bin, 14%"));
        assert!(!are_apart("grain moisture", "Cut in dry weather at 20%."));
        assert!(!are_apart("air temperature", "Nights below 15 °C"));
        assert!(are_apart("night temperature", "Days of 30 °C"));
    }

    #[test]
    fn so_many_days_are_no_daytime() {
        assert!(!are_apart("night temperature", "for 30 days at 20 °C"));
        assert!(!are_apart("night temperature", "12 hours a day at 20 °C"));
    }

    #[test]
    fn a_share_of_something_is_no_quality_of_it() {
        assert!(!are_apart("soil cover", "10% of the grain"));
    }
}
