//! Tests of the set's checks: one defect at a time in an otherwise sound set.

use std::path::Path;

use super::super::corpus::testing::corpus;
use super::super::questions::read_text;
use super::*;

fn document(region: &str, country: &str, depth: &str) -> String {
    format!(
        "---\ntitle: Maize in {region}\nplace: {{country: {country}, region: {region}}}\ncrop: maize\n---\n# Maize\n\n## Depth\n\nSow maize {depth} deep in {region}.\n\n## Cold\n\nSow when the soil has 10 °C.\n"
    )
}

fn documents() -> Corpus {
    corpus(&[
        ("ia.md", &document("Iowa", "US", "2 inches")),
        ("pb.md", &document("Punjab", "IN", "4 cm")),
        ("mt.md", &document("Mato Grosso", "BR", "5 cm")),
    ])
}

const SET: &str = r#"{"id":"a","split":"test","group":"maize","kind":"answerable","question":"How deep?","place":{"country":"US","region":"Iowa"},"pair":"depth","gold":{"document":"ia.md","section":"Depth"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"2 inches."}
{"id":"b","split":"test","group":"maize","kind":"answerable","question":"How deep?","place":{"country":"IN","region":"Punjab"},"pair":"depth","gold":{"document":"pb.md","section":"Depth"},"facts":[{"name":"depth","numbers":[4],"unit":"cm"}],"answer":"4 cm."}
{"id":"c","split":"test","group":"maize","kind":"answerable","question":"How deep?","place":{"country":"BR","region":"Mato Grosso"},"pair":"depth","gold":{"document":"mt.md","section":"Depth"},"facts":[{"name":"depth","numbers":[5],"unit":"cm"}],"answer":"5 cm."}
{"id":"d","split":"test","group":"maize","kind":"answerable","question":"Warm enough?","place":{"country":"US","region":"Iowa"},"gold":{"document":"ia.md","section":"Cold"},"facts":[{"name":"reading","numbers":[8.5],"unit":"°C"},{"name":"limit","numbers":[10],"unit":"°C"},{"name":"verdict","any_of":["too cold"]}],"answer":"No, 8.5 °C is too cold: 10 °C is needed.","readings":[{"name":"soil-temperature","unit":"°C","value":8.5}]}
{"id":"e","split":"test","group":"maize","kind":"near_miss_fact","question":"How much zinc?","place":{"country":"US","region":"Iowa"},"lacks":["zinc"]}
{"id":"f","split":"test","kind":"near_miss_place","question":"How deep in Ohio?","place":{"country":"US","region":"Ohio"}}
{"id":"g","split":"test","kind":"absent","question":"Which tyres?","place":{"country":"US","region":"Iowa"},"lacks":["tyre"]}"#;

fn checked(text: &str) -> SetReport {
    let set = read_text(text, Path::new("set.jsonl")).expect("readable");
    check(&set, &documents())
}

fn only_fault(from: &str, to: &str) -> String {
    assert!(SET.contains(from), "{from}");
    let report = checked(&SET.replacen(from, to, 1));
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    report.faults[0].to_string()
}

#[test]
fn a_sound_set_has_no_fault_and_is_counted() {
    let report = checked(SET);
    assert_eq!(report.faults, []);
    assert_eq!(report.splits[&Split::Test][&Kind::Answerable], 4);
    assert_eq!(report.places["Ohio, US"][&Kind::NearMissPlace], 1);
    assert_eq!(report.groups["maize"][&Split::Test][&Kind::NearMissFact], 1);
    assert_eq!(report.pairs[&Split::Test], 1);
    assert_eq!(report.readings[&Split::Test], 1);
    assert!(report.to_string().contains("near_miss_place"));
}

