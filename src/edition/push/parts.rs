//! A fetch with its files on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::super::EditionError;
use super::super::blobs::Blobs;
use super::fetch::{Fetch, Missing, Taken};
use super::wire::{Chunk, Lie, PIECE};
use crate::types::Digest;

/// What came of a message that was taken for a chunk.
pub type Received = Result<Result<(), Lie>, EditionError>;

/// The files of one edition on their way into the contents of a state folder.
#[derive(Debug)]
pub struct Parts {
    blobs: Blobs,
    fetch: Fetch,
}

impl Parts {
    /// Goes on with what of `missing` (digest and length) is in the state folder; edition `serial`, offered
    /// by `push`. Blocking.
    ///
    /// # Errors
    /// The folder of contents cannot be read or written.
    pub fn open(
        state: &Path,
        (serial, push): (u64, &str),
        missing: &BTreeMap<Digest, u64>,
    ) -> Result<Parts, EditionError> {
        let blobs = Blobs::new(state);
        let mut parts = Vec::new();
        for (&file, &length) in missing {
            if length == 0 && blobs.begun(&file) == 0 {
                // Nothing to ask for.
                blobs.extend(&file, 0, &[])?;
            }
            // Cut off between its last piece and its name.
            if blobs.begun(&file) == length && completes(&blobs, &file, length)? {
                continue;
            }
            let have = blobs.held(&file, length, PIECE as u64)?;
            parts.push(Missing { file, length, have });
        }
        let fetch = Fetch::new(serial, push, &parts);
        Ok(Parts { blobs, fetch })
    }

    /// Takes the message `bytes` in: a right chunk is on disk when it returns, and a file with its last
    /// chunk is whole and verified. Blocking.
    ///
    /// # Errors
    /// The disk failed, or a file came out wrong too often ([`EditionError::Refused`]). Inside: the message
    /// was passed over, and why.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Received {
        let taken = Chunk::parse(bytes).and_then(|chunk| {
            let taken = self.fetch.take(&chunk, now)?;
            Ok((chunk, taken))
        });
        let (chunk, taken) = match taken {
            Ok(taken) => taken,
            Err(lie) => return Ok(Err(lie)),
        };
        self.blobs.extend(&chunk.file, chunk.offset, chunk.data)?;
        if let Taken::Last(length) = taken {
            self.complete(&chunk.file, length)?;
        }
        Ok(Ok(()))
    }

    fn complete(&mut self, file: &Digest, length: u64) -> Result<(), EditionError> {
        match self.blobs.complete(file, length) {
            Ok(()) => self.fetch.whole(file),
            Err(EditionError::Refused(why)) => {
                if !self.fetch.wrong(file) {
                    return Err(EditionError::Refused(why));
                }
                tracing::warn!(why, "a file is fetched again");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// How far it is, and what to ask for.
    pub fn fetch(&mut self) -> &mut Fetch {
        &mut self.fetch
    }
}

fn completes(blobs: &Blobs, file: &Digest, length: u64) -> Result<bool, EditionError> {
    match blobs.complete(file, length) {
        Ok(()) => Ok(true),
        Err(EditionError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
