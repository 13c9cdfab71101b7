//! Every durable write of an install and of a rollback, cut: by an error inside this process, and by SIGKILL.
//!
//! Killed is a child, which is this test program again: it comes up to a chosen step, says so, and waits there for its
//! parent's kill. So it dies between any two of its writes, half-way through every append and half-way through the
//! removal of every folder. This shows order and atomicity. It shows nothing of the page cache, which outlives a process:
//! that every write ends in an fsync is the business of `durable`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::blobs::Blobs;
use super::driver::Driver;
use super::signature::PublicKey;
use super::testing::{Farm, NEXT, PLAN, Reader, TestBox, setting, while_driving, while_starting};
use super::{EditionError, Told, build};
use crate::durable::faults::{self, Fault};
use crate::types::Phase;

/// What the child does and the step that it dies at, the box that it does it to, and the offline side.
const DEED: &str = "ALMANAC_TEST_DEED";
const BOX: &str = "ALMANAC_TEST_BOX";
const FARM: &str = "ALMANAC_TEST_FARM";
/// Where the farm's public key lies on its offline side.
const KEY: &str = "farm.pub";
/// Kills of the random part.
const RANDOM: usize = 300;

/// What is done to a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Edition 2 over edition 1.
    Second,
    /// Edition 3 over edition 2; edition 1 is swept.
    Third,
    /// Edition 4 over edition 1: no document of it says its golden fact.
    Bad,
    /// Back from edition 2 to edition 1.
    Back,
}

impl Deed {
    const ALL: [Deed; 4] = [Deed::Second, Deed::Third, Deed::Bad, Deed::Back];

    fn named(name: &str) -> Deed {
        let named = Deed::ALL.into_iter().find(|deed| deed.to_string() == name);
        named.expect("the name of a deed")
    }

    /// The edition that answers before it.
    fn before(self) -> u64 {
        match self {
            Deed::Second | Deed::Bad => 1,
            Deed::Third | Deed::Back => 2,
        }
    }

    /// The edition that it is about.
    fn edition(self) -> u64 {
        match self {
            Deed::Second | Deed::Back => 2,
            Deed::Third => 3,
            Deed::Bad => 4,
        }
    }

    /// How its edition ends, and the edition that answers then.
    fn end(self) -> (Phase, u64) {
        match self {
            Deed::Second => (Phase::Current, 2),
            Deed::Third => (Phase::Current, 3),
            Deed::Bad => (Phase::Rejected, 1),
            Deed::Back => (Phase::RolledBack, 1),
        }
    }

    /// Does it on the box in `state`, or goes on with it; the states told on the way.
    fn perform(self, state: &Path, farm: &Path) -> Result<Vec<Phase>, EditionError> {
        with_driver(state, |driver| {
            if self == Deed::Back {
                // A rollback that was cut is finished by the next start.
                driver.resume()?;
                let is_back = driver
                    .run()
                    .is_some_and(|run| run.phase == Phase::RolledBack);
                return match is_back {
                    true => Ok(()),
                    false => driver.roll_back("too dry").map(drop),
                };
            }
            let out = farm.join("out");
            let folder = out.join("editions").join(self.edition().to_string());
            let key = std::fs::read_to_string(farm.join(KEY)).expect("written by the parent");
            let setting = setting(&PublicKey::parse(&key).expect("our own"));
            let offer = build::read_offer(&folder)?;
            driver
                .install(offer, &mut Blobs::new(&out), &setting)
                .map(drop)
        })
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Deed::Second => "edition 2 over 1",
            Deed::Third => "edition 3 over 2",
            Deed::Bad => "wrong edition 4 over 1",
            Deed::Back => "back from 2 to 1",
        })
    }
}

