//! The way of an edition, pure: what happened goes in, what to remember and what to do next come out.
//!
//! ```text
//! offered -> fetching -> verified -> staged -> trial -> current -> rolled-back(why)
//!     \          \           \          \        \
//!      +----------+-----------+----------+--------+--> rejected(why)
//! ```
//!
//! The driver writes the new record down before it does what the machine asked for; so after a cut the
//! record names the action that was under way, and [`Event::Restarted`] says how to go on. The one
//! thing that is not in the record is the commit: the link itself is. A link that already points at the
//! edition on trial means that the trial was passed.

use super::manifest::KeyChanges;
use super::moment::Moment;
use super::record::{Record, Run};
use crate::types::{Digest, Phase};

/// Trials that may end without a verdict (crash, kill, power cut) before the edition is rejected.
pub const ATTEMPTS: u32 = 3;
/// Starts of a current edition that may fail to become healthy before it is rolled back.
pub const STARTS: u32 = 3;

/// An accepted manifest, as far as the machine must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Its serial.
    pub serial: u64,
    /// Digest of the manifest.
    pub manifest: Option<Digest>,
    /// The edition that is current now.
    pub over: Option<u64>,
    /// Keys that it adds and retires: they follow from its signature, not from how its models behave.
    pub keys: KeyChanges,
    /// The newest time that is known.
    pub time: Moment,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A manifest was accepted.
    Offered(Box<Offered>),
    /// The manifest is kept on disk.
    Kept,
    /// Every file is on disk.
    Fetched,
    /// Every file was read again and is right.
    Verified,
    /// The edition's folder and index are complete.
    Staged,
    /// The trial may begin.
    Begun,
    /// Every golden question was answered well, in time and memory.
    Passed,
    /// The link points at the edition.
    Committed,
    /// The edition is not usable.
    Failed(String),
    /// The trial came to no verdict.
    Crashed(String),
    /// The link points at the edition before again.
    WentBack,
    /// What is not needed any more is gone.
    Cleaned,
    /// The process begins; what was under way was cut.
    Restarted {
        /// Where the link points now.
        current: Option<u64>,
        /// Whether the manifest under way is kept whole.
        kept: bool,
    },
    /// The current edition must go.
    RollBack {
        /// Where the link points now.
        current: u64,
        /// The reason, for people.
        why: String,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep manifest and signature on disk; then [`Event::Kept`].
    Keep,
    /// Bring every file here; then [`Event::Fetched`].
    Fetch,
    /// Read every file again; then [`Event::Verified`].
    Verify,
    /// Lay the edition's folder out and build its index; then [`Event::Staged`].
    Stage,
    /// Nothing: the record is written; then [`Event::Begun`].
    Begin,
    /// Ask the golden questions; then [`Event::Passed`], `Failed` or `Crashed`.
    Try,
    /// Point the link at the edition under way; then [`Event::Committed`].
    Commit,
    /// Point the link at this edition; then [`Event::WentBack`].
    GoBack(u64),
    /// Remove what no edition needs; then [`Event::Cleaned`].
    Clean,
    /// Nothing more.
    Rest,
}

/// What follows from `event`: the record to write down first, then what to do.
///
/// An event that does not fit the phase changes nothing.
pub fn step(record: &Record, event: Event) -> (Record, Action) {
    let mut next = record.clone();
    let action = match event {
        Event::Offered(offer) => offered(&mut next, &offer),
        Event::RollBack { current, why } => roll_back(&mut next, current, why),
        event => match next.run.take() {
            None => Action::Rest,
            Some(mut run) => {
                let action = advance(&mut next, &mut run, event);
                next.run = Some(run);
                action
            }
        },
    };
    (next, action)
}

fn offered(next: &mut Record, offer: &Offered) -> Action {
    if let Some(run) = &next.run
        && !run.phase.is_over()
        && !matches!(run.phase, Phase::Offered | Phase::Fetching)
    {
        return Action::Rest; // One at a time; only one that still waits for its files gives way.
    }
    next.change_keys(&offer.keys);
    next.newest_time = next.newest_time.max(offer.time);
    next.run = Some(Run {
        serial: offer.serial,
        manifest: offer.manifest,
        phase: Phase::Offered,
        attempts: 0,
        over: offer.over,
        why: String::new(),
    });
    Action::Keep
}

