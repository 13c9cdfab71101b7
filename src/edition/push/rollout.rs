//! A rollout: which box is offered the edition when, and how it ended there. Pure; time comes in.
//!
//! Stages follow each other; in one, a bounded number of boxes is served at once. A box has ended when it
//! told so, or was silent for too long. When too many failed, no further box is offered anything, and those
//! that are still fetching are told to stop.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::types::{EditionState, Phase};

/// What a rollout keeps to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The edition.
    pub serial: u64,
    /// The name of this push.
    pub push: String,
    /// Boxes that may fail before it halts; at least 1.
    pub failures: usize,
    /// How long a box may be silent.
    pub silence: Duration,
    /// Boxes that have an offer at a time; at least 1.
    pub at_once: usize,
}

/// How a box ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The edition is current there.
    Current,
    /// The box did not take it, or its trial failed.
    Rejected,
    /// It was current, and is not any more.
    RolledBack,
    /// The box was silent for too long.
    TimedOut,
    /// The rollout ended before the box had it.
    Halted,
}

impl End {
    /// Whether it counts against the rollout.
    pub fn is_failure(self) -> bool {
        matches!(self, End::Rejected | End::RolledBack | End::TimedOut)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            End::Current => "current",
            End::Rejected => "rejected",
            End::RolledBack => "rolled-back",
            End::TimedOut => "timed-out",
            End::Halted => "halted",
        })
    }
}

/// One box in a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// What it said last of this edition.
    pub phase: Option<Phase>,
    /// Bytes that it has of those that it fetches.
    pub bytes: u64,
    /// Bytes that it fetches.
    pub total: u64,
    /// Bytes that it had from before a restart.
    pub resumed: u64,
    /// How it ended, and why.
    pub end: Option<(End, String)>,
    /// When it was offered the edition.
    pub began: Option<Instant>,
    /// When it ended.
    pub ended: Option<Instant>,
    sign: Option<Instant>,
}

impl Course {
    fn is_served(&self) -> bool {
        self.began.is_some() && self.end.is_none()
    }

    /// Whether clearing its offer stops it.
    fn is_stoppable(&self) -> bool {
        !matches!(
            self.phase,
            Some(Phase::Verified | Phase::Staged | Phase::Trial)
        )
    }
}

/// What to do for a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Offer it the edition.
    Offer(String),
    /// Take the offer back, and send it nothing more.
    Clear(String),
}

/// The rollout.
#[derive(Debug)]
pub struct Rollout {
    bound: Bound,
    stages: Vec<Vec<String>>,
    stage: usize,
    courses: BTreeMap<String, Course>,
    halted: Option<String>,
}

impl Rollout {
    /// A rollout to the boxes of `stages`, one stage after the other; a box counts once, in its first stage.
    pub fn new(bound: Bound, stages: &[Vec<String>]) -> Rollout {
        let mut courses = BTreeMap::new();
        let mut kept = Vec::new();
        for stage in stages {
            let is_new = |name: &&String| {
                let before = courses.insert((*name).clone(), Course::default());
                before.is_none()
            };
            kept.push(stage.iter().filter(is_new).cloned().collect());
        }
        Rollout {
            bound,
            stages: kept,
            stage: 0,
            courses,
            halted: None,
        }
    }

    /// Every box, by name.
    pub fn courses(&self) -> &BTreeMap<String, Course> {
        &self.courses
    }

    /// Why it was halted.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Whether nothing more is to be waited for.
    pub fn is_over(&self) -> bool {
        let is_idle = !self.courses.values().any(Course::is_served);
        is_idle && (self.halted.is_some() || self.stage >= self.stages.len())
    }

    /// Whether `name` has an offer now.
    pub fn is_served(&self, name: &str) -> bool {
        self.courses.get(name).is_some_and(Course::is_served)
    }

    /// Begins, or goes on as time passes.
    pub fn tick(&mut self, now: Instant) -> Vec<Move> {
        let mut moves = Vec::new();
        let silence = self.bound.silence;
        for (name, course) in &mut self.courses {
            let is_silent = course.sign.is_some_and(|sign| now >= sign + silence);
            if course.is_served() && is_silent {
                let why = match course.phase {
                    None => format!("no answer in {} s; is it connected?", silence.as_secs()),
                    Some(phase) => format!("{phase}, and silent for {} s", silence.as_secs()),
                };
                course.end = Some((End::TimedOut, why));
                course.ended = Some(now);
                moves.push(Move::Clear(name.clone()));
            }
        }
        self.go_on(now, &mut moves);
        moves
    }

