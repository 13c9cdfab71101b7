use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::clock::FixedClock;
use crate::journal::{Journal, JournalLimits};
use crate::service::golden;
use crate::service::post::{Outgoing, Post};
use crate::service::worker::{Event, failed};
use crate::types::{AskId, ReadingValue};

const NOW: i64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// A desk with a real journal and nobody at the other ends.
struct Box1 {
    desk: Desk,
    clock: Arc<FixedClock>,
    journal: Arc<Journal>,
    outgoing: mpsc::Receiver<Outgoing>,
    _notes: mpsc::Receiver<Note>,
}

fn desk(folder: &Path, golden: Vec<Golden>) -> Box1 {
    let clock = Arc::new(FixedClock::at(NOW));
    let limits = JournalLimits {
        pending: 8,
        outcomes: 8,
        keep: MINUTE,
    };
    let journal = Journal::open(&folder.join("journal"), limits, clock.clone());
    let journal = Arc::new(journal.expect("a journal"));
    let (post, outgoing) = Post::new();
    let (noted, notes) = mpsc::channel(ERRANDS);
    let intake = Intake {
        journal: Arc::clone(&journal),
        post,
        places: Arc::new(Semaphore::new(2)),
        notes: noted,
        box_name: "b1".into(),
        shares: false,
        deadline: MINUTE,
    };
    let terms = Terms {
        box_name: "b1".into(),
        edition: 3,
        bound: 2,
        deadline: MINUTE,
        at_once: 1,
    };
    Box1 {
        desk: Desk::new(terms, intake, clock.clone(), golden),
        clock,
        journal,
        outgoing,
        _notes: notes,
    }
}

fn ready(folder: &Path) -> Box1 {
    let mut this = desk(folder, vec![golden::for_an_empty_library()]);
    let job = this.desk.next_job(Instant::now(), |_| Vec::new());
    let refusal = Answer::without_text(None, Status::Refused, "nothing", "", 0);
    let turn = this
        .desk
        .on_event(done(job.expect("golden").ticket, refusal), Instant::now());
    assert_eq!(turn, Turn::Ready);
    this
}

fn done(ticket: u64, outcome: Answer) -> Event {
    Event::Done {
        ticket,
        outcome: Box::new(outcome),
        panic: None,
    }
}

fn answered() -> Answer {
    Answer {
        answer: Some("2 inches".into()),
        ..Answer::without_text(None, Status::Answered, "", "", 0)
    }
}

fn key(id: &str) -> AskKey {
    AskKey {
        client: "h1".into(),
        id: AskId::Named(id.into()),
    }
}

fn accepted(id: &str) -> Accepted {
    Accepted {
        id: Some(id.into()),
        question: Question {
            text: "How deep?".into(),
            ..Question::default()
        },
        stream: false,
        respond_to: "almanac/farm/answer/h1".into(),
        correlation: None,
        received_at: NOW,
        expires_at: NOW + 60,
        redelivered: false,
    }
}

fn ask(text: &str) -> Ask {
    Ask {
        question: text.into(),
        ..Ask::default()
    }
}

async fn outcome(this: &mut Box1) -> serde_json::Value {
    loop {
        match this.outgoing.recv().await.expect("a message") {
            Outgoing::Outcome { outcome, .. } => {
                return serde_json::from_slice(&outcome.payload).expect("JSON");
            }
            _ => continue,
        }
    }
}

#[tokio::test]
async fn a_question_of_an_earlier_life_is_answered_and_its_outcome_journalled_before_it_is_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    this.journal
        .accept(&key("q1"), &accepted("q1"))
        .await
        .expect("accepted");
    let pending = this.journal.pending().await.expect("readable");
    this.desk.restore(pending, Instant::now());
    let job = this
        .desk
        .next_job(Instant::now(), |_| Vec::new())
        .expect("a job");
    this.desk
        .on_event(done(job.ticket, answered()), Instant::now());
    let sent = outcome(&mut this).await;
    assert_eq!(
        (sent["id"].as_str(), sent["edition"].as_u64()),
        (Some("q1"), Some(3))
    );
    let stored = this.journal.outcome(&key("q1")).await.expect("readable");
    let stored = stored.expect("an outcome").payload;
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&stored).expect("JSON"),
        sent
    );
}

