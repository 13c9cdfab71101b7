//! The library from the command line: what is kept, brought back and found, with and without the daemon.

mod support;

use std::path::Path;

use serde_json::Value;
use support::Broker;
use support::daemon::{TestBox, said};

/// Documents of the sample farm that are used here.
const DOCUMENTS: usize = 3;

fn ingest_some(almanac: &TestBox) -> Vec<Value> {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents");
    let farm = almanac.folder().join("farm");
    std::fs::create_dir_all(&farm).expect("writable");
    let mut files: Vec<_> = std::fs::read_dir(documents.join("us-iowa"))
        .expect("the sample farm")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    for file in files.iter().take(DOCUMENTS) {
        let name = file.file_name().expect("a name");
        std::fs::copy(file, farm.join(name)).expect("copyable");
    }
    almanac.json(&["ingest", &farm.display().to_string()]);
    std::fs::remove_dir_all(&farm).expect("removable");
    whole(almanac)
}

/// The documents with their number of passages, and as they were read.
fn whole(almanac: &TestBox) -> Vec<Value> {
    let mut all = almanac.json(&["library", "list"]);
    let ids: Vec<String> = all
        .iter()
        .filter_map(|line| line["document"].as_str())
        .map(str::to_owned)
        .collect();
    for id in &ids {
        all.extend(almanac.json(&["library", "show", id]));
    }
    all
}

