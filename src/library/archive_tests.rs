use super::super::testing::document;
use super::*;
use crate::documents::Document;

fn text(id: &str) -> Document {
    document(id, &format!("# Title of {id}\n\nText of {id}.\n"))
}

fn put(archive: &mut Archive, ids: &[&str]) {
    let bodies: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| Original::pack(&text(id), Some(Path::new("/farm/x"))))
        .collect();
    let changes: Vec<(&str, Option<&[u8]>)> = ids
        .iter()
        .zip(&bodies)
        .map(|(id, body)| (*id, Some(body.as_slice())))
        .collect();
    let staged = archive.stage(&changes).expect("writable");
    archive.settle(staged);
}

fn ids(archive: &Archive) -> Vec<&str> {
    archive.ids().collect()
}

#[test]
fn documents_come_back_as_they_were_and_what_did_not_count_is_dropped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut archive = Archive::open(folder.path(), None).expect("openable");
    put(&mut archive, &["a", "b"]);
    let counted = archive.position();
    let gone = archive.stage(&[("a", None), ("none", None)]);
    assert!(gone.expect("writable").position().bytes > counted.bytes);
    let mut again = Archive::open(folder.path(), Some(counted)).expect("openable");
    assert_eq!(ids(&again), ["a", "b"]);
    assert_eq!(again.position(), counted);
    let found = again.read("a").expect("readable").expect("there");
    assert_eq!(found.document, text("a"));
    assert_eq!(found.file.as_deref(), Some(Path::new("/farm/x")));
    assert!(again.is_whole("b").expect("readable"));
    assert_eq!(again.read("c").expect("readable"), None);
    let gone = again.stage(&[("a", None)]).expect("writable");
    again.settle(gone);
    drop(again);
    let again = Archive::open(folder.path(), None).expect("openable");
    assert_eq!(
        ids(&again),
        ["b"],
        "all that is sound counts where nothing says how much"
    );
}

#[test]
fn a_damaged_record_loses_itself_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut archive = Archive::open(folder.path(), None).expect("openable");
    put(&mut archive, &["a", "ALM1", "c"]);
    let (position, span) = (archive.position(), archive.live["ALM1"]);
    let path = file_of(folder.path(), 1);
    let sound = std::fs::read(&path).expect("readable");
    let start = usize::try_from(span.offset).expect("small");
    let end = start + usize::try_from(span.bytes).expect("small");
    for at in start..end {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x41;
        std::fs::write(&path, &bytes).expect("writable");
        let trusting = Archive::open(folder.path(), Some(position)).expect("openable");
        assert_eq!(trusting.read("ALM1").expect("readable"), None, "byte {at}");
        for id in ["a", "c"] {
            assert!(trusting.is_whole(id).expect("readable"), "byte {at}: {id}");
        }
        let archive = Archive::open(folder.path(), None).expect("openable");
        assert_eq!(ids(&archive), ["a", "c"], "byte {at}");
    }
    // Cut anywhere, what stands before the cut is there, and the file goes on from it.
    for length in 0..sound.len() {
        std::fs::write(&path, &sound[..length]).expect("writable");
        let mut archive = Archive::open(folder.path(), None).expect("openable");
        let whole = archive.ids().count();
        assert_eq!(
            whole,
            usize::from(length >= start) + usize::from(length >= end)
        );
        if length % 37 == 0 {
            put(&mut archive, &["d"]);
            let archive = Archive::open(folder.path(), None).expect("openable");
            assert_eq!(archive.ids().count(), whole + 1);
        }
    }
}

#[test]
fn waste_is_written_away_and_a_reader_of_before_reads_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut archive = Archive::open(folder.path(), None).expect("openable");
    put(&mut archive, &["a", "b"]);
    let reader = archive.reader().expect("readable");
    put(&mut archive, &["b", "c"]);
    assert!(!archive.is_wasteful(), "it is small");
    let before = archive.position();
    let staged = archive.compact().expect("writable");
    // Not settled: the old one counts.
    let old = Archive::open(folder.path(), Some(before)).expect("openable");
    assert_eq!(ids(&old), ["a", "b", "c"]);
    drop((staged, old));
    let staged = archive.compact().expect("writable");
    archive.settle(staged);
    assert!(archive.position().bytes < before.bytes);
    assert_eq!(archive.position().generation, 2);
    let again = Archive::open(folder.path(), Some(archive.position())).expect("openable");
    for id in ["a", "b", "c"] {
        let found = again.read(id).expect("readable").expect("there");
        assert_eq!(found.document, text(id));
    }
    assert_eq!(generations(folder.path()).expect("readable"), [2]);
    assert_eq!(reader.ids().collect::<Vec<_>>(), ["a", "b"]);
    assert!(reader.read("a").expect("readable").is_some());
    let all = [("z".to_owned(), Ok(Original::pack(&text("z"), None)))];
    let staged = archive.stage_all(all.into_iter()).expect("writable");
    archive.settle(staged);
    assert_eq!(ids(&archive), ["z"]);
    assert_eq!(
        archive.read("z").expect("readable").expect("there").file,
        None
    );
}
