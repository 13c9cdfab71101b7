//! The measures, on examples worked by hand.

use super::super::Block;
use super::*;

const XML: &str = "<article><front><abstract><title>Summary</title><p>Short.</p></abstract></front><body>\
<sec><title>1. Planting</title><p>Plant maize in rows <xref>[1]</xref>.</p>\
<table-wrap><label>Table 1</label><caption><p>Seed rates</p></caption><table><tr><td>maize</td><td>25</td></tr></table></table-wrap>\
<sec><title>Depth</title><p>Five cm.</p></sec></sec></body>\
<back><ack><title>Thanks</title><p>To all.</p></ack><ref-list><title>References</title></ref-list></back></article>";

fn section(headings: &[&str], bodies: Vec<Body>) -> Section {
    Section {
        headings: headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect(),
        level: headings.len() as u8,
        blocks: bodies
            .into_iter()
            .map(|body| Block {
                page: Some(1),
                body,
            })
            .collect(),
    }
}

fn text(text: &str) -> Body {
    Body::Paragraph(text.to_owned())
}

fn table(caption: &str) -> Body {
    Body::Table(Table {
        caption: Some(caption.to_owned()),
        header: vec!["crop".into(), "kg".into()],
        rows: vec![vec!["maize".into(), "25".into()]],
    })
}

fn truth() -> Truth {
    Truth::of_jats(XML).expect("a truth")
}

#[test]
fn the_truth_is_the_body_without_tables_front_and_back() {
    let truth = truth();
    assert_eq!(truth.prose, "Plant maize in rows [1].\nFive cm.");
    assert_eq!(truth.headings, ["1. Planting", "Depth"]);
    assert_eq!(
        truth.tables,
        [("Table 1 Seed rates".to_owned(), "maize 25".to_owned())]
    );
    assert!(Truth::of_jats("<article/>").is_err());
    assert!(Truth::of_jats("no xml").is_err());
}

#[test]
fn a_perfect_reading_scores_one() {
    let sections = [
        section(&["Summary"], vec![text("Short.")]),
        section(
            &["1. Planting"],
            vec![
                text("Plant maize in rows [1]."),
                table("Table 1. Seed rates"),
            ],
        ),
        section(&["1. Planting", "Depth"], vec![text("Five cm.")]),
        section(&["Thanks"], vec![text("To all.")]),
    ];
    let found = measure(&sections, &truth(), &[]);
    assert_eq!(
        found.prose,
        Score {
            recall: 1.0,
            precision: 1.0
        }
    );
    assert_eq!(found.headings.f1(), 1.0);
    assert_eq!((found.tables_found, found.tables, found.cells), (1, 1, 1.0));
}

#[test]
fn missing_and_foreign_words_lower_recall_and_precision() {
    // Of seven true words five are found in order, among eight.
    let sections = [section(
        &["Planting"],
        vec![text("Plant maize in rows. See page seven five")],
    )];
    let found = measure(&sections, &truth(), &[]);
    assert_eq!(
        found.prose,
        Score {
            recall: 5.0 / 7.0,
            precision: 5.0 / 8.0
        }
    );
    assert_eq!(
        found.headings,
        Score {
            recall: 0.5,
            precision: 1.0
        }
    );
    assert_eq!(found.tables_found, 0);
    assert_eq!(measure(&[], &truth(), &[]).prose.recall, 0.0);
}

#[test]
fn a_block_is_on_its_page_when_its_first_words_are() {
    let body = "one two three four five six seven eight nine";
    let sections = [section(&["Planting"], vec![text(body)])];
    let on = |pages: &[&str]| {
        let pages: Vec<String> = pages.iter().map(|page| (*page).to_owned()).collect();
        let found = measure(&sections, &truth(), &pages);
        (found.pages_right, found.blocks)
    };
    assert_eq!(
        on(&["zero one two three-\nfour five six seven eight"]),
        (1, 1)
    );
    assert_eq!(on(&["another page"]), (0, 1));
    assert_eq!(on(&[]), (0, 0));
}
