use std::path::PathBuf;

use super::super::testing::{HashingEmbedder, document, open};
use super::super::{IngestOptions, Query};
use super::*;
use crate::config::{Config, LibraryConfig, SearchConfig};
use crate::documents::{Correction, Document};
use crate::model::Embedder;
use crate::types::Place;

const FARM: [(&str, &str); 4] = [
    (
        "a.md",
        "# Maize in Iowa\n\nPlant maize 2 inches deep.\n\n## Date\n\nPlant in May.[^1]\n\n[^1]: Guide\n",
    ),
    ("b.md", "# Wheat\n\nSow wheat in October, 4 cm deep.\n"),
    (
        "c.md",
        "# Rice\n\n| Soil | Rate |\n|---|---|\n| clay | 20 kg |\n",
    ),
    ("d.md", "# Oats\n\nOats follow potatoes.\n"),
];

struct Bench {
    folder: tempfile::TempDir,
    embedder: Arc<HashingEmbedder>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            folder: tempfile::tempdir().expect("a temporary folder"),
            embedder: HashingEmbedder::new("test"),
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn open(&self) -> Library {
        open(&self.state(), self.embedder.clone())
    }

    /// A library of the farm, taken in from files that are gone then, one place set right.
    fn filled(&self) -> Library {
        let farm = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in FARM {
            std::fs::write(farm.path().join(name), text).expect("writable");
        }
        let library = self.open();
        let paths = [farm.path().to_owned()];
        library
            .ingest_paths(&paths, IngestOptions::default(), &mut goes_on)
            .expect("ingestable");
        let correction = Correction {
            place: Some(Place::new("IN", "Punjab")),
            ..Correction::default()
        };
        library.correct("b.md", correction).expect("writable");
        library
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup.zip")
    }
}

fn goes_on(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All that can be seen of a library.
fn seen(
    library: &Library,
) -> Vec<(
    Document,
    Vec<Arc<crate::documents::Passage>>,
    Option<PathBuf>,
)> {
    let tree = |id: &str| library.tree(id).expect("whole").expect("there");
    let entries = library.documents().into_iter();
    entries
        .map(|entry| (tree(&entry.id), library.passages(&entry.id), entry.file))
        .collect()
}

fn best(library: &Library, text: &str) -> String {
    let query = Query {
        text: text.into(),
        top_k: 1,
        ..Query::default()
    };
    let hits = library.search(&query).expect("searchable").hits;
    hits[0].passage.document.clone()
}

#[test]
fn a_rebuild_gives_the_same_library_and_goes_on_after_a_restart() {
    let bench = Bench::new();
    let library = bench.filled();
    let before = seen(&library);
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.clear();
        let report = library.rebuild(&mut |progress| {
            heard.push((progress.done, progress.total));
            ControlFlow::Continue(())
        });
        let report = report.expect("rebuilt");
        assert_eq!(
            (report.documents, report.lost.len(), report.stopped),
            (4, 0, false)
        );
        assert_eq!(heard, [(1, 4), (2, 4), (3, 4), (4, 4)]);
        assert_eq!(seen(&library), before);
    }
    library
        .ingest(&document("e.md", "Barley."))
        .expect("taken in");
    library.remove("e.md").expect("removable");
    drop(library);
    let library = bench.open();
    assert_eq!(seen(&library), before);
    assert!(library.check().expect("readable").is_clean());
    assert_eq!(best(&library, "oats after potatoes"), "d.md");
}

#[test]
fn passages_of_another_size_come_of_a_rebuild() {
    let bench = Bench::new();
    let long = format!(
        "# Long\n\n{}\n",
        "A sentence of seven words stands here. ".repeat(60)
    );
    drop(bench.filled());
    let mut config = Config::defaults(None).expect("valid");
    let sized = |config: &Config| {
        let embedder = bench.embedder.clone();
        Library::open(&bench.state(), &config.library, &config.search, embedder).expect("openable")
    };
    let library = sized(&config);
    library
        .ingest(&document("long.md", &long))
        .expect("taken in");
    let before = library.passages("long.md").len();
    drop(library);
    config.library.passage_tokens = 40;
    config.library.overlap_tokens = 8;
    let library = sized(&config);
    assert_eq!(library.passages("long.md").len(), before);
    library.rebuild(&mut goes_on).expect("rebuilt");
    assert!(library.passages("long.md").len() > before);
    let again = library.ingest(&document("long.md", &long)).expect("there");
    assert_eq!(again.change, Change::Unchanged, "it is cut as configured");
}

