//! A box that fetches: what it asks, what it takes, what it does not believe, and where it goes on after a cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::EditionError;
use super::super::blobs::Blobs;
use super::fetch::{CREDIT, Fetch, Missing, PATIENCE, TRIES, WRONG};
use super::parts::Parts;
use super::serve::Serving;
use super::wire::{Chunk, Lie, PIECE, Want};
use crate::durable::faults;
use crate::types::Digest;

const PIECE_BYTES: u64 = PIECE as u64;

/// Contents by digest, as a pusher has them.
struct Depot(BTreeMap<Digest, Vec<u8>>);

impl Depot {
    fn new(lengths: &[usize]) -> Depot {
        let content = |(seed, length): (usize, &usize)| {
            let byte = |at: usize| (at * 31 + at / 251 + seed * 7 + 1) as u8;
            let bytes: Vec<u8> = (0..*length).map(byte).collect();
            (Digest::of(&bytes), bytes)
        };
        Depot(lengths.iter().enumerate().map(content).collect())
    }

    fn lengths(&self) -> BTreeMap<Digest, u64> {
        let lengths = self.0.iter();
        lengths
            .map(|(file, bytes)| (*file, bytes.len() as u64))
            .collect()
    }

    fn only(&self) -> Digest {
        *self.0.keys().next().expect("a content")
    }

    fn chunk(&self, file: &Digest, offset: u64) -> Vec<u8> {
        let bytes = &self.0[file];
        let from = usize::try_from(offset).expect("small");
        let data = &bytes[from..bytes.len().min(from + PIECE)];
        let file = *file;
        Chunk { file, offset, data }.encode()
    }

    fn serving(&self) -> Serving {
        Serving::new(5, "p", self.lengths())
    }
}

fn open(state: &tempfile::TempDir, depot: &Depot) -> Parts {
    let blobs = Blobs::new(state.path());
    let mut missing = depot.lengths();
    missing.retain(|file, length| !blobs.has(file, *length));
    Parts::open(state.path(), (5, "p"), &missing).expect("a usable folder")
}

/// Serves `parts` until they are whole, or `most` chunks were sent; how many were.
fn serve(depot: &Depot, parts: &mut Parts, now: Instant, most: usize) -> usize {
    let mut serving = depot.serving();
    let mut sent = 0;
    while !parts.fetch().is_done() {
        for want in parts.fetch().ask(now) {
            serving.want("b1", &want).expect("a right want");
        }
        let Some(piece) = serving.next_piece() else {
            panic!("the box wants nothing and is not done: {parts:?}");
        };
        if sent == most {
            return sent;
        }
        sent += 1;
        let bytes = depot.chunk(&piece.file, piece.offset);
        let received = parts.receive(&bytes, now).expect("a usable disk");
        received.expect("a right chunk");
    }
    sent
}

fn assert_whole(state: &tempfile::TempDir, depot: &Depot) {
    let blobs = Blobs::new(state.path());
    for (file, length) in depot.lengths() {
        blobs.verify(&file, length).expect("whole");
    }
}

