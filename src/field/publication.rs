//! A message on its way out.

use super::messages::BoxStatus;
use crate::types::{Answer, EditionState};

/// A message to be published with QoS 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The topic.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
    /// MQTT 5 Correlation Data.
    pub correlation: Option<Vec<u8>>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Whether it waits for the next connection; a streamed part does not, its time is now.
    pub keep: bool,
}

impl Publication {
    /// A part of an answer that is still being made: dropped when there is no connection.
    pub fn part(topic: &str, correlation: Option<Vec<u8>>, part: &Answer) -> Publication {
        Publication {
            keep: false,
            ..Publication::outcome(topic, correlation, encode(part))
        }
    }

    /// An outcome, byte for byte as it stands in the journal: kept until the broker has it.
    pub fn outcome(topic: &str, correlation: Option<Vec<u8>>, payload: Vec<u8>) -> Publication {
        Publication {
            topic: topic.to_owned(),
            payload,
            correlation,
            retain: false,
            keep: true,
        }
    }

    /// How an edition fares: kept by the broker, and waits for it.
    pub fn edition_state(topic: &str, state: &EditionState) -> Publication {
        Publication {
            retain: true,
            ..Publication::outcome(topic, None, encode(state))
        }
    }

    pub(super) fn status(topic: &str, status: &BoxStatus) -> Publication {
        Publication {
            topic: topic.to_owned(),
            payload: encode(status),
            correlation: None,
            retain: true,
            keep: true,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + self.correlation.as_ref().map_or(0, Vec::len)
    }
}

/// The JSON of an answer, as it goes into the journal and onto the wire.
pub fn encode(message: &impl serde::Serialize) -> Vec<u8> {
    // Our messages are structs of plain fields: nothing in them has no JSON form.
    serde_json::to_vec(message).unwrap_or_default()
}

/// Why a publication will not reach the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// It was a part that does not wait, and there was no connection.
    #[error("there was no connection, and a part of an answer does not wait")]
    Dropped,
    /// It is larger than the broker or the configuration allows.
    #[error("the packet has {bytes} bytes, at most {most} may be sent; see mqtt.max_payload_bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// The broker refused it.
    #[error("the broker refused it: {0}; check the broker's access rules")]
    Refused(String),
    /// The connection was stopped first; a journaled outcome goes out after the next start.
    #[error("the connection was stopped before the broker had it")]
    Stopped,
}