fn is_clean(almanac: &TestBox) {
    let checked = almanac.command(&["library", "check"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn what_a_backup_holds_comes_back_with_and_without_the_daemon() {
    let broker = Broker::start();
    let mut almanac = TestBox::new(&format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n",
        broker.port()
    ));
    let before = ingest_some(&almanac);
    assert!(before.len() > DOCUMENTS, "{before:?}");
    let id = before[0]["document"].as_str().expect("an id").to_owned();
    almanac.json(&["library", "tags", &id, "--set", "place=US/Ohio"]);
    let before = whole(&almanac);
    let backup = almanac.folder().join("backup.zip").display().to_string();
    let again = almanac.folder().join("again.zip").display().to_string();
    let report = almanac.json(&["library", "backup", &backup]);
    assert_eq!(report[0]["documents"], 3, "{report:?}");

    almanac.json(&["library", "remove", &id]);
    assert_ne!(whole(&almanac), before);
    almanac.json(&["library", "restore", &backup]);
    assert_eq!(whole(&almanac), before);
    is_clean(&almanac);

    almanac.start_ready();
    almanac.json(&["library", "backup", &again]);
    let bytes = |path: &str| std::fs::read(path).expect("readable");
    assert_eq!(bytes(&again), bytes(&backup), "the same library");
    almanac.json(&["library", "remove", &id]);
    almanac.json(&["library", "restore", &again]);
    assert_eq!(whole(&almanac), before);
    almanac.json(&["library", "rebuild"]);
    assert_eq!(whole(&almanac), before);
    is_clean(&almanac);
    let mut broken = bytes(&backup);
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    std::fs::write(&again, broken).expect("writable");
    let refused = almanac.command(&["library", "restore", &again]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("nothing was changed"),
        "{}",
        said(&refused)
    );
    assert_eq!(whole(&almanac), before);
    let left = std::fs::read_dir(almanac.state()).expect("readable");
    let left = left.map(|entry| entry.expect("readable").file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().contains("library-backup"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_daemon_with_a_damaged_index_makes_it_again_before_it_answers() {
    let broker = Broker::start();
    let mut almanac = TestBox::new(&format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n",
        broker.port()
    ));
    let before = ingest_some(&almanac);
    let db = almanac.state().join("editions/0/index/db");
    std::fs::write(&db, vec![0x5a; 8192]).expect("writable");
    almanac.start_ready();
    assert_eq!(whole(&almanac), before);
    is_clean(&almanac);
}

#[test]
fn passages_of_another_size_need_no_files() {
    let almanac = TestBox::new("");
    let file = almanac.folder().join("long.md");
    let text = "Maize is sown in warm soil, and the seed lies five centimetres deep. ".repeat(40);
    std::fs::write(&file, format!("# Maize\n\n{text}\n")).expect("writable");
    almanac.json(&["ingest", &file.display().to_string()]);
    std::fs::remove_file(&file).expect("removable");
    let before = whole(&almanac);
    let config = std::fs::read_to_string(almanac.folder().join("almanac.toml")).expect("readable");
    let config = format!("{config}[library]\npassage_tokens = 48\noverlap_tokens = 8\n");
    std::fs::write(almanac.folder().join("almanac.toml"), config).expect("writable");
    assert_eq!(whole(&almanac), before);
    let report = almanac.json(&["library", "rebuild"]);
    assert_eq!(report[0]["documents"], 1);
    let passages = |lines: &[Value]| lines[0]["passages"].as_u64();
    assert!(passages(&whole(&almanac)) > passages(&before));
    is_clean(&almanac);
}

#[test]
fn a_beir_folder_is_taken_in_and_searched_line_by_line() {
    let almanac = TestBox::new("");
    let set = almanac.folder().join("set");
    std::fs::create_dir_all(set.join("qrels")).expect("writable");
    let corpus = [
        r#"{"_id": "MED-10", "title": "Sowing maize", "text": "Sow maize 5 cm deep once the soil is warm."}"#,
        r#"{"_id": "MED 14", "title": "Late blight", "text": "Late blight rots potato leaves in wet weather."}"#,
        r#"{"_id": "3", "title": "", "text": "Bees pollinate apple trees in spring.", "metadata": {"crop": "apple"}}"#,
    ];
    std::fs::write(set.join("corpus.jsonl"), corpus.join("\n")).expect("writable");
    let queries = "{\"_id\": \"q1\", \"text\": \"How deep is maize sown?\"}\n\n\
                   {\"_id\": \"q2\", \"text\": \"What rots potato leaves?\", \"metadata\": {}}\n\
                   {\"id\": \"q3\", \"question\": \"Who pollinates apples?\", \"crop\": \"apple\", \"place\": {}}\n";
    std::fs::write(set.join("queries.jsonl"), queries).expect("writable");
    std::fs::write(
        set.join("qrels/test.tsv"),
        "query-id\tcorpus-id\tscore\nq1\tMED-10\t1\n",
    )
    .expect("writable");
    let report = almanac.command(&[
        "--json",
        "ingest",
        &set.join("corpus.jsonl").display().to_string(),
    ]);
    assert!(report.status.success(), "{}", said(&report));
    let batch = set.join("queries.jsonl").display().to_string();
    let lines = almanac.json(&["search", "--batch", &batch, "--top-k", "2"]);
    let firsts: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            let first = &line["results"][0];
            (
                line["id"].as_str().expect("an id"),
                first["document"].as_str().expect("a document"),
            )
        })
        .collect();
    assert_eq!(firsts, [("q1", "MED-10"), ("q2", "MED 14"), ("q3", "3")]);
    for line in &lines {
        let results = line["results"].as_array().expect("a list");
        assert!(!results.is_empty() && results.len() <= 2, "{line}");
        let mut last = f64::INFINITY;
        for result in results {
            for field in ["document", "section", "place", "text"] {
                assert!(result[field].is_string(), "{field}: {result}");
            }
            assert!(result["page"].is_null());
            let score = result["score"].as_f64().expect("a number");
            assert!(score <= last, "best first: {line}");
            last = score;
        }
    }
    let broken = set.join("broken.jsonl");
    std::fs::write(&broken, "{\"id\": \"q1\"}\n").expect("writable");
    let refused = almanac.command(&["search", "--batch", &broken.display().to_string()]);
    assert!(
        !refused.status.success() && said(&refused).contains("line 1"),
        "{}",
        said(&refused)
    );
}