    /// A sign of life of `name`.
    pub fn sign(&mut self, name: &str, now: Instant) {
        if let Some(course) = self.courses.get_mut(name) {
            course.sign = Some(now);
        }
    }

    /// What `name` says of itself.
    pub fn heard(&mut self, name: &str, state: &EditionState, now: Instant) -> Vec<Move> {
        let mut moves = Vec::new();
        if state.serial != self.bound.serial || state.push != self.bound.push {
            return moves;
        }
        let Some(course) = self.courses.get_mut(name) else {
            return moves;
        };
        if course.began.is_none() {
            return moves;
        }
        course.sign = Some(now);
        course.phase = Some(state.state);
        if let (Some(bytes), Some(total)) = (state.bytes, state.total) {
            // After a restart it counts what is missing then.
            course.total = course.total.max(total);
            course.bytes = bytes + (course.total - total);
            course.resumed = course.resumed.max(state.resumed.unwrap_or(0));
        }
        let end = match state.state {
            Phase::Current => End::Current,
            Phase::Rejected => End::Rejected,
            Phase::RolledBack => End::RolledBack,
            _ => return moves,
        };
        if course.end.is_none() {
            moves.push(Move::Clear(name.to_owned()));
        }
        if course.end.as_ref().is_none_or(|(before, _)| *before != end) {
            course.end = Some((end, state.reason.clone()));
            course.ended = Some(now);
        }
        self.go_on(now, &mut moves);
        moves
    }

    /// Ends it for a reason of the operator's.
    pub fn halt(&mut self, why: &str, now: Instant) -> Vec<Move> {
        let mut moves = Vec::new();
        self.stop(why.to_owned(), now, &mut moves);
        moves
    }

    /// Ends it at once, whatever the boxes are at.
    pub fn abandon(&mut self, why: &str, now: Instant) -> Vec<Move> {
        let mut moves = self.halt(why, now);
        for (name, course) in self.courses.iter_mut().filter(|(_, c)| c.is_served()) {
            course.end = Some((End::Halted, why.to_owned()));
            course.ended = Some(now);
            moves.push(Move::Clear(name.clone()));
        }
        moves
    }

    fn stop(&mut self, why: String, now: Instant, moves: &mut Vec<Move>) {
        if self.halted.is_some() {
            return;
        }
        for (name, course) in &mut self.courses {
            if course.end.is_some() {
                continue;
            }
            if course.is_served() {
                moves.push(Move::Clear(name.clone()));
            }
            if course.began.is_none() || course.is_stoppable() {
                course.end = Some((End::Halted, why.clone()));
                course.ended = Some(now);
            }
        }
        self.halted = Some(why);
    }

    fn go_on(&mut self, now: Instant, moves: &mut Vec<Move>) {
        let ends = self.courses.values().filter_map(|c| c.end.as_ref());
        let failures = ends.filter(|(end, _)| end.is_failure()).count();
        if failures >= self.bound.failures.max(1) {
            let why = format!(
                "{failures} failed, the rollout halts at {}",
                self.bound.failures
            );
            self.stop(why, now, moves);
        }
        while self.halted.is_none()
            && let Some(stage) = self.stages.get(self.stage)
        {
            let served = self.courses.values().filter(|c| c.is_served()).count();
            let mut room = self.bound.at_once.max(1).saturating_sub(served);
            for name in stage {
                let Some(course) = self.courses.get_mut(name) else {
                    continue;
                };
                if room > 0 && course.began.is_none() {
                    (course.began, course.sign) = (Some(now), Some(now));
                    room -= 1;
                    moves.push(Move::Offer(name.clone()));
                }
            }
            let is_done = stage.iter().all(|name| self.courses[name].end.is_some());
            if !is_done {
                return;
            }
            self.stage += 1;
        }
    }
}

/// How many of the boxes a stage reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage(pub u32);

impl Stage {
    /// The first boxes of `names`: so many in a hundred, rounded up.
    pub fn of(self, names: &[String]) -> Vec<String> {
        let percent = self.0.min(100) as usize;
        let count = (names.len() * percent).div_ceil(100);
        names[..count].to_vec()
    }
}

impl std::str::FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Stage, String> {
        let number = text.trim().trim_end_matches('%');
        match number.parse() {
            Ok(percent) if (1..=100).contains(&percent) => Ok(Stage(percent)),
            _ => Err(format!(
                "{text:?} is no share of the boxes; expected 1% to 100%"
            )),
        }
    }
}
