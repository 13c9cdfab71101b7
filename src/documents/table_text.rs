//! Tables as text: a row for the search, a whole one for the reader.

use super::Table;

/// `header: value; header: value`, leaving out empty cells.
pub(super) fn as_line(table: &Table, row: &[String]) -> String {
    table
        .header
        .iter()
        .zip(row)
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(header, cell)| match header.as_str() {
            "" => cell.clone(),
            header => format!("{header}: {cell}"),
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// As Markdown, below its caption.
pub(super) fn as_markdown(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut out = String::new();
    if let Some(caption) = &table.caption {
        out = format!("{caption}\n\n");
    }
    out.push_str(&line(&table.header));
    out.push('\n');
    out.push_str(&line(&vec!["---".to_owned(); table.header.len()]));
    for row in &table.rows {
        out.push('\n');
        out.push_str(&line(row));
    }
    out
}
