//! Power cuts: a virtual machine does what `cut_tests` does, and is switched off in the midst of it.
//!
//! Its disk forgets, by chance, what was not flushed (`tests/power/disk.py`), and with it goes the page cache, which a
//! killed process leaves alone. Each start of the machine looks at what the cut before it left.

use std::cmp::Ordering;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::*;

/// Set in the machine: where its disk is.
const DISK: &str = "ALMANAC_TEST_DISK";
/// Folder with the parts of the machine: `kernel`, `initramfs`, `program.img`; `scripts/soak-power.sh` makes them.
const MACHINE: &str = "ALMANAC_TEST_MACHINE";
/// Power cuts, and those of the control.
const CUTS: usize = 60;
const CONTROL_CUTS: usize = 20;
/// Longest silence of an emulated machine on a busy one.
const LONGEST: Duration = Duration::from_secs(300);

/// What is done next on `this`; `None` when all is done.
fn next(this: &TestBox) -> Option<Deed> {
    match this.serial().expect("a current edition") {
        1 => Some(Deed::Second),
        2 if phase(this) == Phase::RolledBack => None,
        2 => Some(Deed::Third),
        _ => Some(Deed::Back),
    }
}

/// Not a test: what the machine does each time that it is switched on.
#[test]
fn as_the_box_that_loses_its_power() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    let this = TestBox::at(&disk.join("state"));
    let run = this.record().run.expect("a run");
    // The test's name stands on the line.
    println!("\nSEEN {} {}", run.serial, run.phase);
    this.assert_answers(this.serial().expect("one"), "switched on");
    println!("WORKING");
    resume(&this, "switched on");
    while let Some(deed) = next(&this) {
        let told = deed.perform(this.state(), &disk.join("farm"));
        told.unwrap_or_else(|error| panic!("{deed}: {error}"));
        let run = this.record().run.expect("a run");
        let ended = [Phase::Current, Phase::RolledBack].contains(&run.phase);
        assert!(ended, "{deed} ended as {}: {}", run.phase, run.why);
        this.assert_answers(this.serial().expect("one"), "done");
    }
    resume(&this, "the last start");
    sweep(&this, "the last start");
    println!("DONE");
}

/// An edition on its way, as the machine tells of it.
type Progress = (u64, Phase);

/// Whether `seen` may be on disk where `told` was the last that was told: it is that, or the one after it.
fn may_follow(told: Progress, seen: Progress) -> bool {
    let after: &[Phase] = match told.1 {
        Phase::Offered => &[Phase::Fetching, Phase::Rejected],
        Phase::Fetching => &[Phase::Verified, Phase::Rejected],
        Phase::Verified => &[Phase::Staged],
        Phase::Staged => &[Phase::Trial],
        Phase::Trial => &[Phase::Current],
        Phase::Current => &[Phase::RolledBack],
        Phase::Rejected => &[Phase::Offered],
        Phase::RolledBack => &[],
    };
    match seen.0 == told.0 {
        true => seen.1 == told.1 || after.contains(&seen.1),
        false => seen.0 == told.0 + 1 && told.1.is_over() && seen.1 == Phase::Offered,
    }
}

fn progress(line: &str) -> Progress {
    let (serial, phase) = line.split_once(' ').expect("serial and phase");
    let named = Phase::ALL.into_iter().find(|one| one.to_string() == phase);
    (
        serial.parse().expect("a serial"),
        named.expect("the name of a phase"),
    )
}

/// A disk that is served until it is dropped.
struct Disk {
    folder: tempfile::TempDir,
    server: Child,
}

