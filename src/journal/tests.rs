use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::clock::FixedClock;
use crate::types::{AskId, Digest, Question};

const NOW: i64 = 1_800_000_000;

pub(super) fn named(id: &str) -> AskKey {
    AskKey {
        client: "c1".into(),
        id: AskId::Named(id.into()),
    }
}

pub(super) fn accepted(text: &str) -> Accepted {
    Accepted {
        id: None,
        question: Question {
            text: text.into(),
            ..Question::default()
        },
        stream: false,
        respond_to: "almanac/farm/answer/c1".into(),
        correlation: Some(vec![1, 2, 3]),
        received_at: NOW,
        expires_at: NOW + 300,
        redelivered: false,
    }
}

pub(super) fn outcome(text: &str) -> Outcome {
    Outcome {
        topic: "almanac/farm/answer/c1".into(),
        payload: text.as_bytes().to_owned(),
        correlation: Some(vec![1, 2, 3]),
    }
}

struct Room {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    limits: JournalLimits,
}

impl Room {
    fn new() -> Self {
        Room {
            folder: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(FixedClock::at(NOW)),
            limits: JournalLimits {
                pending: 1_000,
                outcomes: 100,
                keep: Duration::from_secs(86_400),
            },
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path(), self.limits, self.clock.clone()).expect("an open journal")
    }
}

#[tokio::test]
async fn a_question_gets_one_outcome_and_keeps_it_across_a_restart() {
    let room = Room::new();
    let journal = room.open();
    let key = named("q1");
    assert_eq!(journal.known(&key, NOW, false).await.unwrap(), None);
    let first = journal.accept(&key, &accepted("when to sow?")).await;
    assert_eq!(first.unwrap(), Acceptance::New);
    let again = journal.accept(&key, &accepted("when to sow?")).await;
    assert_eq!(again.unwrap(), Acceptance::Pending);

    drop(journal);
    let journal = room.open();
    let pending = journal.pending().await.unwrap();
    assert_eq!(pending, [(key.clone(), accepted("when to sow?"))]);
    let stored = journal.finish(&key, outcome("in May")).await.unwrap();
    assert_eq!(stored, outcome("in May"));
    let second = journal.finish(&key, outcome("in June")).await.unwrap();
    assert_eq!(second, outcome("in May"), "the first outcome stands");

    drop(journal);
    let journal = room.open();
    assert_eq!(journal.pending().await.unwrap(), []);
    assert_eq!(
        journal.undelivered().await.unwrap(),
        std::slice::from_ref(&key)
    );
    let known = journal.known(&key, NOW, false).await.unwrap();
    assert_eq!(known, Some(Acceptance::Done(outcome("in May"))));
    journal.mark_delivered(&key).await.unwrap();
    assert_eq!(journal.undelivered().await.unwrap(), []);
    assert_eq!(
        journal.outcome(&key).await.unwrap(),
        Some(outcome("in May"))
    );
}

