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
        ("c.pdf", "%PDF"),
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
fn a_stop_keeps_what_was_done() {
    let bench = Bench::new(&[("a.md", "One."), ("b.md", "Two."), ("c.md", "Three.")]);
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
        [(1, 3, "a.md".to_owned()), (2, 3, "b.md".to_owned())]
    );
    assert_eq!(ids(&library), ["a.md", "b.md"]);
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
