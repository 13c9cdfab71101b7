//! Cuts a passage into sentences, list items and table rows: the units that are quoted and compared.

/// One sentence of a passage, or one row of a table with its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The words, fit to be quoted: a table row reads `header: cell; header: cell`.
    pub text: String,
    /// For a table row: header and cell of each column.
    pub cells: Vec<(String, String)>,
}

/// Abbreviations after which a full stop does not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "approx", "no", "st", "dr", "mr", "vs", "ca", "fig", "al", "sp", "spp", "var",
    "cv", "u.s", "max", "min",
];

/// The sentences of `text`, in order: plain lines (a paragraph, an item or a `header: cell; ...` row
/// each), or Markdown tables.
pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut header: Option<Vec<String>> = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('|') {
            table_line(line, &mut header, &mut found);
            continue;
        }
        header = None;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = list_item(line).unwrap_or(line);
        match row(line) {
            Some(row) => found.push(row),
            None => split_line(line, &mut found),
        }
    }
    found
}

/// Where the first whole sentence of a growing text ends; `None` until that is certain.
pub fn first_end(text: &str) -> Option<usize> {
    for (at, c) in text.char_indices() {
        if c == '\n' && !text[..at].trim().is_empty() {
            return Some(at + 1);
        }
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let mut rest = text[at + 1..].chars();
        let after = rest.next();
        if after.is_some_and(|next| next.is_whitespace())
            && rest.next().is_some_and(|next| !next.is_lowercase())
            && !ends_in_abbreviation(&text[..at])
        {
            return Some(at + 1);
        }
    }
    None
}

fn ends_in_abbreviation(text: &str) -> bool {
    let last = text
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    // A numbered item ("1.") or an initial ("S.") ends no sentence either.
    let single = last.chars().count() == 1 && last.chars().all(|c| c.is_uppercase());
    let numbered = text.trim().len() == last.len() && last.chars().all(|c| c.is_ascii_digit());
    single || numbered || ABBREVIATIONS.contains(&last.to_lowercase().as_str())
}

fn split_line(line: &str, found: &mut Vec<Sentence>) {
    let mut rest = line;
    while !rest.is_empty() {
        let end = first_end(rest).unwrap_or(rest.len());
        let text = rest[..end].trim();
        if !text.is_empty() {
            found.push(Sentence {
                text: text.to_owned(),
                cells: Vec::new(),
            });
        }
        rest = &rest[end..];
    }
}

/// A table row that is written `header: cell; header: cell`.
fn row(line: &str) -> Option<Sentence> {
    let cells: Vec<(String, String)> = line
        .split("; ")
        .map(|part| part.split_once(": "))
        .map(|pair| pair.map(|(header, cell)| (header.to_owned(), cell.to_owned())))
        .collect::<Option<_>>()?;
    (cells.len() > 1).then(|| Sentence {
        text: line.to_owned(),
        cells,
    })
}

fn list_item(line: &str) -> Option<&str> {
    if let Some(item) = ["- ", "* ", "+ "]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
    {
        return Some(item);
    }
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (digits > 0 && line[digits..].starts_with(". ")).then(|| line[digits + 2..].trim_start())
}

fn table_line(line: &str, header: &mut Option<Vec<String>>, found: &mut Vec<Sentence>) {
    let cells: Vec<String> = line
        .trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect();
    let rule = |cell: &String| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'));
    if cells.iter().all(rule) {
        return;
    }
    let Some(header) = header else {
        *header = Some(cells);
        return;
    };
    let pairs: Vec<(String, String)> = header
        .iter()
        .cloned()
        .zip(cells)
        .filter(|(_, cell)| !cell.is_empty())
        .collect();
    let text: Vec<String> = pairs
        .iter()
        .map(|(header, cell)| match header.is_empty() {
            true => cell.clone(),
            false => format!("{header}: {cell}"),
        })
        .collect();
    found.push(Sentence {
        text: text.join("; "),
        cells: pairs,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        sentences(text).into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn a_decimal_point_or_an_abbreviation_ends_no_sentence() {
        assert_eq!(
            texts("Give 0.4 ml, e.g. Coragen, to all. Wait 21 days. Done"),
            [
                "Give 0.4 ml, e.g. Coragen, to all.",
                "Wait 21 days.",
                "Done"
            ]
        );
    }

    #[test]
    fn a_table_row_is_read_with_its_header() {
        let found =
            sentences("| Stand (plants per acre) | May 13 to 19 |\n|---|---|\n| 24,000 | 93 |");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].text,
            "Stand (plants per acre): 24,000; May 13 to 19: 93"
        );
        assert_eq!(found[0].cells[1], ("May 13 to 19".into(), "93".into()));
    }

    #[test]
    fn a_row_on_one_line_is_read_with_its_header() {
        let found = sentences("Product: Coragen 18.5 SC; Dose in water: 0.4 ml/litre");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].cells[1],
            ("Dose in water".into(), "0.4 ml/litre".into())
        );
    }

    #[test]
    fn lines_and_list_items_stand_alone() {
        assert_eq!(
            texts("Check these: all.\n- one thing. Or two\n1. first"),
            ["Check these: all.", "one thing.", "Or two", "first"]
        );
    }

    #[test]
    fn the_end_of_a_growing_text_is_awaited() {
        assert_eq!(first_end("Plant 2"), None);
        assert_eq!(first_end("Plant 2."), None);
        assert_eq!(first_end("Plant 2.5 cm"), None);
        assert_eq!(first_end("Plant now. T"), Some(10));
    }
}
