//! Lines to pieces, on lines made by hand.

use super::super::body::Usual;
use super::super::join::Vocabulary;
use super::super::lines::{Line, Word};
use super::super::page::{Rect, Style};
use super::*;

fn usual() -> Usual {
    Usual {
        size: 10.0,
        face: 1,
        bold: false,
        leading: 12.0,
    }
}

/// A line of words half as wide as high, in a column from 50 to 290.
fn line(text: &str, x: f32, y: f32) -> Line {
    styled(
        text,
        x,
        y,
        10.0,
        Style {
            face: 1,
            ..Style::default()
        },
    )
}

fn styled(text: &str, x: f32, y: f32, size: f32, style: Style) -> Line {
    let mut at = x;
    let words: Vec<Word> = text
        .split(' ')
        .map(|text| {
            // A tilde stands for a wide gap.
            let wide = text.starts_with('~');
            let text = text.trim_start_matches('~');
            let x0 = at + if wide { 3.0 * size } else { 0.0 };
            let x1 = x0 + text.chars().count() as f32 * size / 2.0;
            at = x1 + size / 4.0;
            Word {
                text: text.to_owned(),
                x0,
                x1,
                size,
                style,
                ..Word::default()
            }
        })
        .collect();
    Line {
        x0: x,
        x1: at - size / 4.0,
        words,
        y,
        size,
        page: 1,
        column: 1,
        left: 50.0,
        right: 290.0,
        ..Line::default()
    }
}

fn bold(text: &str, y: f32) -> Line {
    styled(
        text,
        50.0,
        y,
        10.0,
        Style {
            face: 2,
            bold: true,
            italic: false,
        },
    )
}

const FULL: &str = "Maize is planted when the rains are steady and";

fn shown(lines: &[Line]) -> Vec<String> {
    pieces(lines, &Drawn::default(), &usual(), &Vocabulary::default())
        .into_iter()
        .map(|piece| match piece.kind {
            Content::Heading { text, look } if look.run_in => format!("run-in: {text}"),
            Content::Heading { text, .. } => format!("heading: {text}"),
            Content::Paragraph { text, .. } => text,
            Content::Item(text) => format!("item: {text}"),
            Content::Table(table) => format!("table: {}", table.caption.unwrap_or_default()),
            Content::Caption(text) => format!("caption: {text}"),
            Content::Note(text) => format!("note: {text}"),
        })
        .collect()
}

#[test]
fn an_indent_begins_a_paragraph_and_a_bold_line_is_a_heading() {
    let lines = [
        bold("Planting", 100.0),
        line(FULL, 50.0, 114.0),
        line("the soil is moist.", 50.0, 126.0),
        line("Sorghum follows in the drier places of the", 60.0, 138.0),
        line("lowlands.", 50.0, 150.0),
    ];
    assert_eq!(
        shown(&lines),
        [
            "heading: Planting".to_owned(),
            format!("{FULL} the soil is moist."),
            "Sorghum follows in the drier places of the lowlands.".to_owned(),
        ]
    );
}

#[test]
fn a_paragraph_goes_on_over_a_figure_in_the_next_column() {
    let mut lines = vec![
        line(FULL, 50.0, 100.0),
        line(FULL, 50.0, 112.0),
        styled(
            "Fig. 1. Rows of maize",
            50.0,
            160.0,
            8.0,
            Style {
                face: 1,
                ..Style::default()
            },
        ),
        line("the soil is moist.", 50.0, 50.0),
    ];
    lines[3].column = 2;
    assert_eq!(
        shown(&lines),
        [
            format!("{FULL} {FULL} the soil is moist."),
            "caption: Fig. 1. Rows of maize".to_owned()
        ]
    );
}

#[test]
fn marks_make_items_and_hanging_lines_stay_with_them() {
    let lines = [
        line("Depths:", 50.0, 100.0),
        line(
            "• clay soils, where the water stands for long and",
            50.0,
            112.0,
        ),
        line("the air is short: 3 cm", 60.0, 124.0),
        line("• sandy soils: 5 cm", 50.0, 136.0),
        line("1. Open the furrow.", 50.0, 148.0),
        line("2. Drop the seed.", 50.0, 160.0),
    ];
    assert_eq!(
        shown(&lines),
        [
            "Depths:",
            "item: clay soils, where the water stands for long and the air is short: 3 cm",
            "item: sandy soils: 5 cm",
            "item: 1. Open the furrow.",
            "item: 2. Drop the seed.",
        ]
    );
}

#[test]
fn bold_words_that_open_a_paragraph_head_it() {
    let mut first = line("Weeding. Weed twice, at two and at five weeks", 50.0, 100.0);
    first.words[0].style.bold = true;
    let lines = [first, line("after the plants have come up.", 50.0, 112.0)];
    assert_eq!(
        shown(&lines),
        [
            "run-in: Weeding",
            "Weed twice, at two and at five weeks after the plants have come up."
        ]
    );
}

#[test]
fn a_table_without_rules_is_found_by_its_cells() {
    let lines = [
        line("Table 1. Seed rates", 50.0, 100.0),
        line("Crop ~kg ~cm", 50.0, 116.0),
        line("Maize ~25 ~75", 50.0, 128.0),
        line("Beans ~60 ~50", 50.0, 140.0),
        line(FULL, 50.0, 170.0),
        line("the soil is moist.", 50.0, 182.0),
    ];
    let found = pieces(&lines, &Drawn::default(), &usual(), &Vocabulary::default());
    let Content::Table(table) = &found[0].kind else {
        panic!("no table: {found:?}");
    };
    assert_eq!(table.caption.as_deref(), Some("Table 1. Seed rates"));
    assert_eq!(table.header, ["Crop", "kg", "cm"]);
    assert_eq!(table.rows, [["Maize", "25", "75"], ["Beans", "60", "50"]]);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn rules_bound_a_table_and_part_its_header() {
    let rule = |y: f32| Rect {
        x0: 50.0,
        x1: 290.0,
        y0: y,
        y1: y + 0.5,
    };
    let lines = [
        line("Table 2. Rates", 50.0, 100.0),
        line("Crop ~Seed", 50.0, 120.0),
        line("~kg/ha", 66.0, 132.0),
        line("Maize ~25", 50.0, 150.0),
        line(FULL, 50.0, 180.0),
        line(FULL, 50.0, 192.0),
    ];
    let drawn = Drawn {
        rules: vec![vec![rule(108.0), rule(138.0), rule(160.0)]],
        ..Drawn::default()
    };
    let found = pieces(&lines, &drawn, &usual(), &Vocabulary::default());
    let Content::Table(table) = &found[0].kind else {
        panic!("no table: {found:?}");
    };
    assert_eq!(table.header, ["Crop", "Seed kg/ha"]);
    assert_eq!(table.rows, [["Maize", "25"]]);
}

#[test]
fn dotted_lines_of_contents_are_left_out() {
    let lines = [
        line("Planting ........ 12", 50.0, 100.0),
        line(FULL, 50.0, 130.0),
    ];
    assert_eq!(shown(&lines), [FULL]);
}
