//! Characters as they are read: ligatures taken apart, private marks named, strings decoded.

use crate::documents::characters::ligature;

/// The characters that the glyph of `ch` stands for; `symbolic` fonts have pictures in place of letters.
pub(super) fn characters(ch: char, symbolic: bool) -> String {
    if symbolic && !ch.is_whitespace() {
        return BULLET.to_string();
    }
    if let Some(letters) = ligature(ch) {
        return letters.to_owned();
    }
    let text = match ch {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => " ",
        '\u{2010}' | '\u{2011}' => "-",
        // Word's and LaTeX's bullets, and Symbol's Greek, in the private area.
        '\u{f0b7}' | '\u{f0a7}' | '\u{f0d8}' | '\u{f0a8}' | '\u{f076}' | '\u{f06e}'
        | '\u{f0fc}' => "•",
        '\u{f061}' => "α",
        '\u{f062}' => "β",
        '\u{f063}' => "χ",
        '\u{f064}' => "δ",
        '\u{f067}' => "γ",
        '\u{f06d}' => "µ",
        '\u{f0b0}' => "°",
        '\u{f0b1}' => "±",
        '\u{f0b4}' => "×",
        '\u{f0a3}' => "≤",
        '\u{f0b3}' => "≥",
        '\u{f02d}' => "−",
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {
            return if ch == '\u{ad}' {
                "\u{ad}".to_owned()
            } else {
                String::new()
            };
        }
        _ if ch.is_control() => " ",
        _ => return ch.to_string(),
    };
    text.to_owned()
}

/// The mark of list items whose own sign is unknown.
pub(super) const BULLET: char = '•';

/// A text string of a PDF: UTF-16 or UTF-8 with their marks, else PDFDocEncoding read as Latin-1.
pub(super) fn pdf_string(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| read([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| latin(*byte)).collect(),
        },
    }
}

fn latin(byte: u8) -> char {
    match byte {
        0x80 => '•',
        0x84 => '—',
        0x85 => '–',
        0x8d => '“',
        0x8e => '”',
        0x8f => '‘',
        0x90 => '’',
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ligatures_and_private_bullets_become_plain_characters() {
        assert_eq!(characters('\u{fb03}', false), "ffi");
        assert_eq!(characters('\u{f0b7}', false), "•");
        assert_eq!(characters('n', true), "•");
        assert_eq!(characters('ä', false), "ä");
    }

    #[test]
    fn strings_are_decoded_by_their_mark() {
        assert_eq!(pdf_string(b"\xfe\xff\x00M\x00a"), "Ma");
        assert_eq!(pdf_string(b"caf\xe9"), "café");
        assert_eq!(pdf_string("Réunion".as_bytes()), "Réunion");
        assert_eq!(pdf_string(b"\xfe\xff\xd8"), "");
    }
}