#[test]
fn a_lost_index_and_one_of_another_embedder_come_back_without_the_files() {
    let bench = Bench::new();
    let before = seen(&bench.filled());
    let damages: [fn(&Path); 3] = [
        |state| std::fs::remove_dir_all(state.join("index")).expect("there"),
        |state| std::fs::write(state.join("index-2/db"), vec![0xa5; 4096]).expect("writable"),
        |state| std::fs::write(state.join("index-3/db"), b"").expect("writable"),
    ];
    for damage in damages {
        damage(&bench.state());
        let library = bench.open();
        assert!(library.documents().is_empty());
        assert_eq!(library.unbuilt().len(), 4);
        assert!(!library.check().expect("readable").is_clean());
        // As far as it came, and the rest.
        let part = library.complete(&mut |_| ControlFlow::Break(()));
        assert!(part.expect("no fault").stopped);
        library.complete(&mut goes_on).expect("completed");
        assert_eq!(seen(&library), before);
        library.rebuild(&mut goes_on).expect("rebuilt");
        assert_eq!(seen(&library), before);
        assert_eq!(library.unbuilt(), [""; 0]);
        drop(library);
        assert_eq!(seen(&bench.open()), before);
    }
    let config = Config::defaults(None).expect("valid");
    type Open = fn(
        &Path,
        &LibraryConfig,
        &SearchConfig,
        Arc<dyn Embedder>,
    ) -> Result<Library, LibraryError>;
    let opened = |open: Open| {
        let other = HashingEmbedder::new("other");
        open(&bench.state(), &config.library, &config.search, other)
    };
    assert!(opened(Library::open).is_err());
    let library = opened(Library::open_anew).expect("openable");
    library.rebuild(&mut goes_on).expect("rebuilt");
    assert_eq!(seen(&library), before);
    drop(library);
    assert_eq!(
        opened(Library::open)
            .expect("its own now")
            .documents()
            .len(),
        4
    );
}

