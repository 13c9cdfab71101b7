//! Rollouts: who is offered the edition when, and when it halts.

use std::time::{Duration, Instant};

use super::rollout::{Bound, End, Move, Rollout, Stage};
use crate::types::{EditionState, Phase};

const SILENCE: Duration = Duration::from_secs(60);

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("b{n:02}")).collect()
}

fn bound(failures: usize, at_once: usize) -> Bound {
    Bound {
        serial: 3,
        push: "p".into(),
        failures,
        silence: SILENCE,
        at_once,
    }
}

fn state(name: &str, state: Phase) -> EditionState {
    EditionState {
        box_name: name.into(),
        serial: 3,
        state,
        reason: String::new(),
        answers: 2,
        bytes: None,
        total: None,
        resumed: None,
        push: "p".into(),
    }
}

fn offered(moves: &[Move]) -> Vec<String> {
    let offer = |one: &Move| match one {
        Move::Offer(name) => Some(name.clone()),
        Move::Clear(_) => None,
    };
    moves.iter().filter_map(offer).collect()
}

fn cleared(moves: &[Move]) -> Vec<String> {
    let clear = |one: &Move| match one {
        Move::Clear(name) => Some(name.clone()),
        Move::Offer(_) => None,
    };
    moves.iter().filter_map(clear).collect()
}

fn end_of(rollout: &Rollout, name: &str) -> Option<End> {
    rollout.courses()[name].end.as_ref().map(|(end, _)| *end)
}

#[test]
fn a_share_of_the_boxes_is_rounded_up() {
    for (text, of, count) in [("10%", 11, 2), ("1", 5, 1), ("100%", 3, 3), ("34%", 3, 2)] {
        let stage: Stage = text.parse().expect(text);
        assert_eq!(stage.of(&names(of)).len(), count, "{text} of {of}");
    }
    for wrong in ["0%", "101%", "ten", "", "-5%"] {
        assert!(wrong.parse::<Stage>().is_err(), "{wrong}");
    }
}

#[test]
fn the_canary_goes_first_and_the_rest_follows_when_it_is_current() {
    let (boxes, now) = (names(4), Instant::now());
    let stages = [Stage(25).of(&boxes), Stage(100).of(&boxes)];
    let mut rollout = Rollout::new(bound(1, 10), &stages);
    assert_eq!(offered(&rollout.tick(now)), ["b00"]);
    for phase in [
        Phase::Offered,
        Phase::Fetching,
        Phase::Verified,
        Phase::Staged,
        Phase::Trial,
    ] {
        assert_eq!(rollout.heard("b00", &state("b00", phase), now), []);
    }
    let moves = rollout.heard("b00", &state("b00", Phase::Current), now);
    assert_eq!(cleared(&moves), ["b00"]);
    assert_eq!(offered(&moves), ["b01", "b02", "b03"]);
    for name in ["b03", "b01", "b02"] {
        assert!(!rollout.is_over());
        let moves = rollout.heard(name, &state(name, Phase::Current), now);
        assert_eq!(cleared(&moves), [name]);
    }
    assert!(rollout.is_over());
    assert_eq!(rollout.halted(), None);
}

#[test]
fn a_canary_that_fails_halts_the_rollout_before_anybody_else_is_offered_it() {
    let (boxes, now) = (names(10), Instant::now());
    let stages = [Stage(10).of(&boxes), Stage(100).of(&boxes)];
    for phase in [Phase::Rejected, Phase::RolledBack] {
        let mut rollout = Rollout::new(bound(1, 10), &stages);
        rollout.tick(now);
        let failed = EditionState {
            reason: "it is slow".into(),
            ..state("b00", phase)
        };
        let moves = rollout.heard("b00", &failed, now);
        assert_eq!(offered(&moves), [""; 0]);
        assert!(rollout.is_over());
        assert!(rollout.halted().is_some());
        assert_eq!(end_of(&rollout, "b05"), Some(End::Halted));
    }
}

