//! How far an edition is on a box, and the message that tells it.

use serde::{Deserialize, Serialize};

/// How far an edition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its manifest was accepted and is being kept.
    Offered,
    /// Its files are being fetched and read again from disk.
    Fetching,
    /// Every file is on disk and right; the index is being built.
    Verified,
    /// It is complete.
    Staged,
    /// It is asked its golden questions.
    Trial,
    /// It answers.
    Current,
    /// It never answered, and never will.
    Rejected,
    /// It answered once, and another does now.
    RolledBack,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 8] = [
        Phase::Offered,
        Phase::Fetching,
        Phase::Verified,
        Phase::Staged,
        Phase::Trial,
        Phase::Current,
        Phase::Rejected,
        Phase::RolledBack,
    ];

    /// Whether nothing more follows by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Phase::Current | Phase::Rejected | Phase::RolledBack)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Offered => "offered",
            Phase::Fetching => "fetching",
            Phase::Verified => "verified",
            Phase::Staged => "staged",
            Phase::Trial => "trial",
            Phase::Current => "current",
            Phase::Rejected => "rejected",
            Phase::RolledBack => "rolled-back",
        })
    }
}

/// What a box says on `edition/state/<box>` of the edition that is under way, or that was last; the pusher reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditionState {
    /// The box.
    #[serde(rename = "box")]
    pub box_name: String,
    /// The edition's serial.
    pub serial: u64,
    /// How far it is.
    pub state: Phase,
    /// Why it was rejected or rolled back, or what it waits for; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Serial of the edition that answers.
    pub answers: u64,
    /// While fetching: bytes that are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// While fetching: bytes to fetch in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// While fetching: of the bytes that are here, those from before the last start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<u64>,
    /// Name of the push that it came with; empty where it came otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub push: String,
}
