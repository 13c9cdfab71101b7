//! What the messages are on the wire, and that no bytes whatever make their readers panic.

use super::super::limits::MANIFEST_BYTES;
use super::super::offer::Offer;
use super::wire::{
    Chunk, Envelope, Lie, MAX_CHUNK_BYTES, MAX_OFFER_BYTES, MAX_WANT_BYTES, PIECE, Want, read_state,
};
use crate::types::Digest;

fn envelope() -> Envelope {
    Envelope {
        offer: Offer {
            manifest: b"serial = 1\n\xff".to_vec(),
            signature: b"untrusted comment".to_vec(),
        },
        push: "a1".into(),
    }
}

fn want() -> Want {
    Want {
        serial: 12,
        sha256: Digest::of(b"x"),
        offset: 252 * 1024,
        length: 7,
        credit: 8,
        push: String::new(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let bytes = envelope().encode().expect("small");
    assert_eq!(Envelope::parse(&bytes), Ok(envelope()));
    assert_eq!(Want::parse(&want().encode()), Ok(want()));
    let chunk = Chunk {
        file: Digest::of(b"file"),
        offset: 3 * PIECE as u64,
        data: b"data",
    };
    let bytes = chunk.encode();
    assert_eq!(Chunk::parse(&bytes), Ok(chunk));
    assert_eq!(bytes[..32], Digest::of(b"file").0);
    assert_eq!(bytes[32..40], (3 * PIECE as u64).to_be_bytes());
    assert_eq!(bytes[40..72], Digest::of(b"data").0);
    assert_eq!(bytes[72..], *b"data");
}

#[test]
fn a_whole_packet_stays_within_256_kib() {
    let topic = format!(
        "almanac/{}/edition/chunk/{}",
        "s".repeat(64),
        "b".repeat(64)
    );
    // Type and length, topic with its length, packet id, length of no properties.
    let packet = 5 + 2 + topic.len() + 2 + 1 + MAX_CHUNK_BYTES;
    assert!(packet <= 256 * 1024, "{packet}");
}

#[test]
fn unknown_fields_are_passed_over_and_missing_ones_are_not() {
    let text = br#"{"manifest":"eA==","signature":"","later":[1]}"#;
    let read = Envelope::parse(text).expect("right");
    assert_eq!(read.offer.manifest, b"x");
    assert_eq!(read.push, "");
    let text = br#"{"serial":1,"sha256":"00","offset":0,"length":1,"credit":1}"#;
    assert!(matches!(Want::parse(text), Err(Lie::Unreadable { .. })));
    let state = br#"{"box":"b1","serial":3,"state":"rolled-back","reason":"slow","answers":2}"#;
    let state = read_state(state).expect("right");
    assert_eq!((state.serial, state.reason.as_str()), (3, "slow"));
}

#[test]
fn hostile_messages_get_a_reason() {
    let text = |text: &str| text.as_bytes().to_vec();
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "cannot be read"),
        ("no JSON", text("edition 3"), "cannot be read"),
        ("no text", vec![0xff; 100], "cannot be read"),
        ("a list", text("[]"), "cannot be read"),
        (
            "numbers",
            text(r#"{"manifest":1,"signature":2}"#),
            "cannot be read",
        ),
        ("no manifest", text(r#"{"signature":""}"#), "manifest"),
        (
            "no base64",
            text(r#"{"manifest":"%%","signature":""}"#),
            "no base64",
        ),
        (
            "a long signature",
            text(&format!(
                r#"{{"manifest":"","signature":"{}"}}"#,
                "A".repeat(8_000)
            )),
            "at most 4096",
        ),
        (
            "a push that is a path",
            text(r#"{"manifest":"","signature":"","push":"../x"}"#),
            "push is",
        ),
        (
            "nested 10,000 deep",
            text(&"[".repeat(10_000)),
            "cannot be read",
        ),
        (
            "100 MB",
            vec![b' '; 100 << 20],
            "has 104857600 bytes, at most",
        ),
    ];
    for (name, bytes, wanted) in rows {
        let lie = Envelope::parse(&bytes).expect_err(name);
        println!("| {name} | {lie} |");
        assert!(lie.to_string().contains(wanted), "{name}: {lie}");
    }
    let long = vec![b' '; MAX_WANT_BYTES + 1];
    assert!(matches!(Want::parse(&long), Err(Lie::TooLong { .. })));
}

#[test]
fn a_manifest_that_no_packet_holds_is_refused_by_the_pusher() {
    let mut envelope = envelope();
    envelope.offer.manifest = vec![b' '; MANIFEST_BYTES as usize];
    let lie = envelope.encode().expect_err("too long");
    assert!(matches!(lie, Lie::TooLong { .. }), "{lie}");
    envelope.offer.manifest = vec![b' '; MAX_OFFER_BYTES / 4 * 3 - 1024];
    let bytes = envelope.encode().expect("it just fits");
    assert_eq!(Envelope::parse(&bytes), Ok(envelope));
}

/// Any right message with a few bytes changed, cut out or put in: read or refused, never a panic, and a chunk is
/// never taken for another.
#[test]
fn mutated_messages_never_panic() {
    let chunk = Chunk {
        file: Digest::of(b"file"),
        offset: PIECE as u64,
        data: &[7; 300],
    };
    let state = br#"{"box":"b1","serial":3,"state":"fetching","bytes":1,"total":2}"#;
    let seeds: [Vec<u8>; 4] = [
        envelope().encode().expect("small"),
        want().encode(),
        chunk.encode(),
        state.to_vec(),
    ];
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut dice = move |faces: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % faces.max(1) as u64) as usize
    };
    for round in 0..40_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=dice(6) {
            let at = dice(bytes.len());
            match dice(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << dice(8),
                1 if !bytes.is_empty() => bytes[at] = [b'"', b'{', b'}', 0xff, 0, b'9'][dice(6)],
                2 => bytes.truncate(at),
                3 => bytes.insert(at.min(bytes.len()), dice(256) as u8),
                _ => {
                    let copied: Vec<u8> = bytes[at.min(bytes.len())..].to_vec();
                    bytes.extend(copied.into_iter().take(64));
                }
            }
        }
        let _ = Envelope::parse(&bytes);
        let _ = Want::parse(&bytes);
        let _ = read_state(&bytes);
        if let Ok(read) = Chunk::parse(&bytes) {
            assert_eq!(read.encode(), bytes, "round {round}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000)) {
        let _ = Envelope::parse(&bytes);
        let _ = Want::parse(&bytes);
        let _ = read_state(&bytes);
        let _ = Chunk::parse(&bytes);
    }
}