#[test]
fn a_missing_document_heading_or_fact_is_told() {
    assert!(
        only_fault(
            "\"ia.md\",\"section\":\"Depth\"",
            "\"xx.md\",\"section\":\"Depth\""
        )
        .contains("no document")
    );
    assert!(
        only_fault(
            "\"ia.md\",\"section\":\"Depth\"",
            "\"ia.md\",\"section\":\"Width\""
        )
        .contains("it has Depth, Cold")
    );
    // The mended answer still has the figure of the section, and one more.
    let from = r#""numbers":[2],"unit":"inch"}],"answer":"2 inches.""#;
    let to = r#""numbers":[2],"unit":"foot"}],"answer":"2 inches, that is 0.17 feet.""#;
    let report = checked(&SET.replacen(from, to, 1));
    let told = report.faults[0].to_string();
    assert!(
        told.contains("does not hold the fact depth (2 foot)"),
        "{told}"
    );
}

#[test]
fn a_reference_answer_holds_its_facts_and_no_other_figure() {
    assert!(only_fault("\"2 inches.\"", "\"2 cm.\"").contains("reference answer does not hold"));
    assert!(
        only_fault("\"2 inches.\"", "\"2 inches, at most 7 inches.\"")
            .contains("7 inch stands neither")
    );
    assert!(
        only_fault("\"answer\":\"2 inches.\"", "\"answer\":null").contains("no reference answer")
    );
}

#[test]
fn what_is_said_to_be_lacking_must_be_lacking() {
    assert!(only_fault("\"lacks\":[\"zinc\"]", "\"lacks\":[\"soil\"]").contains("stands in ia.md"));
    assert!(only_fault("\"lacks\":[\"zinc\"]", "\"lacks\":[]").contains("`lacks` is empty"));
    // Another place's document may have a fact that this one lacks, but not what is nowhere.
    let elsewhere = SET.replacen("\"lacks\":[\"zinc\"]", "\"lacks\":[\"punjab\"]", 1);
    assert_eq!(checked(&elsewhere).faults, []);
    assert!(
        only_fault("\"lacks\":[\"tyre\"]", "\"lacks\":[\"punjab\"]").contains("stands in pb.md")
    );
}

#[test]
fn an_uncovered_place_must_be_uncovered() {
    assert!(only_fault("\"region\":\"Ohio\"", "\"region\":\"Iowa\"").contains("covered, by ia.md"));
}

#[test]
fn twins_are_three_places_asked_alike() {
    assert!(only_fault("\"pair\":\"depth\",", "").contains("2 questions for 2 places"));
    assert!(only_fault("\"How deep?\"", "\"How deep is it?\"").contains("word for word"));
}

#[test]
fn the_same_question_twice_is_told() {
    let told = only_fault("\"Warm enough?\"", "\"how DEEP\"");
    assert!(told.contains("the same for the same place as a"), "{told}");
}

#[test]
fn a_topic_a_document_and_a_pair_stay_in_one_split() {
    let report = checked(&SET.replacen("\"split\":\"test\"", "\"split\":\"train\"", 1));
    let items: Vec<&str> = report
        .faults
        .iter()
        .map(|fault| fault.item.as_str())
        .collect();
    assert_eq!(items, ["document ia.md", "group maize", "pair maize/depth"]);
}

#[test]
fn the_digest_is_of_the_test_part_in_any_order_of_lines_and_fields() {
    let digest = |text: &str| {
        digest_of(
            &read_text(text, Path::new("set")).expect("readable"),
            Split::Test,
        )
    };
    let mut lines: Vec<&str> = SET.lines().collect();
    lines.reverse();
    assert_eq!(digest(&lines.join("\n")), digest(SET));
    let swapped = SET.replacen(
        r#""id":"e","split":"test","#,
        r#""split":"test","id":"e","#,
        1,
    );
    assert_eq!(digest(&swapped), digest(SET));
    let train = format!(
        "{SET}\n{}",
        r#"{"id":"z","split":"train","kind":"absent","question":"x?"}"#
    );
    assert_eq!(digest(&train), digest(SET));
    assert_ne!(digest(&SET.replacen("zinc", "iron", 1)), digest(SET));
}
