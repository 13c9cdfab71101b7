//! How a box fetches and a pusher serves: whole sequences of what may happen, against a plain model of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use almanac::edition::Blobs;
use almanac::edition::push::{CREDIT, Chunk, Fetch, Missing, PIECE, Parts, Serving, Taken, Want};
use almanac::types::Digest;
use arbitrary::{Arbitrary, Unstructured};

use crate::{Target, scratch};

pub const TARGETS: &[Target] = &[
    Target {
        longest: 1024,
        ..Target::new("fetch", fetch, nothing)
    },
    Target {
        longest: 1024,
        ..Target::new("serve", serve, nothing)
    },
    Target {
        longest: 4 * 1024,
        ..Target::new("chunks", chunks, nothing)
    },
];

/// Sequences are made of any bytes: nothing to begin with but a few lengths of them.
fn nothing() -> Vec<Vec<u8>> {
    let bytes = |length: u32| (0..length).map(|at| (at * 37 % 251) as u8).collect();
    [16, 64, 256, 1000].map(bytes).into()
}

/// What chunks are made of.
static ROOM: [u8; PIECE + 1] = [0; PIECE + 1];

fn file(number: usize) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// What happens next; nothing once the bytes are used up, which `arbitrary` would go on from with zeros.
fn next<'a, T: Arbitrary<'a>>(bytes: &mut Unstructured<'a>) -> Option<T> {
    (!bytes.is_empty()).then(|| T::arbitrary(bytes).ok())?
}

#[derive(Debug, Arbitrary)]
struct Files {
    /// Pieces, bytes of a last short one, pieces that are here.
    files: [(u8, u16, u8); 4],
}

impl Files {
    fn missing(&self) -> Vec<Missing> {
        let files = self.files.iter().enumerate();
        files
            .map(|(number, &(pieces, rest, have))| {
                let length = u64::from(pieces) * PIECE as u64 + u64::from(rest);
                let length = length.max(1);
                let whole = (length - 1) / PIECE as u64;
                Missing {
                    file: file(number),
                    length,
                    have: u64::from(have) % (whole + 1) * PIECE as u64,
                }
            })
            .collect()
    }
}

#[derive(Debug, Arbitrary)]
enum Event {
    Ask,
    Wait(u16),
    /// A chunk of the file: at what comes next or at any other place, as long as it should be or not.
    Chunk(u8, Option<u64>, Option<u32>),
    Renew,
    Follow,
}

/// What is known of a file beside the fetch.
#[derive(Clone, Debug)]
struct Known {
    length: u64,
    have: u64,
    asked: u64,
    wrong: u32,
    whole: bool,
}

fn fetch(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(files) = Files::arbitrary(&mut bytes) else {
        return;
    };
    let missing = files.missing();
    let mut known: Vec<Known> = missing
        .iter()
        .map(|missing| Known {
            length: missing.length,
            have: missing.have,
            asked: missing.have,
            wrong: 0,
            whole: false,
        })
        .collect();
    let mut fetch = Fetch::new(7, "p", &missing);
    let mut now = Instant::now();
    while let Some(event) = next::<Event>(&mut bytes) {
        match event {
            Event::Ask => {
                let is_late = fetch.due().is_some_and(|due| now >= due);
                if is_late {
                    known.iter_mut().for_each(|file| file.asked = file.have);
                }
                let wants = fetch.ask(now);
                check_wants(&wants, &mut known);
            }
            Event::Wait(seconds) => now += Duration::from_secs(seconds.into()),
            Event::Chunk(number, offset, length) => {
                let number = usize::from(number) % (known.len() + 1);
                let next = known.get(number).map_or(0, |file| file.have);
                let left = known.get(number).map_or(1, |file| file.length - file.have);
                let chunk = Chunk {
                    file: file(number),
                    offset: offset.unwrap_or(next),
                    data: match length {
                        Some(length) => &ROOM[..length as usize % (PIECE + 2)],
                        None => &ROOM[..left.min(PIECE as u64) as usize],
                    },
                };
                take(&mut fetch, &mut known, &chunk, now);
            }
            Event::Renew => {
                fetch.renew();
                known.iter_mut().for_each(|file| file.asked = file.have);
            }
            Event::Follow => fetch.follow("q"),
        }
        let left = |file: &Known| {
            if file.whole {
                0
            } else {
                file.length - file.have
            }
        };
        let (here, total) = fetch.bytes();
        assert_eq!(total - here, known.iter().map(left).sum::<u64>());
        assert_eq!(fetch.is_done(), known.iter().all(|file| file.whole));
    }
}

fn check_wants(wants: &[Want], known: &mut [Known]) {
    assert!(wants.iter().map(|want| u64::from(want.credit)).sum::<u64>() <= CREDIT);
    for want in wants {
        let number = (0..known.len()).find(|number| file(*number) == want.sha256);
        let known = &mut known[number.expect("only what is missing is wanted")];
        assert!(!known.whole && want.length > 0);
        assert_eq!(want.offset, known.asked, "each byte is asked for once");
        known.asked += want.length;
        assert!(known.asked <= known.length);
        assert_eq!(u64::from(want.credit), want.length.div_ceil(PIECE as u64));
    }
    let under_way: u64 = known
        .iter()
        .map(|file| (file.asked - file.have).div_ceil(PIECE as u64))
        .sum();
    assert!(under_way <= CREDIT, "{under_way} pieces are under way");
}

