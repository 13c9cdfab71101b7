//! Packets to questions and readings, answers and states to packets.
//!
//! Limits come before parsing, and whatever arrives is a value: a question, a reason why it is none, readings, or a
//! reason why the packet is passed over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::topics::{Name, Topic, Topics};
use crate::types::senml;
use crate::types::{Ask, AskId, AskKey, AskLimits, Digest, InvalidAsk, Question, Reading};

/// Largest ask, bytes: 2,000 characters and 64 readings are far below it, and its record must fit the journal.
pub const MAX_ASK_BYTES: usize = 64 * 1024;
/// Largest piece of an edition, bytes; what is longer is not even kept while it waits.
const MAX_CHUNK_BYTES: usize = 256 * 1024;
/// Longest correlation data taken, bytes.
const MAX_CORRELATION: usize = 1_024;

/// A packet as it came, whatever client library brought it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packet<'a> {
    /// The topic's bytes.
    pub topic: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// Whether the broker kept it (retained).
    pub retain: bool,
    /// Whether the broker sent it before (DUP).
    pub redelivered: bool,
    /// MQTT 5 Response Topic.
    pub response_topic: Option<&'a str>,
    /// MQTT 5 Correlation Data.
    pub correlation: Option<&'a [u8]>,
    /// MQTT 5 Message Expiry Interval, seconds left.
    pub expiry_s: Option<u32>,
}

/// What a packet is to this box.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A question, or what was meant as one.
    Ask(Box<IncomingAsk>),
    /// Readings of a device.
    Sense {
        /// The device of the topic.
        device: String,
        /// Its readings, at most [`senml::MAX_RECORDS`].
        readings: Vec<Reading>,
    },
    /// The state of this box that the broker holds.
    OwnStatus(BoxStatus),
    /// An edition is offered to this box; nothing, where the offer was taken back.
    EditionOffer(Vec<u8>),
    /// What may be a piece of an edition.
    EditionChunk(Vec<u8>),
    /// Nothing for this box; the text says why, without the payload.
    Ignored(String),
}

/// A question with all that replying needs.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingAsk {
    /// What makes a repetition of it the same question.
    pub key: AskKey,
    /// The ask's own id, to be repeated in the answer.
    pub id: Option<String>,
    /// The valid question, or the reason for `invalid`.
    pub asked: Result<Asked, InvalidAsk>,
    /// Where the answer goes: always below `answer/<client>`.
    pub respond_to: String,
    /// To be repeated in the answer.
    pub correlation: Option<Vec<u8>>,
    /// Arrival, seconds since 1970 UTC.
    pub received_at: i64,
    /// Time left from arrival: the nearer of Message Expiry and `deadline_s`; `None` when neither was given.
    pub expires_in: Option<Duration>,
    /// Whether the broker sent the packet before (DUP).
    pub redelivered: bool,
}

/// A valid ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// Whether parts of the answer are wanted as they come.
    pub stream: bool,
}

/// What the box says of itself on `status/<box>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxStatus {
    /// This box.
    #[serde(rename = "box")]
    pub box_name: String,
    /// Its state.
    pub state: BoxState,
    /// Serial of the edition in use.
    pub edition: u64,
    /// Questions waiting.
    pub queue: usize,
    /// Seconds that a question asked now would wait.
    pub wait_s: u64,
    /// Grows with every connection of this box, so that a late will of an old one is told apart.
    pub session: u64,
    /// Version of the program.
    pub version: String,
}

/// State of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoxState {
    /// Not yet answering.
    Starting,
    /// Answering.
    Ready,
    /// Changing its edition.
    Updating,
    /// Answering with a part missing.
    Degraded,
    /// Not connected.
    Gone,
}

/// Reads packets of one box.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The box's topics.
    pub topics: Topics,
    /// What an ask may hold.
    pub limits: AskLimits,
    /// Largest payload looked at, bytes.
    pub max_payload: usize,
}

impl Reader {
    /// What `packet` is; `now` in seconds since 1970 UTC.
    pub fn read(&self, packet: &Packet<'_>, now: i64) -> Incoming {
        match self.topics.read(packet.topic) {
            Some(Topic::Ask(_)) if packet.retain => Incoming::Ignored("a retained ask".into()),
            Some(Topic::Ask(client)) => Incoming::Ask(Box::new(self.ask(packet, &client, now))),
            Some(Topic::Sense(device)) => self.sense(packet, &device, now),
            Some(Topic::OwnStatus) => own_status(packet),
            Some(Topic::EditionOffer) => Incoming::EditionOffer(packet.payload.to_vec()),
            Some(Topic::EditionChunk) if packet.payload.len() <= MAX_CHUNK_BYTES => {
                Incoming::EditionChunk(packet.payload.to_vec())
            }
            Some(Topic::EditionChunk) => {
                let bytes = packet.payload.len();
                Incoming::Ignored(format!(
                    "edition/chunk: {bytes} bytes, at most {MAX_CHUNK_BYTES} are read"
                ))
            }
            None => {
                let topic = String::from_utf8_lossy(packet.topic);
                let shown: String = topic.chars().take(80).collect();
                Incoming::Ignored(format!("topic {shown:?} is none of this box's"))
            }
        }
    }