impl Disk {
    /// With a box on edition 1 and a stick with the others.
    fn new(farm: &Farm, seed: usize) -> Disk {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let this = box_on(farm, 1);
        let content = folder.path().join("content");
        std::fs::create_dir(&content).expect("writable");
        run(Command::new("cp")
            .args(["-a", "--"])
            .args([this.state(), content.join("state").as_path()]));
        run(Command::new("cp")
            .args(["-a", "--"])
            .args([farm.folder(), content.join("farm").as_path()]));
        let image = folder.path().join("disk.img");
        run(Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "4096", "-d"])
            .args([&content, &image])
            .arg("192M")
            .stdout(Stdio::null()));
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/disk.py");
        let server = Command::new("nbdkit")
            .args(["--foreground", "--unix"])
            .arg(folder.path().join("socket"))
            .arg("python")
            .arg(plugin)
            .arg(format!("file={}", image.display()))
            .arg(format!("seed={seed}"))
            .spawn()
            .expect("nbdkit is installed");
        Disk { folder, server }
    }

    /// Unflushed sectors at the cuts so far, and those of them that were lost.
    fn lost(&self) -> (usize, usize) {
        let text = std::fs::read_to_string(self.folder.path().join("disk.img.cuts"));
        let text = text.unwrap_or_default();
        let numbers = text.lines().filter_map(|line| line.split_once(' '));
        numbers.fold((0, 0), |(unflushed, lost), (one, other)| {
            let number = |text: &str| text.parse::<usize>().expect("a number");
            (unflushed + number(one), lost + number(other))
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // One that ended by itself cannot be killed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("it is installed");
    assert!(status.success(), "{command:?}: {status}");
}

/// How a time of being switched on ended.
enum End {
    Cut,
    /// All deeds were done before the cut.
    Done(Pace),
    /// The box is not as it should be: why.
    Damaged(String),
}

/// When it told something, and when it was done, since it began.
struct Pace {
    told: Vec<Duration>,
    done: Duration,
}

/// When the power goes: so long after so many lines that it told. Lines, for a busy machine takes longer for each.
struct Cut {
    lines: usize,
    then: Duration,
}

impl Cut {
    const NEVER: Cut = Cut {
        lines: usize::MAX,
        then: Duration::ZERO,
    };

    /// At any moment of the first half of what went as `whole` where nothing cut it.
    fn within(whole: &Pace, dice: &mut Dice) -> Cut {
        let half = (whole.done.as_millis() as usize / 2).max(1);
        let moment = Duration::from_millis(dice.below(half) as u64);
        let lines = whole.told.partition_point(|told| *told <= moment);
        let last = lines
            .checked_sub(1)
            .map_or(Duration::ZERO, |last| whole.told[last]);
        Cut {
            lines,
            then: moment - last,
        }
    }
}

/// The machine, switched on.
struct On {
    machine: Child,
    lines: Receiver<String>,
}

impl On {
    fn switched(disk: &Disk, preload: &str) -> On {
        let parts = std::env::var_os(MACHINE).expect("`make soak-power` sets it");
        let part = |name: &str| Path::new(&parts).join(name);
        let socket = disk.folder.path().join("socket");
        while !socket.exists() {
            std::thread::yield_now();
        }
        let mut machine = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-cpu", "max", "-m", "768", "-no-reboot"])
            .args(["-nographic", "-nodefaults", "-serial", "stdio", "-kernel"])
            .arg(part("kernel"))
            .arg("-initrd")
            .arg(part("initramfs"))
            .arg("-append")
            .arg(format!("console=ttyS0 quiet panic=-1 {preload}"))
            .arg("-drive")
            .arg(format!(
                "file=nbd+unix:///?socket={},format=raw,if=virtio",
                socket.display()
            ))
            .arg("-drive")
            .arg(format!(
                "file={},format=raw,if=virtio,readonly=on",
                part("program.img").display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-x86_64 is installed");
        let out = BufReader::new(machine.stdout.take().expect("its console"));
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if say.send(line.trim().to_owned()).is_err() {
                    break;
                }
            }
        });
        On { machine, lines }
    }

    /// Lets it work until `cut`; `told` follows what it tells.
    fn work(mut self, cut: &Cut, told: &mut Option<Progress>, seen: &mut Seen) -> End {
        let mut begun = Instant::now();
        let mut deadline = begun + LONGEST;
        let mut times = Vec::new();
        let mut console = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return End::Damaged(format!("it ended: {console:#?}"));
                }
            };
            if let Some(now) = line.strip_prefix("SEEN ").map(progress) {
                *seen.entry(now.1).or_insert(0) += usize::from(told.is_some());
                if told.is_some_and(|told| !may_follow(told, now)) {
                    return End::Damaged(format!("{now:?} is on disk, {told:?} was told"));
                }
                *told = Some(now);
            } else if line == "WORKING" {
                begun = Instant::now();
            } else if line == "DONE" {
                let _ = self.machine.wait();
                return End::Done(Pace {
                    told: times,
                    done: begun.elapsed(),
                });
            } else if let Some(now) = line.strip_prefix("TOLD ").map(progress) {
                *told = Some(now);
                times.push(begun.elapsed());
            }
            if line == "WORKING" || line.starts_with("TOLD ") {
                deadline = match times.len().cmp(&cut.lines) {
                    Ordering::Less => Instant::now() + LONGEST,
                    Ordering::Equal => Instant::now() + cut.then,
                    Ordering::Greater => deadline,
                };
            }
            console.push(line);
        }
        if !console.iter().any(|line| line == "WORKING") {
            return End::Damaged(format!("it did not come up: {console:#?}"));
        }
        drop(self.machine.kill());
        let _ = self.machine.wait();
        // What was on the wire when the power went was told.
        for line in self.lines.iter() {
            if let Some(now) = line.strip_prefix("TOLD ").map(progress) {
                *told = Some(now);
            }
        }
        End::Cut
    }
}

