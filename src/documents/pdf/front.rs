//! Title, authors, date and language: from the file's own description and from the first page.

use std::sync::LazyLock;

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, String as PdfString};
use regex::Regex;

use super::text::pdf_string;

/// Most authors that are kept.
const MAX_AUTHORS: usize = 100;

/// What the file says about itself.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub title: Option<String>,
    pub author: String,
    pub language: Option<String>,
    pub date: Option<String>,
}

/// Reads the file's own description.
pub(super) fn told(pdf: &Pdf) -> Told {
    let metadata = pdf.metadata();
    let text = |bytes: &Option<Box<[u8]>>| {
        let text = super::join::clean(&pdf_string(bytes.as_deref().unwrap_or_default()));
        (!text.is_empty()).then_some(text)
    };
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let language = catalog
        .and_then(|catalog| catalog.get::<PdfString<'_>>("Lang"))
        .map(|tag| pdf_string(tag.as_bytes()).trim().to_owned())
        .filter(|tag| is_language(tag));
    Told {
        title: text(&metadata.title).filter(|title| is_title(title)),
        author: text(&metadata.author).unwrap_or_default(),
        language,
        date: metadata
            .creation_date
            .as_ref()
            .map(|date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)),
    }
}

fn is_language(tag: &str) -> bool {
    (2..=35).contains(&tag.len())
        && tag
            .chars()
            .all(|ch| ch.is_ascii_alphanumeric() || ch == '-')
}

/// Programs write file names and templates where a title should be.
fn is_title(text: &str) -> bool {
    let lower = text.to_lowercase();
    text.contains(' ')
        && !lower.starts_with("microsoft word")
        && !lower.starts_with("untitled")
        && ![".doc", ".docx", ".indd", ".dvi", ".qxd", ".pdf", ".tex"]
            .iter()
            .any(|end| lower.ends_with(end))
}

static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:(?:\p{Lu}[\p{L}'’.-]*|de|van|von|der|da|dos|el|al|bin|la|le|di|du)\s?){2,6}$")
        .ok()
});

static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:published(?: online)?|issued|revised|reviewed|updated)[:\s]*(?:on )?(\d{1,2}\s+[a-z]+\s+\d{4}|[a-z]+\s+\d{1,2},?\s+\d{4}|[a-z]+\s+\d{4}|\d{4}-\d\d-\d\d|\d{4})",
    )
    .ok()
});

/// The names in the lines after the title, else those that the file tells.
pub(super) fn authors(front: &[String], told: &str) -> Vec<String> {
    let found = front
        .iter()
        .take(6)
        .map(|line| names(line))
        .find(|names| !names.is_empty());
    let mut names = found.unwrap_or_default();
    if names.is_empty() && !told.is_empty() {
        let parts: Vec<&str> = told
            .split([',', ';', '&'])
            .flat_map(|part| part.split(" and "))
            .collect();
        names = parts
            .into_iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| {
                name.contains(' ') && NAMES.as_ref().is_some_and(|names| names.is_match(name))
            })
            .collect();
    }
    names.truncate(MAX_AUTHORS);
    names
}

/// Whether `line` is nothing but names.
pub(super) fn is_names(line: &str) -> bool {
    !names(line).is_empty()
}

/// The names of `line`, where it is nothing but names.
fn names(line: &str) -> Vec<String> {
    let plain: String = line
        .chars()
        .map(|ch| match ch {
            '*' | '†' | '‡' | '§' | '¶' | '#' | '^' => ' ',
            '·' | '|' | ';' | '&' => ',',
            _ => ch,
        })
        .collect();
    let plain = plain.trim_start();
    let plain = plain
        .strip_prefix("By ")
        .or_else(|| plain.strip_prefix("by "))
        .unwrap_or(plain);
    // Marks of affiliation: "[1]", "1,2", and single small letters after a name.
    let plain = plain.replace(['[', ']'], " ");
    let parts: Vec<String> = plain
        .split(',')
        .flat_map(|part| part.split(" and "))
        .map(|part| {
            part.split_whitespace()
                .map(|word| word.trim_end_matches(|ch: char| ch.is_ascii_digit()))
                .filter(|word| word.len() > 1 || word.starts_with(char::is_uppercase))
                .filter(|word| *word != "and")
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|part| !part.is_empty())
        .collect();
    let is_name = |part: &String| {
        part.contains(' ') && NAMES.as_ref().is_some_and(|names| names.is_match(part))
    };
    let count = parts.iter().filter(|part| is_name(part)).count();
    if count == 0 || count < parts.len() {
        return Vec::new();
    }
    parts
}

/// The date of publication that the lines before the text tell, as `YYYY-MM-DD`, or as much as is told.
pub(super) fn date(front: &[String]) -> Option<String> {
    let found = front
        .iter()
        .find_map(|line| DATE.as_ref()?.captures(line))?
        .get(1)?
        .as_str()
        .to_lowercase();
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    if found.len() == 10 && found.as_bytes()[4] == b'-' {
        return Some(found);
    }
    let words: Vec<&str> = found
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let year = words
        .iter()
        .find(|word| word.len() == 4 && word.parse::<u16>().is_ok())?;
    let month = words
        .iter()
        .find_map(|word| months.iter().position(|month| word.starts_with(month)));
    let day = words
        .iter()
        .find_map(|word| word.parse::<u8>().ok().filter(|day| (1..=31).contains(day)));
    Some(match (month, day) {
        (Some(month), Some(day)) => format!("{year}-{:02}-{day:02}", month + 1),
        (Some(month), None) => format!("{year}-{:02}", month + 1),
        _ => (*year).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn names_are_read_without_their_marks() {
        let found = authors(
            &front(&["Abebe Bekele1,2, Maria de Souza* and J. K. Rowan3"]),
            "",
        );
        assert_eq!(found, ["Abebe Bekele", "Maria de Souza", "J. K. Rowan"]);
    }

    #[test]
    fn an_address_is_no_list_of_names() {
        assert_eq!(
            authors(&front(&["Department of Botany, 12 Road, Delhi 110012"]), ""),
            Vec::<String>::new()
        );
        assert_eq!(authors(&[], "Sony"), Vec::<String>::new());
        assert_eq!(
            authors(&[], "Ada Lovelace, Alan Turing"),
            ["Ada Lovelace", "Alan Turing"]
        );
    }

    #[test]
    fn a_date_is_as_exact_as_it_is_told() {
        for (text, expected) in [
            (
                "Received: 3 May 2017 Published online: 29 December 2017",
                Some("2017-12-29"),
            ),
            ("Revised March 2019", Some("2019-03")),
            ("Published 2011", Some("2011")),
            ("Planted 12 May", None),
        ] {
            assert_eq!(date(&front(&[text])).as_deref(), expected, "{text}");
        }
    }
}
