//! The bibliography's lines to entries.

use std::sync::LazyLock;

use regex::Regex;

use super::join::{self, Vocabulary};
use super::lines::Line as TextLine;
use crate::documents::Reference;

static NUMBERED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*(?:\[(\d{1,3})\]|\(?(\d{1,3})[.)]?)\s+(\S.*)$").ok());

static YEAR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:1[89]|20)\d\d[a-z]?\b").ok());

/// A line of a bibliography.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    text: String,
    /// How far it stands from the column's border; `None` where that is unknown.
    indent: Option<f32>,
}

impl Line {
    pub fn of(line: &TextLine) -> Line {
        Line {
            text: line.text(),
            indent: Some((line.x0 - line.left) / line.size.max(1.0)),
        }
    }

    pub fn of_text(text: &str) -> Line {
        Line {
            text: text.to_owned(),
            indent: None,
        }
    }
}

/// Parts the bibliography into entries: by number, else by hanging indent, else by line that is one.
pub(super) fn entries(lines: &[Line]) -> Vec<Reference> {
    let numbered = lines
        .iter()
        .filter(|line| number(&line.text).is_some())
        .count();
    let by_number = numbered * 8 > lines.len() && numbered >= 2;
    let hanging = lines
        .iter()
        .filter(|line| line.indent.is_some_and(|by| by > 0.5))
        .count();
    let by_indent = hanging * 4 > lines.len();
    let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
    let mut next = 1;
    for line in lines {
        let begins = if by_number {
            // In order, so that a page or year at a line's start opens no entry.
            number(&line.text).is_some_and(|(at, _)| at >= next && at < next + 4)
        } else if by_indent {
            line.indent.is_none_or(|by| by <= 0.5)
        } else {
            entries.last().is_none_or(|(_, texts)| {
                let text = texts.join(" ");
                text.ends_with('.') && YEAR.as_ref().is_some_and(|year| year.is_match(&text))
            })
        };
        if begins || entries.is_empty() {
            let found = number(&line.text).filter(|_| by_number);
            if let Some((at, _)) = found {
                next = at + 1;
            }
            let (label, text) = found.map_or_else(
                || ((entries.len() + 1).to_string(), &*line.text),
                |(at, text)| (at.to_string(), text),
            );
            entries.push((label, vec![text]));
        } else if let Some(last) = entries.last_mut() {
            last.1.push(&line.text);
        }
    }
    let vocabulary = Vocabulary::default();
    entries
        .into_iter()
        .map(|(label, texts)| Reference {
            label,
            text: join::lines(&texts, &vocabulary),
        })
        .filter(|entry| !entry.text.is_empty())
        .collect()
}

fn number(text: &str) -> Option<(u32, &str)> {
    let found = NUMBERED.as_ref()?.captures(text)?;
    let digits = found.get(1).or_else(|| found.get(2))?;
    Some((digits.as_str().parse().ok()?, found.get(3)?.as_str()))
}

/// The mark of a note and its text.
pub(super) fn note(text: &str) -> (String, String) {
    let is_mark = |ch: &char| ch.is_ascii_digit() || "*†‡§¶#[]^".contains(*ch);
    let mark: String = text.chars().take_while(is_mark).collect();
    let rest = text[mark.len()..].trim_start();
    let label = mark.trim_matches(['[', ']', '^']).to_owned();
    (label, rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[(&str, f32)]) -> Vec<Line> {
        texts
            .iter()
            .map(|(text, indent)| Line {
                text: (*text).to_owned(),
                indent: Some(*indent),
            })
            .collect()
    }

    fn labels(entries: &[Reference]) -> Vec<String> {
        entries
            .iter()
            .map(|entry| format!("{} {}", entry.label, entry.text))
            .collect()
    }

    #[test]
    fn numbers_in_order_begin_entries() {
        let found = entries(&lines(&[
            ("1. Abate T (2010) Maize in", 0.0),
            ("2010 seasons. 12:1-", 1.0),
            ("9.", 1.0),
            ("2. Bele S. Sorghum.", 0.0),
        ]));
        assert_eq!(
            labels(&found),
            [
                "1 Abate T (2010) Maize in 2010 seasons. 12:1-9.",
                "2 Bele S. Sorghum."
            ]
        );
    }

    #[test]
    fn a_hanging_indent_goes_on_with_its_entry() {
        let found = entries(&lines(&[
            ("Abate T (2010) Maize", 0.0),
            ("of the highlands.", 1.2),
            ("Bele S (2011) Sorghum", 0.0),
            ("and millet.", 1.2),
        ]));
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].text, "Bele S (2011) Sorghum and millet.");
    }

    #[test]
    fn a_note_is_parted_from_its_mark() {
        assert_eq!(note("[1]Seed rate"), ("1".into(), "Seed rate".into()));
        assert_eq!(note("* per hectare"), ("*".into(), "per hectare".into()));
    }
}
