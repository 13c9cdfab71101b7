//! Cells that span rows and columns to a plain table.

use super::{Table, one_line};

/// Widest table kept, in columns.
const MAX_COLUMNS: usize = 200;

/// Most cells kept; what spans would add beyond is left out.
const MAX_CELLS: usize = 400_000;

/// A cell as it is written.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub text: String,
    pub columns: usize,
    pub rows: usize,
    pub is_header: bool,
}

/// A row as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub cells: Vec<Cell>,
    /// Whether it stands in the table's head.
    pub in_head: bool,
}

/// A cell of the grid: its text, and whether it spans the whole width.
#[derive(Clone, Debug, Default)]
struct Slot {
    text: String,
    is_repeat: bool,
}

/// `rows` with spans filled in; `None` where there is no cell with text.
///
/// The header is what stands in the head, else the first rows that are header cells alone, else the first
/// row; header rows over each other are joined with a space.
pub(super) fn table(caption: Option<String>, rows: &[Row]) -> Option<Table> {
    let (grid, width) = filled(rows);
    if width == 0 {
        return None;
    }
    let marked = rows.iter().take_while(|row| row.in_head).count();
    let named = rows.iter().take_while(|row| is_header(row)).count();
    let head = match (marked, named) {
        (0, 0) => 1,
        (0, named) => named,
        (marked, _) => marked,
    };
    // A table of header rows alone: the first is the header, the others are what it says.
    let head = if head >= grid.len() { 1 } else { head };
    let (head, body) = grid.split_at(head.min(grid.len()));
    let header = (0..width).map(|column| joined(head, column)).collect();
    let rows: Vec<Vec<String>> = body
        .iter()
        .map(|row| without_repeats(row, width))
        .filter(|row| row.iter().any(|cell| !cell.is_empty()))
        .collect();
    (!rows.is_empty()).then_some(Table {
        caption,
        header,
        rows,
    })
}

fn is_header(row: &Row) -> bool {
    !row.cells.is_empty() && row.cells.iter().all(|cell| cell.is_header)
}

/// The grid and its width.
fn filled(rows: &[Row]) -> (Vec<Vec<Slot>>, usize) {
    let mut grid: Vec<Vec<Slot>> = Vec::new();
    // Cells that reach down from rows above: rows left, and the text.
    let mut hanging: Vec<(usize, String)> = Vec::new();
    let (mut width, mut cells) = (0, 0);
    for row in rows {
        let mut line: Vec<Slot> = Vec::new();
        for cell in &row.cells {
            hang(&mut line, &mut hanging);
            let text = one_line(&cell.text);
            for part in 0..cell.columns.clamp(1, MAX_COLUMNS) {
                if line.len() >= MAX_COLUMNS {
                    break;
                }
                if cell.rows > 1 {
                    hanging.resize(hanging.len().max(line.len() + 1), (0, String::new()));
                    hanging[line.len()] = (cell.rows - 1, text.clone());
                }
                let is_repeat = part > 0;
                let text = text.clone();
                line.push(Slot { text, is_repeat });
            }
        }
        hang(&mut line, &mut hanging);
        cells += line.len();
        if cells > MAX_CELLS {
            break;
        }
        width = width.max(line.len());
        grid.push(line);
    }
    for line in &mut grid {
        line.resize_with(width, Slot::default);
    }
    (grid, width)
}

/// Puts cells from above into the next columns, as long as there are any.
fn hang(line: &mut Vec<Slot>, hanging: &mut [(usize, String)]) {
    while let Some((left, text)) = hanging.get_mut(line.len()) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        line.push(Slot {
            text: text.clone(),
            is_repeat: false,
        });
    }
}

/// The header's words over `column`, each once.
fn joined(head: &[Vec<Slot>], column: usize) -> String {
    let mut words: Vec<&str> = Vec::new();
    for row in head {
        if let Some(slot) = row.get(column)
            && !slot.text.is_empty()
            && words.last() != Some(&slot.text.as_str())
        {
            words.push(&slot.text);
        }
    }
    words.join(" ")
}

/// A row's cells; a cell over the whole width is a heading between rows, and said once.
fn without_repeats(row: &[Slot], width: usize) -> Vec<String> {
    let is_heading = width > 1 && row.iter().skip(1).all(|slot| slot.is_repeat);
    row.iter()
        .enumerate()
        .map(|(column, slot)| match is_heading && column > 0 {
            true => String::new(),
            false => slot.text.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, usize, usize)], is_header: bool) -> Row {
        let cell = |(text, columns, rows): &(&str, usize, usize)| Cell {
            text: (*text).to_owned(),
            columns: *columns,
            rows: *rows,
            is_header,
        };
        Row {
            cells: cells.iter().map(cell).collect(),
            in_head: false,
        }
    }

    #[test]
    fn spans_are_filled_and_header_rows_are_joined() {
        let rows = [
            row(&[("Soil", 1, 2), ("Yield", 2, 1)], true),
            row(&[("2014", 1, 1), ("2015", 1, 1)], true),
            row(&[("Trial one", 3, 1)], false),
            row(&[("clay", 1, 2), ("3", 1, 1), ("4", 1, 1)], false),
            row(&[("5", 1, 1)], false),
        ];
        let table = table(None, &rows).expect("a table");
        assert_eq!(table.header, ["Soil", "Yield 2014", "Yield 2015"]);
        assert_eq!(
            table.rows,
            [["Trial one", "", ""], ["clay", "3", "4"], ["clay", "5", ""]]
        );
    }

    #[test]
    fn without_header_cells_the_first_row_is_the_header() {
        let rows = [
            row(&[("a", 1, 1), ("b", 1, 1)], false),
            row(&[("1", 1, 1), ("2", 1, 1)], false),
        ];
        assert_eq!(table(None, &rows).expect("a table").header, ["a", "b"]);
        assert_eq!(table(None, &rows[..1]), None);
        assert_eq!(table(None, &[]), None);
    }

    #[test]
    fn huge_spans_give_no_huge_table() {
        let rows = vec![row(&[("x", usize::MAX, usize::MAX)], false); 10_000];
        let table = table(None, &rows).expect("a table");
        assert!(table.header.len() <= MAX_COLUMNS);
        assert!(table.rows.len() * table.header.len() <= MAX_CELLS);
    }
}
