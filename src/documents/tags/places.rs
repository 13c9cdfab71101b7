//! Places in titles, headings and running text.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::gazetteer::{
    COUNTRIES, DISTRICTS, INSTITUTIONS, NEEDS_PREPOSITION, NO_PLACE_BEFORE, PREPOSITIONS, REGIONS,
};
use crate::types::Place;

/// Words between a name and the word that makes it an institution's.
const INSTITUTION_REACH: usize = 4;

/// Fewest mentions for a place to be taken from running text.
const MIN_MENTIONS: usize = 3;

/// One mention in so many words: a document about a place names it again and again.
const WORDS_PER_MENTION: usize = 150;

struct Name {
    words: Vec<&'static str>,
    place: Place,
    needs_preposition: bool,
}

/// Names by their first word, longest first.
static NAMES: LazyLock<HashMap<&'static str, Vec<Name>>> = LazyLock::new(|| {
    let mut names: HashMap<&'static str, Vec<Name>> = HashMap::new();
    let mut add = |name: &'static str, place: Place| {
        let words: Vec<&str> = words(name).map(|(_, word)| word).collect();
        if let Some(first) = words.first() {
            names.entry(first).or_default().push(Name {
                needs_preposition: NEEDS_PREPOSITION.contains(&name),
                words,
                place,
            });
        }
    };
    for (country, own) in COUNTRIES {
        let place = Place {
            country: Some((*country).to_owned()),
            ..Place::default()
        };
        own.iter().for_each(|name| add(name, place.clone()));
    }
    for (country, region, others) in REGIONS {
        let place = Place::new(country, region);
        add(region, place.clone());
        others.iter().for_each(|name| add(name, place.clone()));
    }
    for (country, region, district, own) in DISTRICTS {
        let place = Place {
            district: Some((*district).to_owned()),
            ..Place::new(country, region)
        };
        own.iter().for_each(|name| add(name, place.clone()));
    }
    for same in names.values_mut() {
        same.sort_by_key(|name| std::cmp::Reverse(name.words.len()));
    }
    names
});

/// Words with their offsets; apostrophes belong to them, so that `Côte d'Ivoire` is two.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(is_part)?;
        let end = rest[start..].find(|c: char| !is_part(c));
        let end = end.map_or(rest.len(), |end| start + end);
        let word = &rest[start..end];
        let offset = word.as_ptr() as usize - text.as_ptr() as usize;
        rest = &rest[end..];
        Some((offset, word))
    })
}

/// The places that `text` names, in order, as often as it does.
pub fn named_in(text: &str) -> Vec<Place> {
    let words: Vec<&str> = words(text).map(|(_, word)| word).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match name_at(&words, at) {
            Some(name) => {
                found.push(name.place.clone());
                at += name.words.len();
            }
            None => at += 1,
        }
    }
    found
}

fn name_at(words: &[&str], at: usize) -> Option<&'static Name> {
    // "Iowa's" is Iowa.
    let bare = |word: &str| {
        word.trim_end_matches("'s")
            .trim_end_matches("’s")
            .to_owned()
    };
    let matches = |name: &&Name| {
        let here = &words[at..words.len().min(at + name.words.len())];
        let same = |(own, word): (&&str, &&str)| *own == *word || **own == bare(word);
        here.len() == name.words.len() && name.words.iter().zip(here).all(same)
    };
    let name = NAMES.get(bare(words[at]).as_str())?.iter().find(matches)?;
    let before = at.checked_sub(1).map(|before| words[before].to_lowercase());
    let after: Vec<String> = words[at + name.words.len()..]
        .iter()
        .take(INSTITUTION_REACH)
        .map(|word| word.to_lowercase())
        .collect();
    let is_institution = after
        .iter()
        .any(|word| INSTITUTIONS.contains(&word.as_str()))
        || (before.as_deref() == Some("of")
            && at >= 2
            && INSTITUTIONS.contains(&words[at - 2].to_lowercase().as_str()));
    let is_plant = after
        .first()
        .is_some_and(|word| NO_PLACE_BEFORE.contains(&word.as_str()));
    let has_preposition = before.is_some_and(|word| PREPOSITIONS.contains(&word.as_str()));
    let is_place = !is_institution && !is_plant && (has_preposition || !name.needs_preposition);
    is_place.then_some(name)
}

/// The one place that all of `places` are about: the narrowest where they lie in each other, else what
/// they have in common; `None` where that is nothing.
pub(super) fn common(places: &[Place]) -> Option<Place> {
    let places = without_twins(places);
    let mut places = places.iter();
    let mut common = places.next()?.clone();
    for place in places {
        if common.covers(place) {
            common = place.clone();
        } else if !place.covers(&common) {
            let shared = [&common, place].map(|place| place.country.as_deref());
            if shared[0] != shared[1] {
                return None;
            }
            let same_region = common.region == place.region;
            common = Place {
                country: common.country,
                region: common.region.filter(|_| same_region),
                district: None,
            };
        }
    }
    Some(common)
}

