//! Editions over a network, pure: the messages between pusher and box, how a box fetches, how a pusher
//! serves and rolls out.
//!
//! ```text
//! pusher                                   box
//!   | offer (manifest, signature)  ------>  |  examined; space looked at
//!   |  <------ want (file, offset, credit)  |  at most `CREDIT` pieces under way
//!   | chunk, chunk, ...            ------>  |  each checked, appended and synced
//!   |  <------ want                         |  ... until every file is whole
//!   |  <------ state                        |  fetching, verified, staged, trial, current
//! ```
//!
//! Nothing here trusts the other end: what arrives is held against the signed manifest, and what does not
//! arrive is asked for again, a bounded number of times. A chunk that nobody asked for changes nothing.

mod fetch;
#[cfg(test)]
mod fetch_tests;
mod parts;
mod rollout;
#[cfg(test)]
mod rollout_tests;
mod serve;
mod wire;
#[cfg(test)]
mod wire_tests;

pub use fetch::{CREDIT, Fetch, Missing, Taken};
pub use parts::{Parts, Received};
pub use rollout::{Bound, Course, End, Move, Rollout, Stage};
pub use serve::{Piece, Serving};
pub use wire::{
    Chunk, Envelope, Lie, MAX_CHUNK_BYTES, MAX_OFFER_BYTES, MAX_WANT_BYTES, PIECE, Want, read_state,
};
