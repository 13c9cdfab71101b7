use super::*;

fn file(path: &str) -> FileEntry {
    FileEntry {
        role: Role::Decoder,
        path: path.into(),
        length: 3,
        sha256: Digest::of(b"abc"),
        base: None,
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut manifest = Manifest::new(0, "edition 0");
    manifest.files.push(file("models/a/model.onnx"));
    manifest.golden.push(Golden {
        question: "How deep?".into(),
        place: Some(Place::new("US", "Iowa")),
        document: Some("us-iowa/maize-planting.md".into()),
        facts: vec!["2 inches".into()],
        drafted: true,
        ..Golden::default()
    });
    manifest.write(folder.path()).expect("writable");
    assert_eq!(Manifest::read(folder.path()).expect("readable"), manifest);
}

#[test]
fn a_path_that_leaves_the_state_folder_is_refused() {
    for path in ["/etc/passwd", "../other", "a/../../b", ""] {
        let mut manifest = Manifest::new(0, "edition 0");
        manifest.files.push(file(path));
        assert!(manifest.check().is_err(), "{path}");
    }
}

#[test]
fn a_time_is_read_only_where_it_can_be_written_again() {
    let read = |text: &str| text.parse::<Moment>();
    let last = read("9999-12-31T23:59:59Z").expect("the last second");
    assert_eq!(read(&last.to_string()), Ok(last));
    assert_eq!(
        read("2027-03-01T01:00:00+01:00"),
        read("2027-03-01T00:00:00Z")
    );
    for text in [
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00+01:00",
        "2027-03-01",
        "",
    ] {
        let reason = read(text).expect_err("it cannot be written");
        assert!(reason.contains("2027-03-01T00:00:00Z"), "{reason}");
    }
}

#[test]
fn another_format_or_product_is_refused_with_what_was_expected() {
    let mut manifest = Manifest::new(0, "edition 0");
    manifest.format = 2;
    assert!(manifest.check().expect_err("format 2").contains("format 1"));
    manifest.format = 1;
    manifest.product = "toaster".into();
    assert!(manifest.check().expect_err("a toaster").contains("almanac"));
}
