//! What is said on the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::types::{Ask, Digest, Place};

/// One thing asked of the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    /// Answers a question; the result is an [`crate::types::Answer`].
    Ask {
        /// The question, as over MQTT.
        ask: Ask,
    },
    /// Ranks passages; the result is `{"id","results":[...]}`.
    Search {
        /// What is looked for.
        query: SearchQuery,
    },
    /// Reads files and folders into the library; the result counts what changed.
    Ingest {
        /// Absolute paths, as the daemon sees them.
        paths: Vec<PathBuf>,
        /// Whether documents that are no longer there are removed.
        sync: bool,
    },
    /// Looks into the library or removes from it.
    Library {
        /// What to do.
        what: LibraryOp,
    },
    /// How the box is.
    Status,
    /// Which edition answers, and changing that.
    Edition {
        /// What to do; to look unless told.
        #[serde(default)]
        what: EditionOp,
    },
}

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Handed back with the results.
    #[serde(default, alias = "_id", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The words looked for.
    #[serde(alias = "text")]
    pub question: String,
    /// Where it must hold; the box's own place when open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The crop it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// How many passages; 3 unless told, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
}

/// Tags to be set right; what is open stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagChange {
    /// Where the document holds; general for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// All of its crops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crops: Option<Vec<String>>,
    /// All of its topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
    /// Kinds of which earlier corrections are dropped first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<TagKind>,
}

/// A kind of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagKind {
    /// Where a document holds.
    Place,
    /// What it grows.
    Crop,
    /// What it is about.
    Topic,
}

/// What may be done with the library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LibraryOp {
    /// Every document with its title, place and number of passages.
    List,
    /// One document's passages.
    Show(String),
    /// One document as it was read, in its JSON form.
    Tree(String),
    /// Tags of all documents, or of one, set right before if there is a change.
    Tags {
        /// The document's id; all when open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<String>,
        /// What to set right; needs a document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<TagChange>,
    },
    /// Takes one document out.
    Remove(String),
    /// Counts and sizes.
    Stats,
    /// Every document read again against its seal.
    Check,
    /// The index made anew from the documents as they were read.
    Rebuild,
    /// A piece of a backup, which is made when the first is asked for.
    Backup {
        /// Where the piece begins.
        offset: u64,
    },
    /// A piece of a backup to be restored.
    Upload {
        /// Where the piece begins: the first at 0, each other where the last one ended.
        offset: u64,
        /// Hexadecimal digits of at most [`super::PIECE_BYTES`] bytes.
        bytes: String,
    },
    /// What was uploaded in the place of all documents and corrections.
    Restore {
        /// SHA-256 of the whole.
        sha256: Digest,
    },
}

/// What may be done with editions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EditionOp {
    /// Which one answers, which there are, and how the last update went.
    #[default]
    Look,
    /// Takes an edition from a folder.
    Install {
        /// The edition's folder or its `edition.toml`, absolute, as the daemon sees it.
        path: PathBuf,
        /// Whether an older one is taken, too.
        #[serde(default)]
        allow_downgrade: bool,
    },
    /// Goes back to the edition before.
    Rollback {
        /// The reason, for the record.
        why: String,
    },
    /// Removes what no edition needs.
    Gc,
}

/// How far a long request is, or a part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being worked on, or the next words of an answer.
    pub text: String,
    /// Steps done.
    #[serde(default)]
    pub done: u64,
    /// Steps in all; 0 when not known.
    #[serde(default)]
    pub total: u64,
}

/// Who can mend a failed request; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultCode {
    /// The request cannot be read or is out of range.
    Invalid,
    /// What was named is not there.
    Missing,
    /// Try again later.
    Busy,
    /// The configuration or the models must be mended first.
    Config,
    /// The machine failed.
    Failed,
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Who can mend it.
    pub code: FaultCode,
    /// What failed, on which path, what was expected and found.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Fault {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same fault with `hint`.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One line down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// More is to come.
    Progress(Progress),
    /// The last line of a request that succeeded.
    Result(serde_json::Value),
    /// The last line of a request that failed.
    Error(Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_the_contract_says() {
        let ask = Request::Ask {
            ask: Ask {
                question: "When?".into(),
                ..Ask::default()
            },
        };
        assert_eq!(
            serde_json::to_string(&ask).expect("plain data"),
            r#"{"op":"ask","ask":{"question":"When?","stream":false}}"#
        );
        let stats: Request =
            serde_json::from_str(r#"{"op":"library","what":"stats"}"#).expect("a request");
        assert_eq!(
            stats,
            Request::Library {
                what: LibraryOp::Stats
            }
        );
    }

    #[test]
    fn a_reply_line_names_its_kind() {
        let fault = Reply::Error(Fault::new(FaultCode::Busy, "64 questions wait"));
        assert_eq!(
            serde_json::to_string(&fault).expect("plain data"),
            r#"{"error":{"code":"busy","message":"64 questions wait"}}"#
        );
    }
}
