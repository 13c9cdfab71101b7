//! What requests result in: the lines that `--json` prints and the control socket carries.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::documents::Tags;
use crate::edition::{Accepted, Manifest, Run};
use crate::field::BoxState;

/// The passages found for one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchLine {
    /// The question's id, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Best first, one a passage.
    pub results: Vec<SearchHit>,
}

/// One passage found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The document's own id.
    pub document: String,
    /// The heading over the passage.
    pub section: String,
    /// Page, from 1, where the format has pages.
    #[serde(default)]
    pub page: Option<u32>,
    /// Where it holds, with a note when that is wider than asked.
    pub place: String,
    /// Relevance, 0 to 1.
    pub score: f32,
    /// The passage.
    pub text: String,
    /// Other documents that say the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// What an ingest changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestReport {
    /// Documents that were not there before.
    pub added: usize,
    /// Documents whose content had changed.
    pub replaced: usize,
    /// Documents that were there as they are.
    pub unchanged: usize,
    /// Documents taken out because they are no longer there.
    pub removed: usize,
    /// Passages of the added and replaced ones.
    pub passages: usize,
    /// Files that could not be read in, each with its reason.
    pub problems: Vec<String>,
}

impl fmt::Display for IngestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} added, {} replaced, {} unchanged, {} removed; {} new passages",
            self.added, self.replaced, self.unchanged, self.removed, self.passages
        )
    }
}

/// One document of the library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentLine {
    /// Its own id.
    pub document: String,
    /// Its title.
    pub title: String,
    /// Where it holds.
    pub place: String,
    /// Passages.
    pub passages: usize,
}

impl fmt::Display for DocumentLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {} ({}), {} passages",
            self.document, self.title, self.place, self.passages
        )
    }
}

/// One passage of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassageLine {
    /// The heading over it.
    pub section: String,
    /// Page, from 1, where the format has pages.
    #[serde(default)]
    pub page: Option<u32>,
    /// Its words.
    pub text: String,
}

impl fmt::Display for PassageLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "## {}\n{}\n", self.section, self.text)
    }
}

/// Tags of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagsLine {
    /// Its own id.
    pub document: String,
    /// Its title.
    pub title: String,
    /// Its tags, each with where it is known from.
    pub tags: Tags,
}

impl fmt::Display for TagsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.document, self.title)?;
        match &self.tags.place {
            Some(place) => writeln!(f, "  place: {} ({})", place.value, place.from)?,
            None => writeln!(f, "  place: anywhere (nothing names one)")?,
        }
        for (kind, tags) in [("crop", &self.tags.crops), ("topic", &self.tags.topics)] {
            for tag in tags {
                writeln!(f, "  {kind}: {} ({})", tag.value, tag.from)?;
            }
        }
        Ok(())
    }
}

/// Counts of the library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryStats {
    /// Documents.
    pub documents: usize,
    /// Passages.
    pub passages: usize,
    /// How vectors are searched just now: `exact` or `graph`.
    pub dense: String,
}

impl fmt::Display for LibraryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} documents, {} passages, {} search",
            self.documents, self.passages, self.dense
        )
    }
}

/// How the box is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxReport {
    /// The box's name.
    #[serde(rename = "box")]
    pub box_name: String,
    /// How it is; `gone` when no daemon runs.
    pub state: BoxState,
    /// Serial of the edition that answers.
    pub edition: u64,
    /// Questions that wait or are worked on.
    pub queue: usize,
    /// Seconds that a new question would wait.
    pub wait_s: u64,
    /// The program's version.
    pub version: String,
    /// `ok`, or each unwell part with its reason.
    pub health: String,
    /// Outcomes since the start.
    pub answered: u64,
    /// Documents.
    pub documents: usize,
    /// Passages.
    pub passages: usize,
    /// The state folder.
    pub state_folder: PathBuf,
}

impl fmt::Display for BoxReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            BoxState::Gone => "not running".to_owned(),
            state => format!("{state:?}").to_lowercase(),
        };
        writeln!(f, "{} {state} (almanac {})", self.box_name, self.version)?;
        writeln!(f, "  health   {}", self.health)?;
        writeln!(
            f,
            "  queue    {} waiting, about {} s; {} outcomes since the start",
            self.queue, self.wait_s, self.answered
        )?;
        writeln!(
            f,
            "  edition  {}, {} documents, {} passages",
            self.edition, self.documents, self.passages
        )?;
        write!(f, "  state    {}", self.state_folder.display())
    }
}

/// The editions on the box.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EditionReport {
    /// Serial of the one that answers.
    pub current: Option<u64>,
    /// All of them, lowest serial first.
    pub editions: Vec<Manifest>,
    /// How far the last update got.
    #[serde(default)]
    pub last: Option<Run>,
    /// How the daemon switched to the one that answers, where it did so beside answering.
    #[serde(default)]
    pub handover: Option<HandoverReport>,
}

impl EditionReport {
    /// The manifest of the one that answers.
    pub fn current(&self) -> Option<&Manifest> {
        let is_current = |manifest: &&Manifest| Some(manifest.serial) == self.current;
        self.editions.iter().find(is_current)
    }
}

/// How an install ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstallReport {
    /// The edition's way, and its end.
    pub run: Run,
    /// Its name.
    pub name: String,
    /// Id of the key that signed it.
    pub key: String,
    /// It has expired.
    pub stale: bool,
}

impl InstallReport {
    /// The report of an accepted edition that went the way of `run`.
    pub fn new(accepted: &Accepted, run: Run) -> Self {
        InstallReport {
            run,
            name: accepted.manifest.name.clone(),
            key: accepted.signed.key.id(),
            stale: accepted.stale,
        }
    }
}

/// What a switch of editions beside the answering daemon cost those who asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandoverReport {
    /// Serial of the edition that answered before.
    pub from: u64,
    /// Serial of the one that answers.
    pub to: u64,
    /// Time in which no edition could take a question, milliseconds; open until the new one can.
    #[serde(default)]
    pub closed_ms: Option<f64>,
    /// From the last outcome of the old edition to the first of the new one, milliseconds; 0 where that came
    /// first. Holds the time to answer, and to be asked. Open where one of them was not asked.
    #[serde(default)]
    pub between_ms: Option<f64>,
}

impl fmt::Display for HandoverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switched from edition {} while answering", self.from)?;
        if let Some(closed) = self.closed_ms {
            write!(f, ": {closed:.1} ms without one that takes questions")?;
        }
        match self.between_ms {
            Some(between) => write!(f, ", {between:.0} ms between the two editions' answers"),
            None => Ok(()),
        }
    }
}
