//! Where something holds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a document, a question or a box is: country, region (state), district; each may be open.
///
/// A place with no level set is *general*: it holds everywhere. Comparison ignores case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// ISO 3166-1 alpha-2 code where there is one, for example `US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// State or province, for example `Iowa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// County or district, for example `Story`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
}

impl Place {
    /// A place of a country and a region.
    pub fn new(country: &str, region: &str) -> Self {
        Place {
            country: Some(country.to_owned()),
            region: Some(region.to_owned()),
            district: None,
        }
    }

    /// Reads `US/Iowa/Story` (widest first, for names with commas) or, as answers show it, `Story, Iowa, US`.
    ///
    /// # Errors
    /// More than three levels, or a gap between them; says what to write.
    pub fn parse(text: &str) -> Result<Place, String> {
        if text.trim().eq_ignore_ascii_case("anywhere") {
            return Ok(Place::default());
        }
        let mut levels: Vec<&str> = match text.contains('/') {
            true => text.split('/').map(str::trim).collect(),
            false => text.rsplit(',').map(str::trim).collect(),
        };
        while levels.last().is_some_and(|level| level.is_empty()) {
            levels.pop();
        }
        if levels.len() > 3 || levels.iter().any(|level| level.is_empty()) {
            return Err(format!(
                "{text:?} is no place; write `US/Iowa/Story` or `Story, Iowa, US`, or fewer levels"
            ));
        }
        let mut levels = levels.into_iter().map(str::to_owned);
        Ok(Place {
            country: levels.next(),
            region: levels.next(),
            district: levels.next(),
        })
    }

    /// True when no level is set: it holds everywhere.
    pub fn is_general(&self) -> bool {
        self.country.is_none() && self.region.is_none() && self.district.is_none()
    }

    /// True when what holds at `self` also holds at `inner`: each level set here is equal there.
    pub fn covers(&self, inner: &Place) -> bool {
        let level = |outer: &Option<String>, inner: &Option<String>| match (outer, inner) {
            (None, _) => true,
            (Some(outer), Some(inner)) => same(outer, inner),
            (Some(_), None) => false,
        };
        level(&self.country, &inner.country)
            && level(&self.region, &inner.region)
            && level(&self.district, &inner.district)
    }

    /// The next wider place: district, then region, then country is left open; `None` when general.
    pub fn wider(&self) -> Option<Place> {
        let mut wider = self.clone();
        if wider.district.take().is_some()
            || wider.region.take().is_some()
            || wider.country.take().is_some()
        {
            Some(wider)
        } else {
            None
        }
    }
}

impl fmt::Display for Place {
    /// Narrowest level first: `Story, Iowa, US`; `anywhere` when general.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels: Vec<&str> = [&self.district, &self.region, &self.country]
            .into_iter()
            .filter_map(|level| level.as_deref())
            .collect();
        if levels.is_empty() {
            f.write_str("anywhere")
        } else {
            f.write_str(&levels.join(", "))
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_covers_its_districts_but_not_its_country() {
        let iowa = Place::new("US", "Iowa");
        let story = Place {
            district: Some("Story".into()),
            ..Place::new("us", "iowa")
        };
        let country = Place {
            country: Some("US".into()),
            ..Place::default()
        };
        assert!(iowa.covers(&story));
        assert!(!iowa.covers(&country));
        assert!(Place::default().covers(&story));
    }

    #[test]
    fn a_place_is_read_widest_first_with_slashes_and_narrowest_first_with_commas() {
        let iowa = Place::new("US", "Iowa");
        assert_eq!(Place::parse("US/Iowa"), Ok(iowa.clone()));
        assert_eq!(Place::parse("Iowa, US"), Ok(iowa));
        assert_eq!(
            Place::parse(&Place::parse("US/Iowa/Story").expect("a place").to_string()),
            Place::parse("Story, Iowa, US")
        );
        assert_eq!(Place::parse(" "), Ok(Place::default()));
        assert_eq!(Place::parse("anywhere"), Ok(Place::default()));
        assert!(Place::parse("a/b/c/d").is_err() && Place::parse("a//c").is_err());
    }

    #[test]
    fn widening_ends_at_anywhere() {
        let mut place = Some(Place {
            district: Some("Story".into()),
            ..Place::new("US", "Iowa")
        });
        let mut seen = Vec::new();
        while let Some(current) = place {
            seen.push(current.to_string());
            place = current.wider();
        }
        assert_eq!(seen, ["Story, Iowa, US", "Iowa, US", "US", "anywhere"]);
    }
}
