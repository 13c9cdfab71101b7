//! The marks of list items.

use std::sync::LazyLock;

use regex::Regex;

static NUMBERED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]|\[?\d{1,2}\])$").ok());

const BULLETS: [char; 22] = [
    '•', '●', '○', '◦', '▪', '■', '□', '▫', '◆', '◇', '❖', '➢', '►', '▶', '‣', '⁃', '✓', '☐', '·',
    '∙', '➤', '✔',
];

/// Whether `word` alone marks an item.
pub(super) fn is_mark(word: &str) -> bool {
    is_bullet(word) || NUMBERED.as_ref().is_some_and(|mark| mark.is_match(word))
}

/// Whether `word` is a bullet or dash.
pub(super) fn is_bullet(word: &str) -> bool {
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(ch), None) => {
            BULLETS.contains(&ch) || matches!(ch, '-' | '–' | '—' | '*' | '»' | '›')
        }
        _ => false,
    }
}

/// `text` without its bullet; a number stays, for it may be referred to.
pub(super) fn without_bullet(text: &str) -> &str {
    match text.split_once(' ') {
        Some((mark, rest)) if is_bullet(mark) => rest.trim_start(),
        _ => text.strip_prefix(BULLETS).map_or(text, str::trim_start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_bullets_dashes_and_short_numbers() {
        for mark in ["•", "-", "1.", "(a)", "iv)", "12)", "b."] {
            assert!(is_mark(mark), "{mark}");
        }
        for word in ["2012.", "Maize", "1.5", "(see", "al."] {
            assert!(!is_mark(word), "{word}");
        }
        assert_eq!(without_bullet("• clay: 3 cm"), "clay: 3 cm");
        assert_eq!(without_bullet("1. clay"), "1. clay");
    }
}
