//! The state machine as one table: every phase with every event.

use super::machine::{ATTEMPTS, Action, Event, Offered, step};
use super::manifest::KeyChanges;
use super::moment::Moment;
use super::record::{Record, Run};
use crate::types::Digest;
use crate::types::Phase;

/// Edition 2 at `phase`, over edition 1, on a box that can go back to edition 0.
fn record(phase: Phase, attempts: u32) -> Record {
    Record {
        highest: if phase == Phase::Current { 2 } else { 1 },
        previous: Some(if phase == Phase::Current { 1 } else { 0 }),
        run: Some(Run {
            serial: 2,
            manifest: Some(Digest::of(b"2")),
            phase,
            attempts,
            over: Some(1),
            why: String::new(),
        }),
        ..Record::default()
    }
}

fn offer(serial: u64) -> Event {
    Event::Offered(Box::new(Offered {
        serial,
        manifest: Some(Digest::of(serial.to_string().as_bytes())),
        over: Some(1),
        keys: KeyChanges::default(),
        time: Moment(7),
    }))
}

fn restarted(current: u64) -> Event {
    Event::Restarted {
        current: Some(current),
        kept: true,
    }
}

fn roll_back() -> Event {
    Event::RollBack {
        current: 2,
        why: "slow".into(),
    }
}

/// Every event, by name.
fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("offered", offer(3)),
        ("kept", Event::Kept),
        ("fetched", Event::Fetched),
        ("verified", Event::Verified),
        ("staged", Event::Staged),
        ("begun", Event::Begun),
        ("passed", Event::Passed),
        ("committed", Event::Committed),
        ("failed", Event::Failed("bad".into())),
        ("crashed", Event::Crashed("killed".into())),
        ("went back", Event::WentBack),
        ("cleaned", Event::Cleaned),
        ("cut, old link", restarted(1)),
        ("cut, new link", restarted(2)),
        (
            "cut, not kept",
            Event::Restarted {
                current: Some(1),
                kept: false,
            },
        ),
        ("roll back", roll_back()),
    ]
}

