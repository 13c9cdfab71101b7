//! What a file says of itself.

use super::clipped;
use crate::types::Place;

/// Longest single value, in characters.
const MAX_CHARS: usize = 500;

/// Most authors, crops and topics kept, and longest of them in characters.
const MAX_ITEMS: usize = 64;
const MAX_ITEM_CHARS: usize = 100;

/// What a file says of itself; every part may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The id that it asks for.
    pub id: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Authors, as `Given Surname` where the format tells the parts apart.
    pub authors: Vec<String>,
    /// Date of the content, as written; ISO 8601 where the format has numbers.
    pub date: Option<String>,
    /// Where it comes from: a DOI as a link where it has one.
    pub source: Option<String>,
    /// Licence of the text, as written or, for Creative Commons links, its short name.
    pub licence: Option<String>,
    /// Language tag, for example `en`.
    pub language: Option<String>,
    /// Where it holds.
    pub place: Place,
    /// Crops, as written.
    pub crops: Vec<String>,
    /// Whether it says itself that it is about no crop in particular.
    pub every_crop: bool,
    /// Topics, as written.
    pub topics: Vec<String>,
    /// Number of pages.
    pub pages: Option<u32>,
}

impl Metadata {
    /// Fills what `self` leaves open from `other`.
    pub fn or(self, other: Metadata) -> Metadata {
        let longer = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Metadata {
            id: self.id.or(other.id),
            title: self.title.or(other.title),
            authors: longer(self.authors, other.authors),
            date: self.date.or(other.date),
            source: self.source.or(other.source),
            licence: self.licence.or(other.licence),
            language: self.language.or(other.language),
            place: match self.place.is_general() {
                true => other.place,
                false => self.place,
            },
            every_crop: self.every_crop || (self.crops.is_empty() && other.every_crop),
            crops: match self.every_crop {
                true => Vec::new(),
                false => longer(self.crops, other.crops),
            },
            topics: longer(self.topics, other.topics),
            pages: self.pages.or(other.pages),
        }
    }

    /// Without blank values, and with none longer than the store should hold.
    pub fn bounded(self) -> Metadata {
        let word = |text: String| {
            let text = super::one_line(&text);
            (!text.is_empty()).then(|| clipped(&text, MAX_CHARS))
        };
        let list = |texts: Vec<String>| {
            let kept = texts.into_iter().filter_map(word).take(MAX_ITEMS);
            let kept = kept.map(|text| clipped(&text, MAX_ITEM_CHARS));
            kept.collect::<Vec<String>>()
        };
        Metadata {
            // Too long an id is refused by name, not cut into another one.
            id: self.id,
            title: self.title.and_then(word),
            authors: list(self.authors),
            date: self.date.and_then(word),
            source: self.source.and_then(word),
            licence: self.licence.and_then(word),
            language: self.language.and_then(word),
            place: Place {
                country: self.place.country.and_then(word),
                region: self.place.region.and_then(word),
                district: self.place.district.and_then(word),
            },
            crops: list(self.crops),
            every_crop: self.every_crop,
            topics: list(self.topics),
            pages: self.pages,
        }
    }
}

/// The short name of a Creative Commons licence that `text` links to, else `text` itself.
pub(super) fn licence(text: &str) -> String {
    let Some((_, path)) = text.split_once("creativecommons.org/") else {
        return text.to_owned();
    };
    let mut parts = path
        .split(['/', '"', ' ', ')'])
        .filter(|part| !part.is_empty());
    let (kind, name, version) = (parts.next(), parts.next(), parts.next());
    let version = version.unwrap_or_default().trim_end_matches(['.', ',']);
    match (kind, name) {
        (Some("licenses" | "license"), Some(name)) => {
            format!("CC {} {version}", name.to_uppercase())
                .trim_end()
                .to_owned()
        }
        (Some("publicdomain"), Some("zero")) => format!("CC0 {version}").trim_end().to_owned(),
        _ => text.to_owned(),
    }
}

/// `10.1234/x` as a link; what is one already stays.
pub(super) fn doi_link(doi: &str) -> String {
    let doi = doi.trim();
    let bare = doi.strip_prefix("doi:").unwrap_or(doi).trim_start();
    match bare.starts_with("10.") {
        true => format!("https://doi.org/{bare}"),
        false => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creative_commons_links_become_short_names() {
        for (text, name) in [
            ("http://creativecommons.org/licenses/by/4.0/", "CC BY 4.0"),
            (
                "see https://creativecommons.org/licenses/by-nc/3.0/us.",
                "CC BY-NC 3.0",
            ),
            (
                "https://creativecommons.org/publicdomain/zero/1.0/",
                "CC0 1.0",
            ),
            (
                "https://creativecommons.org/",
                "https://creativecommons.org/",
            ),
            ("Public domain", "Public domain"),
        ] {
            assert_eq!(licence(text), name);
        }
    }

    #[test]
    fn what_is_said_first_wins_and_gaps_are_filled() {
        let own = Metadata {
            title: Some("Own".into()),
            ..Metadata::default()
        };
        let other = Metadata {
            title: Some("Other".into()),
            date: Some(" 2020\n".into()),
            authors: vec!["A".into(), " ".into()],
            ..Metadata::default()
        };
        let both = own.or(other).bounded();
        assert_eq!(both.title.as_deref(), Some("Own"));
        assert_eq!(both.date.as_deref(), Some("2020"));
        assert_eq!(both.authors, ["A"]);
    }
}
