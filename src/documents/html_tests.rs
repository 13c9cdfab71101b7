use std::path::Path;

use super::*;
use crate::documents::Table;
use crate::types::Place;

fn read(text: &str) -> Content {
    let source = Source {
        path: Path::new("a.html"),
        bytes: text.as_bytes(),
    };
    HtmlReader.read(source).expect("any text is some page")
}

fn bodies(content: &Content) -> Vec<&Body> {
    let blocks = content.sections.iter().flat_map(|section| &section.blocks);
    blocks.map(|block| &block.body).collect()
}

fn paragraph(text: &str) -> Body {
    Body::Paragraph(text.into())
}

#[test]
fn what_surrounds_the_text_is_left_out() {
    let content = read(
        "<body><header><a>Menu</a></header><nav>Home</nav><div class='sidebar x'>Ad</div><article><h1>Rice</h1><p>Text.</p><aside>More</aside><form>Name</form><div hidden>No</div></article><div role=contentinfo>Foot</div><footer>Foot</footer></body>",
    );
    assert_eq!(bodies(&content), [&paragraph("Text.")]);
    assert_eq!(content.metadata.title.as_deref(), Some("Rice"));
}

#[test]
fn meta_elements_give_the_metadata() {
    let metadata = read(
        "<html lang='pt-BR'><head><title>T | Site</title><meta name='citation_title' content='Milho'><meta name=author content='A. Silva'><meta name=AUTHOR content='B. Souza'><meta name='DC.date' content='2020-05-01'><meta name=citation_doi content='10.1/x'><link rel=license href='https://creativecommons.org/licenses/by/4.0/'><meta name='almanac:place' content='BR/Mato Grosso'><meta name='almanac:crop' content='corn, soybean'><meta name=keywords content='planting; depth'></head><body><p>x",
    )
    .metadata;
    assert_eq!(metadata.title.as_deref(), Some("Milho"));
    assert_eq!(metadata.authors, ["A. Silva", "B. Souza"]);
    assert_eq!(metadata.date.as_deref(), Some("2020-05-01"));
    assert_eq!(metadata.source.as_deref(), Some("https://doi.org/10.1/x"));
    assert_eq!(metadata.licence.as_deref(), Some("CC BY 4.0"));
    assert_eq!(metadata.language.as_deref(), Some("pt-BR"));
    assert_eq!(metadata.place, Place::new("BR", "Mato Grosso"));
    assert_eq!(metadata.crops, ["corn", "soybean"]);
    assert_eq!(metadata.topics, ["planting", "depth"]);
}

#[test]
fn a_table_keeps_its_caption_spans_and_header() {
    let content = read(
        "<table><caption>Table 1. Rates</caption><thead><tr><th rowspan=2>Soil<th colspan=2>Rate, kg/ha<tr><th>N<th>P</thead><tbody><tr><td>clay<td>100<td>10<sup>2</sup></table>",
    );
    let table = Table {
        caption: Some("Table 1. Rates".into()),
        header: vec![
            "Soil".into(),
            "Rate, kg/ha N".into(),
            "Rate, kg/ha P".into(),
        ],
        rows: vec![vec!["clay".into(), "100".into(), "10^2".into()]],
    };
    assert_eq!(bodies(&content), [&Body::Table(table)]);
}

#[test]
fn a_table_for_the_layout_is_read_as_text() {
    let content = read("<table><tr><td><h2>Pests</h2><p>Look for holes.</td></tr></table>");
    assert_eq!(content.sections[0].heading(), "Pests");
    assert_eq!(bodies(&content), [&paragraph("Look for holes.")]);
}

#[test]
fn lists_nest_and_definitions_keep_their_terms() {
    let content = read(
        "<ul><li>one<ul><li>two</ul><li><p>three</p><p>more</p></ul><dl><dt>N<dd>nitrogen</dl>",
    );
    let items = |items: &[&str]| Body::List(items.iter().map(|item| (*item).to_owned()).collect());
    assert_eq!(
        bodies(&content),
        [
            &items(&["one", "two", "three more"]),
            &items(&["N: nitrogen"])
        ]
    );
}

#[test]
fn note_marks_leave_the_text_and_sources_become_references() {
    let content = read(
        "<p>Plant 5 cm deep.<sup><a href='#r1'>[1]</a></sup> Then roll.</p><figure><img><figcaption>Fig. 1. A drill</figcaption></figure><ol class=references><li id=r1><p>Guide, 2001.</p></ol>",
    );
    assert_eq!(
        bodies(&content),
        [
            &paragraph("Plant 5 cm deep. Then roll."),
            &Body::Caption("Fig. 1. A drill".into())
        ]
    );
    let references: Vec<_> = content
        .references
        .iter()
        .map(|r| (r.label.as_str(), r.text.as_str()))
        .collect();
    assert_eq!(references, [("r1", "Guide, 2001.")]);
}

#[test]
fn words_in_blocks_and_cells_never_run_together() {
    let content = read(
        "<div>One<div>Two</div>Three <a href=x><p>Four</p></a></div><table><tr><th>a<th>b<tr><td>x<br>y<td><p>u</p><p>v</p></table>",
    );
    let texts = ["One", "Two", "Three", "Four"].map(paragraph);
    assert_eq!(bodies(&content)[..4], texts.each_ref());
    let Body::Table(table) = bodies(&content)[4] else {
        panic!("no table")
    };
    assert_eq!(table.rows, [["x y", "u v"]]);
}

#[test]
fn a_page_deeper_than_any_is_read_in_time() {
    for tag in ["div", "b", "table><tr><td", "ul><li", "sup", "a href=#"] {
        let content = read(&(format!("<{tag}>").repeat(100_000) + "text"));
        assert!(content.sections.len() <= 1, "{tag}");
    }
    let attributes: String = (0..200_000).map(|n| format!("a{n} ")).collect();
    read(&format!("<p {attributes}>text"));
}