/// Gives `chunk` to the fetch, and whether it takes it to the model.
fn take(fetch: &mut Fetch, known: &mut [Known], chunk: &Chunk<'_>, now: Instant) {
    let before = fetch.bytes();
    let taken = fetch.take(chunk, now);
    let number = (0..known.len()).find(|number| file(*number) == chunk.file);
    let Some(known) = number.map(|number| &mut known[number]) else {
        assert!(taken.is_err());
        return;
    };
    let right = !known.whole
        && known.asked > known.have
        && chunk.offset == known.have
        && chunk.data.len() as u64 == (known.length - known.have).min(PIECE as u64);
    assert_eq!(taken.is_ok(), right, "{taken:?} of {known:?}");
    match taken {
        Err(_) => assert_eq!(fetch.bytes(), before, "a lie changes nothing"),
        Ok(taken) => {
            known.have += chunk.data.len() as u64;
            assert_eq!(matches!(taken, Taken::Last(_)), known.have == known.length);
            if known.have == known.length {
                end(fetch, known, &chunk.file);
            }
        }
    }
}

/// Every other file comes out wrong the first time.
fn end(fetch: &mut Fetch, known: &mut Known, file: &Digest) {
    if known.length % 2 == 0 && known.wrong == 0 {
        assert!(fetch.wrong(file), "once is not too often");
        known.wrong += 1;
        (known.have, known.asked) = (0, 0);
    } else {
        fetch.whole(file);
        known.whole = true;
    }
}

#[derive(Debug, Arbitrary)]
enum Call {
    /// A box, a file, and what it wants of it.
    Want(u8, u8, u64, u64, u32),
    /// The same at a piece's beginning.
    Piece(u8, u8, u8, u32),
    Next,
    Forget(u8),
}

fn serve(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(files) = Files::arbitrary(&mut bytes) else {
        return;
    };
    let lengths = files.missing().into_iter();
    let contents: BTreeMap<Digest, u64> = lengths.map(|it| (it.file, it.length)).collect();
    let mut serving = Serving::new(7, "p", contents.clone());
    while let Some(call) = next::<Call>(&mut bytes) {
        let mut want = |from: u8, number: u8, offset, length, credit| {
            let want = Want {
                serial: 7,
                sha256: file(usize::from(number) % 5),
                offset,
                length,
                credit,
                push: "p".into(),
            };
            let _ = serving.want(&format!("box-{}", from % 4), &want);
        };
        match call {
            Call::Want(from, number, offset, length, credit) => {
                want(from, number, offset, length, credit);
            }
            Call::Piece(from, number, piece, credit) => {
                let offset = u64::from(piece) * PIECE as u64;
                want(from, number, offset, PIECE as u64 * 20, credit);
            }
            Call::Next => {
                if let Some(piece) = serving.next_piece() {
                    let length = contents[&piece.file];
                    assert!(piece.length > 0 && piece.length <= PIECE);
                    assert!(piece.offset + piece.length as u64 <= length);
                }
            }
            Call::Forget(number) => serving.forget(&format!("box-{}", number % 4)),
        }
    }
    // Four boxes, 16 wants of 64 pieces each, whatever was asked for.
    let sent = std::iter::from_fn(|| serving.next_piece()).count();
    assert!(sent <= 4 * 16 * 64, "{sent} pieces");
    assert!(serving.is_idle());
}

#[derive(Debug, Arbitrary)]
enum Message {
    /// The right chunk of a file.
    Right(u8),
    /// Other data of the same length, with a right digest of its own.
    Other(u8),
    /// The right chunk with a byte changed.
    Flipped(u8, u16),
    /// The right chunk, cut.
    Cut(u8, u16),
    /// Anything.
    Any(Vec<u8>),
}

/// Small files on disk: whatever comes, a whole file is the right one.
fn chunks(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(lengths) = <[u8; 3]>::arbitrary(&mut bytes) else {
        return;
    };
    let contents =
        [0u8, 1, 2].map(|number| vec![number; usize::from(lengths[usize::from(number)])]);
    let missing = contents.iter().map(|it| (Digest::of(it), it.len() as u64));
    let missing: BTreeMap<Digest, u64> = missing.collect();
    let state = scratch::empty("chunks");
    let mut parts = Parts::open(&state, (7, "p"), &missing).expect("the folder is writable");
    let now = Instant::now();
    while let Some(message) = next::<Message>(&mut bytes) {
        parts.fetch().ask(now);
        let right = |number: u8| {
            let data = &contents[usize::from(number) % 3];
            let file = Digest::of(data);
            Chunk {
                file,
                offset: 0,
                data,
            }
            .encode()
        };
        let message = match message {
            Message::Right(number) => right(number),
            Message::Other(number) => {
                let data = &contents[usize::from(number) % 3];
                let (file, data) = (Digest::of(data), vec![9; data.len()]);
                let chunk = Chunk {
                    file,
                    offset: 0,
                    data: &data,
                };
                chunk.encode()
            }
            Message::Flipped(number, at) => {
                let mut chunk = right(number);
                let at = usize::from(at) % chunk.len();
                chunk[at] ^= 1;
                chunk
            }
            Message::Cut(number, length) => {
                let mut chunk = right(number);
                chunk.truncate(usize::from(length));
                chunk
            }
            Message::Any(bytes) => bytes,
        };
        // An error: a file came out wrong three times.
        if parts.receive(&message, now).is_err() {
            return;
        }
    }
    let blobs = Blobs::new(&state);
    for (content, length) in &missing {
        if blobs.has(content, *length) {
            blobs
                .verify(content, *length)
                .expect("a whole file is the right one");
        }
    }
}
