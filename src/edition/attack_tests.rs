//! What an attacker may try, one row each, with what the box says. After each the box answers on the
//! edition that it had, remembers nothing of the attempt, and takes a right edition.

use std::cell::Cell;
use std::os::unix::fs::symlink;

use super::blobs::{CHUNK, Source};
use super::build::read_offer;
use super::manifest::{FileEntry, Golden, KeyChanges, Manifest, Role};
use super::moment::Moment;
use super::offer::Offer;
use super::testing::{Farm, PLAN, Script, TestBox};
use super::{EditionError, Setting};
use crate::types::Digest;
use crate::types::Phase;

const NEXT: &str = "base = \"out/editions/1\"\nadapters = [\"b.safetensors\"]";

/// One attack: its name, the offer, and a part of what the box says.
type Row = (&'static str, Offer, &'static str);

fn refused(this: &TestBox, farm: &Farm, offer: &Offer, setting: &Setting) -> String {
    let mut contents = farm.contents();
    let done = this.with(&mut Script::default(), |driver| {
        driver.install(offer.clone(), &mut contents, setting)
    });
    match done {
        Err(error) => error.to_string(),
        Ok(_) => {
            let run = this.record().run.expect("a run");
            assert_eq!(run.phase, Phase::Rejected, "taken");
            run.why
        }
    }
}

fn assert_table(rows: Vec<Row>, farm: &Farm, setting: &Setting) {
    let first = read_offer(&farm.out().join("editions/1")).expect("built");
    let first = farm.signed(&first.manifest);
    let good = farm.offer(9, NEXT);
    for (name, offer, wanted) in rows {
        let this = TestBox::new();
        this.install(farm, &first).expect("a right edition");
        let before = this.record();
        let said = refused(&this, farm, &offer, setting);
        assert!(said.contains(wanted), "{name}: {said:?} lacks {wanted:?}");
        println!("| {name} | {} |", said.replace('\n', " "));
        this.assert_whole(name);
        assert_eq!(this.serial(), Some(1), "{name}");
        let after = this.record();
        assert_eq!(
            (after.highest, &after.keys),
            (before.highest, &before.keys),
            "{name}"
        );
        this.install(farm, &good)
            .unwrap_or_else(|error| panic!("after {name}: {error}"));
        assert_eq!(this.serial(), Some(9), "{name}");
    }
}

