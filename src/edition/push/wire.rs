//! The messages between pusher and box. Lengths are looked at before anything is parsed; every lie is a
//! value.

use std::borrow::Cow;

use ct_codecs::{Base64, Decoder as _, Encoder as _};
use serde::{Deserialize, Serialize};

use super::super::limits;
use super::super::offer::Offer;
use super::super::signature::MAX_SIGNATURE_BYTES;
use crate::types::{Digest, EditionState};

/// Bytes of a file in one chunk, the last of a file excepted: 63 memory pages, so that a packet with its
/// header and topic stays within 256 KiB.
pub const PIECE: usize = 252 * 1024;
/// Digest of the file, offset, digest of the data.
const HEADER: usize = 32 + 8 + 32;
/// Longest chunk.
pub const MAX_CHUNK_BYTES: usize = HEADER + PIECE;
/// Longest offer: with it a box's limit for any packet, 2 MiB, is kept; some 9,000 files.
pub const MAX_OFFER_BYTES: usize = 2 * 1024 * 1024 - 4 * 1024;
/// Longest want.
pub const MAX_WANT_BYTES: usize = 1024;
/// Longest state.
const MAX_STATE_BYTES: usize = 64 * 1024;
/// Longest name of a push.
const MAX_PUSH_CHARS: usize = 64;

/// What is wrong with a message, or with a chunk at this moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// It is longer than any right one.
    #[error("the {what} has {found} bytes, at most {most} are read")]
    TooLong {
        /// Which message.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// It is shorter than its own header.
    #[error("the chunk has {found} bytes, a header alone has {HEADER}")]
    TooShort {
        /// Its length.
        found: usize,
    },
    /// It is not of the form that it should be.
    #[error("the {what} cannot be read: {reason}")]
    Unreadable {
        /// Which message.
        what: &'static str,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// The data is not what the digest beside it says.
    #[error("the data at {offset} of {file} is damaged: it is not what its digest says")]
    Damaged {
        /// The file.
        file: Digest,
        /// Where in it.
        offset: u64,
    },
    /// No file that is fetched now.
    #[error("{0} is no file that is fetched now")]
    UnknownFile(Digest),
    /// Bytes that are here already.
    #[error("{offset} of {file} came before; expected {expected}")]
    Replayed {
        /// The file.
        file: Digest,
        /// Where in it.
        offset: u64,
        /// What comes next.
        expected: u64,
    },
    /// Bytes that were not asked for, or whose forerunner is missing.
    #[error("{offset} of {file} is not next; expected {expected}")]
    NotNext {
        /// The file.
        file: Digest,
        /// Where in it.
        offset: u64,
        /// What comes next.
        expected: u64,
    },
    /// Outside the file.
    #[error("{offset} is outside of {file}, which has {length} bytes")]
    OutOfRange {
        /// The file.
        file: Digest,
        /// Where it claims to lie.
        offset: u64,
        /// The length that the manifest says.
        length: u64,
    },
    /// More or less data than belongs there.
    #[error("{found} bytes at {offset} of {file}, expected {expected}")]
    WrongLength {
        /// The file.
        file: Digest,
        /// Where in it.
        offset: u64,
        /// Bytes that came.
        found: usize,
        /// Bytes that belong there.
        expected: u64,
    },
}

fn unreadable(what: &'static str, reason: impl ToString) -> Lie {
    let reason = reason.to_string();
    Lie::Unreadable { what, reason }
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), Lie> {
    match found > most {
        true => Err(Lie::TooLong { what, found, most }),
        false => Ok(()),
    }
}

/// An offer with the name of the push that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Manifest and signature.
    pub offer: Offer,
    /// Tells a second push of the same edition from a repeated message; empty where it has none.
    pub push: String,
}

#[derive(Serialize, Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow)]
    manifest: Cow<'a, str>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    push: Cow<'a, str>,
}

impl Envelope {
    /// The message.
    ///
    /// # Errors
    /// It is longer than a box reads.
    pub fn encode(&self) -> Result<Vec<u8>, Lie> {
        let base64 = |bytes: &[u8]| {
            Base64::encode_to_string(bytes).map_err(|error| unreadable("offer", error))
        };
        let raw = RawEnvelope {
            manifest: base64(&self.offer.manifest)?.into(),
            signature: base64(&self.offer.signature)?.into(),
            push: self.push.as_str().into(),
        };
        let bytes = serde_json::to_vec(&raw).map_err(|error| unreadable("offer", error))?;
        bounded("offer", bytes.len(), MAX_OFFER_BYTES)?;
        Ok(bytes)
    }

    /// Reads a message; checks form and lengths, no signature.
    ///
    /// # Errors
    /// It is too long, no JSON of this shape, or no base64.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, Lie> {
        bounded("offer", bytes.len(), MAX_OFFER_BYTES)?;
        let raw: RawEnvelope =
            serde_json::from_slice(bytes).map_err(|error| unreadable("offer", error))?;
        if !is_push(&raw.push) {
            let reason = "push is at most 64 letters, digits, `_` or `-`";
            return Err(unreadable("offer", reason));
        }
        let plain = |text: &str, most: u64| {
            let bytes = Base64::decode_to_vec(text, None)
                .map_err(|error| unreadable("offer", format!("no base64: {error}")))?;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            bounded("offer", bytes.len(), most).map(|()| bytes)
        };
        Ok(Envelope {
            offer: Offer {
                manifest: plain(&raw.manifest, limits::MANIFEST_BYTES)?,
                signature: plain(&raw.signature, MAX_SIGNATURE_BYTES)?,
            },
            push: raw.push.into_owned(),
        })
    }
}

fn is_push(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= MAX_PUSH_CHARS && text.bytes().all(legal)
}

/// What a box wants sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The edition that it is part of.
    pub serial: u64,
    /// The file.
    pub sha256: Digest,
    /// Where the wanted bytes begin; whole pieces.
    pub offset: u64,
    /// How many are wanted.
    pub length: u64,
    /// Chunks that may be sent for this want, whatever its length.
    pub credit: u32,
    /// The push that was offered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub push: String,
}

impl Want {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        // Plain fields: nothing in them has no JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is too long or no JSON of this shape.
    pub fn parse(bytes: &[u8]) -> Result<Want, Lie> {
        bounded("want", bytes.len(), MAX_WANT_BYTES)?;
        serde_json::from_slice(bytes).map_err(|error| unreadable("want", error))
    }
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The file.
    pub file: Digest,
    /// Where the data belongs.
    pub offset: u64,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.data.len());
        bytes.extend(self.file.0);
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(Digest::of(self.data).0);
        bytes.extend(self.data);
        bytes
    }

    /// Reads a message and holds the data against its digest.
    ///
    /// # Errors
    /// It is too long, too short, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Chunk<'a>, Lie> {
        bounded("chunk", bytes.len(), MAX_CHUNK_BYTES)?;
        let short = || Lie::TooShort { found: bytes.len() };
        let (file, rest) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let (offset, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (digest, data) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let (file, offset) = (Digest(*file), u64::from_be_bytes(*offset));
        if Digest::of(data) != Digest(*digest) {
            return Err(Lie::Damaged { file, offset });
        }
        Ok(Chunk { file, offset, data })
    }
}

/// Reads what a box says of an edition.
///
/// # Errors
/// It is too long or no JSON of this shape.
pub fn read_state(bytes: &[u8]) -> Result<EditionState, Lie> {
    bounded("state", bytes.len(), MAX_STATE_BYTES)?;
    serde_json::from_slice(bytes).map_err(|error| unreadable("state", error))
}
