//! The documents that a set rests on, section by section.

use std::path::Path;

use walkdir::WalkDir;

use super::questions::StudyError;
use crate::documents::{self, Document, PassageOptions};
use crate::model::TokenCounter;
use crate::types::{Digest, Place};

/// So long that no section is cut.
const WHOLE: PassageOptions = PassageOptions {
    max_tokens: 1_000_000,
    overlap_tokens: 0,
};

/// The documents under one folder, as an ingest of it would read them.
#[derive(Clone, Debug)]
pub struct Corpus {
    documents: Vec<Held>,
}

/// One document with its sections' texts.
#[derive(Clone, Debug)]
struct Held {
    document: Document,
    /// Heading and text, tables row by row as passages have them.
    sections: Vec<(String, String)>,
    /// Title, headings and texts, lower case; without footnotes, which are never searched.
    words: String,
}

/// Counts words: here only whether a limit is reached matters.
struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

impl Corpus {
    /// Reads every document under `folder`; ids are paths relative to it. Blocking.
    ///
    /// # Errors
    /// The folder cannot be walked or holds no document, or a document cannot be read.
    pub fn read(folder: &Path) -> Result<Self, StudyError> {
        let wrong = |reason: String| StudyError::Folder {
            path: folder.to_owned(),
            reason,
        };
        let mut found = Vec::new();
        for entry in WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.map_err(|error| wrong(error.to_string()))?;
            let path = entry.path();
            if !entry.file_type().is_file() || !documents::is_supported(path) {
                continue;
            }
            let id = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
            found.push(documents::read_file(path, &id)?);
        }
        if found.is_empty() {
            return Err(wrong("no document lies there".into()));
        }
        Ok(Corpus::of(found))
    }

    /// A corpus of `documents`.
    pub fn of(documents: Vec<Document>) -> Self {
        Corpus {
            documents: documents.into_iter().map(Held::new).collect(),
        }
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The document `id`.
    pub fn document(&self, id: &str) -> Option<&Document> {
        Some(&self.held(id)?.document)
    }

    /// The text under the heading `section` of the document `id`, tables included.
    pub fn section(&self, id: &str, section: &str) -> Option<String> {
        let texts: Vec<&str> = self
            .held(id)?
            .sections
            .iter()
            .filter(|(heading, _)| heading == section)
            .map(|(_, text)| text.as_str())
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// The headings of the document `id` that have text, each once.
    pub fn headings(&self, id: &str) -> Vec<&str> {
        let mut headings: Vec<&str> = Vec::new();
        for (heading, _) in self.held(id).iter().flat_map(|held| &held.sections) {
            if !headings.contains(&heading.as_str()) {
                headings.push(heading);
            }
        }
        headings
    }

    /// Ids of the documents that say something about `place`; of all when it is open.
    pub fn holding(&self, place: Option<&Place>) -> Vec<&str> {
        let holds = |own: &Place| {
            place.is_none_or(|place| own.covers(place) || (place.covers(own) && !own.is_general()))
        };
        self.documents
            .iter()
            .filter(|held| holds(&held.document.tags.place()))
            .map(|held| held.document.id.as_str())
            .collect()
    }

    /// Whether `words` stand in the document `id`, beginning at a word's beginning, in any case.
    pub fn says(&self, id: &str, words: &str) -> bool {
        let words = words.trim().to_lowercase();
        self.held(id).is_some_and(|held| {
            held.words.match_indices(&words).any(|(at, _)| {
                !held.words[..at]
                    .chars()
                    .next_back()
                    .is_some_and(char::is_alphanumeric)
            })
        })
    }

    /// Digest over the ids and digests of all documents.
    pub fn digest(&self) -> Digest {
        let lines: String = self
            .documents
            .iter()
            .map(|held| format!("{}  {}\n", held.document.digest, held.document.id))
            .collect();
        Digest::of(lines.as_bytes())
    }

    fn held(&self, id: &str) -> Option<&Held> {
        self.documents.iter().find(|held| held.document.id == id)
    }
}

impl Held {
    fn new(document: Document) -> Self {
        let sections: Vec<(String, String)> = documents::passages(&document, &Words, &WHOLE)
            .into_iter()
            .map(|passage| (passage.section().to_owned(), passage.text))
            .collect();
        let mut words = document.title.to_lowercase();
        for section in &document.sections {
            words.push_str(&format!("\n{}", section.heading().to_lowercase()));
        }
        for (_, text) in &sections {
            words.push_str(&format!("\n{}", text.to_lowercase()));
        }
        Held {
            document,
            sections,
            words,
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A corpus of Markdown texts by id.
    pub(crate) fn corpus(files: &[(&str, &str)]) -> Corpus {
        let read = |(id, text): &(&str, &str)| {
            documents::read_bytes(Path::new(id), id, text.as_bytes()).expect("a document")
        };
        Corpus::of(files.iter().map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::testing::corpus;
    use super::*;

    const IOWA: &str = "---\ntitle: Maize\nplace: {country: US, region: Iowa}\n---\n# Maize\n\n## Depth\n\nSow 2 inches deep.[^a]\n\n| Soil | Depth (inch) |\n|---|---|\n| sand | 3 |\n\n[^a]: Olive handbook.\n";

    #[test]
    fn a_section_has_its_sentences_and_its_table() {
        let corpus = corpus(&[("iowa.md", IOWA)]);
        let text = corpus.section("iowa.md", "Depth").expect("there");
        assert!(text.contains("2 inches"), "{text}");
        assert!(text.contains("Depth (inch): 3"), "{text}");
        assert_eq!(corpus.section("iowa.md", "Width"), None);
        assert_eq!(corpus.headings("iowa.md"), ["Depth"]);
    }

    #[test]
    fn words_are_found_from_their_beginning_and_not_in_footnotes() {
        let corpus = corpus(&[("iowa.md", IOWA)]);
        assert!(corpus.says("iowa.md", "INCH"));
        assert!(!corpus.says("iowa.md", "nch"));
        assert!(!corpus.says("iowa.md", "olive"));
    }

    #[test]
    fn a_document_holds_in_its_place_alone() {
        let corpus = corpus(&[("iowa.md", IOWA)]);
        assert_eq!(corpus.holding(Some(&Place::new("US", "Iowa"))), ["iowa.md"]);
        assert!(corpus.holding(Some(&Place::new("US", "Ohio"))).is_empty());
        assert_eq!(corpus.holding(None), ["iowa.md"]);
    }
}