#[test]
fn no_manipulated_manifest_is_accepted() {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    let good = farm.offer(2, NEXT);
    let other = Farm::new();
    let stranger = other.signed(&good.manifest);
    let flipped = |at: usize| {
        let mut manifest = good.manifest.clone();
        manifest[at] ^= 1;
        Offer {
            manifest,
            ..good.clone()
        }
    };
    let unsigned = Offer {
        signature: Vec::new(),
        ..good.clone()
    };
    let swapped = Offer {
        signature: first.signature.clone(),
        ..good.clone()
    };
    let mut huge = good.clone();
    huge.manifest.resize(100 * 1024 * 1024, b'#');
    let deep = format!("format = 1\nx = {}", "[".repeat(100_000));
    let change = |change: &dyn Fn(&mut Manifest)| farm.changed(&good, |manifest| change(manifest));
    let path = |path: &str| {
        let path = path.to_owned();
        farm.changed(&good, move |manifest| {
            let documents = |file: &&mut FileEntry| file.role == Role::Document;
            let file = manifest.files.iter_mut().find(documents);
            file.expect("a document").path = path.into();
        })
    };
    let rows = vec![
        ("unsigned", unsigned, "must be signed"),
        ("signed by a stranger", stranger, "does not trust"),
        (
            "signature of another edition",
            swapped,
            "does not fit the manifest",
        ),
        (
            "first byte flipped",
            flipped(0),
            "does not fit the manifest",
        ),
        (
            "last byte flipped",
            flipped(good.manifest.len() - 1),
            "does not fit",
        ),
        ("manifest of 100 MB", huge, "at most 4194304 are read"),
        (
            "manifest is no text",
            farm.signed(&[0xff, 0xfe]),
            "is no text",
        ),
        (
            "manifest nested 100,000 deep",
            farm.signed(deep.as_bytes()),
            "recursion",
        ),
        (
            "unknown key",
            farm.signed(b"format = 1\nrun = \"sh\""),
            "unknown field `run`",
        ),
        (
            "wrong product",
            change(&|m| m.product = "toaster".into()),
            "expected \"almanac\"",
        ),
        (
            "format of the future",
            change(&|m| m.format = 2),
            "install a newer almanac",
        ),
        (
            "newer almanac needed",
            change(&|m| m.min_version = Some("9.0.0".into())),
            "needs almanac 9.0.0",
        ),
        (
            "another processor",
            change(&|m| m.hardware.architectures = vec!["m68k".into()]),
            "it is for m68k",
        ),
        (
            "more memory needed",
            change(&|m| m.hardware.memory_mib = Some(1 << 20)),
            "this machine has 4096",
        ),
        (
            "serial of the current edition",
            change(&|m| m.serial = 1),
            "is current already",
        ),
        (
            "serial of the box's own edition",
            change(&|m| m.serial = 0),
            "serial 0",
        ),
        (
            "path upwards",
            path("documents/../../../etc/passwd"),
            "leaves its folder",
        ),
        ("absolute path", path("/etc/passwd"), "leaves its folder"),
        ("empty path", path(""), "leaves its folder"),
        (
            "path into another role",
            path("models/small/model.onnx"),
            "not one of the role document",
        ),
        (
            "path into the index",
            path("index/db"),
            "not one of the role document",
        ),
        (
            "path with a second spelling",
            path("documents//iowa/soy.md"),
            "is not plain",
        ),
        (
            "path with control characters",
            path("documents/a\u{1b}[2J.md"),
            "control characters",
        ),
        (
            "path under another file",
            path("documents/iowa/soy.md/x"),
            "lies in another file",
        ),
        (
            "path of 1,000 bytes",
            path(&format!("documents/{}", "a".repeat(1_000))),
            "too long",
        ),
        (
            "one path twice",
            path("documents/iowa/soy.md"),
            "named twice",
        ),
        (
            "no golden question",
            change(&|m| m.golden.clear()),
            "no golden question",
        ),
        (
            "golden question to be refused in the model's words",
            change(&|m| {
                m.golden.push(Golden {
                    question: "How deep?".into(),
                    refuse: true,
                    drafted: true,
                    ..Golden::default()
                });
            }),
            "is to be refused and answered",
        ),
        (
            "no language model",
            change(&|m| m.files.retain(|f| f.role != Role::Decoder)),
            "no language model",
        ),
        (
            "threshold that is no number",
            change(&|m| m.thresholds.refuse_below = Some(f32::NAN)),
            "expected 0 to 1",
        ),
        (
            "every key retired",
            change(&|m| m.keys.retire = vec![farm.key.to_string()]),
            "retires every trusted key",
        ),
        (
            "key that is none",
            change(&|m| m.keys.add = vec!["RWx".into()]),
            "no minisign public key",
        ),
        (
            "not to be used yet",
            change(&|m| m.not_before = Some(Moment(1_900_000_000))),
            "not to be used before 2030",
        ),
        (
            "a native library",
            change(&|m| m.files[0].role = Role::Runtime),
            "belongs to the box's own installation",
        ),
        (
            "adapter of another language model",
            change(&|m| {
                let adapter = m.files.iter_mut().find(|f| f.role == Role::Adapter);
                adapter.expect("one").base = Some(Digest::of(b"other"));
            }),
            "fits the language model",
        ),
        (
            "more than the disk holds",
            change(&|m| {
                for number in 0..100_000_u64 / 1_000 {
                    m.files.push(FileEntry {
                        role: Role::Document,
                        path: format!("documents/{number}.md").into(),
                        length: 16 << 30,
                        sha256: Digest::of(&number.to_le_bytes()),
                        base: None,
                    });
                }
            }),
            "MiB free",
        ),
        (
            "one content with two lengths",
            change(&|m| {
                let mut copy = m.files[0].clone();
                copy.role = Role::Document;
                copy.path = "documents/copy.md".into();
                copy.length += 1;
                m.files.push(copy);
            }),
            "two lengths",
        ),
        (
            "a million golden words",
            change(&|m| {
                m.golden.push(Golden {
                    question: "why ".repeat(250_000),
                    ..Golden::default()
                });
            }),
            "at most 2000",
        ),
    ];
    assert!(rows.len() >= 20);
    assert_table(rows, &farm, &farm.setting());
}

