//! One line of a BEIR-style corpus: `_id`, `text`, perhaps `title` and `metadata`.
//!
//! `metadata` is whatever a data set has; known keys are taken where they have a fitting shape, and no
//! shape is an error.

use serde_json::{Map, Value};

use super::metadata::{doi_link, licence};
use super::reader::Content;
use super::{Metadata, plain};
use crate::types::Place;

/// The document in `line`; says what is wrong with it.
pub(super) fn content(line: &[u8]) -> Result<Content, String> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| format!("no JSON object: {error}"))?;
    let Value::Object(fields) = value else {
        return Err(
            "no JSON object; expected `_id`, `text` and perhaps `title`, `metadata`".into(),
        );
    };
    let id = word(fields.get("_id")).ok_or("no `_id`, which names the document")?;
    let Some(Value::String(text)) = fields.get("text") else {
        return Err(format!("{id:?} has no `text` that is a string"));
    };
    let own = Metadata {
        id: Some(id),
        title: word(fields.get("title")),
        ..Metadata::default()
    };
    let said = fields.get("metadata").and_then(Value::as_object);
    Ok(Content {
        metadata: own.or(said.map_or_else(Metadata::default, metadata)),
        sections: plain::sections(text),
        references: Vec::new(),
    })
}

fn metadata(fields: &Map<String, Value>) -> Metadata {
    let first = |names: &[&str]| names.iter().find_map(|name| word(fields.get(*name)));
    let all = |names: &[&str]| {
        let found = names.iter().find_map(|name| fields.get(*name));
        found.map_or_else(Vec::new, words)
    };
    let doi = first(&["doi"]).map(|doi| doi_link(&doi));
    Metadata {
        id: None,
        title: first(&["title"]),
        authors: all(&["authors", "author"]),
        date: first(&["date", "year", "published"]),
        source: first(&["source", "url"]).or(doi),
        licence: first(&["licence", "license"]).map(|text| licence(&text)),
        language: first(&["language", "lang"]),
        place: fields.get("place").map_or_else(Place::default, place),
        crops: all(&["crops", "crop"]),
        // Programs write an empty list where they know of none.
        every_crop: false,
        topics: all(&["topics", "topic", "keywords"]),
        pages: None,
    }
}

/// A string or a number, as text that is not blank.
fn word(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values
            .iter()
            .filter_map(|value| word(Some(value)))
            .collect(),
        value => word(Some(value)).into_iter().collect(),
    }
}

/// `{"country": ...}` or `US/Iowa`; general where it is neither.
fn place(value: &Value) -> Place {
    match value {
        Value::String(text) => Place::parse(text).unwrap_or_default(),
        value => serde_json::from_value(value.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_of_the_metadata_are_taken_and_odd_shapes_are_left() {
        let line = br#"{"_id": "d1", "title": "", "text": "T.", "metadata": {"place": "US/Iowa",
            "crop": ["corn", 3, null], "topic": "planting", "url": "https://x", "year": 2020,
            "license": "https://creativecommons.org/licenses/by/4.0/", "authors": {"a": 1}}}"#;
        let metadata = content(line).expect("good").metadata;
        assert_eq!(metadata.title, None);
        assert_eq!(metadata.place, Place::new("US", "Iowa"));
        assert_eq!(metadata.crops, ["corn", "3"]);
        assert_eq!(metadata.topics, ["planting"]);
        assert_eq!(metadata.source.as_deref(), Some("https://x"));
        assert_eq!(metadata.date.as_deref(), Some("2020"));
        assert_eq!(metadata.licence.as_deref(), Some("CC BY 4.0"));
        assert!(metadata.authors.is_empty());
    }

    #[test]
    fn a_line_that_is_no_document_is_refused() {
        for line in [
            "",
            "[1]",
            "{}",
            "{\"_id\": \"a\"}",
            "{\"_id\": null, \"text\": \"x\"}",
            "\"\\ud800\"",
        ] {
            assert!(content(line.as_bytes()).is_err(), "{line}");
        }
        let deep = "[".repeat(100_000);
        assert!(content(deep.as_bytes()).is_err());
    }
}