/// `places`, with the Punjab of Pakistan where Pakistan is named and India is not.
fn without_twins(places: &[Place]) -> Vec<Place> {
    let is_named = |code: &str| {
        let mut countries = places.iter().filter(|place| place.region.is_none());
        countries.any(|place| place.country.as_deref() == Some(code))
    };
    let is_pakistan = is_named("PK") && !is_named("IN");
    let mut places = places.to_vec();
    for place in &mut places {
        if is_pakistan && *place == Place::new("IN", "Punjab") {
            *place = Place::new("PK", "Punjab");
        }
    }
    places
}

/// The place that running text is about, where it names one so often that it can be about no other.
///
/// What stands in brackets does not count: there stand makers of equipment and affiliations.
pub(super) fn dominant(text: &str) -> Option<Place> {
    let text = without_brackets(text);
    let places = without_twins(&named_in(&text));
    let least = MIN_MENTIONS.max(words(&text).count() / WORDS_PER_MENTION);
    let mut chosen = Place::default();
    let mut within = places;
    for level in 0..3 {
        let part = |place: &Place| match level {
            0 => place.country.clone(),
            1 => place.region.clone(),
            _ => place.district.clone(),
        };
        let named: Vec<&Place> = within
            .iter()
            .filter(|place| part(place).is_some())
            .collect();
        let mut counts: HashMap<Option<String>, usize> = HashMap::new();
        named
            .iter()
            .for_each(|place| *counts.entry(part(place)).or_default() += 1);
        // Of two equal ones neither leads, so the order of the map is of no matter.
        let Some((name, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            break;
        };
        if count < least || count * 3 < named.len() * 2 {
            break;
        }
        within.retain(|place| part(place) == name);
        match level {
            0 => chosen.country = name,
            1 => chosen.region = name,
            _ => chosen.district = name,
        }
    }
    (!chosen.is_general()).then_some(chosen)
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.saturating_sub(1),
                // A bracket that is never closed must not swallow the rest.
                '\n' => depth = 0,
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        named_in(text).iter().map(Place::to_string).collect()
    }

    #[test]
    fn names_are_found_longest_first_and_institutions_are_none() {
        for (text, places) in [
            ("Planting maize in Iowa", &["Iowa, US"][..]),
            (
                "Iowa's corn, West Virginia's",
                &["Iowa, US", "West Virginia, US"],
            ),
            ("Soja em Mato Grosso do Sul", &["Mato Grosso do Sul, BR"]),
            ("Story County fields; a story", &["Story, Iowa, US"]),
            ("New Mexico and Mexico", &["New Mexico, US", "MX"]),
            ("Iowa State University says so", &[]),
            ("at the University of Nebraska", &[]),
            (
                "Punjab Agricultural University, Ludhiana",
                &["Ludhiana, Punjab, IN"],
            ),
            ("Kentucky bluegrass, Brazil nut, Guinea grass", &[]),
            ("Turkey feed; wheat in Turkey", &["TR"]),
            ("tell us about rice in the US", &["US"]),
            ("", &[]),
        ] {
            assert_eq!(shown(text), places, "{text}");
        }
    }

    #[test]
    fn places_in_each_other_make_one_and_others_their_common_part() {
        let common = |text: &str| common(&named_in(text)).map(|place| place.to_string());
        assert_eq!(
            common("Ludhiana, Punjab, India").as_deref(),
            Some("Ludhiana, Punjab, IN")
        );
        assert_eq!(common("Iowa and Nebraska").as_deref(), Some("US"));
        assert_eq!(common("India and Brazil"), None);
        assert_eq!(common("Punjab, Pakistan").as_deref(), Some("Punjab, PK"));
    }

    #[test]
    fn text_is_about_a_place_only_when_it_names_it_again_and_again() {
        let about = "In Iowa, plant early. Iowa fields are wet. Most of Iowa is drained.";
        assert_eq!(dominant(about), Some(Place::new("US", "Iowa")));
        let once = "Plant early. Fields in Iowa are wet, those in Punjab are dry.";
        assert_eq!(dominant(once), None);
        let makers = "Meters (Sigma, USA) and pumps (Acme, USA) and tubes (Bolt, USA).";
        assert_eq!(dominant(makers), None);
        let rare = format!("{about} {}", "Words go on and on. ".repeat(1_000));
        assert_eq!(dominant(&rare), None);
        let both = "Iowa and Punjab. Iowa and Punjab. Iowa and Punjab.";
        assert_eq!(dominant(both), None);
    }
}
