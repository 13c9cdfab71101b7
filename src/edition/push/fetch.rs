//! How a box fetches: what to ask for next, and which chunk to take. Pure; time comes in.
//!
//! A file grows by whole pieces, in order. At most [`CREDIT`] pieces are under way, so that neither the box
//! nor a broker holds more of them. Where nothing useful comes, everything that is under way is asked for
//! again, later and later, and after some tries not any more until the offer comes again.

use std::time::{Duration, Instant};

use super::wire::{Chunk, Lie, PIECE, Want};
use crate::types::Digest;

/// Pieces under way: 2 MiB, which a broker may have to hold for a slow box.
pub const CREDIT: u64 = 8;
/// How long nothing useful may come before it is asked for again; doubled with every try.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
/// Tries in a row without a useful chunk; then the box waits for the offer to come again.
pub(super) const TRIES: u32 = 6;
/// How often a file may come out wrong before the edition is given up.
pub(super) const WRONG: u8 = 3;

/// A file that is not here yet, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its digest.
    pub file: Digest,
    /// Its length, bytes; at least 1.
    pub length: u64,
    /// Bytes that are here: whole pieces, fewer than `length`.
    pub have: u64,
}

#[derive(Debug)]
struct Part {
    file: Digest,
    length: u64,
    have: u64,
    /// What was asked for ends here.
    asked: u64,
    wrong: u8,
}

impl Part {
    fn under_way(&self) -> u64 {
        pieces(self.asked - self.have)
    }
}

fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(PIECE as u64)
}

/// What a taken chunk makes of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// More is to come.
    Piece,
    /// That was the last of this file, which has so many bytes.
    Last(u64),
}

/// The files of one edition on their way.
#[derive(Debug)]
pub struct Fetch {
    serial: u64,
    push: String,
    parts: Vec<Part>,
    total: u64,
    resumed: u64,
    tries: u32,
    due: Option<Instant>,
    /// Nobody answered [`TRIES`] times.
    is_stalled: bool,
}

impl Fetch {
    /// A fetch of `missing` for edition `serial`, offered by `push`; [`Fetch::ask`] begins it.
    pub fn new(serial: u64, push: &str, missing: &[Missing]) -> Fetch {
        let part = |missing: &Missing| Part {
            file: missing.file,
            length: missing.length,
            have: missing.have,
            asked: missing.have,
            wrong: 0,
        };
        Fetch {
            serial,
            push: push.to_owned(),
            parts: missing.iter().map(part).collect(),
            total: missing.iter().map(|missing| missing.length).sum(),
            resumed: missing.iter().map(|missing| missing.have).sum(),
            tries: 0,
            due: None,
            is_stalled: false,
        }
    }

    /// The wants to send now: to fill the credit again once half of it came, or, when nothing came in time,
    /// everything under way anew.
    pub fn ask(&mut self, now: Instant) -> Vec<Want> {
        if self.is_stalled {
            return Vec::new();
        }
        if self.due.is_some_and(|due| now >= due) {
            self.lose();
            self.tries += 1;
            if self.tries > TRIES {
                self.is_stalled = true;
                return Vec::new();
            }
        }
        let under_way: u64 = self.parts.iter().map(Part::under_way).sum();
        if under_way > CREDIT / 2 {
            return Vec::new();
        }
        let wants = self.fill(CREDIT - under_way);
        if self.due.is_none() && !wants.is_empty() {
            self.wait(now);
        }
        wants
    }

    fn fill(&mut self, mut room: u64) -> Vec<Want> {
        let mut wants = Vec::new();
        for part in &mut self.parts {
            if room == 0 {
                break;
            }
            let left = part.length - part.asked;
            let credit = pieces(left).min(room);
            if credit == 0 {
                continue;
            }
            let length = left.min(credit * PIECE as u64);
            wants.push(Want {
                serial: self.serial,
                sha256: part.file,
                offset: part.asked,
                length,
                credit: u32::try_from(credit).unwrap_or(u32::MAX),
                push: self.push.clone(),
            });
            part.asked += length;
            room -= credit;
        }
        wants
    }

    /// Takes `chunk` where it is the next of a file that was asked for; the caller keeps its data.
    ///
    /// # Errors
    /// It is not; then nothing changed.
    pub fn take(&mut self, chunk: &Chunk<'_>, now: Instant) -> Result<Taken, Lie> {
        let &Chunk { file, offset, data } = chunk;
        let found = self.parts.iter_mut().find(|part| part.file == file);
        let part = found.ok_or(Lie::UnknownFile(file))?;
        let (length, expected) = (part.length, part.have);
        if offset >= length {
            return Err(Lie::OutOfRange {
                file,
                offset,
                length,
            });
        }
        if offset < expected {
            return Err(Lie::Replayed {
                file,
                offset,
                expected,
            });
        }
        if offset > expected || part.asked == expected {
            return Err(Lie::NotNext {
                file,
                offset,
                expected,
            });
        }
        let expected = (length - offset).min(PIECE as u64);
        if data.len() as u64 != expected {
            return Err(Lie::WrongLength {
                file,
                offset,
                found: data.len(),
                expected,
            });
        }
        part.have += expected;
        let is_last = part.have == length;
        self.tries = 0;
        self.wait(now);
        Ok(if is_last {
            Taken::Last(length)
        } else {
            Taken::Piece
        })
    }

    /// `file` is whole, and is what it should be.
    pub fn whole(&mut self, file: &Digest) {
        self.parts.retain(|part| part.file != *file);
        if self.parts.is_empty() {
            self.due = None;
        }
    }

    /// All of `file` came, and it is another one: it is fetched from its beginning again; whether that may
    /// still help.
    pub fn wrong(&mut self, file: &Digest) -> bool {
        match self.parts.iter_mut().find(|part| part.file == *file) {
            None => true,
            Some(part) => {
                (part.have, part.asked) = (0, 0);
                part.wrong += 1;
                part.wrong < WRONG
            }
        }
    }

    /// The offer came again, or the connection did: whatever was under way may be lost, and somebody is there
    /// to be asked.
    pub fn renew(&mut self) {
        self.lose();
        self.tries = 0;
        self.is_stalled = false;
    }

    fn lose(&mut self) {
        for part in &mut self.parts {
            part.asked = part.have;
        }
        self.due = None;
    }

    fn wait(&mut self, now: Instant) {
        let patience = PATIENCE.saturating_mul(1 << self.tries.min(16));
        self.due = Some(now + patience.min(LONGEST_PATIENCE));
    }

    /// When [`Fetch::ask`] is due though nothing comes.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether every file is whole.
    pub fn is_done(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it waits for the offer to come again.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// Bytes that are here, and bytes in all.
    pub fn bytes(&self) -> (u64, u64) {
        let parts = self.parts.iter();
        let left: u64 = parts.map(|part| part.length - part.have).sum();
        (self.total - left, self.total)
    }

    /// Bytes that were here when it began.
    pub fn resumed(&self) -> u64 {
        self.resumed
    }

    /// The edition.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The push that offered it.
    pub fn push(&self) -> &str {
        &self.push
    }

    /// Another push offers the same edition.
    pub fn follow(&mut self, push: &str) {
        push.clone_into(&mut self.push);
    }
}
