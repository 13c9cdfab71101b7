//! Reading the whole store again against its seals.

use serde::{Deserialize, Serialize};

use super::{Library, LibraryError, Writer};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whole documents in the store.
    pub documents: usize,
    /// Their passages.
    pub passages: usize,
    /// Ids of documents that are not whole: ingest them again.
    pub damaged: Vec<String>,
    /// What else is wrong: the store does not hold what it should, or is not what is searched.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.problems.is_empty()
    }
}

impl Library {
    /// Reads every document's seal from the disk; blocking, as long as opening; ingests wait for it.
    ///
    /// # Errors
    /// The disk fails. Damage is no error: it stands in the report.
    pub fn check(&self) -> Result<CheckReport, LibraryError> {
        let writer = self.writer();
        let found = writer.store.verify(self.embedder.dimension())?;
        let mut report = CheckReport {
            documents: found.documents.len(),
            passages: found.documents.iter().map(|(_, passages)| passages).sum(),
            damaged: found.damaged,
            problems: found.problem.into_iter().collect(),
        };
        for (id, passages) in &found.documents {
            match writer.documents.get(id) {
                Some(known) if known.entry.passages == *passages => {}
                Some(_) => report
                    .problems
                    .push(format!("{id:?} is searched in another version")),
                None => report
                    .problems
                    .push(format!("{id:?} is stored and not searched")),
            }
        }
        for id in writer.documents.keys() {
            let is_stored = found.documents.binary_search_by(|(other, _)| other.cmp(id));
            if is_stored.is_err() && !report.damaged.contains(id) {
                report
                    .problems
                    .push(format!("{id:?} is searched and not stored"));
            }
        }
        report.problems.extend(originals(&writer)?);
        Ok(report)
    }
}

/// What is wrong with the documents as they were read.
fn originals(writer: &Writer) -> Result<Vec<String>, LibraryError> {
    let archive = writer.store.archive();
    let mut problems = Vec::new();
    for id in writer.documents.keys() {
        if !archive.is_whole(id)? {
            let text = format!("what was read of {id:?} is damaged or missing: ingest it again");
            problems.push(text);
        }
    }
    let unbuilt = archive
        .ids()
        .filter(|id| !writer.documents.contains_key(*id));
    match unbuilt.count() {
        0 => {}
        count => problems.push(format!(
            "{count} documents are kept and not searched: `almanac library rebuild` brings them back"
        )),
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HashingEmbedder, document, open};

    #[test]
    fn a_sound_store_is_clean_and_a_changed_byte_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(folder.path(), HashingEmbedder::new("test"));
        for id in ["a", "a b", "b"] {
            let text = format!("Text of {id}.");
            library.ingest(&document(id, &text)).expect("taken in");
        }
        let report = library.check().expect("readable");
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.documents, report.passages), (3, 3));

        let tree = library.writer().store.tree.clone();
        let key = tree.scan_prefix(b"v/b").next().expect("a vector");
        let (key, mut value) = key.expect("readable");
        value[0] ^= 1;
        tree.insert(&key, value).expect("writable");
        let report = library.check().expect("readable");
        assert_eq!(report.damaged, ["b"]);
        assert_eq!(report.documents, 2);

        tree.remove(b"d/a").expect("writable");
        let report = library.check().expect("readable");
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.contains("\"a\""))
        );
        assert!(!report.is_clean());
    }
}
