//! Pieces to sections, on pieces made by hand.

use super::super::body::quarter;
use super::*;

fn usual() -> Usual {
    Usual {
        size: 10.0,
        face: 1,
        bold: false,
        leading: 12.0,
    }
}

fn heading(text: &str, size: f32) -> Piece {
    let look = Look {
        size: quarter(size),
        bold: true,
        caps: false,
        upright: true,
        face: None,
        run_in: false,
    };
    piece(Content::Heading {
        text: text.to_owned(),
        look,
    })
}

fn paragraph(text: &str) -> Piece {
    piece(Content::Paragraph {
        lines: Vec::new(),
        text: text.to_owned(),
    })
}

fn piece(kind: Content) -> Piece {
    Piece {
        page: 1,
        size: 10.0,
        boxed: false,
        kind,
    }
}

const PROSE: &str = "Plant maize when the rains are steady and the soil is moist to a depth of twenty centimetres, and not before.";

fn paths(structure: &Structure) -> Vec<String> {
    let path = |section: &Section| format!("{} {}", section.level, section.headings.join(" > "));
    structure.sections.iter().map(path).collect()
}

#[test]
fn looks_nest_under_more_prominent_ones() {
    let found = build(
        vec![
            heading("Growing maize", 20.0),
            heading("Planting", 14.0),
            paragraph(PROSE),
            heading("Depth", 11.0),
            paragraph(PROSE),
            heading("Harvest", 14.0),
            paragraph(PROSE),
        ],
        &usual(),
    );
    assert_eq!(found.title.as_deref(), Some("Growing maize"));
    assert_eq!(
        paths(&found),
        ["1 Planting", "2 Planting > Depth", "1 Harvest"]
    );
}

#[test]
fn numbers_tell_the_level_whatever_the_look() {
    let found = build(
        vec![
            heading("A title of an article", 16.0),
            heading("1. Introduction", 12.0),
            paragraph(PROSE),
            heading("2. Methods", 12.0),
            heading("2.1. Soil", 12.0),
            paragraph(PROSE),
        ],
        &usual(),
    );
    assert_eq!(
        paths(&found),
        ["1 1. Introduction", "2 2. Methods > 2.1. Soil"]
    );
}

#[test]
fn an_articles_front_matter_and_references_are_no_sections() {
    let found = build(
        vec![
            heading("A title of an article", 16.0),
            paragraph("Abebe Bekele, Maria de Souza"),
            paragraph("Department of Botany, Addis Ababa, email: a@b.org"),
            heading("Abstract", 12.0),
            paragraph(PROSE),
            paragraph("Keywords: maize, soil"),
            heading("Introduction", 12.0),
            paragraph(PROSE),
            heading("References", 12.0),
            piece(Content::Item("1. Bekele A (2010) Maize.".to_owned())),
            piece(Content::Item("2. Souza M (2011) Soil.".to_owned())),
        ],
        &usual(),
    );
    assert_eq!(paths(&found), ["1 Abstract", "1 Introduction"]);
    assert_eq!(found.sections[0].blocks.len(), 1, "keywords are no prose");
    assert_eq!(found.references.len(), 2);
    assert_eq!(found.front[0], "Abebe Bekele, Maria de Souza");
}

#[test]
fn a_leaflets_opening_paragraph_is_kept() {
    let found = build(
        vec![
            heading("Growing maize", 20.0),
            paragraph(PROSE),
            heading("Planting", 14.0),
            paragraph(PROSE),
        ],
        &usual(),
    );
    assert_eq!(paths(&found), ["0 ", "1 Planting"]);
}

#[test]
fn nothing_hangs_under_the_heading_of_a_box() {
    let boxed = |mut piece: Piece| {
        piece.boxed = true;
        piece
    };
    let mut pieces = vec![heading("Growing maize", 20.0), heading("Planting", 14.0)];
    pieces.extend((0..6).map(|_| paragraph(PROSE)));
    pieces.extend([
        boxed(heading("Did you know?", 16.0)),
        boxed(paragraph(PROSE)),
        paragraph(PROSE),
    ]);
    let found = build(pieces, &usual());
    assert_eq!(
        paths(&found),
        ["1 Planting", "2 Planting > Did you know?", "1 Planting"]
    );
}

#[test]
fn a_table_that_goes_on_overleaf_under_its_head_is_one() {
    let table = |page: u32, head: [&str; 2], rows: &[[&str; 2]]| Piece {
        page,
        ..piece(Content::Table(Table {
            caption: None,
            header: head.map(str::to_owned).to_vec(),
            rows: rows
                .iter()
                .map(|row| row.map(str::to_owned).to_vec())
                .collect(),
        }))
    };
    let found = build(
        vec![
            heading("Growing maize", 20.0),
            heading("Seed", 14.0),
            paragraph(PROSE),
            table(1, ["Crop", "Seed"], &[["Maize", "25 kg,"]]),
            table(
                2,
                ["Crop", "Seed"],
                &[["", "or 30 kg late"], ["Beans", "60 kg"]],
            ),
            table(3, ["Pest", "Sign"], &[["Borer", "holes"]]),
        ],
        &usual(),
    );
    let bodies: Vec<&Body> = found.sections[0].blocks[1..]
        .iter()
        .map(|block| &block.body)
        .collect();
    let [Body::Table(one), Body::Table(other)] = bodies[..] else {
        panic!("not two tables: {bodies:?}");
    };
    assert_eq!(
        one.rows,
        [["Maize", "25 kg, or 30 kg late"], ["Beans", "60 kg"]]
    );
    assert_eq!(other.header, ["Pest", "Sign"]);
}

#[test]
fn a_statement_hangs_under_a_more_prominent_heading_after_the_text() {
    let built = |size: f32| {
        build(
            vec![
                heading("A title of an article", 16.0),
                heading("Introduction", 13.0),
                paragraph(PROSE),
                heading("Soil", 11.0),
                paragraph(PROSE),
                heading("Author contributions", 13.0),
                paragraph(PROSE),
                heading("Conflict of interest statement", size),
                paragraph(PROSE),
            ],
            &usual(),
        )
    };
    let under = "2 Author contributions > Conflict of interest statement";
    assert_eq!(paths(&built(11.0)).last().map(String::as_str), Some(under));
    let beside = "1 Conflict of interest statement";
    assert_eq!(paths(&built(13.0)).last().map(String::as_str), Some(beside));
}
