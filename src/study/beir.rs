//! A BEIR-style set: questions, and which documents of the corpus are relevant to each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::questions::StudyError;
use super::ranking::Judgements;

/// The questions of a set that are judged, with their judgements.
#[derive(Clone, Debug, PartialEq)]
pub struct BeirSet {
    /// The file with the documents.
    pub corpus: PathBuf,
    /// Text and judgements of each judged question, in the order of the file.
    pub questions: Vec<(String, Judgements)>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

/// Reads `queries.jsonl` and all of `qrels/*.tsv` in `folder`; the corpus is left to the library.
///
/// # Errors
/// A file is missing, or a line of it is not of the format.
pub fn read_beir(folder: &Path) -> Result<BeirSet, StudyError> {
    let mut judged = judgements(&folder.join("qrels"))?;
    let path = folder.join("queries.jsonl");
    let mut questions = Vec::new();
    for (number, line) in read(&path)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(line)
            .map_err(|error| wrong(&path, number, &format!("no `_id` and `text`: {error}")))?;
        if let Some(judgements) = judged.remove(&line.id) {
            questions.push((line.text, judgements));
        }
    }
    Ok(BeirSet {
        corpus: folder.join("corpus.jsonl"),
        questions,
    })
}

/// Judgements by question, of every table in `folder`; grades of 0 are left out.
fn judgements(folder: &Path) -> Result<BTreeMap<String, Judgements>, StudyError> {
    let unreadable = |source| StudyError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "tsv") {
            tables.push(path);
        }
    }
    tables.sort();
    let mut judged: BTreeMap<String, Judgements> = BTreeMap::new();
    for path in tables {
        for (number, line) in read(&path)?.lines().enumerate() {
            // The first line names the columns.
            if number == 0 || line.trim().is_empty() {
                continue;
            }
            let mut cells = line.split('\t').map(str::trim);
            let (Some(question), Some(document), Some(Ok(grade))) =
                (cells.next(), cells.next(), cells.next().map(str::parse))
            else {
                let reason = "no question, document and grade with tabs between";
                return Err(wrong(&path, number, reason));
            };
            if grade > 0 {
                let of_question = judged.entry(question.to_owned()).or_default();
                of_question.insert(document.to_owned(), grade);
            }
        }
    }
    Ok(judged)
}

fn read(path: &Path) -> Result<String, StudyError> {
    std::fs::read_to_string(path).map_err(|source| StudyError::Read {
        path: path.to_owned(),
        source,
    })
}

fn wrong(path: &Path, number: usize, reason: &str) -> StudyError {
    StudyError::Line {
        path: path.to_owned(),
        line: number + 1,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(queries: &str, qrels: &str) -> Result<BeirSet, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("qrels")).expect("writable");
        std::fs::write(folder.path().join("queries.jsonl"), queries).expect("writable");
        std::fs::write(folder.path().join("qrels/test.tsv"), qrels).expect("writable");
        read_beir(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn judged_questions_are_read_and_others_left() {
        let queries =
            "{\"_id\": \"1\", \"text\": \"How deep?\"}\n{\"_id\": \"2\", \"text\": \"?\"}\n";
        let found = set(queries, "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n").expect("good");
        let judged = Judgements::from([("a".to_owned(), 2)]);
        assert_eq!(found.questions, [("How deep?".to_owned(), judged)]);
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = set("", "head\n1 a 1\n").expect_err("no tabs");
        assert!(error.contains("test.tsv, line 2"), "{error}");
        assert!(set("{}", "head\n").is_err());
    }
}
