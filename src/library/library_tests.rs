use std::sync::atomic::{AtomicBool, Ordering};

use super::testing::{HashingEmbedder, document, open};
use super::*;
use crate::types::Place;

const IOWA: &str = "---\ntitle: Planting maize in Iowa\nplace: {country: US, region: Iowa}\ncrop: maize\n---\n## Depth\n\nPlant maize 2 inches deep.[^a]\n\n## Date\n\nPlant maize from 20 April to 5 May.\n\n[^a]: Guide\n";
const PUNJAB: &str = "---\ntitle: Sowing maize in Punjab\nplace: {country: IN, region: Punjab}\ncrop: maize\n---\n## Depth\n\nSow maize 3 to 5 cm deep.\n";
const GENERAL: &str =
    "---\ntitle: Maize everywhere\ncrop: maize\n---\n## Depth\n\nPlant maize seed 4 cm deep.\n";

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

    fn open(&self) -> Library {
        open(self.folder.path(), self.embedder.clone())
    }

    fn with(documents: &[(&str, &str)]) -> (Self, Library) {
        let bench = Bench::new();
        let library = bench.open();
        for (id, text) in documents {
            library.ingest(&document(id, text)).expect("ingestable");
        }
        (bench, library)
    }
}

fn ask(library: &Library, text: &str, place: Option<Place>) -> SearchResults {
    let query = Query {
        text: text.into(),
        place,
        crop: None,
        top_k: 5,
    };
    library.search(&query).expect("searchable")
}

fn found(results: &SearchResults) -> Vec<&str> {
    results
        .hits
        .iter()
        .map(|hit| hit.passage.document.as_str())
        .collect()
}

#[test]
fn what_was_ingested_is_found_again_after_reopening() {
    let (bench, library) = Bench::with(&[("ia.md", IOWA), ("pb.md", PUNJAB)]);
    let before = ask(&library, "How deep should I sow corn?", None);
    let stats = library.stats();
    drop(library);
    let library = bench.open();
    assert_eq!(library.recovery(), None);
    assert!(library.damaged().is_empty());
    let after = ask(&library, "How deep should I sow corn?", None);
    assert_eq!(found(&after), found(&before));
    assert_eq!(after.hits[0].fused, before.hits[0].fused);
    assert_eq!(library.stats().passages, stats.passages);
    assert_eq!(library.stats().terms, stats.terms);
    assert_eq!(library.references("ia.md")[0].label, "a");
    assert_eq!(library.document("ia.md").expect("there").passages, 2);
    assert_eq!(
        library.passage("ia.md", 1).expect("there").section(),
        "Date"
    );
}

#[test]
fn the_same_question_is_answered_by_each_place_for_itself() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA), ("pb.md", PUNJAB)]);
    for (place, expected) in [
        (Place::new("US", "Iowa"), "ia.md"),
        (Place::new("IN", "Punjab"), "pb.md"),
    ] {
        let results = ask(&library, "How deep should I sow maize?", Some(place));
        assert!(found(&results).iter().all(|id| *id == expected));
        assert_eq!(results.hits[0].passage.section(), "Depth");
        assert_eq!(results.fallback, None);
    }
}

#[test]
fn an_uncovered_place_gets_no_other_places_passages() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA), ("pb.md", PUNJAB)]);
    for place in [Place::new("US", "Ohio"), Place::new("KE", "Nakuru")] {
        let results = ask(&library, "How deep should I sow maize?", Some(place));
        assert!(results.hits.is_empty());
        assert_eq!(results.fallback, None);
    }
}

#[test]
fn a_wider_place_steps_in_and_says_so() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA), ("all.md", GENERAL)]);
    let story = Place {
        district: Some("Story".into()),
        ..Place::new("US", "Iowa")
    };
    let results = ask(
        &library,
        "How deep should I plant maize?",
        Some(story.clone()),
    );
    assert_eq!(found(&results)[0], "ia.md", "the nearer place leads");
    assert!(found(&results).contains(&"all.md"));
    assert_eq!(results.hits[0].levels_wider, 1);
    let expected = Fallback {
        asked: story,
        used: Place::new("US", "Iowa"),
    };
    assert_eq!(results.fallback, Some(expected));
    let kenya = ask(&library, "How deep?", Some(Place::new("KE", "Nakuru")));
    assert_eq!(found(&kenya), ["all.md"]);
    assert!(kenya.fallback.expect("a fallback").used.is_general());
}

