//! Comma-separated values to one table.

use ::csv::{ReaderBuilder, StringRecord};

use super::outline::Outline;
use super::reader::{Content, Source};
use super::{Body, DocumentError, DocumentReader, Metadata, Table, one_line};

/// Records looked at to tell the delimiter and whether there is a header.
const SAMPLE: usize = 64;

/// Most cells read: far more than anybody reads, little enough for a small memory.
const MAX_CELLS: usize = 4_000_000;

/// Most columns: each row repeats their names where it is searched.
const MAX_COLUMNS: usize = 256;

/// Reads `.csv` and `.tsv` files as one table.
///
/// The delimiter is the one of comma, semicolon, tab and bar that cuts the first records most evenly.
/// The first record is the header when it holds different words and no numbers; else columns are numbered.
#[derive(Clone, Copy, Debug, Default)]
pub struct CsvReader;

impl DocumentReader for CsvReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["csv", "tsv"]
    }

    fn read(&self, source: Source<'_>) -> Result<Content, DocumentError> {
        let text = source.text()?;
        let mut outline = Outline::default();
        if let Some(table) = table(&source, text)? {
            outline.push(Body::Table(table));
        }
        Ok(Content {
            metadata: Metadata::default(),
            sections: outline.finish(),
            references: Vec::new(),
        })
    }
}

fn table(source: &Source<'_>, text: &str) -> Result<Option<Table>, DocumentError> {
    let mut records: Vec<Vec<String>> = Vec::new();
    let mut cells = 0;
    for record in reader(text, delimiter(text)) {
        let record = record.map_err(|error| source.malformed("CSV", error.to_string()))?;
        let row: Vec<String> = record.iter().map(one_line).collect();
        if row.iter().all(String::is_empty) {
            continue;
        }
        cells += row.len();
        if cells > MAX_CELLS || row.len() > MAX_COLUMNS {
            let reason = format!(
                "record {} makes it more than {MAX_CELLS} cells or {MAX_COLUMNS} columns; split it",
                records.len() + 1
            );
            return Err(source.malformed("CSV", reason));
        }
        records.push(row);
    }
    let width = records.iter().map(Vec::len).max().unwrap_or(0);
    if cells.max(width * records.len()) > MAX_CELLS {
        return Err(source.malformed("CSV", "its records are too uneven for a table"));
    }
    for record in &mut records {
        record.resize(width, String::new());
    }
    let header = match records.first() {
        None => return Ok(None),
        Some(first) if records.len() > 1 && is_header(first) => records.remove(0),
        Some(_) => (1..=width)
            .map(|column| format!("column {column}"))
            .collect(),
    };
    Ok(Some(Table {
        caption: None,
        header,
        rows: records,
    }))
}

fn reader(text: &str, delimiter: u8) -> impl Iterator<Item = ::csv::Result<StringRecord>> + '_ {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records()
}

/// The delimiter under which most of the first records have one and the same number of fields above one.
fn delimiter(text: &str) -> u8 {
    let evenness = |delimiter: &u8| {
        let widths: Vec<usize> = reader(text, *delimiter)
            .take(SAMPLE)
            .map_while(Result::ok)
            .map(|record| record.len())
            .collect();
        let of = |width: usize| widths.iter().filter(|other| **other == width).count();
        let best = widths
            .iter()
            .filter(|width| **width > 1)
            .map(|width| (of(*width), *width))
            .max();
        best.unwrap_or((0, 0))
    };
    // On a tie the earlier one is meant.
    [b'|', b'\t', b';', b',']
        .into_iter()
        .max_by_key(evenness)
        .unwrap_or(b',')
}

/// Whether every cell is a name: none empty, none a number, all different.
fn is_header(row: &[String]) -> bool {
    let is_name =
        |cell: &String| cell.parse::<f64>().is_err() && cell.chars().any(char::is_alphabetic);
    let mut seen: Vec<&String> = row.iter().collect();
    seen.sort();
    seen.dedup();
    row.iter().all(is_name) && seen.len() == row.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Table {
        let source = Source {
            path: Path::new("a.csv"),
            bytes: text.as_bytes(),
        };
        let mut content = CsvReader.read(source).expect("readable");
        match content.sections.remove(0).blocks.remove(0).body {
            Body::Table(table) => table,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_delimiter_is_told_and_quoted_cells_are_whole() {
        for text in [
            "soil,depth\nclay,3 cm\n\"sand, coarse\",5 cm\n",
            "soil;depth\nclay;3 cm\n\"sand, coarse\";5 cm\n",
            "soil\tdepth\nclay\t3 cm\nsand, coarse\t5 cm\n",
            "soil|depth\r\nclay|3 cm\r\nsand, coarse|5 cm\r\n",
        ] {
            let table = read(text);
            assert_eq!(table.header, ["soil", "depth"], "{text}");
            assert_eq!(table.rows, [["clay", "3 cm"], ["sand, coarse", "5 cm"]]);
        }
    }

    #[test]
    fn a_file_without_a_header_gets_numbered_columns() {
        let table = read("Zea mays,\nOryza sativa,rice\n");
        assert_eq!(table.header, ["column 1", "column 2"]);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(read("1,2\n3,4\n").rows.len(), 2);
        assert_eq!(read("one line\n").rows, [["one line"]]);
    }

    #[test]
    fn short_records_are_filled_up_and_line_ends_in_quotes_become_spaces() {
        let table = read("a,b,c\n\"x\ny\"\n1,2\n");
        assert_eq!(table.rows, [["x y", "", ""], ["1", "2", ""]]);
    }

    #[test]
    fn uneven_records_cannot_make_a_huge_table() {
        let mut text = ",".repeat(MAX_COLUMNS - 1) + "x\n";
        text.push_str(&"a\n".repeat(100_000));
        let source = Source {
            path: Path::new("a.csv"),
            bytes: text.as_bytes(),
        };
        assert!(CsvReader.read(source).is_err());
    }
}