/// Runs `work` on a driver of the box in `state`; the states told meanwhile.
fn with_driver(
    state: &Path,
    work: impl FnOnce(&mut Driver<'_>) -> Result<(), EditionError>,
) -> Result<Vec<Phase>, EditionError> {
    let mut phases = Vec::new();
    let mut tell = |told: &Told| {
        if told.bytes.is_none() {
            phases.push(told.phase);
        }
    };
    let _open = while_driving();
    let mut reader = Reader;
    work(&mut Driver::open(state, &mut reader, &mut tell)?)?;
    Ok(phases)
}

/// A farm with the four editions.
fn farm() -> Farm {
    let farm = Farm::new();
    farm.write(KEY, &farm.key.to_string());
    farm.publish(1, PLAN);
    farm.write("corpus/iowa/oats.md", "Oats: sow early.");
    farm.publish(2, NEXT);
    farm.write("c.safetensors", "adapter c");
    farm.publish(
        3,
        "base = \"out/editions/2\"\nadapters = [\"c.safetensors\"]",
    );
    farm.publish(
        4,
        "base = \"out/editions/1\"\nadapters = [\"b.safetensors\"]\n\
         golden = [{ question = \"How deep?\", facts = [\"3 feet\"] }]",
    );
    farm
}

/// A box on edition `serial`, 1 or 2.
fn box_on(farm: &Farm, serial: u64) -> TestBox {
    let this = TestBox::new();
    for serial in 1..=serial {
        let folder = farm.out().join("editions").join(serial.to_string());
        let offer = build::read_offer(&folder).expect("built");
        this.install(farm, &offer).expect("a right edition");
    }
    this
}

fn sweep(this: &TestBox, case: &str) {
    with_driver(this.state(), |driver| driver.sweep().map(drop))
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(this.orphans(), [""; 0], "{case}");
}

/// What a box does when it comes up; what it tells.
fn resume(this: &TestBox, case: &str) -> Vec<Phase> {
    let told = with_driver(this.state(), |driver| driver.resume());
    told.unwrap_or_else(|error| panic!("{case}: {error}"))
}

fn phase(this: &TestBox) -> Phase {
    this.record().run.expect("a run").phase
}

/// A deed that nothing cuts: its steps, and what is on disk meanwhile.
struct Track {
    deed: Deed,
    steps: Vec<String>,
    /// The steps that bring each state to disk.
    states: Vec<(usize, Phase)>,
    /// Every path when all is over and swept.
    paths: Vec<String>,
}

impl Track {
    fn of(deed: Deed, farm: &Farm) -> Track {
        let this = box_on(farm, deed.before());
        faults::begin(None);
        let told = deed.perform(this.state(), farm.folder()).expect("not cut");
        let state = format!("{}/", this.state().display());
        let steps: Vec<String> = faults::end()
            .iter()
            .map(|step| step.replace(&state, ""))
            .collect();
        // A state is told when the record with it is on disk; a record without a new state is the last one, if any.
        let records = steps.iter().enumerate();
        let records = records.filter(|(_, step)| *step == "rename into place trial.toml");
        let states = records.map(|(at, _)| at).zip(told).collect();
        sweep(&this, "not cut");
        let (end, serial) = deed.end();
        assert_eq!(phase(&this), end, "{deed}");
        this.assert_answers(serial, "not cut");
        Track {
            deed,
            steps,
            states,
            paths: this.paths(),
        }
    }

    fn all(farm: &Farm) -> Vec<Track> {
        Deed::ALL.map(|deed| Track::of(deed, farm)).into()
    }

    /// The state on disk before step `at` is done.
    fn phase_before(&self, at: usize) -> Phase {
        let states = self.states.iter().rev();
        let mut states = states.skip_while(|(written, _)| *written >= at);
        // Each deed begins on a box whose edition is current.
        states.next().map_or(Phase::Current, |(_, phase)| *phase)
    }

    /// Whether the last step that begins with `step` was done before step `at`.
    fn is_done(&self, step: &str, at: usize) -> bool {
        let last = self.steps.iter().rposition(|done| done.starts_with(step));
        last.is_some_and(|last| last < at)
    }

    /// The edition that answers after a cut before step `at`.
    fn answers(&self, at: usize) -> u64 {
        match self.is_done("rename into place current", at) {
            true => self.deed.end().1,
            false => self.deed.before(),
        }
    }

    /// What a box tells that comes up after a cut before step `at`, and that has no stick.
    fn follows(&self, at: usize) -> Vec<Phase> {
        let is_kept = self.is_done("rename into place incoming/edition.toml", at);
        let is_here = self.is_done("rename into place blobs/sha256/", at);
        let way = [
            Phase::Verified,
            Phase::Staged,
            Phase::Trial,
            self.deed.end().0,
        ];
        match self.phase_before(at) {
            Phase::Offered if is_kept => vec![Phase::Fetching],
            Phase::Offered => vec![Phase::Rejected],
            Phase::Fetching if is_here => way.to_vec(),
            Phase::Verified => way[1..].to_vec(),
            Phase::Staged => way[2..].to_vec(),
            Phase::Trial if self.is_done("rename into place current", at) => way[3..].to_vec(),
            // A second attempt.
            Phase::Trial => way[2..].to_vec(),
            // It waits for the stick, or it is over.
            Phase::Fetching | Phase::Current | Phase::Rejected | Phase::RolledBack => Vec::new(),
        }
    }

    /// Cuts the deed at step `at` and brings it to its end; the state that the cut hit.
    fn check(&self, at: usize, how: How, farm: &Farm) -> Phase {
        let deed = self.deed;
        let case = format!("{deed}, {how:?} at step {at}, {}", self.steps[at]);
        let this = box_on(farm, deed.before());
        how.cut(deed, at, &this, farm);
        let hit = phase(&this);
        assert_eq!(hit, self.phase_before(at), "{case}");
        this.assert_answers(self.answers(at), &case);
        // The box comes up without the stick: what needs no source goes on.
        assert_eq!(resume(&this, &case), self.follows(at), "{case}");
        let (end, serial) = deed.end();
        let is_over = |this: &TestBox| {
            let run = this.record().run.expect("a run");
            (run.serial, run.phase) == (deed.edition(), end)
        };
        if is_over(&this) {
            this.assert_answers(serial, &case);
        } else {
            this.assert_answers(deed.before(), &case);
            // The stick is back, or the operator says it again.
            let told = deed.perform(this.state(), farm.folder());
            let told = told.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(told.last(), Some(&end), "{case}");
            assert!(is_over(&this), "{case}");
        }
        this.assert_answers(serial, &case);
        sweep(&this, &case);
        assert_eq!(this.paths(), self.paths, "{case}");
        hit
    }
}

/// How a deed is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Cut,
    Killed,
}