#[test]
fn every_event_in_every_phase_does_what_the_table_says() {
    use Action::{Begin, Clean, Commit, Fetch, GoBack, Keep, Stage, Try, Verify};
    use Phase::{Current, Fetching, Rejected, RolledBack, Staged, Trial, Verified};
    // What is not in the table changes nothing and asks for nothing.
    let table = [
        (Phase::Offered, "offered", Phase::Offered, Keep),
        (Phase::Offered, "kept", Fetching, Fetch),
        (Phase::Offered, "failed", Rejected, Clean),
        (Phase::Offered, "cut, old link", Fetching, Fetch),
        (Phase::Offered, "cut, new link", Fetching, Fetch),
        (Phase::Offered, "cut, not kept", Rejected, Clean),
        (Fetching, "offered", Phase::Offered, Keep),
        (Fetching, "fetched", Fetching, Verify),
        (Fetching, "verified", Verified, Stage),
        (Fetching, "failed", Rejected, Clean),
        (Fetching, "cut, old link", Fetching, Fetch),
        (Fetching, "cut, new link", Fetching, Fetch),
        (Fetching, "cut, not kept", Rejected, Clean),
        (Verified, "staged", Staged, Begin),
        (Verified, "failed", Rejected, Clean),
        (Verified, "cut, old link", Verified, Stage),
        (Verified, "cut, new link", Verified, Stage),
        (Verified, "cut, not kept", Rejected, Clean),
        (Staged, "begun", Trial, Try),
        (Staged, "failed", Rejected, Clean),
        (Staged, "cut, old link", Staged, Begin),
        (Staged, "cut, new link", Staged, Begin),
        (Staged, "cut, not kept", Staged, Begin),
        (Trial, "passed", Trial, Commit),
        (Trial, "committed", Current, Clean),
        (Trial, "failed", Rejected, Clean),
        (Trial, "crashed", Trial, Try),
        (Trial, "cut, old link", Trial, Try),
        (Trial, "cut, new link", Current, Clean),
        (Trial, "cut, not kept", Trial, Try),
        (Current, "offered", Phase::Offered, Keep),
        (Current, "cut, old link", Current, Clean),
        (Current, "cut, new link", Current, Clean),
        (Current, "cut, not kept", Current, Clean),
        (Current, "roll back", RolledBack, GoBack(1)),
        (Rejected, "offered", Phase::Offered, Keep),
        (Rejected, "cut, old link", Rejected, Clean),
        (Rejected, "cut, new link", Rejected, Clean),
        (Rejected, "cut, not kept", Rejected, Clean),
        (Rejected, "roll back", RolledBack, GoBack(0)),
        (RolledBack, "offered", Phase::Offered, Keep),
        (RolledBack, "went back", RolledBack, Clean),
        (RolledBack, "cut, old link", RolledBack, Clean),
        (RolledBack, "cut, new link", RolledBack, GoBack(1)),
        (RolledBack, "cut, not kept", RolledBack, Clean),
        (RolledBack, "roll back", RolledBack, GoBack(0)),
    ];
    let mut cases = 0;
    for phase in Phase::ALL {
        for (name, event) in events() {
            let before = record(phase, u32::from(phase == Trial));
            let row = table.iter().find(|row| (row.0, row.1) == (phase, name));
            let (_, _, wanted, action) = row.map_or((phase, name, phase, Action::Rest), |row| *row);
            let (after, done) = step(&before, event);
            let found = after.run.as_ref().expect("still there").phase;
            assert_eq!((found, done), (wanted, action), "{phase}, {name}");
            if row.is_none() {
                assert_eq!(after, before, "{phase}, {name}");
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 8 * 16);
}

#[test]
fn nothing_but_an_offer_moves_a_box_without_a_run() {
    for (name, event) in events() {
        let (after, action) = step(&Record::default(), event);
        if name == "offered" {
            assert_eq!(action, Action::Keep);
            assert_eq!(after.newest_time, Moment(7));
        } else {
            assert_eq!((after, action), (Record::default(), Action::Rest), "{name}");
        }
    }
}

#[test]
fn the_attempt_is_counted_before_the_trial_and_the_third_crash_rejects() {
    let mut record = record(Phase::Staged, 0);
    let mut event = Event::Begun;
    for attempt in 1..=ATTEMPTS {
        let (next, action) = step(&record, event);
        let run = next.run.as_ref().expect("under way");
        assert_eq!(
            (run.phase, run.attempts, action),
            (Phase::Trial, attempt, Action::Try)
        );
        record = next;
        // A crash of the trial and a cut of the whole box count the same.
        event = match attempt % 2 {
            0 => Event::Crashed("signal 9".into()),
            _ => restarted(1),
        };
    }
    let (last, action) = step(&record, event);
    let run = last.run.expect("ended");
    assert_eq!((run.phase, action), (Phase::Rejected, Action::Clean));
    assert!(run.why.contains("3 trials"), "{}", run.why);
}

#[test]
fn a_commit_raises_the_highest_serial_and_a_rollback_does_not_lower_it() {
    let (after, _) = step(&record(Phase::Trial, 1), Event::Committed);
    assert_eq!((after.highest, after.previous), (2, Some(1)));
    let (back, action) = step(&after, roll_back());
    assert_eq!(action, Action::GoBack(1));
    let (back, _) = step(&back, Event::WentBack);
    assert_eq!((back.highest, back.previous), (2, None));
    assert_eq!(back.run.expect("ended").why, "slow");
    // There is no way further back.
    let (same, action) = step(&after_rollback(), roll_back());
    assert_eq!((same, action), (after_rollback(), Action::Rest));
}

fn after_rollback() -> Record {
    Record {
        previous: None,
        ..record(Phase::RolledBack, 0)
    }
}

#[test]
fn an_edition_staged_anew_is_no_longer_what_a_rollback_goes_to() {
    let mut before = record(Phase::Offered, 0);
    before.previous = Some(2);
    let (after, _) = step(&before, Event::Kept);
    assert_eq!(after.previous, None);
}

#[test]
fn every_sequence_of_events_leaves_a_record_that_a_restart_brings_to_rest() {
    // A walk over all events in a fixed, mixed order; the machine must never get stuck.
    let mut seed = 1_u32;
    let mut record = Record::default();
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let all = events();
        let (_, event) = &all[(seed >> 16) as usize % all.len()];
        record = step(&record, event.clone()).0;
        let mut settled = record.clone();
        let mut event = restarted(1);
        for _ in 0..20 {
            let (next, action) = step(&settled, event);
            settled = next;
            event = match action {
                Action::Keep => Event::Kept,
                Action::Fetch => Event::Fetched,
                Action::Verify => Event::Verified,
                Action::Stage => Event::Staged,
                Action::Begin => Event::Begun,
                Action::Try => Event::Passed,
                Action::Commit => Event::Committed,
                Action::GoBack(_) => Event::WentBack,
                Action::Clean => Event::Cleaned,
                Action::Rest => break,
            };
        }
        let over = settled.run.as_ref().is_none_or(|run| run.phase.is_over());
        assert!(over, "{settled:?}");
    }
}
