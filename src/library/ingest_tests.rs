use super::super::testing::{HashingEmbedder, open};
use super::*;

struct Bench {
    state: tempfile::TempDir,
    farm: tempfile::TempDir,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let bench = Bench {
            state: tempfile::tempdir().expect("a temporary folder"),
            farm: tempfile::tempdir().expect("a temporary folder"),
        };
        for (name, text) in files {
            bench.write(name, text.as_bytes());
        }
        bench
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.farm.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    }

    fn delete(&self, name: &str) {
        std::fs::remove_file(self.farm.path().join(name)).expect("there");
    }

    fn library(&self) -> Library {
        open(self.state.path(), HashingEmbedder::new("test"))
    }

    fn ingest(&self, library: &Library, sync: bool) -> Result<IngestReport, LibraryError> {
        let paths = [self.farm.path().to_owned()];
        library.ingest_paths(&paths, IngestOptions { sync }, &mut |_| {
            ControlFlow::Continue(())
        })
    }
}

fn ids(library: &Library) -> Vec<String> {
    library
        .documents()
        .into_iter()
        .map(|entry| entry.id)
        .collect()
}

#[test]
fn a_folder_is_taken_in_with_ids_from_its_paths() {
    let bench = Bench::new(&[
        ("us-iowa/a.md", "One."),
        ("b.txt", "Two."),
        ("c.docx", "PK"),
        (".hidden/d.md", "Three."),
    ]);
    let library = bench.library();
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!((report.added, report.skipped, report.passages), (2, 1, 2));
    assert_eq!(ids(&library), ["b.txt", "us-iowa/a.md"]);
    let again = bench.ingest(&library, false).expect("ingestable");
    assert_eq!((again.unchanged, again.passages), (2, 0));
}

#[test]
fn a_bad_file_is_reported_and_the_rest_goes_on() {
    let bench = Bench::new(&[("a.md", "One."), ("z.md", "Two.")]);
    bench.write("m.md", b"\xff\xfe");
    bench.write("n.md", b"---\ntitle: [\n---\nText.");
    let library = bench.library();
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!((report.added, report.failed.len()), (2, 2));
    assert!(report.failed[0].reason.contains("not UTF-8"));
}

