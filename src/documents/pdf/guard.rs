//! What a file's streams unpack to, counted before the parser unpacks them whole.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

use super::PdfError;

/// Most bytes that one stream may unpack to; a page's text has some 100 kB, a picture some 100 MB.
const MAX_STREAM: u64 = 256 << 20;

/// Most bytes that all streams together may unpack to.
const MAX_TOTAL: u64 = 4 << 30;

/// The word before a stream's bytes.
const STREAM: &[u8] = b"stream";

/// Refuses files that would fill the memory. Streams that are encrypted or packed twice are not seen
/// through: for them the size of the file is the bound.
///
/// # Errors
/// A stream, or all together, unpack to more than the bounds.
pub(super) fn check(bytes: &[u8]) -> Result<(), PdfError> {
    let mut total = 0;
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], STREAM) {
        at += found + STREAM.len();
        let data = match &bytes[at..] {
            [b'\r', b'\n', rest @ ..] | [b'\n' | b'\r', rest @ ..] => rest,
            _ => continue,
        };
        // The first byte of zlib's header with its usual window.
        if data.first() != Some(&0x78) {
            continue;
        }
        let mut unpacked = ZlibDecoder::new(data).take(MAX_STREAM + 1);
        let size = count(&mut unpacked);
        total += size;
        if size > MAX_STREAM || total > MAX_TOTAL {
            return Err(PdfError::TooBig {
                reason: format!(
                    "its streams unpack to more than {} MiB each or {} GiB together",
                    MAX_STREAM >> 20,
                    MAX_TOTAL >> 30
                ),
            });
        }
    }
    Ok(())
}

/// Bytes until the end or the first fault: a broken stream is the parser's to mend.
fn count(from: &mut impl Read) -> u64 {
    let mut buffer = [0; 16 * 1024];
    let mut size = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return size,
            Ok(read) => size += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return size,
        }
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from
            + bytes
                .get(from..)?
                .iter()
                .position(|byte| *byte == word[0])?;
        if bytes[at..].starts_with(word) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(size: u64) -> Vec<u8> {
        let mut bytes = b"%PDF-1.7\n1 0 obj\n<< /Filter /FlateDecode >>\nstream\r\n".to_vec();
        let mut encoder = ZlibEncoder::new(&mut bytes, Compression::fast());
        io::copy(&mut io::repeat(0).take(size), &mut encoder).expect("in memory");
        encoder.flush().expect("in memory");
        drop(encoder);
        bytes
    }

    #[test]
    fn a_stream_that_unpacks_beyond_the_bound_is_refused() {
        assert_eq!(check(&packed(1 << 20)), Ok(()));
        assert!(matches!(
            check(&packed(MAX_STREAM + 1)),
            Err(PdfError::TooBig { .. })
        ));
    }

    #[test]
    fn what_is_no_stream_is_passed_over() {
        assert_eq!(check(b"stream"), Ok(()));
        assert_eq!(check(b"endstream\nstream\n\x78\xff\xff broken"), Ok(()));
    }
}
