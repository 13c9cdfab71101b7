//! Editions on disk: installed, rolled back, on a full disk.

use super::EditionError;
use super::blobs::{Blobs, CHUNK, Source};
use super::driver::Verdict;
use super::offer::Offer;
use super::testing::{Farm, NEXT, PLAN, Script, TestBox, while_driving};
use crate::durable::faults::{self, Fault};
use crate::types::Digest;
use crate::types::Phase;

/// A farm with two offers, and a box on the first.
fn two() -> (Farm, Offer, Offer) {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    farm.write("corpus/iowa/oats.md", "Oats: sow early.");
    let second = farm.offer(2, NEXT);
    (farm, first, second)
}

fn on_first(farm: &Farm, first: &Offer) -> TestBox {
    let this = TestBox::new();
    this.install(farm, first).expect("a right edition");
    this
}

fn phase(this: &TestBox) -> Phase {
    this.record().run.expect("a run").phase
}

#[test]
fn an_edition_becomes_current_and_the_one_before_stays_until_the_next() {
    let (farm, first, second) = two();
    let this = on_first(&farm, &first);
    this.assert_whole("first");
    assert_eq!(this.serial(), Some(1));
    assert_eq!(this.record().previous, Some(0));
    this.install(&farm, &second).expect("a right edition");
    this.assert_whole("second");
    assert_eq!((this.serial(), this.record().highest), (Some(2), 2));
    assert_eq!(this.record().previous, Some(1));
    let third = farm.offer(3, "base = \"out/editions/2\"");
    this.install(&farm, &third).expect("a right edition");
    // Editions 0, 2 and 3 are kept; what only edition 1 had is gone.
    let old = Digest::of(b"adapter a").to_string();
    let paths = this.paths();
    assert!(!paths.iter().any(|path| path.contains(&old)), "{paths:?}");
    assert!(!paths.iter().any(|path| path == "editions/1"));
    assert!(paths.iter().any(|path| path == "editions/2"));
    assert!(!paths.iter().any(|path| path == "incoming"));
}

#[test]
fn a_rollback_goes_back_once_and_the_edition_does_not_come_again_by_itself() {
    let (farm, first, second) = two();
    let this = on_first(&farm, &first);
    this.install(&farm, &second).expect("a right edition");
    let back = this.with(&mut Script::default(), |driver| driver.roll_back("too dry"));
    assert_eq!(back.expect("possible"), 1);
    assert_eq!((this.serial(), phase(&this)), (Some(1), Phase::RolledBack));
    this.assert_whole("rolled back");
    let again = this.with(&mut Script::default(), |driver| driver.roll_back("more"));
    assert!(
        matches!(again, Err(EditionError::Impossible(_))),
        "{again:?}"
    );
    let refused = this.install(&farm, &second).expect_err("an old serial");
    assert!(
        refused.to_string().contains("--allow-downgrade"),
        "{refused}"
    );
    let mut contents = farm.contents();
    let mut setting = farm.setting();
    setting.allow_downgrade = true;
    this.with(&mut Script::default(), |driver| {
        driver.install(second.clone(), &mut contents, &setting)
    })
    .expect("insisted on");
    assert_eq!(this.serial(), Some(2));
}

#[test]
fn a_bad_trial_rejects_and_three_crashes_do() {
    let (farm, first, second) = two();
    for (verdicts, trials, why) in [
        (
            vec![Verdict::Failed("wrong depth".into())],
            1,
            "wrong depth",
        ),
        (
            vec![Verdict::Crashed("signal 11".into()); 3],
            3,
            "signal 11",
        ),
    ] {
        let this = on_first(&farm, &first);
        let mut script = Script {
            verdicts,
            ..Script::default()
        };
        let mut contents = farm.contents();
        this.with(&mut script, |driver| {
            driver.install(second.clone(), &mut contents, &farm.setting())
        })
        .expect("accepted, then given up");
        let run = this.record().run.expect("a run");
        assert_eq!((run.phase, script.trials), (Phase::Rejected, trials));
        assert!(run.why.contains(why), "{}", run.why);
        assert_eq!((this.serial(), this.record().highest), (Some(1), 1));
        this.assert_whole(why);
        let paths = this.paths();
        assert!(!paths.iter().any(|path| path == "editions/2"), "{paths:?}");
        // It may be offered again: it never was current.
        this.install(&farm, &second).expect("a better day");
        assert_eq!(this.serial(), Some(2));
    }
}

#[test]
fn one_crash_is_not_the_end() {
    let (farm, first, second) = two();
    let this = on_first(&farm, &first);
    let mut script = Script {
        verdicts: vec![Verdict::Crashed("signal 9".into())],
        ..Script::default()
    };
    let mut contents = farm.contents();
    this.with(&mut script, |driver| {
        driver.install(second, &mut contents, &farm.setting())
    })
    .expect("taken");
    assert_eq!((this.serial(), script.trials), (Some(2), 2));
}

/// The durable steps of installing `offer` on a box made by `before`.
fn steps(farm: &Farm, before: &dyn Fn() -> TestBox, offer: &Offer) -> Vec<String> {
    let this = before();
    faults::begin(None);
    this.install(farm, offer).expect("a right edition");
    faults::end()
}

