use super::super::lines::{runs, tests::glyphs};
use super::*;

fn page(texts: &[(&str, f32, f32)]) -> (Page, Vec<Run>) {
    let glyphs: Vec<_> = texts
        .iter()
        .flat_map(|(text, x, y)| glyphs(text, *x, *y, 10.0))
        .collect();
    let runs = runs(&glyphs);
    let page = Page {
        width: 600.0,
        height: 800.0,
        glyphs,
        ..Page::default()
    };
    (page, runs)
}

const PROSE: &str = "Maize is planted in rows of eighty cm";

fn first_words(columns: &[Column]) -> Vec<String> {
    columns
        .iter()
        .map(|column| column.runs[0].glyphs.iter().map(|g| g.ch).take(5).collect())
        .collect()
}

#[test]
fn a_title_over_two_columns_is_read_first() {
    let title = "A title that goes right across both columns of the page, as titles do";
    let mut texts = vec![(title, 50.0, 80.0)];
    for row in 0..6 {
        texts.push((
            "left it is planted in rows of eighty",
            50.0,
            120.0 + 12.0 * row as f32,
        ));
        texts.push((
            "right it is planted in rows eighty",
            300.0,
            120.0 + 12.0 * row as f32,
        ));
    }
    texts.push((
        "After the columns a line goes across the page again, to its end",
        50.0,
        220.0,
    ));
    let (page, runs) = page(&texts);
    let gutters = gutters(&page, &runs, 10.0, &[]);
    assert_eq!(gutters.len(), 1, "{gutters:?}");
    let columns = columns(&page, runs, &gutters);
    assert_eq!(first_words(&columns), ["A tit", "left ", "right", "After"]);
}

#[test]
fn prose_in_one_column_has_no_gutter() {
    let long = format!("{PROSE} {PROSE}");
    let texts: Vec<_> = (0..9)
        .map(|row| (&*long, 50.0, 100.0 + 12.0 * row as f32))
        .collect();
    let (page, runs) = page(&texts);
    assert_eq!(gutters(&page, &runs, 10.0, &[]), []);
}

#[test]
fn a_table_of_numbers_has_no_gutter() {
    let texts: Vec<_> = (0..9)
        .flat_map(|row| {
            let y = 100.0 + 12.0 * row as f32;
            [
                ("Hybrid maize, early", 50.0, y),
                ("12.5 13.1 99.8", 300.0, y),
            ]
        })
        .collect();
    let (page, runs) = page(&texts);
    assert_eq!(gutters(&page, &runs, 10.0, &[]), []);
}

#[test]
fn a_last_line_in_the_second_column_is_read_after_the_first() {
    let texts = [
        (PROSE, 50.0, 100.0),
        (PROSE, 50.0, 112.0),
        (PROSE, 300.0, 100.0),
    ];
    let (page, runs) = page(&texts);
    assert_eq!(gutters(&page, &runs, 10.0, &[]), []);
    let gutters = gutters(&page, &runs, 10.0, &[265.0]);
    assert_eq!(
        columns(&page, runs, &gutters).len(),
        2,
        "other pages have that gutter"
    );
}