#[test]
fn ingesting_again_changes_nothing_and_a_changed_file_replaces() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA)]);
    let again = library
        .ingest(&document("ia.md", IOWA))
        .expect("ingestable");
    assert_eq!((again.change, again.passages), (Change::Unchanged, 2));
    let changed = document("ia.md", &IOWA.replace("2 inches", "3 inches"));
    let replaced = library.ingest(&changed).expect("ingestable");
    assert_eq!(replaced.change, Change::Replaced);
    assert_eq!(library.stats().passages, 2);
    assert!(
        library
            .passage("ia.md", 0)
            .expect("there")
            .text
            .contains("3 inches")
    );
}

#[test]
fn documents_cut_in_another_way_are_taken_in_again() {
    let (bench, library) = Bench::with(&[("ia.md", IOWA)]);
    drop(library);
    let mut config = crate::config::Config::defaults(None).expect("valid");
    config.library.passage_tokens = 40;
    let embedder = bench.embedder.clone();
    let library = Library::open(
        bench.folder.path(),
        &config.library,
        &config.search,
        embedder,
    )
    .expect("openable");
    let again = library
        .ingest(&document("ia.md", IOWA))
        .expect("ingestable");
    assert_eq!(again.change, Change::Replaced);
}

#[test]
fn a_failed_ingest_leaves_the_old_document_whole() {
    let (bench, library) = Bench::with(&[("ia.md", IOWA)]);
    bench.embedder.set_broken(true);
    let changed = document("ia.md", &IOWA.replace("2 inches", "3 inches"));
    assert!(matches!(
        library.ingest(&changed),
        Err(LibraryError::Embedder(_))
    ));
    bench.embedder.set_broken(false);
    let results = ask(&library, "How deep?", Some(Place::new("US", "Iowa")));
    assert!(results.hits[0].passage.text.contains("2 inches"));
    drop(library);
    let library = bench.open();
    assert!(
        library
            .passage("ia.md", 0)
            .expect("there")
            .text
            .contains("2 inches")
    );
}

#[test]
fn a_removed_document_is_gone_for_good() {
    let (bench, library) = Bench::with(&[("ia.md", IOWA), ("pb.md", PUNJAB)]);
    assert!(library.remove("ia.md").expect("removable"));
    assert!(!library.remove("ia.md").expect("removable"));
    assert_eq!(found(&ask(&library, "How deep?", None)), ["pb.md"]);
    drop(library);
    assert_eq!(bench.open().documents().len(), 1);
}

#[test]
fn another_embedder_is_refused_with_what_to_do() {
    let (bench, library) = Bench::with(&[("ia.md", IOWA)]);
    drop(library);
    let config = crate::config::Config::defaults(None).expect("valid");
    let other = HashingEmbedder::new("another");
    let error = Library::open(bench.folder.path(), &config.library, &config.search, other)
        .err()
        .expect("refused");
    assert!(matches!(error, LibraryError::OtherEmbedder { .. }));
    assert!(error.to_string().contains("library rebuild"));
    assert_eq!(bench.open().documents().len(), 1, "nothing was touched");
}

#[test]
fn a_second_process_is_told_that_the_library_is_in_use() {
    let (bench, _library) = Bench::with(&[]);
    let config = crate::config::Config::defaults(None).expect("valid");
    let embedder = bench.embedder.clone();
    let second = Library::open(
        bench.folder.path(),
        &config.library,
        &config.search,
        embedder,
    );
    assert!(matches!(second, Err(LibraryError::Locked { .. })));
}

#[test]
fn searches_go_on_while_documents_come_in() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA)]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..30 {
                let text = GENERAL.replace("4 cm", &format!("{number} cm"));
                let id = format!("{}.md", number % 3);
                library.ingest(&document(&id, &text)).expect("ingestable");
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let results = ask(&library, "How deep?", Some(Place::new("US", "Iowa")));
            assert!(found(&results).contains(&"ia.md"));
            assert!(results.hits.iter().all(|hit| hit.fused.is_finite()));
        }
    });
    assert_eq!(library.documents().len(), 4);
}

#[test]
fn coverage_tells_a_question_that_is_answered_from_one_that_is_not() {
    let (_bench, library) = Bench::with(&[("ia.md", IOWA)]);
    let iowa = || Some(Place::new("US", "Iowa"));
    let best = |text: &str| ask(&library, text, iowa()).hits[0].coverage;
    assert_eq!(best("How deep do I sow corn in Iowa?"), 1.0);
    assert!(best("What tyre pressure does my tractor need?") < 0.2);
}