#[tokio::test]
async fn a_restored_question_that_is_too_old_expires_and_a_clock_in_the_past_gives_no_extra_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    for id in ["late", "early"] {
        this.journal
            .accept(&key(id), &accepted(id))
            .await
            .expect("accepted");
    }
    let now = Instant::now();
    this.clock.advance(61);
    this.desk
        .restore(vec![(key("late"), accepted("late"))], now);
    this.desk.tick(now);
    assert_eq!(outcome(&mut this).await["status"], "expired");
    this.clock.advance(-100_000);
    this.desk
        .restore(vec![(key("early"), accepted("early"))], now);
    this.desk.tick(now + Duration::from_secs(59));
    assert_eq!(this.desk.status().queue, 1);
    this.desk.tick(now + Duration::from_secs(61));
    assert_eq!(outcome(&mut this).await["id"], "early");
}

#[tokio::test]
async fn a_socket_question_beyond_the_bound_is_busy_with_a_time_to_wait() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    let (replies, mut last) = mpsc::channel(8);
    for _ in 0..3 {
        this.desk
            .take_local(ask("How deep?"), replies.clone(), Instant::now());
    }
    let Some(Reply::Result(answer)) = last.recv().await else {
        panic!("expected a result");
    };
    assert_eq!(answer["status"], "busy");
    assert!(answer["wait_s"].as_u64() >= Some(1), "{answer}");
    assert_eq!(this.desk.status().queue, 2);
}

#[tokio::test]
async fn a_question_whose_asker_is_gone_is_not_worked_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    let (gone, closed) = mpsc::channel(8);
    let (waits, _open) = mpsc::channel(8);
    this.desk.take_local(ask("first"), gone, Instant::now());
    this.desk.take_local(ask("second"), waits, Instant::now());
    drop(closed);
    let job = this
        .desk
        .next_job(Instant::now(), |_| Vec::new())
        .expect("a job");
    assert_eq!(job.question.text, "second");
}

#[tokio::test]
async fn who_sends_readings_under_the_name_it_asks_by_lets_a_handheld_go_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    for client in ["probe-1", "h1"] {
        let place = Arc::clone(&this.desk.intake.places).try_acquire_owned();
        let admitted = Admitted {
            key: AskKey {
                client: client.into(),
                ..key("q1")
            },
            accepted: accepted(client),
            arrived: Instant::now(),
            place: place.expect("a place"),
            token: None,
        };
        this.desk.hear(Note::Admitted(Box::new(admitted)));
    }
    let reading = |device: &str| Reading {
        device: device.into(),
        name: "soil-temperature".into(),
        value: ReadingValue::Number(9.5),
        unit: None,
        at: NOW,
    };
    let probed = |asker: &str| match asker {
        "probe-1" => vec![reading(asker)],
        _ => Vec::new(),
    };
    let first = this.desk.next_job(Instant::now(), probed).expect("a job");
    let open = &this.desk.open[&first.ticket];
    assert!(matches!(&open.origin, Origin::Field { key, .. } if key.client == "h1"));
}

#[tokio::test]
async fn the_box_is_ready_with_the_first_right_golden_question_and_fails_after_the_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let golden = vec![
        golden::for_an_empty_library(),
        golden::for_an_empty_library(),
    ];
    let mut this = desk(folder.path(), golden);
    for expected in [Turn::Goes, Turn::Fatal(String::new())] {
        assert_eq!(this.desk.status().state, BoxState::Starting);
        let job = this
            .desk
            .next_job(Instant::now(), |_| Vec::new())
            .expect("golden");
        let turn = this
            .desk
            .on_event(done(job.ticket, failed("broken")), Instant::now());
        match (turn, expected) {
            (Turn::Fatal(reason), Turn::Fatal(_)) => assert!(reason.contains("broken"), "{reason}"),
            (turn, expected) => assert_eq!(turn, expected),
        }
    }
}