#[test]
fn a_disk_that_is_full_at_any_write_leaves_the_old_edition_answering() {
    let (farm, first, second) = two();
    let before = || on_first(&farm, &first);
    for (at, step) in steps(&farm, &before, &second).iter().enumerate() {
        let case = format!("full at step {at}, {step}");
        let this = before();
        faults::begin(Some((at, Fault::Full)));
        let done = this.install(&farm, &second);
        faults::end();
        this.assert_whole(&case);
        if this.serial() == Some(1) {
            let given_up = phase(&this) == Phase::Rejected;
            assert!(done.is_err() || given_up, "{case}: {done:?}");
            // Somebody made room.
            this.install(&farm, &second)
                .unwrap_or_else(|error| panic!("{case}: {error}"));
        } else {
            this.with(&mut Script::default(), |driver| driver.resume())
                .unwrap_or_else(|error| panic!("{case}: {error}"));
        }
        this.assert_whole(&case);
        assert_eq!(
            (this.serial(), phase(&this)),
            (Some(2), Phase::Current),
            "{case}"
        );
    }
}

/// Gives the farm's contents out, counting the bytes; ends with an error after `left` of them.
struct Counting {
    inner: Blobs,
    asked: u64,
    left: u64,
}

impl Source for Counting {
    fn read(
        &mut self,
        content: &Digest,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, EditionError> {
        if self.left < buffer.len() as u64 {
            return Err(EditionError::Busy("the stick was pulled out".into()));
        }
        let read = self.inner.read(content, offset, buffer)?;
        self.left -= read as u64;
        self.asked += read as u64;
        Ok(read)
    }
}

#[test]
fn a_fetch_goes_on_at_the_last_whole_chunk() {
    let (farm, first, _) = two();
    let this = on_first(&farm, &first);
    let long = "oats\n".repeat(CHUNK); // Five chunks.
    farm.write("corpus/long.md", &long);
    let offer = farm.offer(2, "base = \"out/editions/1\"\ndocuments = [\"corpus\"]");
    let mut source = Counting {
        inner: farm.contents(),
        asked: 0,
        left: 3 * CHUNK as u64 + 40,
    };
    let install = |source: &mut Counting| {
        this.with(&mut Script::default(), |driver| {
            driver.install(offer.clone(), source, &farm.setting())
        })
    };
    assert!(matches!(install(&mut source), Err(EditionError::Busy(_))));
    assert_eq!(phase(&this), Phase::Fetching);
    let first_part = source.asked;
    source.left = u64::MAX;
    install(&mut source).expect("the stick is back");
    assert_eq!(this.serial(), Some(2));
    let small = "Oats: sow early.".len() as u64;
    assert_eq!(
        source.asked,
        long.len() as u64 + small,
        "after {first_part}"
    );
}

#[test]
fn what_the_box_already_has_is_not_fetched() {
    let farm = Farm::new();
    let offer = farm.offer(1, PLAN);
    let this = TestBox::new();
    // The box's own edition has the same language model, imported here.
    let own = this.state().join("models/mine");
    crate::durable::create_folder(&own).expect("writable");
    crate::durable::replace(&own.join("model.onnx"), b"graph").expect("writable");
    let entry = super::FileEntry {
        role: super::Role::Decoder,
        path: "models/mine/model.onnx".into(),
        length: 5,
        sha256: Digest::of(b"graph"),
        base: None,
    };
    let change = super::zero::Change {
        files: Some((vec![super::Role::Decoder], vec![entry])),
        ..super::zero::Change::default()
    };
    super::zero::ensure(this.state(), change).expect("writable");
    let mut source = Counting {
        inner: farm.contents(),
        asked: 0,
        left: u64::MAX,
    };
    this.with(&mut Script::default(), |driver| {
        driver.install(offer.clone(), &mut source, &farm.setting())
    })
    .expect("taken");
    let manifest = super::Manifest::parse(&offer.manifest).expect("our own");
    let all: u64 = manifest.contents().values().sum();
    assert_eq!(source.asked, all - 5);
    this.assert_whole("shared with edition 0");
}

#[test]
fn two_processes_do_not_change_editions_at_once() {
    let this = TestBox::new();
    let _open = while_driving();
    let (mut first, mut second) = (Script::default(), Script::default());
    let (mut tell, mut tell_too) = (|_: &super::Told| {}, |_: &super::Told| {});
    let held = super::Driver::open(this.state(), &mut first, &mut tell).expect("free");
    let refused = super::Driver::open(this.state(), &mut second, &mut tell_too).err();
    assert!(
        matches!(refused, Some(EditionError::Busy(_))),
        "{refused:?}"
    );
    drop(held);
    let again = super::Driver::open(this.state(), &mut second, &mut tell_too);
    assert!(again.is_ok(), "free again");
}

#[test]
fn starts_are_counted_until_the_box_is_healthy() {
    let (farm, first, _) = two();
    let this = on_first(&farm, &first);
    let start = || this.with(&mut Script::default(), |driver| driver.starting());
    assert_eq!(start().expect("written"), 0);
    assert_eq!(start().expect("written"), 1);
    this.with(&mut Script::default(), |driver| {
        driver.healthy(Some(super::Moment(9)))
    })
    .expect("written");
    assert_eq!(start().expect("written"), 0);
    // An older clock does not take the time back.
    assert_eq!(this.record().newest_time, farm.setting().now.expect("set"));
}
