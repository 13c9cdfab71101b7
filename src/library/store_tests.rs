use super::super::store_open::MAX_BROKEN;
use super::super::testing::{HashingEmbedder, document, open};
use super::*;
use crate::durable::open_tree;

const TEXT: &str = "# A\n\nPlant maize 5 cm deep.\n\n## B\n\nHarvest at 20 percent.\n";

fn filled(folder: &Path) {
    let library = open(folder, HashingEmbedder::new("test"));
    for id in ["a.md", "b.md", "c.md"] {
        library.ingest(&document(id, TEXT)).expect("ingestable");
    }
}

/// Changes the store behind the library's back.
fn tamper(folder: &Path, change: impl FnOnce(&sled::Db)) {
    let db = open_tree(&folder.join("index"), 1 << 20).expect("openable");
    change(&db);
    db.flush().expect("flushable");
}

fn ids(folder: &Path) -> (Vec<String>, Vec<String>, bool) {
    let library = open(folder, HashingEmbedder::new("test"));
    let whole = library.documents().into_iter().map(|d| d.id).collect();
    (
        whole,
        library.damaged().to_vec(),
        library.recovery().is_some(),
    )
}

#[test]
fn a_document_that_is_not_whole_is_left_out_and_named() {
    type Change = fn(&sled::Db) -> sled::Result<Option<sled::IVec>>;
    let changes: [Change; 4] = [
        |db| db.remove(part_key(b'v', "b.md", 1)),
        |db| db.insert(part_key(b'p', "b.md", 0), b"{}"),
        |db| db.insert(part_key(b't', "b.md", 2), b"[]"),
        |db| db.insert(record_key("b.md"), b"not a record"),
    ];
    for change in changes {
        let folder = tempfile::tempdir().expect("a temporary folder");
        filled(folder.path());
        tamper(folder.path(), |db| {
            change(db).expect("writable");
        });
        let (whole, damaged, recovered) = ids(folder.path());
        assert_eq!(whole, ["a.md", "c.md"]);
        assert_eq!(damaged, ["b.md"]);
        assert!(!recovered);
        let library = open(folder.path(), HashingEmbedder::new("test"));
        library.ingest(&document("b.md", TEXT)).expect("ingestable");
        drop(library);
        let (whole, damaged, recovered) = ids(folder.path());
        assert_eq!((whole.len(), damaged.len(), recovered), (3, 0, false));
    }
}

#[test]
fn an_index_that_lost_documents_is_moved_aside_and_an_empty_one_takes_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in 1..=5 {
        filled(folder.path());
        tamper(folder.path(), |db| {
            let mut batch = sled::Batch::default();
            for item in db.iter() {
                let (key, _) = item.expect("readable");
                if key.windows(4).any(|part| part == b"b.md") {
                    batch.remove(key);
                }
            }
            db.apply_batch(batch).expect("writable");
        });
        let library = open(folder.path(), HashingEmbedder::new("test"));
        assert!(library.documents().is_empty());
        let recovery = library.recovery().expect("a recovery");
        assert!(
            recovery.reason.contains("should hold 3 documents"),
            "{recovery:?}"
        );
        let name = format!("index.broken-{}", number.min(MAX_BROKEN));
        assert_eq!(recovery.moved_to, folder.path().join(name));
        assert!(recovery.moved_to.is_dir());
    }
}

#[test]
fn garbage_in_the_file_is_found_and_moved_aside() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.clear(),
        |bytes| bytes.iter_mut().for_each(|byte| *byte = 0xa5),
        |bytes| {
            let length = bytes.len();
            bytes[..length / 2].fill(0);
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        filled(folder.path());
        let file = folder.path().join("index/db");
        let mut bytes = std::fs::read(&file).expect("readable");
        damage(&mut bytes);
        std::fs::write(&file, bytes).expect("writable");
        let (whole, damaged, recovered) = ids(folder.path());
        assert!(recovered, "damage {number}: {whole:?} {damaged:?}");
        assert!(whole.is_empty());
        filled(folder.path());
        assert_eq!(ids(folder.path()).0.len(), 3, "the new index works");
    }
}

#[test]
fn an_index_of_another_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    filled(folder.path());
    let embedder = Digest::of(b"test");
    let meta = Meta {
        schema: SCHEMA + 1,
        ..Meta::new(embedder, 64)
    };
    let error = Store::open(folder.path(), 1 << 20, &meta).expect_err("refused");
    assert!(matches!(error, LibraryError::OtherSchema { .. }), "{error}");
    assert_eq!(ids(folder.path()).0.len(), 3);
}

#[test]
fn a_long_document_is_written_and_read_in_one_piece() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text: String = (0..3_000)
        .map(|number| format!("## Part {number}\n\nThe text of part {number} of a long book.\n\n"))
        .collect();
    let library = open(folder.path(), HashingEmbedder::new("test"));
    library
        .ingest(&document("book.md", &text))
        .expect("ingestable");
    library
        .ingest(&document("book.md", &text.replace("long", "longer")))
        .expect("ingestable");
    drop(library);
    let library = open(folder.path(), HashingEmbedder::new("test"));
    assert_eq!(library.passages("book.md").len(), 3_000);
    assert!(library.passages("book.md")[2_999].text.contains("longer"));
}
