//! Questions from the cells of tables.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::text::{inside, pattern, uncited};
use crate::dataset::teacher::Draft;
use crate::documents::Table;

/// Columns of a table that is asked about: more are data, not advice.
const COLUMNS: std::ops::RangeInclusive<usize> = 2..=8;

/// Most words of a row's name, a column's name, a cell and a caption.
const MOST_NAME: usize = 8;
const MOST_CELL: usize = 14;
const MOST_CAPTION: usize = 30;

/// Cells of statistics: marks of significance, deviations, nothing at all.
static STATISTIC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:[-–—.*\s]*|n\.?[ads]\.?|ns|yes|no|\+|✓|x|nd|\d+(?:\.\d+)?\s?[a-h]{1,4})$|[*†‡§#±<>=]|\d\s?\(\d",
    )
});
static LETTERS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z]{3,}"));
static UNIT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]{1,16})[)\]]$"));
static CAPTION_MARK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\s*(?:supplementary )?table\s*[A-Z]?\d*[.:]?\s*"));

/// A question a sound cell of `table`, with the answer as a sentence and the row as support; `title` and
/// `heading` are named where the table has no caption.
pub fn drafts(table: &Table, title: &str, heading: &str, common: &BTreeSet<String>) -> Vec<Draft> {
    let Some(name) = name(table, title, heading) else {
        return Vec::new();
    };
    if !COLUMNS.contains(&table.header.len()) || table.rows.len() < 2 || !has_plain_rows(table) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (column, header) in table.header.iter().enumerate().skip(1) {
        if !is_column(table, column, header) {
            continue;
        }
        for row in &table.rows {
            if let (Some(label), Some(cell)) = (row.first(), row.get(column))
                && is_cell(cell)
            {
                found.push(draft((header, label, cell), &name, common));
            }
        }
    }
    found
}

fn draft(
    (header, label, cell): (&str, &str, &str),
    name: &str,
    common: &BTreeSet<String>,
) -> Draft {
    let (column, unit) = match UNIT.captures(header) {
        Some(found) if cell.contains(|c: char| c.is_ascii_digit()) && is_unit(&found["unit"]) => {
            (found["name"].to_owned(), found["unit"].to_owned())
        }
        _ => (header.to_owned(), String::new()),
    };
    let column = inside(&column, common);
    let label = label.trim();
    let value = match unit.as_str() {
        "" => cell.to_owned(),
        _ if cell.ends_with(&unit) => cell.to_owned(),
        "%" => format!("{cell}%"),
        unit => format!("{cell} {unit}"),
    };
    Draft {
        question: format!("In {name}, what is the {column} for {label}?"),
        answer: Some(format!(
            "The {column} for {label} is {}.",
            value.trim_end_matches('.')
        )),
        support: Some(format!("{label} {header} {cell}")),
    }
}

fn is_unit(unit: &str) -> bool {
    unit.len() <= 12
        && !unit.contains(|c: char| c.is_ascii_digit() && !matches!(c, '1' | '2' | '3'))
}

/// How the table is named in a question.
fn name(table: &Table, title: &str, heading: &str) -> Option<String> {
    let quoted = |text: &str| {
        text.trim()
            .trim_end_matches('.')
            .replace(['“', '”', '"'], "'")
    };
    match table.caption.as_deref().map(uncited) {
        Some(caption) => {
            let caption = CAPTION_MARK.replace(&caption, "").into_owned();
            let first = crate::documents::sentences(&caption)
                .first()
                .map_or(String::new(), |first| quoted(first));
            let words = first.split_whitespace().count();
            (3..=MOST_CAPTION)
                .contains(&words)
                .then(|| format!("the table “{first}”"))
        }
        None if heading.is_empty() => Some(format!("the table of “{}”", quoted(title))),
        None => Some(format!(
            "the table under “{}” in “{}”",
            quoted(heading),
            quoted(title)
        )),
    }
}

