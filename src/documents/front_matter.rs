//! The YAML between two `---` lines at the top of a file.

use std::path::Path;

use serde::Deserialize;

use super::{DocumentError, Metadata};
use crate::types::Place;

/// Most bytes of front matter: YAML can be made slow, so little of it is read.
const MAX_BYTES: usize = 64 * 1024;

/// What front matter may say; keys that are not known are left alone, other tools have their own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FrontMatter {
    id: Option<String>,
    title: Option<String>,
    #[serde(rename = "author", alias = "authors")]
    authors: Words,
    place: Place,
    #[serde(rename = "crop", alias = "crops")]
    crops: Option<Words>,
    #[serde(rename = "topic", alias = "topics")]
    topics: Words,
    date: Option<String>,
    source: Option<String>,
    #[serde(alias = "license")]
    licence: Option<String>,
    #[serde(alias = "lang")]
    language: Option<String>,
}

impl From<FrontMatter> for Metadata {
    fn from(matter: FrontMatter) -> Self {
        let every_crop = matter
            .crops
            .as_ref()
            .is_some_and(|crops| crops.0.is_empty());
        Metadata {
            id: matter.id,
            title: matter.title,
            authors: matter.authors.0,
            date: matter.date,
            source: matter.source,
            licence: matter.licence,
            language: matter.language,
            place: matter.place,
            crops: matter.crops.map_or_else(Vec::new, |crops| crops.0),
            every_crop,
            topics: matter.topics.0,
            pages: None,
        }
    }
}

/// Splits `text` into its front matter (the default where there is none) and the rest.
///
/// # Errors
/// The block is not closed, too long, no YAML, or has a wrongly typed key; with the line in the file.
pub(super) fn split<'a>(path: &Path, text: &'a str) -> Result<(Metadata, &'a str), DocumentError> {
    let broken = |line, reason: String| DocumentError::FrontMatter {
        path: path.to_owned(),
        line,
        reason,
    };
    let Some(inner) = after_fence(text) else {
        return Ok((Metadata::default(), text));
    };
    let (yaml, rest) = until_fence(inner).ok_or_else(|| {
        broken(
            1,
            "it begins with `---` but no second `---` line closes it; close it, or put a blank line first".into(),
        )
    })?;
    if yaml.len() > MAX_BYTES {
        return Err(broken(
            1,
            format!("{} bytes, at most {MAX_BYTES} are read", yaml.len()),
        ));
    }
    if yaml.trim().is_empty() {
        return Ok((Metadata::default(), rest));
    }
    let matter: FrontMatter = serde_yaml_ng::from_str(yaml).map_err(|error| {
        broken(
            line_of(&error, yaml),
            format!(
                "{error}; expected `key: value` lines, with place as {{country: US, region: Iowa}}"
            ),
        )
    })?;
    Ok((matter.into(), rest))
}

/// The text after an opening fence, which must be the very first line.
fn after_fence(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once('\n')?;
    (first.trim_end() == "---").then_some(rest)
}

fn until_fence(text: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&text[..at], &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// Line of the file: that of the key which the error names, else where the parser stood.
fn line_of(error: &serde_yaml_ng::Error, yaml: &str) -> usize {
    let message = error.to_string();
    let key = message.split([':', '.']).next().unwrap_or_default();
    let of_key = yaml.lines().position(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    });
    let at = error.location().map_or(0, |location| location.line());
    // The fence above is line 1; the parser counts from 1, `position` from 0.
    of_key.map_or(at + 1, |index| index + 2)
}

/// A word or a list of words.
#[derive(Clone, Debug, Default, PartialEq)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WordsVisitor)
    }
}

/// Reads straight from the parser, so that it can say at which key and line a fault is.
struct WordsVisitor;

impl<'de> serde::de::Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a word or a list of words")
    }

    fn visit_unit<E>(self) -> Result<Words, E> {
        Ok(Words::default())
    }

    fn visit_str<E>(self, word: &str) -> Result<Words, E> {
        Ok(Words(vec![word.to_owned()]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Metadata, &str), DocumentError> {
        split(Path::new("a.md"), text)
    }

    #[test]
    fn every_key_is_read_and_unknown_ones_are_left_alone() {
        let (matter, rest) = parse(
            "---\ntitle: Planting\nplace: {country: US, region: Iowa}\ncrop: [maize, corn]\nauthor: A. Grower\nlang: en\ntopic: planting\ndate: 2026-11-22\nlayout: page\nlicense: CC0\n---\nBody",
        )
        .expect("valid");
        assert_eq!(matter.title.as_deref(), Some("Planting"));
        assert_eq!(matter.place, Place::new("US", "Iowa"));
        assert_eq!(matter.crops, ["maize", "corn"]);
        assert_eq!(matter.topics, ["planting"]);
        assert_eq!(matter.authors, ["A. Grower"]);
        assert_eq!(matter.language.as_deref(), Some("en"));
        assert_eq!(matter.date.as_deref(), Some("2026-11-22"));
        assert_eq!(matter.licence.as_deref(), Some("CC0"));
        assert_eq!(rest, "Body");
    }

    #[test]
    fn an_empty_list_of_crops_says_every_crop_and_an_empty_key_says_nothing() {
        let crops = |line: &str| {
            let text = format!("---\ntitle: Soil\n{line}\n---\nBody");
            let (matter, _) = parse(&text).expect("valid");
            (matter.crops, matter.every_crop)
        };
        assert_eq!(crops("crop: []"), (Vec::new(), true));
        assert_eq!(crops("crop:"), (Vec::new(), false));
        assert_eq!(crops("crop: maize"), (vec!["maize".to_owned()], false));
    }

    #[test]
    fn a_text_without_front_matter_is_left_whole() {
        for text in ["Body\n---\n", "", "----\nx", "-- -\n"] {
            assert_eq!(parse(text).expect("valid"), (Metadata::default(), text));
        }
    }

    #[test]
    fn faults_are_named_with_their_line_in_the_file() {
        let line = |text: &str| match parse(text) {
            Err(DocumentError::FrontMatter { line, .. }) => line,
            other => panic!("{text:?} gave {other:?}"),
        };
        assert_eq!(line("---\ntitle: A\n"), 1);
        assert_eq!(line("---\ntitle: A\ncrop: {a: 1}\n---\n"), 3);
        assert_eq!(line("---\ntitle: A\nplace: Iowa\n---\n"), 3);
        assert_eq!(line("---\ntitle: A\n\tx: [\n---\n"), 3);
    }
}
