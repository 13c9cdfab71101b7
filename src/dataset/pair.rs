//! One line of a data set: a chat that trainers read, with what it rests on and what it is worth.

use serde::{Deserialize, Serialize};

use super::context::ContextTags;
use super::mode::Mode;
use super::teacher::Manner;
use crate::types::{Digest, Place};

/// A message, as chat templates read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// What a pair is worth; `None` where nothing measured it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Words of the question.
    pub question_words: usize,
    /// Words of the answer.
    pub answer_words: usize,
    /// Share of the answer's content words that stand in the passage, 0 to 1.
    pub grounded: f64,
    /// Share of the question's content words that stand in passage, title, headings or tags, 0 to 1.
    pub on_topic: f64,
    /// Share of the question's content words that stand in the sentence that it was asked of, where the writer
    /// said which.
    #[serde(default)]
    pub asked_of: Option<f64>,
    /// Place of the gold section when the question is searched for, from 1; `None` beyond the depth.
    #[serde(default)]
    pub found_at: Option<usize>,
    /// Place of the sentence that the answer rests on among the passage's, by likeness to the question, from 1.
    #[serde(default)]
    pub points_back: Option<usize>,
    /// Would a farmer ask this, given the section: 1 to 5, by the judge.
    #[serde(default)]
    pub relevance: Option<u8>,
    /// The same without the section.
    #[serde(default)]
    pub global_relevance: Option<u8>,
    /// Can the answer be taken from the section: 1 to 5, by the judge.
    #[serde(default)]
    pub coverage: Option<u8>,
    /// 1 to 5, by the judge.
    #[serde(default)]
    pub fluency: Option<u8>,
}

/// Where a pair comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Who wrote the question, with the version of rules or prompts.
    pub generator: String,
    /// Who wrote the answer, where that was another.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// Who judged.
    #[serde(default)]
    pub judge: Option<String>,
    /// Version of the program.
    pub program: String,
    /// The document's source, as it names it.
    #[serde(default)]
    pub source: Option<String>,
    /// Its licence, as it names it.
    #[serde(default)]
    pub licence: Option<String>,
    /// Its date, as written.
    #[serde(default)]
    pub date: Option<String>,
}

/// One line of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Sixteen hexadecimal digits of the digest of document, section and question.
    pub id: String,
    /// The question, then the answer.
    pub messages: Vec<Turn>,
    /// Id of the gold document.
    pub document: String,
    /// SHA-256 of its file.
    pub document_sha256: Digest,
    /// Its title.
    pub title: String,
    /// Number of the section in the document, from 0.
    pub section: usize,
    /// The headings over it, outermost first.
    pub headings: Vec<String>,
    /// Page of the passage, from 1, where the format has pages.
    pub page: Option<u32>,
    /// The gold passage.
    pub passage: String,
    /// SHA-256 of its text.
    pub passage_sha256: Digest,
    /// The table that the passage comes from, as Markdown, where it is small enough to show whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Where the document holds.
    pub place: Place,
    /// Crops of the passage.
    pub crops: Vec<String>,
    /// The section's context tags.
    pub tags: ContextTags,
    /// The context mode.
    pub mode: Mode,
    /// How it was written.
    pub manner: Manner,
    /// What it is worth.
    pub scores: Scores,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Pair {
    /// The question.
    pub fn question(&self) -> &str {
        self.of("user")
    }

    /// The answer.
    pub fn answer(&self) -> &str {
        self.of("assistant")
    }

    fn of(&self, role: &str) -> &str {
        let found = self.messages.iter().find(|turn| turn.role == role);
        found.map_or("", |turn| turn.content.as_str())
    }

    /// The chat of a question and its answer.
    pub fn messages(question: &str, answer: &str) -> Vec<Turn> {
        let turn = |role: &str, content: &str| Turn {
            role: role.to_owned(),
            content: content.to_owned(),
        };
        vec![turn("user", question), turn("assistant", answer)]
    }

    /// The id of a question about a section.
    pub fn id_of(document: &Digest, section: usize, question: &str) -> String {
        let digest = Digest::of(format!("{document}\n{section}\n{question}").as_bytes());
        hex::encode(&digest.0[..8])
    }
}