impl How {
    fn cut(self, deed: Deed, at: usize, this: &TestBox, farm: &Farm) {
        match self {
            How::Cut => {
                faults::begin(Some((at, Fault::Cut)));
                let done = deed.perform(this.state(), farm.folder());
                faults::end();
                assert!(done.is_err(), "{deed} at step {at}: {done:?}");
            }
            How::Killed => assert!(is_killed(deed, at, this, farm), "{deed} at step {at}"),
        }
    }
}

/// Lets a child do `deed` up to step `at`, and kills it there; false where it came to its end before.
fn is_killed(deed: Deed, at: usize, this: &TestBox, farm: &Farm) -> bool {
    let name = "edition::cut_tests::as_the_child_that_is_killed";
    let alone = while_starting();
    let mut child = Command::new(std::env::current_exe().expect("this test's program"))
        .args(["--exact", name, "--nocapture"])
        .env(DEED, format!("{at} {deed}"))
        .env(BOX, this.state())
        .env(FARM, farm.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    drop(alone);
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let (mut line, mut was_there) = (String::new(), false);
    while out.read_line(&mut line).expect("readable") > 0 {
        if line.contains(faults::KILL_ME) {
            was_there = true;
            child.kill().expect("killable");
        }
        line.clear();
    }
    let status = child.wait().expect("an end");
    match was_there {
        true => assert_eq!(status.signal(), Some(9), "{deed} at step {at}: {status}"),
        false => assert!(status.success(), "{deed} at step {at}: {status}"),
    }
    was_there
}

/// Not a test: what the child does, until it is killed.
#[test]
fn as_the_child_that_is_killed() {
    let Ok(deed) = std::env::var(DEED) else {
        return;
    };
    let path = |name| PathBuf::from(std::env::var_os(name).expect("the parent names it"));
    let (at, deed) = deed.split_once(' ').expect("a step and a deed");
    let at = at.parse().expect("a number");
    faults::begin(Some((at, Fault::Kill)));
    let done = Deed::named(deed).perform(&path(BOX), &path(FARM));
    faults::end();
    done.expect("only the kill stops it");
}

#[test]
fn a_deed_that_is_cut_at_any_write_ends_in_one_whole_edition() {
    let farm = farm();
    for track in Track::all(&farm) {
        assert!(
            track.deed == Deed::Back || track.steps.len() >= 60,
            "{}",
            track.deed
        );
        for at in 0..track.steps.len() {
            track.check(at, How::Cut, &farm);
        }
    }
}

/// A step in the midst of each state of `track`.
fn samples(track: &Track) -> Vec<usize> {
    let mut steps: BTreeMap<Phase, Vec<usize>> = BTreeMap::new();
    for at in 0..track.steps.len() {
        steps.entry(track.phase_before(at)).or_default().push(at);
    }
    steps
        .into_values()
        .map(|steps| steps[steps.len() / 2])
        .collect()
}

#[test]
fn a_process_killed_in_any_state_leaves_one_whole_edition() {
    let farm = farm();
    let mut seen = BTreeMap::new();
    for track in Track::all(&farm) {
        for at in samples(&track) {
            *seen.entry(track.check(at, How::Killed, &farm)).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), Phase::ALL.len(), "{seen:?}");
}

#[test]
#[ignore = "takes a minute: `make soak-cuts`"]
fn a_process_killed_at_any_write_leaves_one_whole_edition() {
    let farm = farm();
    let mut seen = BTreeMap::new();
    for track in Track::all(&farm) {
        for at in 0..track.steps.len() {
            let hit = track.check(at, How::Killed, &farm);
            println!(
                "{}, killed in {hit} at step {at}, {}",
                track.deed, track.steps[at]
            );
            *seen.entry(hit).or_insert(0) += 1;
        }
    }
    let cases: usize = seen.values().sum();
    println!("named: {cases} kills; in {}", counted(&seen));
    println!("named: {cases} resumed and came to their end, golden questions answered, 0 orphans");
    assert_eq!(seen.len(), Phase::ALL.len(), "{seen:?}");
}

#[test]
#[ignore = "takes a minute: `make soak-cuts`"]
fn kills_at_random_moments_one_after_the_other_leave_one_whole_edition() {
    let farm = farm();
    let tracks = Track::all(&farm);
    let mut dice = Dice::new();
    let (mut kills, mut boxes, mut seen) = (0, 0, BTreeMap::new());
    while kills < RANDOM {
        let this = box_on(&farm, 1);
        boxes += 1;
        // Kill after kill on one box, each wherever it hits, until two editions went through and one back.
        for (deed, end) in [
            (Deed::Second, (2, Phase::Current)),
            (Deed::Third, (3, Phase::Current)),
            (Deed::Back, (2, Phase::RolledBack)),
        ] {
            let before = this.serial().expect("one");
            let longest = tracks[deed as usize].steps.len();
            while (this.serial(), phase(&this)) != (Some(end.0), end.1) {
                if is_killed(deed, dice.below(longest + 10), &this, &farm) {
                    kills += 1;
                    *seen.entry(phase(&this)).or_insert(0) += 1;
                }
                let serial = this.serial().expect("one");
                assert!([before, end.0].contains(&serial), "{serial}");
                this.assert_answers(serial, &format!("{deed}, after {kills} kills"));
            }
        }
        resume(&this, "the last start");
        sweep(&this, &format!("after {kills} kills"));
    }
    println!(
        "random: {kills} kills on {boxes} boxes; in {}",
        counted(&seen)
    );
    println!(
        "random: {boxes} boxes came to their last edition, golden questions answered, 0 orphans"
    );
}

fn counted(seen: &BTreeMap<Phase, usize>) -> String {
    let states: Vec<String> = seen
        .iter()
        .map(|(phase, count)| format!("{phase} {count}"))
        .collect();
    states.join(", ")
}

/// Random steps; `ALMANAC_SEED` repeats them.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = std::time::UNIX_EPOCH.elapsed();
        let now = now.map_or(1, |now| now.subsec_nanos().into());
        let set = std::env::var("ALMANAC_SEED").ok();
        let seed = set.and_then(|seed| seed.parse().ok()).unwrap_or(now);
        println!("ALMANAC_SEED={seed}");
        Dice(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).map_or(0, |drawn| drawn % bound)
    }
}