/// Whether the rows are told apart by names in the first column.
fn has_plain_rows(table: &Table) -> bool {
    let labels: Vec<&str> = table
        .rows
        .iter()
        .filter_map(|row| row.first())
        .map(|label| label.trim())
        .collect();
    let each_once: BTreeSet<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let is_label = |label: &&str| {
        LETTERS.is_match(label)
            && label.split_whitespace().count() <= MOST_NAME
            && !STATISTIC.is_match(label)
    };
    each_once.len() == labels.len() && labels.iter().all(is_label)
}

/// Whether a column has a name of its own and cells of one kind.
fn is_column(table: &Table, column: usize, header: &str) -> bool {
    let header = header.trim();
    let own = table
        .header
        .iter()
        .filter(|other| other.trim().eq_ignore_ascii_case(header))
        .count()
        == 1;
    let filled = table
        .rows
        .iter()
        .filter(|row| row.get(column).is_some_and(|cell| is_cell(cell)))
        .count();
    own && !is_split(table, column)
        && LETTERS.is_match(header)
        && !header.contains(['=', '<', '>', '±', '*', '?', '“', '"', '|'])
        && header.split_whitespace().count() <= MOST_NAME
        && filled * 3 >= table.rows.len() * 2
}

/// Whether the column is one of several under one heading: their joined names are no words.
fn is_split(table: &Table, column: usize) -> bool {
    let begins = |header: &String| {
        header
            .split_whitespace()
            .take(2)
            .map(str::to_lowercase)
            .collect::<Vec<_>>()
    };
    let own = begins(&table.header[column]);
    let alike = table
        .header
        .iter()
        .filter(|other| begins(other) == own)
        .count();
    own.len() > 1 && alike > 1
}

fn is_cell(cell: &str) -> bool {
    let cell = cell.trim();
    let words = cell.split_whitespace().count();
    (1..=MOST_CELL).contains(&words) && !STATISTIC.is_match(cell) && !cell.contains(['?', '[', '|'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(caption: Option<&str>, header: &[&str], rows: &[&[&str]]) -> Table {
        let owned = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        Table {
            caption: caption.map(str::to_owned),
            header: owned(header),
            rows: rows.iter().map(|row| owned(row)).collect(),
        }
    }

    #[test]
    fn a_cell_is_asked_for_by_its_column_and_row() {
        let table = table(
            Some("Table 2. Seed rates by soil. Means of three years."),
            &["Soil", "Seed rate (kg/ha)"],
            &[&["Sandy loam", "120"], &["Heavy clay", "140"]],
        );
        let common = BTreeSet::from(["seed".to_owned()]);
        let drafts = drafts(&table, "Sowing", "Rates", &common);
        assert_eq!(drafts.len(), 2);
        assert_eq!(
            drafts[0].question,
            "In the table “Seed rates by soil”, what is the seed rate for Sandy loam?"
        );
        assert_eq!(
            drafts[0].answer.as_deref(),
            Some("The seed rate for Sandy loam is 120 kg/ha.")
        );
    }

    #[test]
    fn tables_of_statistics_and_without_names_are_left() {
        let common = BTreeSet::new();
        let stats = table(
            None,
            &["Treatment", "Yield"],
            &[&["Control", "4.2 ± 0.1"], &["Manure", "5.1ab"]],
        );
        assert!(drafts(&stats, "Yield", "", &common).is_empty());
        let twice = table(None, &["Soil", "Rate"], &[&["Loam", "1"], &["Loam", "2"]]);
        assert!(drafts(&twice, "Rates", "", &common).is_empty());
        let split = table(
            None,
            &["Soil", "Seed rate Iowa", "Seed rate Ohio"],
            &[&["Loam", "1", "2"], &["Clay", "2", "3"]],
        );
        assert!(drafts(&split, "Rates", "", &common).is_empty());
        let nameless = table(None, &["Soil", ""], &[&["Loam", "1"], &["Clay", "2"]]);
        assert!(drafts(&nameless, "Rates", "", &common).is_empty());
    }
}