impl Drop for On {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

/// How often each state was found on disk after a cut.
type Seen = BTreeMap<Phase, usize>;

/// What came of many cuts.
#[derive(Default)]
struct Sum {
    cuts: usize,
    boxes: usize,
    done: usize,
    seen: Seen,
    unflushed: usize,
    lost: usize,
    damaged: Vec<String>,
}

fn cut(cuts: usize, preload: &str) -> Sum {
    let farm = farm();
    let mut dice = Dice::new();
    let mut sum = Sum::default();
    let whole = {
        let disk = Disk::new(&farm, 0);
        match On::switched(&disk, "").work(&Cut::NEVER, &mut None, &mut Seen::new()) {
            End::Done(pace) => pace,
            End::Cut => panic!("it does not come to its end"),
            End::Damaged(why) => panic!("it does not work without a cut: {why}"),
        }
    };
    while sum.cuts < cuts {
        let disk = Disk::new(&farm, dice.below(1 << 20));
        let mut told = None;
        sum.boxes += 1;
        loop {
            let cut = Cut::within(&whole, &mut dice);
            match On::switched(&disk, preload).work(&cut, &mut told, &mut sum.seen) {
                End::Cut => sum.cuts += 1,
                End::Done(_) => {
                    sum.done += 1;
                    break;
                }
                End::Damaged(why) => {
                    sum.damaged.push(why);
                    break;
                }
            }
            if sum.cuts.is_multiple_of(10) {
                println!("{} of {cuts} cuts, {} boxes", sum.cuts, sum.boxes);
            }
        }
        let (unflushed, lost) = disk.lost();
        sum.unflushed += unflushed;
        sum.lost += lost;
    }
    sum
}

#[test]
#[ignore = "needs a virtual machine: `make soak-power`"]
fn a_box_whose_power_is_cut_keeps_one_whole_edition_and_all_that_it_told() {
    let sum = cut(CUTS, "");
    println!(
        "power: {} cuts on {} boxes, {} of which came to their last edition; found on disk: {}",
        sum.cuts,
        sum.boxes,
        sum.done,
        counted(&sum.seen)
    );
    println!(
        "power: {} sectors were not flushed at a cut, {} of them were lost; {} boxes damaged",
        sum.unflushed,
        sum.lost,
        sum.damaged.len()
    );
    assert!(sum.damaged.is_empty(), "{:#?}", sum.damaged);
    assert!(sum.lost > 0, "no cut hit a write: this shows nothing");
}

#[test]
#[ignore = "needs a virtual machine: `make soak-power`"]
fn without_its_syncs_a_box_forgets_what_it_told() {
    let sum = cut(CONTROL_CUTS, "almanac.preload=lib/libeatmydata.so");
    println!(
        "control, every sync left out: {} of {} boxes damaged in {} cuts",
        sum.damaged.len(),
        sum.boxes,
        sum.cuts
    );
    assert!(!sum.damaged.is_empty(), "these cuts would not show a fault");
}
