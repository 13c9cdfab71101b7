//! What makes two packets the same question.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Digest;

/// How a question is told from the client's others; `docs/mqtt.md` gives the order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AskId {
    /// The ask's `id`.
    Named(String),
    /// MQTT 5 correlation data, where there is no `id`.
    Correlation(Vec<u8>),
    /// The payload's digest, where there is neither: the same question only within a short time.
    Payload(Digest),
}

/// The key of one outcome: client and id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AskKey {
    /// The client, as in the topic `ask/<client>`.
    pub client: String,
    /// Which of its questions.
    pub id: AskId,
}

impl fmt::Display for AskKey {
    /// For logs: never the question itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            AskId::Named(id) => write!(f, "{}/{}", self.client, id.escape_debug()),
            AskId::Correlation(data) => write!(
                f,
                "{}/correlation:{}",
                self.client,
                hex::encode(&data[..data.len().min(16)])
            ),
            AskId::Payload(digest) => {
                write!(f, "{}/payload:{}", self.client, hex::encode(&digest.0[..8]))
            }
        }
    }
}
