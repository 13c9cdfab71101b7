//! Which passages may be returned for a place, and how near they are to it.

use serde::Serialize;

use super::words;
use crate::documents::{self, crops};
use crate::types::Place;

/// What a passage loses in the fused score for each level by which its place is wider than the asked one.
///
/// A quarter of the spread of a score: the place's own passage leads among equals, a wider one that is
/// clearly better still wins.
pub const WIDER_PENALTY: f32 = 0.25;

/// What a passage about other crops only loses: its figures answer another question, however alike the words.
pub const OTHER_CROP_PENALTY: f32 = 1.0;

/// Nothing that leads stands at the asked place itself; citations must say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fallback {
    /// The place asked for.
    pub asked: Place,
    /// The wider place of the best passage; general when it holds everywhere.
    pub used: Place,
}

/// What a question is asked for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// `None`: passages of every place may be returned.
    place: Option<Place>,
    crops: Vec<String>,
}

impl Scope {
    /// For the place and crop of a question, or else the crops that its text names.
    ///
    /// A region or district of `known` that the text names goes before the asker's own: "in Punjab"
    /// asked from Iowa is asked of Punjab. A general place asks for nothing: it sets no limit.
    pub fn new(place: Option<&Place>, crop: Option<&str>, text: &str, known: &[Place]) -> Self {
        let named = || crops::named_in(text).into_iter().map(str::to_owned);
        let place = place.cloned().unwrap_or_default();
        let place = named_place(text, &place, known)
            .or_else(|| foreign_place(text, &place))
            .unwrap_or(place);
        Scope {
            place: Some(place).filter(|place| !place.is_general()),
            crops: match crop.map(str::trim).filter(|crop| !crop.is_empty()) {
                Some(crop) => vec![crops::canonical(crop)],
                None => named().collect(),
            },
        }
    }

    /// The place asked for, unless it sets no limit.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// By how many levels `own` is wider than the asked place; `None` when it does not hold there.
    ///
    /// What holds in Iowa holds in its districts; what holds in Punjab is never given to Iowa.
    pub fn levels_wider(&self, own: &Place) -> Option<u8> {
        match &self.place {
            None => Some(0),
            Some(asked) if own.covers(asked) => Some(depth(asked).saturating_sub(depth(own))),
            Some(_) => None,
        }
    }

    /// Whether one of `crops` is asked about.
    pub fn is_about(&self, crops: &[String]) -> bool {
        crops.iter().any(|crop| self.crops.contains(crop))
    }

    /// Whether all of `crops` are others than those asked about.
    pub fn is_about_others(&self, crops: &[String]) -> bool {
        !self.crops.is_empty() && !crops.is_empty() && !self.is_about(crops)
    }

    /// The fallback that an answer led by a passage of `best` makes.
    pub fn fallback(&self, best: &Place) -> Option<Fallback> {
        let asked = self.place.as_ref()?;
        (self.levels_wider(best)? > 0).then(|| Fallback {
            asked: asked.clone(),
            used: best.clone(),
        })
    }
}

/// The narrowest of the `known` places that `text` names and `asked` does not.
fn named_place(text: &str, asked: &Place, known: &[Place]) -> Option<Place> {
    let text = format!(" {} ", words::folded(text));
    let stands = |name: &str| text.contains(&format!(" {} ", words::folded(name)));
    let narrowest = |place: &&Place| depth(place);
    known
        .iter()
        .filter(|place| {
            let name = place.district.as_ref().or(place.region.as_ref());
            // The asker's own region, named again, is no other place: nor is one of its name elsewhere.
            name.is_some_and(|name| stands(name) && !has(asked, name))
        })
        .max_by_key(narrowest)
        .cloned()
}

/// A place of the gazetteer that `text` asks for with "in" and that has nothing to do with `asked`.
///
/// "In Kenya" asked from Iowa must find what holds in Kenya or nothing, never what holds in Iowa;
/// "near the Missouri border" is still asked of Iowa.
fn foreign_place(text: &str, asked: &Place) -> Option<Place> {
    let folded = format!(" {} ", words::folded(text));
    let is_asked_for = |place: &Place| match place.district.as_ref().or(place.region.as_ref()) {
        // The Punjab of Pakistan, named again, is not the Indian one.
        Some(name) => {
            !has(asked, name) && folded.contains(&format!(" in {} ", words::folded(name)))
        }
        None => true,
    };
    documents::named_places(text)
        .into_iter()
        .find(|place| !place.covers(asked) && !asked.covers(place) && is_asked_for(place))
}

