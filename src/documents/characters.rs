//! One way to write a character: what looks the same in two files is the same text.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{Block, Body, Section, one_line};

/// Whether `ch` only tells how a line is set.
fn is_unseen(ch: char) -> bool {
    matches!(
        ch,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

/// What the ligature `ch` stands for.
pub(super) fn ligature(ch: char) -> Option<&'static str> {
    Some(match ch {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

/// Of `text`, on one line: writes the hyphens of typesetters as `-`, ligatures as letters, accents on their
/// letters, and leaves out marks for the ends of lines.
pub(super) fn settle(text: &mut String) {
    let is_set =
        |ch: char| is_unseen(ch) || matches!(ch, '\u{2010}' | '\u{2011}' | '\u{fb00}'..='\u{fb06}');
    if !text.is_ascii() && (text.contains(is_set) || !is_nfc(text)) {
        let mut plain = String::with_capacity(text.len());
        for ch in text.nfc() {
            match ch {
                '\u{2010}' | '\u{2011}' => plain.push('-'),
                _ if is_unseen(ch) => {}
                _ => match ligature(ch) {
                    Some(letters) => plain.push_str(letters),
                    None => plain.push(ch),
                },
            }
        }
        let plain = one_line(&plain);
        if !plain.is_empty() {
            *text = plain;
        }
    }
}

/// The same for all that a section says.
pub(super) fn settle_section(section: &mut Section) {
    section.headings.iter_mut().for_each(settle);
    for Block { body, .. } in &mut section.blocks {
        match body {
            Body::Paragraph(text) | Body::Caption(text) => settle(text),
            Body::List(items) => items.iter_mut().for_each(settle),
            Body::Table(table) => {
                table.caption.iter_mut().for_each(settle);
                table.header.iter_mut().for_each(settle);
                table.rows.iter_mut().flatten().for_each(settle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(text: &str) -> String {
        let mut text = text.to_owned();
        settle(&mut text);
        text
    }

    #[test]
    fn hyphens_ligatures_and_accents_are_written_in_one_way() {
        assert_eq!(
            settled("low\u{2010}income non\u{2011}Bt"),
            "low-income non-Bt"
        );
        assert_eq!(settled("speci\u{fb01}c o\u{fb03}ce"), "specific office");
        assert_eq!(settled("ca\u{fe}e\u{301}"), "ca\u{fe}é");
        assert_eq!(settled("2014–15 — 5 °C"), "2014–15 — 5 °C");
    }

    #[test]
    fn marks_for_the_ends_of_lines_are_left_out() {
        assert_eq!(settled("germi\u{ad}nation\u{200b}"), "germination");
        assert_eq!(
            settled("क\u{94d}\u{200d}ष"),
            "क\u{94d}\u{200d}ष",
            "joiners are letters"
        );
    }
}