/// A lie: its name, its bytes, and whether it was told apart.
type Row = (&'static str, Vec<u8>, fn(&Lie) -> bool);

fn state() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn every_file_comes_whole_each_byte_once_and_never_more_than_the_credit_under_way() {
    let depot = Depot::new(&[0, 1, 5 * PIECE, 12 * PIECE + 9, PIECE, 300, 301]);
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    let sent = serve(&depot, &mut parts, now, usize::MAX);
    assert_eq!(sent, 1 + 5 + 13 + 1 + 1 + 1);
    assert_whole(&state, &depot);
    assert_eq!(parts.fetch().due(), None);
    assert!(parts.fetch().ask(now).is_empty());
}

#[test]
fn no_more_is_asked_for_than_the_credit_until_half_of_it_came() {
    let depot = Depot::new(&[40 * PIECE]);
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    let credit = |wants: &[Want]| wants.iter().map(|want| u64::from(want.credit)).sum::<u64>();
    let file = depot.only();
    assert_eq!(credit(&parts.fetch().ask(now)), CREDIT);
    for piece in 0..CREDIT / 2 {
        assert!(parts.fetch().ask(now).is_empty(), "{piece}");
        let chunk = depot.chunk(&file, piece * PIECE_BYTES);
        parts.receive(&chunk, now).expect("a disk").expect("right");
    }
    let wants = parts.fetch().ask(now);
    assert_eq!(credit(&wants), CREDIT / 2);
    assert_eq!(wants[0].offset, CREDIT * PIECE_BYTES);
}

#[test]
fn a_chunk_that_lies_changes_nothing() {
    let depot = Depot::new(&[20 * PIECE + 5]);
    let file = depot.only();
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    // Before anything was asked for.
    let early = parts.receive(&depot.chunk(&file, 0), now).expect("a disk");
    assert!(matches!(early, Err(Lie::NotNext { .. })), "{early:?}");
    parts.fetch().ask(now);
    let first = depot.chunk(&file, 0);
    parts.receive(&first, now).expect("a disk").expect("right");
    let data = &depot.0[&file];
    let encoded = |file: Digest, offset: u64, data: &[u8]| Chunk { file, offset, data }.encode();
    let mut flipped = depot.chunk(&file, PIECE_BYTES);
    *flipped.last_mut().expect("data") ^= 1;
    let foreign = Digest::of(b"foreign");
    let piece = &data[PIECE..2 * PIECE];
    let rows: Vec<Row> = vec![
        ("replayed", first, |lie| matches!(lie, Lie::Replayed { .. })),
        ("unknown file", encoded(foreign, 0, piece), |lie| {
            matches!(lie, Lie::UnknownFile(_))
        }),
        ("one byte flipped", flipped, |lie| {
            matches!(lie, Lie::Damaged { .. })
        }),
        (
            "a piece left out",
            depot.chunk(&file, 2 * PIECE_BYTES),
            |lie| matches!(lie, Lie::NotNext { .. }),
        ),
        (
            "half a piece",
            encoded(file, PIECE_BYTES, &piece[..PIECE / 2]),
            |lie| matches!(lie, Lie::WrongLength { .. }),
        ),
        ("no data", encoded(file, PIECE_BYTES, &[]), |lie| {
            matches!(lie, Lie::WrongLength { .. })
        }),
        (
            "more than a piece",
            encoded(file, PIECE_BYTES, &data[PIECE..2 * PIECE + 1]),
            |lie| matches!(lie, Lie::TooLong { .. }),
        ),
        (
            "past the end",
            encoded(file, 21 * PIECE_BYTES, piece),
            |lie| matches!(lie, Lie::OutOfRange { .. }),
        ),
        (
            "the last offset there is",
            encoded(file, u64::MAX, piece),
            |lie| matches!(lie, Lie::OutOfRange { .. }),
        ),
        (
            "between pieces",
            encoded(file, PIECE_BYTES + 1, piece),
            |lie| matches!(lie, Lie::NotNext { .. }),
        ),
        ("a header alone", vec![0; 71], |lie| {
            matches!(lie, Lie::TooShort { .. })
        }),
        ("nothing", Vec::new(), |lie| {
            matches!(lie, Lie::TooShort { .. })
        }),
    ];
    let before = parts.fetch().bytes();
    for (name, bytes, is_right) in rows {
        let lie = parts.receive(&bytes, now).expect("a disk");
        let lie = lie.expect_err(name);
        println!("| {name} | {lie} |");
        assert!(is_right(&lie), "{name}: {lie:?}");
        assert_eq!(parts.fetch().bytes(), before, "{name}");
    }
    serve(&depot, &mut parts, now + PATIENCE, usize::MAX);
    assert_whole(&state, &depot);
}

#[test]
fn endless_data_ends_where_the_asked_for_does() {
    let depot = Depot::new(&[40 * PIECE]);
    let file = depot.only();
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    parts.fetch().ask(now);
    let taken = (0..40).filter(|piece| {
        let chunk = depot.chunk(&file, piece * PIECE_BYTES);
        parts.receive(&chunk, now).expect("a disk").is_ok()
    });
    assert_eq!(taken.count() as u64, CREDIT);
}

#[test]
fn a_fetch_that_is_cut_goes_on_at_the_last_whole_piece() {
    let depot = Depot::new(&[7 * PIECE + 3, 4 * PIECE]);
    let (state, now) = (state(), Instant::now());
    let total: u64 = depot.lengths().values().sum();
    let mut sent = 0;
    for cut in [1, 2, 3, 2, 1] {
        let mut parts = open(&state, &depot);
        sent += serve(&depot, &mut parts, now, cut);
        // Half of the next piece was on its way to the disk.
        let folder = state.path().join("blobs/sha256");
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path
                .extension()
                .is_some_and(|extension| extension == "part")
            {
                let mut bytes = std::fs::read(&path).expect("readable");
                bytes.extend([0; 1000]);
                std::fs::write(&path, bytes).expect("writable");
            }
        }
    }
    let mut parts = open(&state, &depot);
    assert!(parts.fetch().resumed() > 0);
    sent += serve(&depot, &mut parts, now, usize::MAX);
    assert_eq!(sent, 8 + 4, "no piece was sent twice");
    assert_eq!(total, depot.lengths().values().sum::<u64>());
    assert_whole(&state, &depot);
}