#[test]
fn failures_below_the_bound_are_borne_and_the_bound_halts() {
    let (boxes, now) = (names(5), Instant::now());
    let mut rollout = Rollout::new(bound(2, 3), std::slice::from_ref(&boxes));
    assert_eq!(offered(&rollout.tick(now)), ["b00", "b01", "b02"]);
    let moves = rollout.heard("b01", &state("b01", Phase::Rejected), now);
    assert_eq!(offered(&moves), ["b03"], "one more has room");
    rollout.heard("b02", &state("b02", Phase::Trial), now);
    let moves = rollout.heard("b03", &state("b03", Phase::Rejected), now);
    assert_eq!(offered(&moves), [""; 0]);
    // The one that is only fetching is stopped; the one on trial is waited for.
    assert_eq!(cleared(&moves), ["b03", "b00", "b02"]);
    assert_eq!(end_of(&rollout, "b00"), Some(End::Halted));
    assert_eq!(end_of(&rollout, "b04"), Some(End::Halted));
    assert!(!rollout.is_over());
    rollout.heard("b02", &state("b02", Phase::Current), now);
    assert_eq!(end_of(&rollout, "b02"), Some(End::Current));
    assert!(rollout.is_over());
}

#[test]
fn silence_is_a_failure_and_any_sign_of_life_is_none() {
    let (boxes, start) = (names(2), Instant::now());
    let mut rollout = Rollout::new(bound(5, 9), std::slice::from_ref(&boxes));
    rollout.tick(start);
    let later = start + SILENCE - Duration::from_secs(1);
    rollout.sign("b00", later);
    let moves = rollout.tick(start + SILENCE);
    assert_eq!(cleared(&moves), ["b01"]);
    assert_eq!(end_of(&rollout, "b01"), Some(End::TimedOut));
    assert!(rollout.is_served("b00") && !rollout.is_served("b01"));
    // It comes after all: that is what the table says then.
    let moves = rollout.heard("b01", &state("b01", Phase::Current), start + SILENCE);
    assert_eq!(moves, []);
    assert_eq!(end_of(&rollout, "b01"), Some(End::Current));
}

#[test]
fn what_was_told_of_another_push_another_edition_or_by_a_stranger_counts_for_nothing() {
    let (boxes, now) = (names(1), Instant::now());
    let mut rollout = Rollout::new(bound(1, 9), std::slice::from_ref(&boxes));
    rollout.tick(now);
    let other_push = EditionState {
        push: "q".into(),
        ..state("b00", Phase::Rejected)
    };
    let other_edition = EditionState {
        serial: 2,
        ..state("b00", Phase::Current)
    };
    rollout.heard("b00", &other_push, now);
    rollout.heard("b00", &other_edition, now);
    rollout.heard("b77", &state("b77", Phase::Rejected), now);
    assert_eq!(rollout.courses()["b00"].phase, None);
    assert!(rollout.is_served("b00"));
}

#[test]
fn a_box_that_rolls_back_after_it_was_current_counts_as_failed() {
    let (boxes, now) = (names(3), Instant::now());
    let mut rollout = Rollout::new(bound(1, 2), std::slice::from_ref(&boxes));
    rollout.tick(now);
    rollout.heard("b00", &state("b00", Phase::Current), now);
    let moves = rollout.heard("b00", &state("b00", Phase::RolledBack), now);
    assert_eq!(end_of(&rollout, "b00"), Some(End::RolledBack));
    assert!(rollout.halted().is_some());
    assert_eq!(offered(&moves), [""; 0]);
}

#[test]
fn the_figures_survive_a_restart_of_the_box() {
    let (boxes, now) = (names(1), Instant::now());
    let mut rollout = Rollout::new(bound(1, 1), std::slice::from_ref(&boxes));
    rollout.tick(now);
    let fetching = |bytes, total, resumed| EditionState {
        bytes: Some(bytes),
        total: Some(total),
        resumed: Some(resumed),
        ..state("b00", Phase::Fetching)
    };
    rollout.heard("b00", &fetching(0, 100, 0), now);
    rollout.heard("b00", &fetching(60, 100, 0), now);
    // One file of 50 was whole when it was killed, of the other it had 10.
    rollout.heard("b00", &fetching(10, 50, 10), now);
    let course = &rollout.courses()["b00"];
    assert_eq!((course.bytes, course.total, course.resumed), (60, 100, 10));
}

#[test]
fn a_push_that_is_abandoned_takes_every_offer_back() {
    let (boxes, now) = (names(4), Instant::now());
    let mut rollout = Rollout::new(bound(1, 3), std::slice::from_ref(&boxes));
    rollout.tick(now);
    rollout.heard("b01", &state("b01", Phase::Trial), now);
    let moves = rollout.abandon("by hand", now);
    let cleared = cleared(&moves);
    for name in ["b00", "b01", "b02"] {
        assert!(cleared.iter().any(|one| one == name), "{name}");
    }
    assert!(rollout.is_over());
}