    fn ask(&self, packet: &Packet<'_>, client: &Name, now: i64) -> IncomingAsk {
        let parsed = self.parse_ask(packet);
        let id = match &parsed {
            Ok(ask) => ask.id.clone(),
            Err(_) => self.salvage_id(packet.payload),
        };
        // A correlation too long to be kept cannot be repeated either.
        let correlation = packet
            .correlation
            .filter(|data| data.len() <= MAX_CORRELATION);
        let mut respond_to = self.topics.answer(client);
        let mut foreign = None;
        match packet.response_topic {
            Some(topic) if self.topics.is_answer_topic_of(topic, client) => {
                respond_to = topic.to_owned();
            }
            Some(_) => foreign = Some(format!("the Response Topic must lie below {respond_to}")),
            None => {}
        }
        if packet.correlation.is_some() && correlation.is_none() {
            foreign = Some(format!(
                "correlation data has at most {MAX_CORRELATION} bytes"
            ));
        }
        let asked = match foreign {
            Some(reason) => Err(InvalidAsk(reason)),
            None => parsed.as_ref().map_err(Clone::clone).and_then(|ask| {
                Ok(Asked {
                    question: ask.validate(&self.limits, now)?,
                    stream: ask.stream,
                })
            }),
        };
        let deadline = parsed.ok().and_then(|ask| ask.deadline_s);
        IncomingAsk {
            key: key(client, id.as_deref(), correlation, packet.payload),
            id: id.filter(|id| is_id(id)),
            asked,
            respond_to,
            correlation: correlation.map(<[u8]>::to_owned),
            received_at: now,
            expires_in: nearer(packet.expiry_s, deadline),
            redelivered: packet.redelivered,
        }
    }

    fn parse_ask(&self, packet: &Packet<'_>) -> Result<Ask, InvalidAsk> {
        let most = self.max_payload.min(MAX_ASK_BYTES);
        if packet.payload.len() > most {
            return Err(InvalidAsk(format!(
                "the ask has {} bytes, at most {most} are read",
                packet.payload.len()
            )));
        }
        Ask::parse(packet.payload)
    }

    /// The id of an ask whose other fields are wrong, so that its sender can tell which it was.
    fn salvage_id(&self, payload: &[u8]) -> Option<String> {
        #[derive(Deserialize)]
        struct OnlyId {
            id: String,
        }
        (payload.len() <= self.max_payload.min(MAX_ASK_BYTES))
            .then(|| serde_json::from_slice::<OnlyId>(payload).ok())
            .flatten()
            .map(|only| only.id)
    }

    fn sense(&self, packet: &Packet<'_>, device: &Name, now: i64) -> Incoming {
        if packet.payload.is_empty() {
            return Incoming::Ignored(format!("sense/{device}: an empty payload"));
        }
        if packet.payload.len() > self.max_payload {
            let (bytes, most) = (packet.payload.len(), self.max_payload);
            return Incoming::Ignored(format!(
                "sense/{device}: {bytes} bytes, at most {most} are read"
            ));
        }
        match senml::parse(packet.payload, device.as_str(), now) {
            Err(error) => Incoming::Ignored(format!("sense/{device}: {error}")),
            Ok(resolved) => Incoming::Sense {
                device: device.to_string(),
                readings: resolved
                    .into_iter()
                    // The broker does not say since when it keeps a message: without a time its age is unknown.
                    .filter(|each| each.dated || !packet.retain)
                    .map(|each| each.reading)
                    .collect(),
            },
        }
    }
}

fn own_status(packet: &Packet<'_>) -> Incoming {
    match serde_json::from_slice(packet.payload) {
        Ok(status) => Incoming::OwnStatus(status),
        Err(_) => Incoming::Ignored("a status of this box that it did not write".into()),
    }
}

fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.chars().count())
}

/// `id`, else (client, correlation data), else (client, packet payload): the order of `docs/mqtt.md`.
fn key(client: &Name, id: Option<&str>, correlation: Option<&[u8]>, payload: &[u8]) -> AskKey {
    let id = match (id.filter(|id| is_id(id)), correlation) {
        (Some(id), _) => AskId::Named(id.to_owned()),
        (None, Some(data)) if !data.is_empty() => AskId::Correlation(data.to_owned()),
        _ => AskId::Payload(Digest::of(payload)),
    };
    AskKey {
        client: client.to_string(),
        id,
    }
}

fn nearer(expiry_s: Option<u32>, deadline_s: Option<f64>) -> Option<Duration> {
    let expiry = expiry_s.map(|seconds| Duration::from_secs(seconds.into()));
    let deadline = deadline_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match (expiry, deadline) {
        (Some(expiry), Some(deadline)) => Some(expiry.min(deadline)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