#[test]
fn no_flipped_byte_of_the_manifest_is_accepted() {
    let farm = Farm::new();
    farm.offer(1, PLAN);
    let good = farm.offer(2, NEXT);
    let this = TestBox::new();
    for at in 0..good.manifest.len() {
        let mut offer = good.clone();
        offer.manifest[at] ^= 1 << (at % 8);
        let said = refused(&this, &farm, &offer, &farm.setting());
        assert!(said.contains("does not fit"), "byte {at}: {said}");
    }
    assert_eq!(this.serial(), Some(0));
}

#[test]
fn an_older_edition_does_not_come_back() {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    let second = farm.offer(2, NEXT);
    let this = TestBox::new();
    this.install(&farm, &second).expect("a right edition");
    let said = refused(&this, &farm, &first, &farm.setting());
    assert!(said.contains("serial 1 is not above 2"), "{said}");
    this.assert_whole("replay");
    assert_eq!(this.serial(), Some(2));
}

#[test]
fn a_key_is_rotated_and_the_old_one_is_worth_nothing_from_then_on() {
    let (old, new) = (Farm::new(), Farm::new());
    let first = old.offer(1, PLAN);
    let rotation = KeyChanges {
        add: vec![new.key.to_string()],
        retire: vec![old.key.to_string()],
    };
    let second = old.offer(2, NEXT);
    let second = old.changed(&second, |manifest| manifest.keys = rotation);
    let third = old.offer(3, "base = \"out/editions/2\"");
    let this = TestBox::new();
    this.install(&old, &first).expect("a right edition");
    // Not trusted before its time.
    let said = refused(&this, &old, &new.signed(&third.manifest), &old.setting());
    assert!(said.contains("does not trust"), "{said}");
    this.install(&old, &second)
        .expect("the old key's last word");
    // The configuration of this box still names the old key.
    let said = refused(&this, &old, &third, &old.setting());
    assert!(said.contains("does not trust"), "{said}");
    this.install(&old, &new.signed(&third.manifest))
        .expect("the new key");
    assert_eq!(this.serial(), Some(3));
}

#[test]
fn an_expired_edition_is_taken_with_a_warning_whatever_the_clock_says() {
    let farm = Farm::new();
    let offer = farm.offer(1, PLAN);
    let end = Moment(1_700_000_000);
    let expired = farm.changed(&offer, |manifest| manifest.expires = Some(end));
    let install = |this: &TestBox, now: Option<Moment>| {
        let mut contents = farm.contents();
        let setting = Setting {
            now,
            ..farm.setting()
        };
        this.with(&mut Script::default(), |driver| {
            driver.install(expired.clone(), &mut contents, &setting)
        })
        .expect("stale, not refused")
        .stale
    };
    assert!(install(&TestBox::new(), Some(Moment(1_800_000_000))));
    assert!(!install(&TestBox::new(), Some(Moment(1_600_000_000))));
    // Without a clock the box knows no better.
    assert!(!install(&TestBox::new(), None));
    // With the time of its last healthy start it does, though its clock has been lost since.
    let this = TestBox::new();
    let seen = Some(Moment(1_750_000_000));
    this.with(&mut Script::default(), |driver| driver.healthy(seen))
        .expect("written");
    assert!(install(&this, None));
    assert_eq!(this.serial(), Some(1));
}

