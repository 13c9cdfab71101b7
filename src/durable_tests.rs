use super::*;
use faults::Fault;

#[test]
fn a_replace_that_is_cut_at_any_step_leaves_the_old_content_or_the_new() {
    for at in 0.. {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        replace(&path, b"old").expect("writable");
        faults::begin(Some((at, Fault::Cut)));
        let done = replace(&path, b"new").is_ok();
        let steps = faults::end();
        let content = fs::read(&path).expect("readable");
        assert!(content == b"old" || content == b"new", "{steps:?}");
        let names = fs::read_dir(folder.path()).expect("readable");
        let others = names
            .map(|entry| entry.expect("readable").file_name())
            .filter(|name| name != "file");
        for name in others {
            assert!(is_litter(&name.to_string_lossy()), "{name:?}");
        }
        if done {
            assert_eq!(content, b"new");
            assert!(at >= 4, "{at}");
            return;
        }
    }
}

#[test]
fn a_full_disk_lets_renaming_and_removing_through() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    replace(&path, b"old").expect("writable");
    faults::begin(Some((0, Fault::Full)));
    let refused = replace(&path, b"new").expect_err("full");
    assert_eq!(refused.source.kind(), io::ErrorKind::StorageFull);
    rename(&path, &folder.path().join("other")).expect("no room needed");
    remove_file(&folder.path().join("other")).expect("no room needed");
    faults::end();
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn a_lock_keeps_a_second_one_out_until_it_goes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("lock");
    let first = try_lock(&path).expect("lockable").expect("free");
    assert!(try_lock(&path).expect("lockable").is_none());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(2 * LOCK_PAUSE);
            drop(first);
        });
        assert!(try_lock(&path).expect("lockable").is_some());
    });
}

#[test]
fn a_failed_write_leaves_the_old_content_and_no_litter() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    replace(&path, b"old").expect("writable");
    let failed = replace_with(&path, |out| {
        out.write_all(b"half")?;
        Err(io::Error::other("cut"))
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(&path).expect("readable"), b"old");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[test]
fn what_is_appended_stands_behind_what_was_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    append(&path, b"one\n").expect("writable");
    append(&path, b"two\n").expect("writable");
    assert_eq!(fs::read(&path).expect("readable"), b"one\ntwo\n");
}

#[test]
fn a_link_is_repointed_in_one_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let link = folder.path().join("current");
    replace_link(&link, Path::new("editions/1")).expect("linkable");
    replace_link(&link, Path::new("editions/2")).expect("linkable");
    assert_eq!(
        fs::read_link(&link).expect("a link"),
        Path::new("editions/2")
    );
}
