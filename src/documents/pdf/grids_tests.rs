//! Grids on pages made by hand: a frame of lines and what stands in it.

use super::super::lines::tests::glyphs;
use super::*;

fn rule(x0: f32, x1: f32, y: f32) -> Rect {
    Rect {
        x0,
        x1,
        y0: y,
        y1: y + 0.5,
    }
}

fn upright(x: f32, y0: f32, y1: f32) -> Rect {
    Rect {
        x0: x,
        x1: x + 0.5,
        y0,
        y1,
    }
}

/// Lines at `ys` and `xs`, each from end to end.
fn page(xs: &[f32], ys: &[f32]) -> Page {
    let (left, right) = (xs[0], xs[xs.len() - 1]);
    let (top, bottom) = (ys[0], ys[ys.len() - 1]);
    Page {
        width: 600.0,
        height: 800.0,
        rules: ys.iter().map(|y| rule(left, right, *y)).collect(),
        uprights: xs.iter().map(|x| upright(*x, top, bottom)).collect(),
        ..Page::default()
    }
}

fn text(texts: &[(&str, f32, f32)]) -> Vec<Glyph> {
    let all = texts.iter();
    all.flat_map(|(text, x, y)| glyphs(text, *x, *y, 10.0))
        .collect()
}

fn tables(page: &Page, glyphs: &mut Vec<Glyph>) -> Vec<Table> {
    let grids = take(page, glyphs);
    let table = |grid: &Grid| grid.table(None, &Vocabulary::default()).expect("a table");
    grids.iter().map(table).collect()
}

#[test]
fn cells_of_several_lines_stay_whole_however_close_they_stand() {
    let page = page(&[50.0, 120.0, 250.0], &[100.0, 130.0, 160.0, 176.0]);
    let mut glyphs = text(&[
        ("Season", 55.0, 118.0),
        ("Free period", 125.0, 112.0),
        ("in the state", 125.0, 124.0),
        ("2022/23", 55.0, 148.0),
        ("15 June to 15", 125.0, 142.0),
        ("September 2022", 125.0, 154.0),
        ("2024/25", 55.0, 172.0),
        ("none", 125.0, 172.0),
        ("Prose after it", 50.0, 200.0),
    ]);
    let found = tables(&page, &mut glyphs);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].header, ["Season", "Free period in the state"]);
    assert_eq!(
        found[0].rows,
        [
            ["2022/23", "15 June to 15 September 2022"],
            ["2024/25", "none"]
        ]
    );
    assert!(
        glyphs.iter().all(|glyph| glyph.y == 200.0),
        "the prose stays"
    );
}

#[test]
fn where_no_line_parts_slots_they_are_one_cell() {
    let mut page = page(&[50.0, 120.0, 190.0, 260.0], &[100.0, 116.0, 132.0, 148.0]);
    // The first head reaches down, the second across.
    page.rules[1] = rule(120.0, 260.0, 116.0);
    page.uprights[2] = upright(190.0, 116.0, 148.0);
    let mut glyphs = text(&[
        ("Soil", 55.0, 120.0),
        ("Yield", 160.0, 112.0),
        ("2014", 125.0, 128.0),
        ("2015", 195.0, 128.0),
        ("clay", 55.0, 144.0),
        ("3", 125.0, 144.0),
        ("4", 195.0, 144.0),
    ]);
    for glyph in glyphs.iter_mut().filter(|glyph| glyph.y < 140.0) {
        glyph.style.bold = true;
    }
    let found = tables(&page, &mut glyphs);
    assert_eq!(found[0].header, ["Soil", "Yield 2014", "Yield 2015"]);
    assert_eq!(found[0].rows, [["clay", "3", "4"]]);
}

#[test]
fn frames_around_prose_empty_frames_and_crossing_axes_are_no_tables() {
    let wide = "Maize is planted in rows of eighty centimetres where the rains are steady";
    let lines: Vec<(&str, f32, f32)> = (0..40)
        .flat_map(|row| {
            let y = 112.0 + 12.0 * row as f32;
            [(wide, 50.0, y), (wide, 450.0, y)]
        })
        .collect();
    let mut glyphs = text(&lines);
    let all = glyphs.len();
    let boxes = page(&[40.0, 440.0, 840.0], &[100.0, 350.0, 600.0]);
    assert_eq!(tables(&boxes, &mut glyphs), []);
    assert_eq!(glyphs.len(), all, "nothing is taken out");
    let axes = page(&[50.0, 100.0, 150.0, 200.0], &[100.0, 150.0, 200.0, 250.0]);
    let mut label = text(&[("one", 55.0, 120.0)]);
    assert_eq!(tables(&axes, &mut label), []);
}

#[test]
fn lines_through_words_and_cells_without_words_are_a_drawing() {
    let page = page(&[50.0, 120.0, 250.0], &[100.0, 116.0, 132.0]);
    let with = |first: &str| {
        let mut glyphs = text(&[
            (first, 55.0, 112.0),
            ("yield", 170.0, 112.0),
            ("maize", 55.0, 128.0),
            ("three", 170.0, 128.0),
        ]);
        tables(&page, &mut glyphs).len()
    };
    assert_eq!(with("crop"), 1);
    assert_eq!(with("intercroppings"), 0, "it reaches over the border");
    let mut letters = text(&[
        ("x", 55.0, 112.0),
        ("y", 125.0, 112.0),
        ("0", 55.0, 128.0),
        ("1 2", 125.0, 128.0),
    ]);
    assert_eq!(tables(&page, &mut letters), []);
}

#[test]
fn rows_that_only_white_parts_are_left_to_their_lines() {
    let page = page(&[50.0, 250.0, 450.0], &[100.0, 116.0, 190.0]);
    let mut glyphs = text(&[("Crop", 55.0, 112.0), ("Rate", 255.0, 112.0)]);
    for row in 0..5 {
        let y = 130.0 + 12.0 * row as f32;
        glyphs.extend(text(&[("maize", 55.0, y), ("25 kg", 255.0, y)]));
    }
    assert_eq!(tables(&page, &mut glyphs), []);
}

#[test]
fn a_grid_keeps_the_places_of_its_rows() {
    let page = page(&[50.0, 120.0, 250.0], &[100.0, 116.0, 132.0]);
    let mut glyphs = text(&[
        ("crop", 55.0, 112.0),
        ("rate", 125.0, 112.0),
        ("maize", 55.0, 128.0),
        ("25", 125.0, 128.0),
    ]);
    let grids = take(&page, &mut glyphs);
    let runs = grids[0].runs(7);
    let places: Vec<_> = runs.iter().map(|run| (run.row, run.y)).collect();
    assert_eq!(places, [(Some((7, 0)), 112.0), (Some((7, 1)), 128.0)]);
    assert_eq!(grids[0].line(1).expect("a row").text(), "maize 25");
}