#[tokio::test]
async fn pending_questions_come_back_in_the_order_of_acceptance() {
    let room = Room::new();
    let journal = room.open();
    let names: Vec<String> = (0..40).map(|n| format!("q{}", (n * 7) % 40)).collect();
    for name in &names {
        journal.accept(&named(name), &accepted(name)).await.unwrap();
    }
    journal
        .finish(&named(&names[3]), outcome("x"))
        .await
        .unwrap();
    drop(journal);
    let found: Vec<String> = room
        .open()
        .pending()
        .await
        .unwrap()
        .into_iter()
        .map(|(_, question)| question.question.text)
        .collect();
    let mut expected = names;
    expected.remove(3);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_outcome_decided_at_once_is_written_with_its_question() {
    let room = Room::new();
    let journal = room.open();
    let key = named("bad");
    let first = journal.conclude(&key, NOW, false, outcome("invalid")).await;
    assert_eq!(first.unwrap(), Acceptance::New);
    let again = journal.conclude(&key, NOW, false, outcome("other")).await;
    assert_eq!(again.unwrap(), Acceptance::Done(outcome("invalid")));
}

#[tokio::test]
async fn the_same_payload_is_the_same_question_for_thirty_seconds_only() {
    let room = Room::new();
    let journal = room.open();
    let key = AskKey {
        client: "c1".into(),
        id: AskId::Payload(Digest::of(b"when to sow?")),
    };
    let at = |seconds: i64| Accepted {
        received_at: NOW + seconds,
        ..accepted("when to sow?")
    };
    journal.accept(&key, &at(0)).await.unwrap();
    assert_eq!(
        journal.accept(&key, &at(60)).await.unwrap(),
        Acceptance::Pending
    );
    journal.finish(&key, outcome("in May")).await.unwrap();
    let undelivered = journal.accept(&key, &at(60)).await.unwrap();
    assert_eq!(
        undelivered,
        Acceptance::Done(outcome("in May")),
        "the asker has not had it"
    );
    journal.mark_delivered(&key).await.unwrap();
    assert_eq!(
        journal.accept(&key, &at(29)).await.unwrap(),
        Acceptance::Done(outcome("in May"))
    );
    let redelivered = Accepted {
        redelivered: true,
        ..at(90)
    };
    assert_eq!(
        journal.accept(&key, &redelivered).await.unwrap(),
        Acceptance::Done(outcome("in May"))
    );
    assert_eq!(
        journal.accept(&key, &at(30)).await.unwrap(),
        Acceptance::New
    );
    drop(journal);
    assert_eq!(room.open().pending().await.unwrap(), [(key, at(30))]);
}

#[tokio::test]
async fn outcomes_are_kept_for_their_time_and_number() {
    let mut room = Room::new();
    room.limits.outcomes = 3;
    let journal = room.open();
    for n in 0..6 {
        let key = named(&format!("q{n}"));
        journal.accept(&key, &accepted("?")).await.unwrap();
        journal.finish(&key, outcome("!")).await.unwrap();
    }
    let gone = journal.known(&named("q2"), NOW, false).await.unwrap();
    assert_eq!(gone, None, "more than three");
    room.clock.advance(86_401);
    let old = journal.known(&named("q5"), NOW, false).await.unwrap();
    assert_eq!(old, None, "older than a day");
    drop(journal);
    assert_eq!(room.open().undelivered().await.unwrap(), []);
}

#[tokio::test]
async fn a_full_journal_refuses_and_keeps_what_it_has() {
    let mut room = Room::new();
    room.limits.pending = 1;
    let journal = room.open();
    journal.accept(&named("a"), &accepted("?")).await.unwrap();
    let refused = journal.accept(&named("b"), &accepted("?")).await;
    assert!(matches!(refused, Err(JournalError::Full(1))), "{refused:?}");
    assert_eq!(journal.known(&named("b"), NOW, false).await.unwrap(), None);
    let known = journal.accept(&named("a"), &accepted("?")).await.unwrap();
    assert_eq!(known, Acceptance::Pending);
}

#[tokio::test]
async fn a_record_too_large_is_refused_and_forgotten() {
    let room = Room::new();
    let journal = room.open();
    let long = accepted(&"x".repeat(record::MAX_RECORD));
    let refused = journal.accept(&named("a"), &long).await;
    assert!(
        matches!(refused, Err(JournalError::TooLarge { .. })),
        "{refused:?}"
    );
    journal.accept(&named("a"), &accepted("?")).await.unwrap();
    let large = outcome(&"x".repeat(record::MAX_RECORD));
    let refused = journal.finish(&named("a"), large).await;
    assert!(
        matches!(refused, Err(JournalError::TooLarge { .. })),
        "{refused:?}"
    );
    journal.finish(&named("a"), outcome("short")).await.unwrap();
}

/// A journal whose every sync is counted and waits at `gate`.
fn gated(room: &Room) -> (Journal, Arc<AtomicUsize>, std::sync::mpsc::SyncSender<()>) {
    let (mut store, loaded, _) = store::open_or_set_aside(&room.path()).expect("an open store");
    let syncs = Arc::new(AtomicUsize::new(0));
    let (gate, passes) = std::sync::mpsc::sync_channel(1_000);
    let counted = syncs.clone();
    store.before_sync = Some(Box::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = passes.recv();
    }));
    let writer = Writer::new(store, loaded, room.limits, room.clock.clone());
    (Journal::start(writer, None), syncs, gate)
}

