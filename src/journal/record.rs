//! What is written down, and how.

use serde::{Deserialize, Serialize};

use super::JournalError;
use crate::types::{AskKey, Question};

/// First byte of every record; a record of another version is not read.
const VERSION: u8 = 1;
/// Largest record, bytes: sled keeps larger values in files that leak when replaced (sled#1202).
pub(super) const MAX_RECORD: usize = 120 * 1024;

/// An accepted question: all that answering it after a restart needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The ask's own id, to be repeated in the answer.
    pub id: Option<String>,
    /// The validated question.
    pub question: Question,
    /// Whether parts of the answer are wanted as they come.
    pub stream: bool,
    /// The topic that the answer goes to.
    pub respond_to: String,
    /// MQTT 5 correlation data, to be repeated in the answer.
    pub correlation: Option<Vec<u8>>,
    /// Arrival, seconds since 1970 UTC.
    pub received_at: i64,
    /// When the answer is of no more use, seconds since 1970 UTC.
    pub expires_at: i64,
    /// Whether the broker sent the packet before (DUP).
    pub redelivered: bool,
}

/// An outcome exactly as it is published, so that repeating it is byte for byte the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The topic it goes to.
    pub topic: String,
    /// The message.
    #[serde(with = "bytes")]
    pub payload: Vec<u8>,
    /// MQTT 5 correlation data.
    pub correlation: Option<Vec<u8>>,
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub key: AskKey,
    /// Arrival, seconds since 1970 UTC.
    pub received_at: i64,
    pub stage: Stage,
}

/// How far the question is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    Pending(Box<Accepted>),
    Done {
        /// Place in the order of outcomes.
        order: u64,
        /// Seconds since 1970 UTC.
        finished_at: i64,
        outcome: Outcome,
    },
}

impl Record {
    /// The record's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, JournalError> {
        let mut bytes = vec![VERSION];
        // Writing to memory cannot fail, and every field has a CBOR form.
        let written = ciborium::into_writer(self, &mut bytes);
        if written.is_err() || bytes.len() > MAX_RECORD {
            return Err(JournalError::TooLarge {
                key: self.key.to_string(),
                bytes: bytes.len(),
                most: MAX_RECORD,
            });
        }
        Ok(bytes)
    }

    /// The record in `bytes`; `None` when they are no record of this version.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let (&version, rest) = bytes.split_first()?;
        (version == VERSION)
            .then(|| ciborium::from_reader(rest).ok())
            .flatten()
    }
}

/// A byte string in CBOR, where serde by itself writes a list of numbers.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_owned())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}
