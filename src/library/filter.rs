//! Which passages may be returned for a place, and how near they are to it.

use serde::Serialize;

use crate::documents::crops;
use crate::types::Place;

/// What a passage loses in the fused score for each level by which its place is wider than the asked one.
///
/// A quarter of the spread of a score: the place's own passage leads among equals, a wider one that is
/// clearly better still wins.
pub const WIDER_PENALTY: f32 = 0.25;

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
    /// A general place asks for nothing: it sets no limit.
    pub fn new(place: Option<&Place>, crop: Option<&str>, text: &str) -> Self {
        let named = || crops::named_in(text).into_iter().map(str::to_owned);
        Scope {
            place: place.filter(|place| !place.is_general()).cloned(),
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

    /// The fallback that an answer led by a passage of `best` makes.
    pub fn fallback(&self, best: &Place) -> Option<Fallback> {
        let asked = self.place.as_ref()?;
        (self.levels_wider(best)? > 0).then(|| Fallback {
            asked: asked.clone(),
            used: best.clone(),
        })
    }
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
        let scope = Scope::new(Some(&story()), None, "");
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
        let scope = Scope::new(Some(&Place::new("US", "Iowa")), None, "");
        assert_eq!(scope.levels_wider(&story()), None);
    }

    #[test]
    fn without_a_place_every_passage_may_be_returned() {
        for scope in [
            Scope::new(None, None, ""),
            Scope::new(Some(&Place::default()), None, ""),
        ] {
            assert_eq!(scope.levels_wider(&story()), Some(0));
            assert_eq!(scope.fallback(&Place::default()), None);
        }
    }

    #[test]
    fn the_asked_crop_leads_and_a_named_one_stands_in() {
        let maize = ["maize".to_owned()];
        let wheat = ["wheat".to_owned()];
        let asked = Scope::new(None, Some("Corn"), "Is wheat in rotation?");
        assert!(asked.is_about(&maize) && !asked.is_about(&wheat));
        let named = Scope::new(None, Some(" "), "Is wheat in rotation?");
        assert!(named.is_about(&wheat) && !named.is_about(&maize));
    }
}
