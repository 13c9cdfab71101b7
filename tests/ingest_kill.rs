//! An ingest that is killed at any moment loses nothing and leaves no half document.
//!
//! The real binary with the real embedder. The quick form kills six times; `ALMANAC_INGEST_KILLS=50` is
//! the long one.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::daemon::TestBox;

/// Documents of the sample farm that are ingested again and again.
const DOCUMENTS: usize = 8;

/// The same documents, each edition with other titles, so that all are replaced.
struct Folder {
    folder: tempfile::TempDir,
    texts: Vec<(String, String)>,
}

impl Folder {
    fn new() -> Self {
        let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents");
        let mut files: Vec<PathBuf> = std::fs::read_dir(&farm)
            .expect("the sample farm")
            .flat_map(|place| std::fs::read_dir(place.expect("readable").path()).expect("a folder"))
            .map(|file| file.expect("readable").path())
            .collect();
        files.sort();
        let texts = files
            .iter()
            .take(DOCUMENTS)
            .enumerate()
            .map(|(index, file)| {
                let text = std::fs::read_to_string(file).expect("readable");
                (format!("{index}.md"), text)
            });
        Folder {
            texts: texts.collect(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn write(&self, edition: usize) {
        for (name, text) in &self.texts {
            let (before, title) = text.split_once("title: ").expect("a title");
            let text = format!("{before}title: {edition:03} {title}");
            std::fs::write(self.folder.path().join(name), text).expect("writable");
        }
    }

    fn path(&self) -> String {
        self.folder.path().display().to_string()
    }
}

/// Edition and number of passages of every document that is listed.
fn listed(almanac: &TestBox) -> BTreeMap<String, (usize, u64)> {
    let line = |line: serde_json::Value| {
        let title = line["title"].as_str().expect("a title");
        let edition = title[..3].parse().expect("an edition");
        let passages = line["passages"].as_u64().expect("a number");
        let id = line["document"].as_str().expect("an id").to_owned();
        (id, (edition, passages))
    };
    let lines = almanac.json(&["library", "list"]);
    lines.into_iter().map(line).collect()
}

fn is_clean(almanac: &TestBox) {
    let checked = almanac.command(&["library", "check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let warned = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}{warned}");
    assert!(!warned.contains("damaged"), "{warned}");
}

fn start(almanac: &TestBox, folder: &str, progress: &Path) -> Child {
    let progress = std::fs::File::create(progress).expect("writable");
    let mut command = almanac.command_to_start(&["ingest", folder]);
    command.stdout(Stdio::null()).stderr(progress);
    command.spawn().expect("almanac runs")
}

/// Documents that the ingest said were done.
fn told(progress: &Path) -> usize {
    let text = std::fs::read_to_string(progress).expect("readable");
    let done = |line: &str| line.split_once('/')?.0.parse().ok();
    text.lines().filter_map(done).max().unwrap_or(0)
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn an_ingest_killed_at_any_moment_loses_nothing_and_a_rerun_finishes() {
    let kills = environment("ALMANAC_INGEST_KILLS").unwrap_or(6);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(1, |now| u64::from(now.subsec_nanos()));
    let mut dice = environment("ALMANAC_SEED").unwrap_or(now) | 1;
    eprintln!("ALMANAC_SEED={dice}");
    let (almanac, folder) = (TestBox::new(""), Folder::new());
    let progress = almanac.folder().join("progress");

    folder.write(0);
    let begun = Instant::now();
    let whole = almanac.command(&["ingest", &folder.path()]);
    assert!(
        whole.status.success(),
        "{}",
        String::from_utf8_lossy(&whole.stderr)
    );
    // The first one is the longest: what is replaced later finds models and words in the page cache.
    let mut takes = begun.elapsed();
    let reference = listed(&almanac);
    assert_eq!(reference.len(), DOCUMENTS);

    let (mut interrupted, mut latest) = (0, 0);
    for round in 1..=usize::try_from(kills).expect("few") {
        latest = round;
        folder.write(round);
        let mut ingest = start(&almanac, &folder.path(), &progress);
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let share = u32::try_from(dice % 1_000).expect("below 1000");
        std::thread::sleep(Duration::from_millis(1) + takes * share / 1_000);
        match ingest.try_wait().expect("known") {
            None => interrupted += 1,
            Some(_) => takes = takes * share / 1_000,
        }
        ingest.kill().expect("killable");
        ingest.wait().expect("an end");

        is_clean(&almanac);
        let found = listed(&almanac);
        let passages = |all: &BTreeMap<String, (usize, u64)>| -> Vec<(String, u64)> {
            let own = |(id, (_, passages)): (&String, &(usize, u64))| (id.clone(), *passages);
            all.iter().map(own).collect()
        };
        assert_eq!(passages(&found), passages(&reference), "round {round}");
        let new = found.values().filter(|(edition, _)| *edition == round);
        let (new, told) = (new.count(), told(&progress));
        assert!(new >= told, "round {round}: {told} told, {new} there");
        eprintln!(
            "killed at {share} of 1,000 parts of {takes:.1?}: {new} of {DOCUMENTS} replaced, {told} told"
        );
    }
    assert!(
        interrupted > 0,
        "every ingest was done before it was killed"
    );

    let rerun = almanac.command(&["ingest", &folder.path()]);
    assert!(
        rerun.status.success(),
        "{}",
        String::from_utf8_lossy(&rerun.stderr)
    );
    is_clean(&almanac);
    let found = listed(&almanac);
    assert!(
        found.values().all(|(edition, _)| *edition == latest),
        "{found:?}"
    );
    eprintln!("{interrupted} of {kills} kills hit a running ingest");
}
