//! `almanac study` as a process, with the real models: a handful of questions, all untuned arms.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::daemon::TestBox;

const SET: &str = r#"{"id":"a","split":"test","group":"maize","kind":"answerable","question":"How deep should I sow maize seed?","place":{"country":"US","region":"Iowa"},"crop":"maize","gold":{"document":"us-iowa/maize-planting.md","section":"Seeding depth"},"facts":[{"name":"depth","numbers":[2],"unit":"inch"}],"answer":"About 2 inches deep."}
{"id":"b","split":"test","group":"maize","kind":"answerable","question":"At what grain moisture should maize be harvested?","place":{"country":"US","region":"Iowa"},"crop":"maize","gold":{"document":"us-iowa/water-harvest-storage.md","section":"Harvest moisture"},"facts":[{"name":"moisture","numbers":[15,20],"unit":"%"}],"answer":"The ideal is 15 to 20% grain moisture."}
{"id":"c","split":"test","group":"maize","kind":"absent","question":"What pressure should my tractor tyres have?","place":{"country":"US","region":"Iowa"},"lacks":["tyre pressure"]}
{"id":"d","split":"dev","kind":"near_miss_place","question":"How deep is maize sown in Kenya?","place":{"country":"KE","region":"Nakuru"}}
"#;

fn farm() -> String {
    let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents");
    farm.display().to_string()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writable");
    path.display().to_string()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    let parse = |line: &str| serde_json::from_str(line).expect("a JSON line");
    text.lines().map(parse).collect()
}

#[test]
fn a_study_asks_every_arm_measures_and_writes_its_report() {
    let almanac = TestBox::with_farm(1, "");
    let set = write(almanac.folder(), "set.jsonl", SET);
    let out = almanac.folder().join("report");
    let (farm, folder) = (farm(), out.display().to_string());
    let common = ["--questions", &set, "--documents", &farm];
    let frozen = almanac.folder().join("test.sha256").display().to_string();
    let hash = ["--expect-test-hash", frozen.as_str()];
    let told = almanac.command(&[&["study", "check", "--freeze"][..], &common, &hash].concat());
    assert!(told.status.success(), "{told:?}");

    let study = [&["study", "--out", &folder][..], &common, &hash].concat();
    let results = almanac.json(&study).remove(0);
    let of = |arm: usize, key: &str| results["arms"][arm]["figures"][key]["value"].as_f64();
    let arms: Vec<&Value> = (0..3).map(|arm| &results["arms"][arm]["arm"]).collect();
    assert_eq!(arms, ["base", "base-rag", "base-product"]);
    assert_eq!(of(2, "key_fact_recall"), Some(1.0), "{results}");
    assert_eq!(of(2, "ungrounded"), Some(0.0), "{results}");
    assert_eq!(of(2, "refused_absent"), Some(1.0), "{results}");
    assert!(
        of(0, "tokens_in") < of(1, "tokens_in"),
        "the library costs tokens"
    );
    assert_eq!(results["retrieval"]["at"][4]["filtered"], 1.0, "{results}");
    assert_eq!(results["judge"], Value::Null);
    for file in ["results.json", "report.md", "report.html"] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }

    // The development question was not asked, and nothing is asked twice.
    let answers: PathBuf = almanac.state().join("study/answers-test.jsonl");
    let first = lines(&answers);
    assert_eq!(first.len(), 1 + 3 * 3);
    almanac.json(&study);
    assert_eq!(lines(&answers), first);

    // A test part that changed after it was frozen is neither asked nor passed by the check.
    write(
        almanac.folder(),
        "set.jsonl",
        &SET.replace("How deep should I", "How deep do I"),
    );
    for command in [&study, &[&["study", "check"][..], &common, &hash].concat()] {
        let told = almanac.command(command);
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(
            !told.status.success() && text.contains("since it was frozen"),
            "{text}"
        );
    }
}

#[test]
fn a_faulty_set_is_told_line_by_line() {
    let almanac = TestBox::new("");
    let faulty = SET.replace("\"numbers\":[2]", "\"numbers\":[7]");
    let set = write(almanac.folder(), "set.jsonl", &faulty);
    let farm = farm();
    let told = almanac.command(&["study", "check", "--questions", &set, "--documents", &farm]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.status.code(), Some(1));
    assert!(
        text.contains("fault: a: the section \"Seeding depth\" does not hold"),
        "{text}"
    );
    assert!(text.contains("near_miss_place"), "{text}");
}