#[tokio::test]
async fn a_panic_degrades_the_box_until_the_next_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    let (replies, _last) = mpsc::channel(8);
    for panic in [Some("bang".to_owned()), None] {
        this.desk
            .take_local(ask("How deep?"), replies.clone(), Instant::now());
        let job = this
            .desk
            .next_job(Instant::now(), |_| Vec::new())
            .expect("a job");
        let degraded = panic.is_some();
        let event = Event::Done {
            ticket: job.ticket,
            outcome: Box::new(if degraded { failed("x") } else { answered() }),
            panic,
        };
        this.desk.on_event(event, Instant::now());
        assert_eq!(this.desk.status().state == BoxState::Degraded, degraded);
    }
}

#[tokio::test]
async fn a_question_under_way_stays_with_its_edition_and_the_next_goes_to_the_new_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    let now = Instant::now();
    let (replies, mut last) = mpsc::channel(8);
    for _ in 0..2 {
        this.desk.take_local(ask("How deep?"), replies.clone(), now);
    }
    let job = |this: &mut Box1| this.desk.next_job(now, |_| Vec::new());
    let old = job(&mut this).expect("a job");
    assert!(job(&mut this).is_none(), "one at a time");
    this.desk.switch_to(4, now);
    let new = job(&mut this).expect("a job for the new edition");
    assert!(job(&mut this).is_none(), "one at a time");
    assert_eq!(this.desk.status().queue, 2);
    this.desk.on_event(Event::Made(Ok(())), now + MINUTE);
    this.desk.on_event(done(old.ticket, answered()), now);
    this.desk
        .on_event(done(new.ticket, answered()), now + 2 * MINUTE);
    for edition in [3, 4] {
        let Some(Reply::Result(answer)) = last.recv().await else {
            panic!("expected a result");
        };
        assert_eq!(answer["edition"], edition, "{answer}");
    }
    let report = this.desk.handover().expect("news");
    assert_eq!((report.from, report.to), (3, 4));
    assert_eq!(report.closed_ms, Some(60_000.0));
    assert_eq!(report.between_ms, Some(120_000.0));
    assert_eq!(this.desk.handover(), None, "told once");
    assert!(this.desk.is_quiet());
}

#[tokio::test]
async fn a_box_whose_edition_is_changed_says_that_it_is_updating_and_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    this.desk.set_updating(true);
    assert_eq!(this.desk.status().state, BoxState::Updating);
    let (replies, _last) = mpsc::channel(8);
    let now = Instant::now();
    this.desk.take_local(ask("How deep?"), replies, now);
    assert!(this.desk.next_job(now, |_| Vec::new()).is_some());
    this.desk.set_updating(false);
    assert_eq!(this.desk.status().state, BoxState::Ready);
}

#[tokio::test]
async fn so_many_questions_are_worked_on_as_the_terms_say_and_each_stays_with_its_edition() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut this = ready(folder.path());
    this.desk.terms.at_once = 2;
    let now = Instant::now();
    let (replies, mut last) = mpsc::channel(8);
    let job = |this: &mut Box1| this.desk.next_job(now, |_| Vec::new());
    for _ in 0..2 {
        this.desk.take_local(ask("How deep?"), replies.clone(), now);
    }
    let old = [job(&mut this).expect("one"), job(&mut this).expect("two")];
    for _ in 0..2 {
        this.desk.take_local(ask("How deep?"), replies.clone(), now);
    }
    assert!(job(&mut this).is_none(), "two are worked on");
    assert_eq!(this.desk.status().queue, 4);
    this.desk
        .on_event(done(old[1].ticket, answered()), Instant::now());
    let third = job(&mut this).expect("one is free");
    this.desk.switch_to(4, now);
    let new = job(&mut this).expect("the new edition has two threads");
    assert!(job(&mut this).is_none(), "nobody waits");
    this.desk.on_event(Event::Made(Ok(())), now);
    for (ticket, at) in [(old[0].ticket, 1), (third.ticket, 3), (new.ticket, 7)] {
        let at = now + at * MINUTE;
        this.desk.on_event(done(ticket, answered()), at);
    }
    for edition in [3, 3, 3, 4] {
        let Some(Reply::Result(answer)) = last.recv().await else {
            panic!("expected a result");
        };
        assert_eq!(answer["edition"], edition, "{answer}");
    }
    let report = this.desk.handover().expect("news");
    assert_eq!(
        report.between_ms,
        Some(240_000.0),
        "after the last of the old"
    );
    assert!(this.desk.is_quiet());
}