#[test]
fn an_empty_library_and_an_empty_question_find_nothing_and_do_not_fail() {
    let (_bench, library) = Bench::with(&[]);
    assert!(ask(&library, "How deep?", None).hits.is_empty());
    let (_bench, library) = Bench::with(&[("ia.md", IOWA)]);
    assert_eq!(ask(&library, "???", None).hits[0].coverage, 0.0);
    let none = Query {
        text: "How deep?".into(),
        ..Query::default()
    };
    assert!(library.search(&none).expect("searchable").hits.is_empty());
}

#[test]
fn the_graph_is_built_beside_the_searches_and_kept_for_the_next_start() {
    let bench = Bench::new();
    let mut config = crate::config::Config::defaults(None).expect("valid");
    config.library.dense = crate::config::DenseMode::Graph;
    let open = || {
        let embedder = bench.embedder.clone();
        Library::open(
            bench.folder.path(),
            &config.library,
            &config.search,
            embedder,
        )
        .expect("openable")
    };
    let library = open();
    let sections: String = (0..300)
        .map(|number| {
            format!(
                "## Part {number}\n\nField {number} gets {} kg.\n\n",
                number * 7
            )
        })
        .collect();
    library
        .ingest(&document("long.md", &sections))
        .expect("ingestable");
    wait_for_graph(&library);
    let probe = library.stats().probe.expect("probed");
    assert!(probe.recall_at_10 > 0.9, "{probe:?}");
    let hits = ask(&library, "field 17", None).hits;
    assert_eq!(hits[0].passage.section(), "Part 17");
    drop(library);
    assert!(bench.folder.path().join("graph/hnsw").exists());
    wait_for_graph(&open());
}

/// Waits on the builder's own signal, not on time.
fn wait_for_graph(library: &Library) {
    while library.stats().dense != "graph" {
        std::thread::yield_now();
    }
}

#[test]
fn no_text_is_embedded_twice() {
    let bench = Bench::new();
    let library = bench.open();
    let twin = |id: &str| document(id, IOWA);
    library
        .ingest_all(&[twin("a.md"), twin("b.md")])
        .expect("ingestable");
    let first = bench.embedder.embedded();
    assert_eq!(first, 2, "two passages of two documents that are the same");
    library.ingest_all(&[twin("c.md")]).expect("ingestable");
    assert_eq!(bench.embedder.embedded(), first);
    let changed = document("a.md", &IOWA.replace("2 inches", "3 inches"));
    library.ingest(&changed).expect("ingestable");
    assert_eq!(
        bench.embedder.embedded(),
        first + 1,
        "only the passage that changed"
    );
    let vectors = library.vectors();
    assert_eq!(vectors.len(), 6);
    drop(library);
    let again = bench.open();
    assert!(again.check().expect("readable").is_clean());
}

#[test]
fn texts_that_another_library_of_the_same_embedder_has_are_not_embedded_again() {
    let (bench, older) = Bench::with(&[("ia.md", IOWA), ("pb.md", PUNJAB)]);
    let before = bench.embedder.embedded();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let newer = open(folder.path(), bench.embedder.clone());
    newer.learn(&older);
    let documents = [document("ia.md", IOWA), document("any.md", GENERAL)];
    newer.ingest_all(&documents).expect("ingestable");
    let new = newer.passages("any.md").len();
    assert_eq!(bench.embedder.embedded(), before + new);
    let (one, other) = (older.passages("ia.md"), newer.passages("ia.md"));
    assert_eq!(one, other);
    let question = "How deep should maize be planted?";
    let [lent, own] = [&newer, &older].map(|library| ask(library, question, None));
    let score = |results: &SearchResults| {
        let hit = results
            .hits
            .iter()
            .find(|hit| hit.passage.document == "ia.md");
        hit.map(|hit| hit.dense)
    };
    assert!(score(&own).is_some());
    assert_eq!(score(&lent), score(&own));
    // Vectors of another embedder are of no use.
    let stranger = HashingEmbedder::new("other");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let foreign = open(folder.path(), stranger.clone());
    foreign.learn(&older);
    foreign.ingest_all(&documents[..1]).expect("ingestable");
    assert_eq!(stranger.embedded(), one.len());
}