#[tokio::test]
async fn nothing_is_accepted_or_finished_before_it_is_synced() {
    let room = Room::new();
    let (journal, syncs, gate) = gated(&room);
    let (key, question) = (named("q1"), accepted("?"));
    let mut accept = Box::pin(journal.accept(&key, &question));
    // Returns only when the writer stands in the sync, which the gate holds shut.
    while syncs.load(Ordering::SeqCst) == 0 {
        assert!(
            futures_poll(&mut accept).await.is_none(),
            "accepted before the sync"
        );
    }
    assert!(
        futures_poll(&mut accept).await.is_none(),
        "accepted before the sync"
    );
    gate.send(()).unwrap();
    assert_eq!(accept.await.unwrap(), Acceptance::New);
    gate.send(()).unwrap();
    journal.finish(&key, outcome("!")).await.unwrap();
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::task::yield_now().await;
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn three_hundred_questions_at_once_share_a_few_syncs() {
    let room = Room::new();
    let (journal, syncs, gate) = gated(&room);
    let journal = Arc::new(journal);
    for _ in 0..300 {
        gate.send(()).unwrap();
    }
    let started = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..300 {
        let journal = journal.clone();
        all.spawn(async move {
            journal
                .accept(&named(&format!("q{n}")), &accepted("?"))
                .await
        });
    }
    while let Some(one) = all.join_next().await {
        assert_eq!(one.unwrap().unwrap(), Acceptance::New);
    }
    let syncs = syncs.load(Ordering::SeqCst);
    assert!(syncs <= 30, "{syncs} syncs for 300 questions");
    eprintln!("300 questions: {syncs} syncs, {:?}", started.elapsed());
}

#[tokio::test]
async fn a_damaged_journal_is_moved_aside_and_a_new_one_begins() {
    let room = Room::new();
    let journal = room.open();
    for n in 0..200 {
        let key = named(&format!("q{n}"));
        journal.accept(&key, &accepted("?")).await.unwrap();
    }
    drop(journal);
    let conf = room.path().join("conf");
    std::fs::write(&conf, b"no sled configuration").unwrap();
    let journal = room.open();
    let Some(Damage::MovedAside(aside)) = journal.damage() else {
        panic!("not moved aside: {:?}", journal.damage());
    };
    assert!(aside.join("db").exists());
    assert_eq!(journal.pending().await.unwrap(), []);
    journal.accept(&named("new"), &accepted("?")).await.unwrap();
    drop(journal);
    assert_eq!(room.open().damage(), None);
}

#[tokio::test]
async fn damage_anywhere_in_the_file_is_seen_and_never_panics_the_box() {
    for offset in [0_usize, 8, 100, 4_096, 40_000] {
        let room = Room::new();
        let journal = room.open();
        for n in 0..100 {
            let key = named(&format!("q{n}"));
            journal.accept(&key, &accepted("?")).await.unwrap();
        }
        drop(journal);
        let db = room.path().join("db");
        let mut bytes = std::fs::read(&db).unwrap();
        let end = bytes.len().min(offset + 64);
        bytes[offset.min(end)..end].fill(0xa5);
        std::fs::write(&db, bytes).unwrap();
        let journal = room.open();
        let left = journal.pending().await.unwrap().len();
        assert!(
            left == 100 || journal.damage().is_some(),
            "damage at {offset} took {} questions unseen",
            100 - left
        );
        journal.accept(&named("new"), &accepted("?")).await.unwrap();
    }
}

#[tokio::test]
async fn an_open_journal_is_not_damaged_but_locked() {
    let room = Room::new();
    let _open = room.open();
    let second = Journal::open(&room.path(), room.limits, room.clock.clone());
    assert!(matches!(second, Err(JournalError::Locked { .. })));
}
