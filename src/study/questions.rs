//! Reads and checks a question set: JSON lines, one question each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::types::{Place, Question, Reading, ReadingValue};

/// Which part of a set a question belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Models may be tuned on it, thresholds chosen.
    Train,
    /// Thresholds, rules and prompts may be chosen on it.
    Dev,
    /// Only measured on.
    Test,
}

/// Whether, and why not, the library can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It can.
    Answerable,
    /// Nothing of the kind is in the library.
    Absent,
    /// Crop and topic are in the library, the fact is not.
    NearMissFact,
    /// The topic is in the library, the place is not.
    NearMissPlace,
    /// It takes for granted what the library contradicts or what does not exist.
    FalsePremise,
}

impl Split {
    /// All parts of a set.
    pub const ALL: [Split; 3] = [Split::Train, Split::Dev, Split::Test];

    /// As it is written in a set.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        }
    }
}

impl Kind {
    /// All kinds, the answerable first.
    pub const ALL: [Kind; 5] = [
        Kind::Answerable,
        Kind::Absent,
        Kind::NearMissFact,
        Kind::NearMissPlace,
        Kind::FalsePremise,
    ];

    /// As it is written in a set.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Answerable => "answerable",
            Kind::Absent => "absent",
            Kind::NearMissFact => "near_miss_fact",
            Kind::NearMissPlace => "near_miss_place",
            Kind::FalsePremise => "false_premise",
        }
    }

    /// Whether the library tempts to an answer that it does not hold.
    pub fn is_near_miss(self) -> bool {
        !matches!(self, Kind::Answerable | Kind::Absent)
    }
}

/// Where the answer stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gold {
    /// Document id.
    pub document: String,
    /// The nearest heading over the passage.
    pub section: String,
}

/// A key fact of a right answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// All these numbers, in this unit or converted exactly; no unit: the bare numbers.
    Numbers {
        /// What it is.
        name: String,
        /// The numbers.
        numbers: Vec<f64>,
        /// The unit, plain and singular: `kg/acre`.
        unit: String,
    },
    /// One of these strings, in any case.
    Words {
        /// What it is.
        name: String,
        /// The strings.
        any_of: Vec<String>,
    },
}

impl Fact {
    /// What it is.
    pub fn name(&self) -> &str {
        match self {
            Fact::Numbers { name, .. } | Fact::Words { name, .. } => name,
        }
    }
}

/// A measurement that is sent along with a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentReading {
    /// What was measured, for example `soil-temperature`.
    pub name: String,
    /// Its unit, for example `°C`.
    pub unit: String,
    /// The measurement.
    pub value: f64,
}

impl SentReading {
    /// As text with its unit: `soil-temperature 9.5 °C`.
    pub fn text(&self) -> String {
        self.reading().to_string()
    }

    fn reading(&self) -> Reading {
        Reading {
            device: String::new(),
            name: self.name.clone(),
            value: ReadingValue::Number(self.value),
            unit: Some(self.unit.clone()).filter(|unit| !unit.is_empty()),
            at: READ_AT,
        }
    }
}

/// When every reading of a set was measured: 2026-11-22 08:00 UTC, so that a prompt is the same in every run.
const READ_AT: i64 = 1_795_334_400;

/// One question of a set; the order of the fields is that of the canonical form (see [`super::digest_of`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyQuestion {
    /// Unique in its set.
    pub id: String,
    /// Its part of the set.
    pub split: Split,
    /// Its topic: one topic, all its places, belongs to one part of the set.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether it can be answered.
    pub kind: Kind,
    /// The question.
    pub question: String,
    /// The asker's place.
    #[serde(default)]
    pub place: Option<Place>,
    /// The crop.
    #[serde(default)]
    pub crop: Option<String>,
    /// Shared by questions asked alike for several places.
    #[serde(default)]
    pub pair: Option<String>,
    /// Where the answer stands; only answerable questions have it.
    #[serde(default)]
    pub gold: Option<Gold>,
    /// What a right answer holds; only answerable questions have any.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// A reference answer.
    #[serde(default)]
    pub answer: Option<String>,
    /// Measurements sent along.
    #[serde(default)]
    pub readings: Vec<SentReading>,
    /// Words that name what the library lacks: in no document that holds for the place.
    #[serde(default)]
    pub lacks: Vec<String>,
}

impl StudyQuestion {
    /// The question as it is asked.
    pub fn ask(&self) -> Question {
        Question {
            text: self.question.clone(),
            place: self.place.clone(),
            crop: self.crop.clone(),
            readings: self.readings.iter().map(SentReading::reading).collect(),
            ..Question::default()
        }
    }

