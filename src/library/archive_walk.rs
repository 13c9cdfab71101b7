//! Records of the archive: how one is made, and finding them again, over damage.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::LibraryError;
use super::archive::{Span, seal};
use crate::durable::FileError;

const MARK: [u8; 4] = *b"ALM1";
/// Mark, kind, two lengths, digest.
const HEAD_BYTES: usize = 4 + FIELDS + 32;
/// Kind and the two lengths.
const FIELDS: usize = 1 + 2 + 4;
const DOCUMENT: u8 = b'd';
const GONE: u8 = b'x';

/// A record's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    fields: [u8; FIELDS],
    digest: [u8; 32],
}

impl Record {
    /// The bytes of a record: a document's body, or that it is gone. Ids are of at most 512 bytes.
    pub fn bytes_of(id: &str, body: Option<&[u8]>) -> Vec<u8> {
        let kind = if body.is_some() { DOCUMENT } else { GONE };
        let body = body.unwrap_or_default();
        let mut fields = [kind; FIELDS];
        fields[1..3].copy_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_le_bytes());
        fields[3..].copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        let digest = seal([&fields, id.as_bytes(), body]);
        [&MARK[..], &fields, &digest.0, id.as_bytes(), body].concat()
    }

    /// The body of the document `id` in `record`; `None` where that is not whole.
    pub fn body(id: &str, mut record: Vec<u8>) -> Option<Vec<u8>> {
        let head = Record::head(record.first_chunk()?)?;
        let start = HEAD_BYTES + head.id_bytes();
        let is_its = record.len() as u64 == head.bytes() && head.fields[0] == DOCUMENT;
        let is_its = is_its && record.get(HEAD_BYTES..start) == Some(id.as_bytes());
        let is_whole = is_its && head.is_of(id.as_bytes(), &record[start..]);
        is_whole.then(|| record.split_off(start))
    }

    fn head(bytes: &[u8; HEAD_BYTES]) -> Option<Record> {
        let rest = bytes.strip_prefix(&MARK)?;
        let (fields, digest) = rest.split_first_chunk::<FIELDS>()?;
        let record = Record {
            fields: *fields,
            digest: digest.try_into().ok()?,
        };
        matches!(fields[0], DOCUMENT | GONE).then_some(record)
    }

    fn id_bytes(&self) -> usize {
        usize::from(u16::from_le_bytes([self.fields[1], self.fields[2]]))
    }

    fn body_bytes(&self) -> u32 {
        let [_, _, _, a, b, c, d] = self.fields;
        u32::from_le_bytes([a, b, c, d])
    }

    fn bytes(&self) -> u64 {
        (HEAD_BYTES + self.id_bytes()) as u64 + u64::from(self.body_bytes())
    }

    fn is_of(&self, id: &[u8], body: &[u8]) -> bool {
        seal([&self.fields, id, body]).0 == self.digest
    }
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Where the last record of each document stands that is not gone.
    pub live: BTreeMap<String, Span>,
    /// The end of the last sound record.
    pub end: u64,
}

/// Finds the records in the first `length` bytes of the file at `path`; blocking.
///
/// Bodies are read and checked where nobody else vouches for them (`checks_all`) or no record follows.
/// Behind a record that cannot be one the next that is whole is looked for.
pub(super) fn walk(path: &Path, length: u64, checks_all: bool) -> Result<Walked, LibraryError> {
    let failed = |error| LibraryError::from(FileError::at("read", path)(error));
    let file = File::open(path).map_err(FileError::at("open", path))?;
    let mut walker = Walker {
        file: BufReader::with_capacity(256 * 1024, file),
        length,
    };
    let mut walked = Walked::default();
    let (mut offset, mut checks) = (0, checks_all);
    while offset < length {
        match walker.record_at(offset, checks).map_err(failed)? {
            Some((record, id)) => {
                let bytes = record.bytes();
                match record.fields[0] {
                    GONE => walked.live.remove(&id),
                    _ => walked.live.insert(id, Span { offset, bytes }),
                };
                offset += bytes;
                (walked.end, checks) = (offset, checks_all);
            }
            None => match walker.next_mark(offset + 1).map_err(failed)? {
                // Document text may hold the mark: only a whole record counts here.
                Some(next) => (offset, checks) = (next, true),
                None => break,
            },
        }
    }
    Ok(walked)
}

struct Walker {
    file: BufReader<File>,
    length: u64,
}

impl Walker {
    /// Goes to `offset` without losing what is buffered.
    fn seek(&mut self, offset: u64) -> std::io::Result<()> {
        let here = self.file.stream_position()?;
        match (i64::try_from(offset), i64::try_from(here)) {
            (Ok(to), Ok(from)) => self.file.seek_relative(to - from),
            _ => self.file.seek(SeekFrom::Start(offset)).map(|_| ()),
        }
    }

    fn record_at(
        &mut self,
        offset: u64,
        checks: bool,
    ) -> std::io::Result<Option<(Record, String)>> {
        if offset + HEAD_BYTES as u64 > self.length {
            return Ok(None);
        }
        self.seek(offset)?;
        let mut head = [0; HEAD_BYTES];
        self.file.read_exact(&mut head)?;
        let Some(record) = Record::head(&head) else {
            return Ok(None);
        };
        if offset + record.bytes() > self.length {
            return Ok(None);
        }
        let mut id = vec![0; record.id_bytes()];
        self.file.read_exact(&mut id)?;
        if checks || !self.is_at_mark(offset + record.bytes())? {
            self.seek(offset + (HEAD_BYTES + record.id_bytes()) as u64)?;
            let mut body = vec![0; record.body_bytes() as usize];
            self.file.read_exact(&mut body)?;
            if !record.is_of(&id, &body) {
                return Ok(None);
            }
        }
        Ok(String::from_utf8(id).ok().map(|id| (record, id)))
    }

    /// Whether a record may begin at `offset`, or nothing does: else the lengths before it are wrong.
    fn is_at_mark(&mut self, offset: u64) -> std::io::Result<bool> {
        if offset + MARK.len() as u64 > self.length {
            return Ok(offset == self.length);
        }
        self.seek(offset)?;
        let mut mark = [0; MARK.len()];
        self.file.read_exact(&mut mark)?;
        Ok(mark == MARK)
    }

    /// Where the next mark begins, from `offset` on.
    fn next_mark(&mut self, mut offset: u64) -> std::io::Result<Option<u64>> {
        self.seek(offset)?;
        while offset + HEAD_BYTES as u64 <= self.length {
            let skipped = self.file.skip_until(MARK[0])? as u64;
            if skipped == 0 {
                return Ok(None);
            }
            offset += skipped;
            let mut rest = [0; 3];
            match self.file.read_exact(&mut rest) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
            if rest == MARK[1..] {
                return Ok(Some(offset - 1));
            }
            self.file.seek_relative(-3)?;
        }
        Ok(None)
    }
}
