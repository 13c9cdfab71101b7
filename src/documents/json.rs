//! The versioned JSON form of a document: `docs/schema/document.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reader::checked_id;
use super::{Document, DocumentError};

/// Version of the form; grows when a reader of the last one would be wrong.
pub const JSON_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<D> {
    version: u32,
    #[serde(flatten)]
    document: D,
}

/// `document` as JSON, with the version.
pub fn to_json(document: &Document) -> serde_json::Value {
    let version = JSON_VERSION;
    // A document is plain data with text for keys: it can always be written.
    serde_json::to_value(Versioned { version, document }).unwrap_or_default()
}

/// The document in the JSON `bytes`; `path` stands in messages.
///
/// # Errors
/// It is no such JSON, or of another version, or its id is none.
pub fn from_json(path: &Path, bytes: &[u8]) -> Result<Document, DocumentError> {
    #[derive(Deserialize)]
    struct Only {
        version: u32,
    }
    let bad = |reason: String| DocumentError::Malformed {
        path: path.to_owned(),
        format: "a document's JSON form",
        reason,
    };
    let found: Only = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if found.version != JSON_VERSION {
        return Err(bad(format!(
            "it is of version {}, this program reads {JSON_VERSION}; ingest the document itself",
            found.version
        )));
    }
    let read: Versioned<Document> =
        serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    checked_id(path, read.document.id.clone())?;
    Ok(read.document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::read_bytes;

    #[test]
    fn a_document_comes_back_as_it_was() {
        let text = "---\nauthor: A\nplace: {country: US}\ncrop: corn\n---\n# T\n\nA.[^1]\n\n## B\n\n- c\n\n| d | e |\n|---|---|\n| f | g |\n\n[^1]: h\n";
        let document = read_bytes(Path::new("a.md"), "a.md", text.as_bytes()).expect("readable");
        let json = to_json(&document).to_string();
        let path = Path::new("a.json");
        assert_eq!(
            from_json(path, json.as_bytes()).expect("its own form"),
            document
        );
        let newer = json.replace("\"version\":1", "\"version\":2");
        let error = from_json(path, newer.as_bytes()).expect_err("another version");
        assert!(error.to_string().contains("version 2"), "{error}");
        let split = json.replace("\"id\":\"a.md\"", "\"id\":\"a\\u0000md\"");
        assert!(from_json(path, split.as_bytes()).is_err(), "{split}");
        for cut in (0..json.len()).step_by(7) {
            assert!(from_json(path, &json.as_bytes()[..cut]).is_err());
        }
    }
}