/// Whether a level of `place` has this name.
fn has(place: &Place, name: &str) -> bool {
    [&place.country, &place.region, &place.district]
        .into_iter()
        .flatten()
        .any(|level| words::folded(level) == words::folded(name))
}

/// Number of levels that are set.
fn depth(place: &Place) -> u8 {
    [&place.country, &place.region, &place.district]
        .into_iter()
        .map(|level| u8::from(level.is_some()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story() -> Place {
        Place {
            district: Some("Story".into()),
            ..Place::new("US", "Iowa")
        }
    }

    #[test]
    fn wider_places_hold_and_others_do_not() {
        let scope = Scope::new(Some(&story()), None, "", &[]);
        let us = Place {
            country: Some("us".into()),
            ..Place::default()
        };
        for (own, expected) in [
            (story(), Some(0)),
            (Place::new("US", "Iowa"), Some(1)),
            (us, Some(2)),
            (Place::default(), Some(3)),
            (Place::new("US", "Ohio"), None),
            (Place::new("IN", "Punjab"), None),
        ] {
            assert_eq!(scope.levels_wider(&own), expected, "{own}");
        }
    }

    #[test]
    fn a_narrower_place_does_not_stand_for_a_wider_one() {
        let scope = Scope::new(Some(&Place::new("US", "Iowa")), None, "", &[]);
        assert_eq!(scope.levels_wider(&story()), None);
    }

    #[test]
    fn without_a_place_every_passage_may_be_returned() {
        for scope in [
            Scope::new(None, None, "", &[]),
            Scope::new(Some(&Place::default()), None, "", &[]),
        ] {
            assert_eq!(scope.levels_wider(&story()), Some(0));
            assert_eq!(scope.fallback(&Place::default()), None);
        }
    }

    #[test]
    fn a_place_that_the_question_names_goes_before_the_askers() {
        let known = [
            Place::new("IN", "Punjab"),
            Place::new("US", "Iowa"),
            Place::new("BR", "São Paulo"),
            story(),
        ];
        let us = Place {
            country: Some("US".into()),
            ..Place::default()
        };
        let place = |asked: &Place, text: &str| {
            let scope = Scope::new(Some(asked), None, text, &known);
            scope.place().cloned().unwrap_or_default()
        };
        let iowa = Place::new("US", "Iowa");
        assert_eq!(place(&iowa, "When do they sow in Punjab?"), known[0]);
        assert_eq!(place(&us, "When to plant corn in Iowa"), iowa);
        assert_eq!(place(&Place::default(), "cana em Sao Paulo"), known[2]);
        assert_eq!(place(&story(), "When to plant in Iowa?"), story());
        assert_eq!(place(&iowa, "How deep in Story county?"), story());
        let elsewhere = Place::new("PK", "Punjab");
        assert_eq!(place(&elsewhere, "When to sow in Punjab?"), elsewhere);
        assert_eq!(place(&iowa, "How deep do I sow?"), iowa);
        assert_eq!(
            place(&iowa, "When is maize planted in Ohio?"),
            Place::new("US", "Ohio")
        );
        assert_eq!(place(&iowa, "We farm near the Missouri border."), iowa);
    }

    #[test]
    fn the_asked_crop_leads_and_a_named_one_stands_in() {
        let maize = ["maize".to_owned()];
        let wheat = ["wheat".to_owned()];
        let asked = Scope::new(None, Some("Corn"), "Is wheat in rotation?", &[]);
        assert!(asked.is_about(&maize) && !asked.is_about(&wheat));
        let named = Scope::new(None, Some(" "), "Is wheat in rotation?", &[]);
        assert!(named.is_about(&wheat) && !named.is_about(&maize));
        assert!(named.is_about_others(&maize) && !named.is_about_others(&[]));
        assert!(!Scope::default().is_about_others(&maize));
    }
}