#[test]
fn a_cut_at_any_durable_step_leaves_what_the_next_fetch_makes_whole() {
    let depot = Depot::new(&[2 * PIECE + 3, 5]);
    let now = Instant::now();
    for step in 0.. {
        let state = state();
        faults::begin(Some((step, faults::Fault::Cut)));
        fetch_until_cut(&state, &depot, now);
        let steps = faults::end();
        let mut parts = open(&state, &depot);
        serve(&depot, &mut parts, now, usize::MAX);
        assert_whole(&state, &depot);
        if steps.len() <= step {
            assert!(step > 8, "{steps:?}");
            return;
        }
    }
}

fn fetch_until_cut(state: &tempfile::TempDir, depot: &Depot, now: Instant) {
    let Ok(mut parts) = Parts::open(state.path(), (5, "p"), &depot.lengths()) else {
        return;
    };
    let mut serving = depot.serving();
    for want in parts.fetch().ask(now) {
        serving.want("b1", &want).expect("a right want");
    }
    while let Some(piece) = serving.next_piece() {
        let chunk = depot.chunk(&piece.file, piece.offset);
        if parts.receive(&chunk, now).is_err() {
            return;
        }
    }
}

#[test]
fn a_file_whose_last_piece_came_just_before_the_cut_is_not_fetched_again() {
    let depot = Depot::new(&[3 * PIECE]);
    let (state, now) = (state(), Instant::now());
    let file = depot.only();
    let blobs = Blobs::new(state.path());
    for piece in 0..3 {
        let from = piece * PIECE;
        let data = &depot.0[&file][from..from + PIECE];
        blobs.extend(&file, from as u64, data).expect("writable");
    }
    let mut parts = open(&state, &depot);
    assert_eq!(serve(&depot, &mut parts, now, usize::MAX), 0);
    assert_whole(&state, &depot);
}

#[test]
fn what_is_lost_is_asked_for_again_later_and_later_and_not_for_ever() {
    let depot = Depot::new(&[3 * PIECE]);
    let (state, mut now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    let first = parts.fetch().ask(now);
    let mut pauses = Vec::new();
    for try_ in 0..TRIES {
        let due = parts.fetch().due().expect("it waits");
        assert!(parts.fetch().ask(due - Duration::from_millis(1)).is_empty());
        pauses.push(due - now);
        now = due;
        assert_eq!(parts.fetch().ask(now), first, "try {try_}");
    }
    assert!(pauses.is_sorted());
    assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(3_600));
    now = parts.fetch().due().expect("a last time");
    assert!(parts.fetch().ask(now).is_empty());
    assert!(parts.fetch().is_stalled());
    assert_eq!(parts.fetch().due(), None);
    // The offer comes again.
    parts.fetch().renew();
    serve(&depot, &mut parts, now, usize::MAX);
    assert_whole(&state, &depot);
}

