//! A document as it was read, packed for the archive.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::documents::{self, Document};

/// Largest body that is unpacked, in bytes: a file of the largest size, with room for its JSON form.
const MAX_BODY_BYTES: u64 = 8 * documents::MAX_DOCUMENT_BYTES;

/// A document as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// The document, with the tags that were found.
    pub document: Document,
    /// The file that it was read from.
    pub file: Option<PathBuf>,
}

impl Original {
    /// The body of its record.
    pub fn pack(document: &Document, file: Option<&Path>) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        let path = file.map_or(&b""[..], |file| file.as_os_str().as_bytes());
        let length = u32::try_from(path.len()).unwrap_or(0);
        let json = documents::to_json(document).to_string();
        let fast = flate2::Compression::fast();
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), fast);
        let parts = [
            &length.to_le_bytes(),
            &path[..length as usize],
            json.as_bytes(),
        ];
        let written = parts.iter().try_for_each(|part| packed.write_all(part));
        // Writing into memory does not fail.
        written.and_then(|()| packed.finish()).unwrap_or_default()
    }

    /// The document in a body; `None` where it is none. `path` stands in messages.
    pub fn unpack(packed: &[u8], path: &Path) -> Option<Original> {
        use std::os::unix::ffi::OsStringExt;
        let mut body = Vec::new();
        let unpacked = flate2::read::DeflateDecoder::new(packed);
        unpacked.take(MAX_BODY_BYTES).read_to_end(&mut body).ok()?;
        let (length, rest) = body.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (file, json) = rest.split_at_checked(length)?;
        let file = std::ffi::OsString::from_vec(file.to_vec());
        Some(Original {
            document: documents::from_json(path, json).ok()?,
            file: (length > 0).then(|| file.into()),
        })
    }
}