#[test]
fn a_box_without_a_clock_takes_an_edition_of_the_future_and_learns_the_time_from_it() {
    let farm = Farm::new();
    let offer = farm.offer(1, PLAN);
    let from = Moment(1_900_000_000);
    let offer = farm.changed(&offer, |manifest| manifest.not_before = Some(from));
    let this = TestBox::new();
    let mut contents = farm.contents();
    let setting = Setting {
        now: None,
        ..farm.setting()
    };
    this.with(&mut Script::default(), |driver| {
        driver.install(offer, &mut contents, &setting)
    })
    .expect("signatures do not depend on clocks");
    assert_eq!(this.record().newest_time, from);
}

/// A source that gives what `give` makes of a content's offset.
struct Liar<'a> {
    give: &'a dyn Fn(u64, &mut [u8]) -> usize,
    asked: Cell<u64>,
}

impl Source for Liar<'_> {
    fn read(
        &mut self,
        _content: &Digest,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, EditionError> {
        let read = (self.give)(offset, buffer);
        self.asked.set(self.asked.get() + read as u64);
        Ok(read)
    }
}

#[test]
fn no_wrong_contents_are_accepted_and_no_more_than_promised_is_read() {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    let long: String = (0..3 * CHUNK / 8)
        .map(|line| format!("{line:07}\n"))
        .collect();
    farm.write("corpus/long.md", &long);
    let offer = farm.offer(2, "base = \"out/editions/1\"\ndocuments = [\"corpus\"]");
    let text = long.as_bytes();
    let honest = |offset: u64, buffer: &mut [u8]| {
        let from = &text[(offset as usize).min(text.len())..];
        let read = from.len().min(buffer.len());
        buffer[..read].copy_from_slice(&from[..read]);
        read
    };
    let flipped = |offset: u64, buffer: &mut [u8]| {
        let read = honest(offset, buffer);
        if offset == 0 {
            buffer[77] ^= 1;
        }
        read
    };
    let replayed = |_: u64, buffer: &mut [u8]| honest(0, buffer);
    let endless = |_: u64, buffer: &mut [u8]| {
        buffer.fill(b'x');
        buffer.len()
    };
    let short = |offset: u64, buffer: &mut [u8]| match offset {
        0 => honest(0, &mut buffer[..1000]),
        _ => 0,
    };
    let of_another = |offset: u64, buffer: &mut [u8]| {
        let read = honest(offset, buffer);
        buffer[..read].reverse();
        read
    };
    type Give<'a> = &'a dyn Fn(u64, &mut [u8]) -> usize;
    let rows: [(&str, Give<'_>, &str); 5] = [
        (
            "one bit of a content flipped",
            &flipped,
            "the content is another one",
        ),
        (
            "first chunk replayed for all",
            &replayed,
            "the content is another one",
        ),
        ("endless data", &endless, "the content is another one"),
        (
            "a length that lies",
            &short,
            "the source ends after 1000 bytes",
        ),
        (
            "a content of another edition",
            &of_another,
            "the content is another one",
        ),
    ];
    for (name, give, wanted) in rows {
        let this = TestBox::new();
        this.install(&farm, &first).expect("a right edition");
        let mut source = Liar {
            give,
            asked: Cell::new(0),
        };
        this.with(&mut Script::default(), |driver| {
            driver.install(offer.clone(), &mut source, &farm.setting())
        })
        .expect("accepted, then given up");
        let run = this.record().run.expect("a run");
        assert_eq!(run.phase, Phase::Rejected, "{name}");
        assert!(run.why.contains(wanted), "{name}: {}", run.why);
        println!("| {name} | {} |", run.why);
        assert!(source.asked.get() <= text.len() as u64, "{name}");
        this.assert_whole(name);
        assert_eq!(this.serial(), Some(1), "{name}");
        this.install(&farm, &offer).expect("from an honest source");
        this.assert_whole("honest");
    }
}

#[test]
fn files_swapped_between_two_valid_editions_are_found() {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    let second = farm.offer(2, NEXT);
    let this = TestBox::new();
    this.install(&farm, &first).expect("a right edition");
    // On the stick, the old adapter lies under the new one's name: both are of the same length.
    let contents = farm.contents();
    let (old, new) = (Digest::of(b"adapter a"), Digest::of(b"adapter b"));
    std::fs::copy(contents.path(&old), contents.path(&new)).expect("writable");
    let said = refused(&this, &farm, &second, &farm.setting());
    assert!(said.contains("the content is another one"), "{said}");
    this.assert_whole("swapped");
    assert_eq!(this.serial(), Some(1));
}

#[test]
fn links_and_pipes_on_the_stick_are_not_followed() {
    let farm = Farm::new();
    let offer = farm.offer(1, PLAN);
    let this = TestBox::new();
    let secret = farm.path("secret");
    std::fs::write(&secret, b"adapter a").expect("writable");
    let content = farm.contents().path(&Digest::of(b"adapter a"));
    std::fs::remove_file(&content).expect("removable");
    symlink(&secret, &content).expect("linkable");
    let said = refused(&this, &farm, &offer, &farm.setting());
    assert!(said.contains("is no regular file"), "{said}");
    assert_eq!(this.serial(), Some(0));
    let folder = farm.out().join("editions/1");
    let manifest = folder.join("edition.toml");
    std::fs::remove_file(&manifest).expect("removable");
    symlink("/dev/zero", &manifest).expect("linkable");
    let error = read_offer(&folder).expect_err("a link");
    assert!(error.to_string().contains("is no regular file"), "{error}");
    std::fs::remove_file(&manifest).expect("removable");
    let made = std::process::Command::new("mkfifo").arg(&manifest).status();
    assert!(made.expect("mkfifo runs").success());
    let error = read_offer(&folder).expect_err("a pipe, and no waiting for it");
    assert!(error.to_string().contains("is no regular file"), "{error}");
}

#[test]
fn a_content_that_rots_on_the_box_is_found_before_the_trial() {
    let farm = Farm::new();
    let first = farm.offer(1, PLAN);
    let second = farm.offer(2, NEXT);
    let this = TestBox::new();
    this.install(&farm, &first).expect("a right edition");
    // Same name, same length, another byte: only reading it finds that.
    let rotten = this
        .state()
        .join("blobs/sha256")
        .join(Digest::of(b"words").to_string());
    std::fs::remove_file(&rotten).expect("removable");
    std::fs::write(&rotten, b"w0rds").expect("writable");
    let said = refused(&this, &farm, &second, &farm.setting());
    assert!(said.contains("the content is another one"), "{said}");
    this.assert_whole("rot");
    this.install(&farm, &second).expect("fetched anew");
    this.assert_whole("mended");
}

#[test]
fn two_thousand_mangled_manifests_are_errors_or_whole_and_never_a_panic() {
    let farm = Farm::new();
    let good = farm.offer(1, PLAN).manifest;
    let mut seed = 3_usize;
    let mut random = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let pieces: [&[u8]; 8] = [
        b"[[file]]\n",
        b"\"",
        b"= -9223372036854775809\n",
        b"nan",
        b"\xff\xfe",
        b"[keys]\n",
        b"../",
        b"\n",
    ];
    let mut whole = 0;
    for _ in 0..2_000 {
        let mut mangled = good.clone();
        for _ in 0..=random(3) {
            let at = random(mangled.len());
            match random(3) {
                0 => mangled[at] = (random(256)) as u8,
                1 => mangled.truncate(at.max(1)),
                _ => {
                    let piece = pieces[random(pieces.len())];
                    mangled.splice(at..at, piece.iter().copied());
                }
            }
        }
        let parsed = Manifest::parse(&mangled);
        whole += usize::from(parsed.is_ok_and(|manifest| manifest.check_complete().is_ok()));
    }
    assert!(whole < 2_000);
}