#[test]
fn a_rebuild_that_ends_early_changes_nothing_and_leaves_nothing() {
    let bench = Bench::new();
    let library = bench.filled();
    let before = seen(&library);
    let stopped = library.rebuild(&mut |progress| match progress.done {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(stopped.expect("no fault").stopped);
    bench.embedder.set_broken(true);
    assert!(library.rebuild(&mut goes_on).is_err());
    bench.embedder.set_broken(false);
    library.back_up(&bench.backup()).expect("writable");
    bench.embedder.set_broken(true);
    assert!(library.restore(&bench.backup(), &mut goes_on).is_err());
    bench.embedder.set_broken(false);
    assert_eq!(seen(&library), before);
    let mut names: Vec<_> = std::fs::read_dir(bench.state())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["documents", "index", "library.json", "tags.json"]);
    let logs = std::fs::read_dir(bench.state().join("documents")).expect("readable");
    assert_eq!(logs.count(), 1);
    drop(library);
    // As a cut in the middle of a rebuild leaves it.
    std::fs::create_dir(bench.state().join("index-2")).expect("writable");
    std::fs::write(bench.state().join("documents/2.log"), b"ALM1").expect("writable");
    std::fs::write(bench.state().join("tags.index-2.json"), b"{").expect("writable");
    let library = bench.open();
    assert_eq!(seen(&library), before);
    assert!(!bench.state().join("index-2").exists());
}

#[test]
fn while_the_index_is_made_anew_it_is_searched_and_not_changed() {
    let bench = Bench::new();
    let library = bench.filled();
    let mut refused = 0;
    let report = library.rebuild(&mut |_| {
        assert_eq!(best(&library, "sow wheat in October"), "b.md");
        let tries = [
            library.ingest(&document("e.md", "New.")).err(),
            library.remove("a.md").err(),
            library.correct("a.md", Correction::default()).err(),
            library.rebuild(&mut goes_on).err(),
        ];
        let is_busy =
            |error: &Option<LibraryError>| matches!(error, Some(LibraryError::Busy { .. }));
        refused += tries.iter().filter(|error| is_busy(error)).count();
        ControlFlow::Continue(())
    });
    assert_eq!(report.expect("rebuilt").documents, 4);
    assert_eq!(refused, 16);
    assert_eq!(library.documents().len(), 4);
}

#[test]
fn a_backup_brings_back_documents_and_corrections_into_any_library() {
    let bench = Bench::new();
    let library = bench.filled();
    let before = seen(&library);
    let report = library.back_up(&bench.backup()).expect("writable");
    let bytes = std::fs::read(bench.backup()).expect("readable");
    assert_eq!((report.documents, report.bytes), (4, bytes.len() as u64));
    assert_eq!(report.left_out, [""; 0]);
    library.back_up(&bench.backup()).expect("writable");
    assert_eq!(
        std::fs::read(bench.backup()).expect("readable"),
        bytes,
        "the same library"
    );

    library.remove("a.md").expect("removable");
    library
        .ingest(&document("z.md", "Too much."))
        .expect("taken in");
    library
        .correct("b.md", Correction::default())
        .expect("writable");
    let restored = library
        .restore(&bench.backup(), &mut goes_on)
        .expect("whole");
    assert_eq!((restored.documents, restored.stopped), (4, false));
    assert_eq!(seen(&library), before);
    drop(library);
    assert_eq!(seen(&bench.open()), before);

    let other = Bench::new();
    let library = open(&other.state(), HashingEmbedder::new("another"));
    library
        .restore(&bench.backup(), &mut goes_on)
        .expect("whole");
    assert_eq!(seen(&library), before);
    assert!(library.check().expect("readable").is_clean());
}

#[test]
fn a_backup_with_any_byte_changed_or_its_end_missing_is_refused_or_the_same() {
    let bench = Bench::new();
    let library = bench.filled();
    library.back_up(&bench.backup()).expect("writable");
    let sound = std::fs::read(bench.backup()).expect("readable");
    let before = seen(&library);
    let broken = bench.folder.path().join("broken.zip");
    let mut refused = 0;
    for at in (0..sound.len()).step_by(3) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&broken, &bytes).expect("writable");
        // What no digest covers, such as a date, may differ.
        refused += usize::from(Backup::open(&broken).is_err());
    }
    assert!(
        refused * 10 > sound.len() / 3 * 7,
        "{refused} of {}",
        sound.len() / 3
    );
    for length in (0..sound.len()).step_by(101) {
        std::fs::write(&broken, &sound[..length]).expect("writable");
        let error = library.restore(&broken, &mut goes_on).expect_err("cut off");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
    }
    assert_eq!(seen(&library), before);
    drop(library);
    assert_eq!(seen(&bench.open()), before);
}

#[test]
fn a_document_whose_original_is_damaged_keeps_its_passages_and_is_named() {
    let bench = Bench::new();
    drop(bench.filled());
    let log = bench.state().join("documents/1.log");
    let mut bytes = std::fs::read(&log).expect("readable");
    let at = bytes
        .windows(4)
        .position(|part| part == b"c.md")
        .expect("there");
    bytes[at + 20] ^= 1;
    std::fs::write(&log, bytes).expect("writable");
    let library = bench.open();
    assert!(library.tree("c.md").is_err());
    let problems = library.check().expect("readable").problems;
    assert!(
        problems.iter().any(|problem| problem.contains("\"c.md\"")),
        "{problems:?}"
    );
    let report = library.back_up(&bench.backup()).expect("writable");
    assert_eq!(
        (report.documents, report.left_out),
        (3, vec!["c.md".to_owned()])
    );
    library.rebuild(&mut goes_on).expect("rebuilt");
    assert_eq!(library.documents().len(), 4);
    assert_eq!(best(&library, "rate on clay"), "c.md");
    let again = library
        .ingest(&document("c.md", FARM[2].1))
        .expect("taken in");
    assert_eq!(again.change, Change::Replaced);
    assert!(library.check().expect("readable").is_clean());
}