#[test]
fn a_useful_chunk_resets_the_tries() {
    let depot = Depot::new(&[3 * PIECE]);
    let file = depot.only();
    let (state, mut now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    parts.fetch().ask(now);
    for piece in 0..2 {
        for _ in 0..TRIES {
            now = parts.fetch().due().expect("it waits");
            assert_eq!(parts.fetch().ask(now)[0].offset, piece * PIECE_BYTES);
        }
        let chunk = depot.chunk(&file, piece * PIECE_BYTES);
        parts.receive(&chunk, now).expect("a disk").expect("right");
    }
    assert!(!parts.fetch().is_stalled());
}

#[test]
fn a_file_that_comes_out_wrong_is_fetched_anew_and_given_up_in_the_end() {
    let depot = Depot::new(&[2 * PIECE]);
    let file = depot.only();
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    for round in 1..=WRONG {
        parts.fetch().ask(now);
        let first = depot.chunk(&file, 0);
        parts.receive(&first, now).expect("a disk").expect("right");
        // A right digest of the wrong data: only the whole tells.
        let data = vec![round; PIECE];
        let chunk = Chunk {
            file,
            offset: PIECE_BYTES,
            data: &data,
        };
        let received = parts.receive(&chunk.encode(), now);
        match received {
            Ok(taken) if round < WRONG => {
                taken.expect("it cannot be told yet");
                assert_eq!(parts.fetch().bytes().0, 0);
            }
            Err(EditionError::Refused(why)) if round == WRONG => {
                assert!(why.contains("another one"), "{why}");
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert!(!Blobs::new(state.path()).path(&file).exists());
}

#[test]
fn a_part_that_something_else_changed_is_noticed() {
    let depot = Depot::new(&[3 * PIECE]);
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    serve(&depot, &mut parts, now, 1);
    let blobs = Blobs::new(state.path());
    blobs.keep_only(&[].into()).expect("sweepable");
    let chunk = depot.chunk(&depot.only(), PIECE_BYTES);
    let error = parts.receive(&chunk, now).expect_err("it is gone");
    assert!(error.to_string().contains("something else"), "{error}");
}

#[test]
fn a_disk_that_fills_is_an_error_and_nothing_is_taken_for_whole() {
    let depot = Depot::new(&[2 * PIECE]);
    let (state, now) = (state(), Instant::now());
    let mut parts = open(&state, &depot);
    parts.fetch().ask(now);
    let chunk = depot.chunk(&depot.only(), 0);
    faults::begin(Some((3, faults::Fault::Full)));
    let received = parts.receive(&chunk, now);
    faults::end();
    let error = received.expect_err("the disk is full");
    assert!(matches!(error, EditionError::Io(_)), "{error}");
    let mut parts = open(&state, &depot);
    assert_eq!(parts.fetch().bytes().0, 0, "half a piece is no piece");
    serve(&depot, &mut parts, now, usize::MAX);
    assert_whole(&state, &depot);
}

#[test]
fn whatever_is_lost_repeated_or_made_up_on_the_way_the_files_come_whole() {
    let depot = Depot::new(&[9 * PIECE + 77, 3 * PIECE, 12]);
    for seed in 1..40_u64 {
        let (state, mut now) = (state(), Instant::now());
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut dice = move |faces: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % faces
        };
        let mut serving = depot.serving();
        let mut parts = open(&state, &depot);
        let mut on_the_way: Vec<Vec<u8>> = Vec::new();
        for _ in 0..4_000 {
            if parts.fetch().is_done() {
                break;
            }
            for want in parts.fetch().ask(now) {
                // Wants are lost as well.
                if dice(5) != 0 {
                    serving.want("b1", &want).expect("a right want");
                }
            }
            if let Some(piece) = serving.next_piece() {
                on_the_way.push(depot.chunk(&piece.file, piece.offset));
            } else if on_the_way.is_empty() {
                now = parts.fetch().due().unwrap_or(now);
                if parts.fetch().is_stalled() {
                    parts.fetch().renew();
                }
            }
            if on_the_way.is_empty() {
                continue;
            }
            let which = dice(on_the_way.len() as u64) as usize;
            match dice(8) {
                0 => drop(on_the_way.remove(which)),
                1 => {
                    let mut bytes = on_the_way[which].clone();
                    let at = dice(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << dice(8);
                    let lie = parts.receive(&bytes, now).expect("a disk");
                    assert!(lie.is_err(), "seed {seed}: byte {at}");
                }
                2 => drop(parts.receive(&on_the_way[which], now).expect("a disk")),
                3 => parts = open(&state, &depot),
                _ => {
                    let bytes = on_the_way.remove(0);
                    drop(parts.receive(&bytes, now).expect("a disk"));
                }
            }
        }
        assert!(parts.fetch().is_done(), "seed {seed}: {parts:?}");
        assert_whole(&state, &depot);
    }
}

#[test]
fn the_figures_count_what_was_here_before() {
    let file = Digest::of(b"x");
    let missing = [Missing {
        file,
        length: 3 * PIECE_BYTES,
        have: PIECE_BYTES,
    }];
    let mut fetch = Fetch::new(1, "", &missing);
    assert_eq!(fetch.bytes(), (PIECE_BYTES, 3 * PIECE_BYTES));
    assert_eq!(fetch.resumed(), PIECE_BYTES);
    let wants = fetch.ask(Instant::now());
    assert_eq!(
        (wants[0].offset, wants[0].length),
        (PIECE_BYTES, 2 * PIECE_BYTES)
    );
}