#[test]
fn sync_removes_what_is_gone_and_only_that() {
    let bench = Bench::new(&[("a.md", "One."), ("sub/b.md", "Two."), ("c.md", "Three.")]);
    let other = Bench::new(&[("d.md", "Four.")]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    other.ingest(&library, false).expect("ingestable");
    bench.delete("sub/b.md");
    bench.write("c.md", b"\xff");
    let kept = bench.ingest(&library, false).expect("ingestable");
    assert!(kept.removed.is_empty());
    let report = bench.ingest(&library, true).expect("ingestable");
    assert_eq!(report.removed, ["sub/b.md"]);
    assert_eq!(
        ids(&library),
        ["a.md", "c.md", "d.md"],
        "a broken file keeps its document"
    );
}

#[test]
fn sync_of_an_emptied_folder_removes_nothing() {
    let bench = Bench::new(&[("a.md", "One.")]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    bench.delete("a.md");
    let error = bench.ingest(&library, true).expect_err("refused");
    assert!(
        error.to_string().contains("is the disk mounted?"),
        "{error}"
    );
    assert_eq!(ids(&library), ["a.md"]);
}

#[test]
fn a_moved_file_keeps_its_document_under_sync() {
    let bench = Bench::new(&[("old/a.md", "---\nid: guide\n---\nOne."), ("b.md", "Two.")]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    bench.delete("old/a.md");
    bench.write("new/a.md", b"---\nid: guide\n---\nOne.");
    for _ in 0..2 {
        let report = bench.ingest(&library, true).expect("ingestable");
        assert!(report.removed.is_empty(), "{report:?}");
    }
    assert_eq!(ids(&library), ["b.md", "guide"]);
}

#[test]
fn two_files_of_one_id_are_not_mixed_up() {
    let bench = Bench::new(&[
        ("a.md", "---\nid: guide\n---\nOne."),
        ("b.md", "---\nid: guide\n---\nTwo."),
    ]);
    let library = bench.library();
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!((report.added, report.failed.len()), (1, 1));
    assert!(library.passages("guide")[0].text.contains("One"));
}

#[test]
fn a_stop_keeps_what_was_told_and_leaves_most_of_the_rest() {
    let names: Vec<String> = (0..100).map(|number| format!("{number:02}.md")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "Text.")).collect();
    let bench = Bench::new(&files);
    let library = bench.library();
    let mut heard = Vec::new();
    let paths = [bench.farm.path().to_owned()];
    let report = library
        .ingest_paths(&paths, IngestOptions::default(), &mut |progress| {
            heard.push((progress.done, progress.total, progress.name.to_owned()));
            match progress.done {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .expect("ingestable");
    assert!(report.stopped);
    assert_eq!(
        heard,
        [(1, 100, "00.md".to_owned()), (2, 100, "01.md".to_owned())]
    );
    let there = ids(&library);
    assert_eq!(there.len(), report.added, "all that is durable is counted");
    assert!((2..50).contains(&there.len()), "{}", there.len());
    assert_eq!(there, names[..there.len()]);
}

#[test]
fn what_was_told_is_on_the_disk() {
    let names: Vec<String> = (0..70).map(|number| format!("{number:02}.md")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "Text.")).collect();
    let bench = Bench::new(&files);
    let library = bench.library();
    let paths = [bench.farm.path().to_owned()];
    library
        .ingest_paths(&paths, IngestOptions::default(), &mut |progress| {
            let stored = library.check().expect("readable");
            assert!(
                stored.is_clean() && stored.documents >= progress.done,
                "{stored:?}"
            );
            ControlFlow::Continue(())
        })
        .expect("ingestable");
    assert_eq!(library.documents().len(), 70);
}

#[test]
fn a_folder_rule_that_changed_is_still_known_after_a_rebuild() {
    let bench = Bench::new(&[("a.md", "One."), ("tags.toml", "place = \"US/Iowa\"\n")]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    bench.write("tags.toml", b"place = \"US/Ohio\"\n");
    bench.ingest(&library, false).expect("ingestable");
    library
        .rebuild(&mut |_| ControlFlow::Continue(()))
        .expect("rebuilt");
    assert_eq!(library.passages("a.md")[0].place.to_string(), "Ohio, US");
}

#[test]
fn a_named_file_is_read_under_its_name_and_a_missing_path_is_an_error() {
    let bench = Bench::new(&[("sub/a.md", "One."), ("b.docx", "x")]);
    let library = bench.library();
    let ingest = |name: &str| {
        let paths = [bench.farm.path().join(name)];
        library.ingest_paths(&paths, IngestOptions::default(), &mut |_| {
            ControlFlow::Continue(())
        })
    };
    assert_eq!(ingest("sub/a.md").expect("ingestable").added, 1);
    assert_eq!(ids(&library), ["a.md"]);
    let unknown = ingest("b.docx").expect("reported");
    assert!(
        unknown.failed[0].reason.contains("no reader"),
        "{unknown:?}"
    );
    assert!(matches!(
        ingest("none"),
        Err(LibraryError::NoSuchPath { .. })
    ));
}

#[test]
fn a_file_with_a_document_a_line_is_taken_in_line_by_line() {
    let bench = Bench::new(&[(
        "corpus.jsonl",
        "{\"_id\": \"d1\", \"text\": \"One.\"}\n{broken\n{\"_id\": \"d2\", \"text\": \"Two.\"}\n",
    )]);
    bench.write("queries.jsonl", b"{\"_id\": \"q1\", \"text\": \"Who?\"}");
    let library = bench.library();
    let mut heard = Vec::new();
    let paths = [bench.farm.path().to_owned()];
    let report = library
        .ingest_paths(&paths, IngestOptions::default(), &mut |progress| {
            heard.push((progress.done, progress.total));
            ControlFlow::Continue(())
        })
        .expect("ingestable");
    assert_eq!(
        (report.added, report.failed.len(), report.skipped),
        (2, 1, 1)
    );
    assert!(report.failed[0].reason.contains("line 2"), "{report:?}");
    assert_eq!(heard, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(ids(&library), ["d1", "d2"]);
    let again = bench.ingest(&library, false).expect("ingestable");
    assert_eq!(again.unchanged, 2);
    // A line that is gone goes with a sync, but not while another line cannot be read.
    bench.write(
        "corpus.jsonl",
        b"{\"_id\": \"d2\", \"text\": \"Two.\"}\n{broken",
    );
    assert!(
        bench
            .ingest(&library, true)
            .expect("ingestable")
            .removed
            .is_empty()
    );
    bench.write("corpus.jsonl", b"{\"_id\": \"d2\", \"text\": \"Two.\"}\n");
    let report = bench.ingest(&library, true).expect("ingestable");
    assert_eq!(report.removed, ["d1"]);
}

#[test]
fn an_ingest_of_lines_that_was_stopped_goes_on_where_it_was() {
    let lines: String = (0..60)
        .map(|n| format!("{{\"_id\": \"d{n}\", \"text\": \"Number {n}.\"}}\n"))
        .collect();
    let bench = Bench::new(&[("corpus.jsonl", &lines)]);
    let library = bench.library();
    let paths = [bench.farm.path().to_owned()];
    let report =
        library.ingest_paths(
            &paths,
            IngestOptions { sync: true },
            &mut |progress| match progress.done {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            },
        );
    assert!(report.expect("ingestable").stopped);
    let there = ids(&library).len();
    assert!((2..60).contains(&there), "{there}");
    let report = bench.ingest(&library, true).expect("ingestable");
    assert_eq!((report.unchanged, report.added), (there, 60 - there));
}

#[test]
fn folder_tags_and_their_changes_reach_the_passages() {
    let bench = Bench::new(&[
        ("tags.toml", "place = \"US/Iowa\"\ncrops = [\"corn\"]\n"),
        ("a.md", "One."),
        ("b.md", "---\nplace: {country: IN}\n---\nTwo."),
    ]);
    let library = bench.library();
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!((report.added, report.skipped), (2, 0));
    let passage = |id: &str| library.passages(id)[0].clone();
    assert_eq!(passage("a.md").place.to_string(), "Iowa, US");
    assert_eq!(passage("a.md").crops, ["maize"]);
    assert_eq!(passage("b.md").place.to_string(), "IN");
    bench.write("tags.toml", b"place = \"US\"\n");
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!(
        (report.unchanged, report.passages),
        (2, 0),
        "nothing is embedded again"
    );
    assert_eq!(passage("a.md").place.to_string(), "US");
    bench.write("tags.toml", b"place = [");
    let report = bench.ingest(&library, false).expect("ingestable");
    assert_eq!(report.failed.len(), 2);
    assert_eq!(ids(&library).len(), 2);
}

#[test]
fn corrected_tags_survive_a_new_ingest_a_restart_and_a_lost_index() {
    let bench = Bench::new(&[("a.md", "# Maize in Iowa\n\nOne.")]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    let found = library.document("a.md").expect("there");
    assert_eq!(
        (found.place.to_string().as_str(), found.crops.len()),
        ("Iowa, US", 1)
    );
    let correction = documents::Correction {
        place: Some(crate::types::Place::new("IN", "Punjab")),
        ..Default::default()
    };
    assert_eq!(
        library
            .correct("none", correction.clone())
            .expect("no fault"),
        None
    );
    let tags = library
        .correct("a.md", correction)
        .expect("writable")
        .expect("there");
    assert_eq!(tags.place.expect("set").from, documents::Origin::Corrected);
    let place = |library: &Library| library.passages("a.md")[0].place.to_string();
    assert_eq!(place(&library), "Punjab, IN");
    bench.write("a.md", b"# Maize in Iowa\n\nOne and more.");
    bench.ingest(&library, false).expect("ingestable");
    assert_eq!(place(&library), "Punjab, IN");
    drop(library);
    let library = bench.library();
    assert_eq!(place(&library), "Punjab, IN");
    assert_eq!(library.damaged(), [""; 0]);
    drop(library);
    std::fs::remove_dir_all(bench.state.path().join("index")).expect("there");
    std::fs::remove_file(bench.state.path().join("library.json")).expect("there");
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    assert_eq!(place(&library), "Punjab, IN");
    library
        .correct("a.md", documents::Correction::default())
        .expect("writable");
    assert_eq!(place(&library), "Iowa, US");
}

#[test]
fn a_document_is_shown_as_it_was_read() {
    let text = "# Maize\n\nAn introduction.[^1]\n\n## Rates\n\n| Soil | Rate |\n|---|---|\n| clay | 20 |\n\n[^1]: Guide\n";
    let long = "A sentence of some words. ".repeat(6_000);
    let bench = Bench::new(&[("a.md", text), ("long.md", &long)]);
    let library = bench.library();
    bench.ingest(&library, false).expect("ingestable");
    let read =
        |name: &str| documents::read_file(&bench.farm.path().join(name), name).expect("readable");
    for name in ["a.md", "long.md"] {
        assert_eq!(library.tree(name).expect("whole"), Some(read(name)));
    }
    assert_eq!(library.tree("none").expect("no fault"), None);
    drop(library);
    let library = bench.library();
    assert_eq!(
        library.tree("long.md").expect("whole"),
        Some(read("long.md"))
    );
    library.remove("long.md").expect("removable");
    assert_eq!(library.tree("long.md").expect("no fault"), None);
}
