//! Killed for real: a child process writes, says what it was told, and is killed between two of its lines.
//!
//! This shows order and atomicity of what was confirmed. It shows nothing of the page cache, which outlives a
//! process: that every commit ends in an fsync is tested beside the writer.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::tests::{accepted, named, outcome};
use super::*;
use crate::clock::SystemClock;

const FOLDER: &str = "ALMANAC_TEST_JOURNAL";
const ROUND: &str = "ALMANAC_TEST_ROUND";
const ROUNDS: usize = 20;

fn limits() -> JournalLimits {
    JournalLimits {
        pending: 100_000,
        outcomes: 100_000,
        keep: Duration::from_secs(86_400),
    }
}

/// Not a test: what the child does, until it is killed.
#[tokio::test]
async fn as_the_child_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let round = std::env::var(ROUND).expect("the parent names the round");
    let journal = Journal::open(Path::new(&folder), limits(), Arc::new(SystemClock));
    let journal = Arc::new(journal.expect("an open journal"));
    for n in 0.. {
        let mut group = tokio::task::JoinSet::new();
        for lane in 0..6 {
            let (journal, id) = (journal.clone(), format!("{round}-{n}-{lane}"));
            group.spawn(async move {
                journal
                    .accept(&named(&id), &accepted(&id))
                    .await
                    .expect("accepted");
                say(&format!("a {id}"));
                if lane % 2 == 0 {
                    journal
                        .finish(&named(&id), outcome(&id))
                        .await
                        .expect("finished");
                    say(&format!("f {id}"));
                }
            });
        }
        while group.join_next().await.is_some() {}
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the parent reads");
}

/// Runs the child until it has said `lines` lines, kills it, and gives all it said.
fn run_and_kill(folder: &Path, round: usize, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test's program"))
        .args([
            "--exact",
            "journal::kill::as_the_child_that_is_killed",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut said = Vec::new();
    let mut line = String::new();
    while out.read_line(&mut line).expect("readable") > 0 {
        // A line without its end was cut by the kill.
        if let Some(whole) = line.strip_suffix('\n')
            && (whole.starts_with("a ") || whole.starts_with("f "))
        {
            said.push(whole.to_owned());
            if said.len() == lines {
                child.kill().expect("killable");
            }
        }
        line.clear();
    }
    child.wait().expect("an end");
    said
}

#[tokio::test]
async fn what_was_confirmed_before_a_kill_is_there_after_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("journal");
    let mut confirmed: HashMap<String, bool> = HashMap::new();
    for round in 0..ROUNDS {
        let lines = 1 + (round * 37) % 97;
        let said = run_and_kill(&path, round, lines);
        assert!(said.len() >= lines, "the child ended by itself: {said:?}");
        for line in said {
            let (verb, id) = line.split_once(' ').expect("a verb and an id");
            *confirmed.entry(id.to_owned()).or_default() |= verb == "f";
        }
        let journal = Journal::open(&path, limits(), Arc::new(SystemClock)).expect("it opens");
        assert_eq!(journal.damage(), None);
        let pending = journal.pending().await.expect("readable");
        let pending: Vec<_> = pending.into_iter().map(|(key, _)| key).collect();
        for (id, finished) in &confirmed {
            let key = named(id);
            match journal.known(&key, 0, false).await.expect("readable") {
                Some(Acceptance::Done(found)) => {
                    assert_eq!(found, outcome(id));
                    assert!(!pending.contains(&key), "{id} is both");
                }
                Some(Acceptance::Pending) => {
                    assert!(!finished, "the outcome of {id} is gone");
                    assert!(pending.contains(&key), "{id} would not be answered");
                }
                other => panic!("{id} is gone: {other:?}"),
            }
        }
    }
}