fn roll_back(next: &mut Record, current: u64, why: String) -> Action {
    let under_way = next.run.as_ref().filter(|run| !run.phase.is_over());
    let (Some(previous), None) = (next.previous, under_way) else {
        return Action::Rest;
    };
    let known = next.run.as_ref().filter(|run| run.serial == current);
    let manifest = known.and_then(|run| run.manifest);
    next.run = Some(Run {
        serial: current,
        manifest,
        phase: Phase::RolledBack,
        attempts: 0,
        over: Some(previous),
        why,
    });
    Action::GoBack(previous)
}

fn advance(next: &mut Record, run: &mut Run, event: Event) -> Action {
    match (run.phase, event) {
        (Phase::Offered, Event::Kept) => {
            // Its folder is about to be made anew: there is nothing whole to go back to.
            if next.previous == Some(run.serial) {
                next.previous = None;
            }
            to(run, Phase::Fetching, Action::Fetch)
        }
        (Phase::Fetching, Event::Fetched) => Action::Verify,
        (Phase::Fetching, Event::Verified) => to(run, Phase::Verified, Action::Stage),
        (Phase::Verified, Event::Staged) => to(run, Phase::Staged, Action::Begin),
        (Phase::Staged, Event::Begun) => attempt(run),
        (Phase::Trial, Event::Passed) => Action::Commit,
        (Phase::Trial, Event::Committed) => committed(next, run),
        (Phase::Trial, Event::Crashed(why)) => again(run, why),
        (Phase::Current | Phase::Rejected | Phase::RolledBack, Event::Cleaned) => Action::Rest,
        (Phase::RolledBack, Event::WentBack) => {
            next.previous = None;
            next.starts = 0;
            Action::Clean
        }
        (phase, Event::Failed(why)) if !phase.is_over() => reject(run, why),
        (_, Event::Restarted { current, kept }) => restarted(next, run, current, kept),
        _ => Action::Rest,
    }
}

fn restarted(next: &mut Record, run: &mut Run, current: Option<u64>, kept: bool) -> Action {
    match run.phase {
        Phase::Trial if current == Some(run.serial) => committed(next, run),
        Phase::Trial => again(run, "the trial was cut off".into()),
        Phase::Offered | Phase::Fetching | Phase::Verified if !kept => reject(
            run,
            "it was cut off before its manifest was kept; offer it again".into(),
        ),
        // The manifest is whole: as if it had just been kept.
        Phase::Offered => advance(next, run, Event::Kept),
        Phase::Fetching => Action::Fetch,
        Phase::Verified => Action::Stage,
        Phase::Staged => Action::Begin,
        Phase::RolledBack if current == Some(run.serial) => {
            run.over.map_or(Action::Rest, Action::GoBack)
        }
        Phase::RolledBack | Phase::Rejected | Phase::Current => {
            if run.phase == Phase::RolledBack {
                next.previous = None;
            }
            Action::Clean
        }
    }
}

fn to(run: &mut Run, phase: Phase, action: Action) -> Action {
    run.phase = phase;
    action
}

fn attempt(run: &mut Run) -> Action {
    run.attempts += 1;
    to(run, Phase::Trial, Action::Try)
}

fn again(run: &mut Run, why: String) -> Action {
    if run.attempts >= ATTEMPTS {
        let why = format!("{ATTEMPTS} trials came to no end; the last: {why}");
        return reject(run, why);
    }
    attempt(run)
}

fn reject(run: &mut Run, why: String) -> Action {
    run.why = why;
    to(run, Phase::Rejected, Action::Clean)
}

fn committed(next: &mut Record, run: &mut Run) -> Action {
    next.highest = next.highest.max(run.serial);
    next.previous = run.over;
    next.starts = 0;
    run.why.clear();
    to(run, Phase::Current, Action::Clean)
}