    /// Names the pair of place twins that it belongs to: topic group and pair.
    pub fn pair_key(&self) -> Option<String> {
        let pair = self.pair.as_deref()?;
        Some(match &self.group {
            Some(group) => format!("{group}/{pair}"),
            None => pair.to_owned(),
        })
    }

    fn problem(&self) -> Option<String> {
        if self.id.trim().is_empty() || self.question.trim().is_empty() {
            return Some("id and question must not be empty".into());
        }
        let answerable = self.kind == Kind::Answerable;
        if answerable != self.gold.is_some() || answerable == self.facts.is_empty() {
            return Some(format!(
                "{}: gold and facts belong to every answerable question and to no other",
                self.id
            ));
        }
        let empty = |fact: &Fact| match fact {
            Fact::Numbers { numbers, .. } => numbers.is_empty(),
            Fact::Words { any_of, .. } => any_of.is_empty(),
        };
        self.facts
            .iter()
            .any(empty)
            .then(|| format!("{}: a fact needs numbers or strings", self.id))
    }
}

/// A question set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The file cannot be read.
    #[error("{path}: cannot read the question set: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A document that the set rests on cannot be read.
    #[error(transparent)]
    Document(#[from] crate::documents::DocumentError),
    /// The folder of the documents cannot be walked, or holds none.
    #[error("{path}: {reason}; give the folder that was ingested, `--documents FOLDER`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A line is no question.
    #[error("{path}, line {line}: {reason}; one JSON question a line is expected")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the set at `path`.
///
/// # Errors
/// The file cannot be read, or the first line that is no sound question.
pub fn read(path: &Path) -> Result<Vec<StudyQuestion>, StudyError> {
    let text = fs::read_to_string(path).map_err(|source| StudyError::Read {
        path: path.to_owned(),
        source,
    })?;
    read_text(&text, path)
}

/// As [`read`], from `text`; `path` is named in errors.
///
/// # Errors
/// The first line that is no sound question, or repeats an id.
pub fn read_text(text: &str, path: &Path) -> Result<Vec<StudyQuestion>, StudyError> {
    let mut seen = BTreeSet::new();
    let mut questions = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |reason: String| StudyError::Line {
            path: path.to_owned(),
            line: number + 1,
            reason,
        };
        let question: StudyQuestion =
            serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if let Some(problem) = question.problem() {
            return Err(wrong(problem));
        }
        if !seen.insert(question.id.clone()) {
            return Err(wrong(format!("the id {:?} is used twice", question.id)));
        }
        questions.push(question);
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"a","split":"dev","kind":"answerable","question":"How deep?","place":{"country":"US","region":"Iowa"},"gold":{"document":"d.md","section":"Depth"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"},{"name":"what","any_of":["seed"]}],"answer":"2 inches"}"#;
    const REFUSE: &str = r#"{"id":"b","split":"test","kind":"near_miss_fact","question":"Zinc?","gold":null,"facts":[],"answer":null}"#;

    fn read_all(text: &str) -> Result<Vec<StudyQuestion>, String> {
        read_text(text, Path::new("set.jsonl")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_sound_set_is_read() {
        let set = read_all(&format!("{GOOD}\n\n{REFUSE}\n")).expect("sound");
        assert_eq!(set.len(), 2);
        assert_eq!(set[1].kind, Kind::NearMissFact);
        assert!(matches!(set[0].facts[1], Fact::Words { .. }));
    }

    #[test]
    fn readings_go_with_the_question() {
        let line = GOOD.replace(
            r#""answer":"2 inches""#,
            r#""group":"maize","answer":null,"lacks":[],"readings":[{"name":"soil-temperature","unit":"°C","value":9.5}]"#,
        );
        let set = read_all(&line).expect("sound");
        let asked = set[0].ask();
        assert_eq!(asked.readings[0].to_string(), "soil-temperature 9.5 °C");
        assert_eq!(set[0].group.as_deref(), Some("maize"));
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = read_all(&format!("{GOOD}\n{{\"id\":1}}")).expect_err("broken");
        assert!(error.contains("set.jsonl, line 2"), "{error}");
    }

    #[test]
    fn a_repeated_id_or_a_gold_where_none_belongs_is_refused() {
        assert!(read_all(&format!("{GOOD}\n{GOOD}")).is_err());
        assert!(read_all(&GOOD.replace("answerable", "absent")).is_err());
        assert!(read_all(&REFUSE.replace("near_miss_fact", "answerable")).is_err());
    }
}
