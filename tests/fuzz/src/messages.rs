//! What comes over MQTT, and the configuration.

use std::path::Path;

use almanac::config::Config;
use almanac::field::{BoxState, BoxStatus, Incoming, Name, Packet, Reader, Topics};
use almanac::types::{Ask, AskLimits, Place};

use crate::Target;

pub const TARGETS: &[Target] = &[
    Target {
        words: &[
            "\"id\":",
            "\"question\":",
            "\"place\":",
            "\"country\":",
            "\"region\":",
            "\"district\":",
            "\"crop\":",
            "\"stage\":",
            "\"device\":",
            "\"readings\":",
            "\"max_chars\":",
            "\"stream\":",
            "\"deadline_s\":",
            "\"top_k\":",
            "\"adapter\":",
            "\"n\":",
            "\"bn\":",
            "\"v\":",
            "\"vs\":",
            "\"vb\":",
            "\"u\":",
            "\"t\":",
            "\"bt\":",
            "\"bver\":",
            "\"bu\":",
            "\"bv\":",
            "\"s\":",
            "1e308",
            "-1e308",
            "\"\\ud800\"",
        ],
        ..Target::new("packet", packet, packets)
    },
    Target {
        words: &[
            "[box]\n",
            "[paths]\n",
            "[mqtt]\n",
            "[model]\n",
            "[library]\n",
            "[search]\n",
            "[answer]\n",
            "[queue]\n",
            "[sensors]\n",
            " = ",
            "nan",
            "inf",
            "-1",
            "18446744073709551615",
            "host",
            "port",
            "keep_alive_s",
            "threads",
            "context_tokens",
            "passage_tokens",
            "overlap_tokens",
            "dense",
            "cache_mib",
            "top_k",
            "dense_weight",
            "crop_boost",
            "refuse_below",
            "max_tokens",
            "max_chars",
            "guard",
            "drafting",
            "length",
            "deadline_s",
            "keep_outcomes_h",
            "max_outcomes",
            "max_age_min",
            "max_devices",
        ],
        ..Target::new("config", config, configs)
    },
];

/// Saturday, 2026-11-21.
const NOW: i64 = 1_795_219_200;

/// First byte: the topic; second: how the packet came; then correlation data up to a zero byte; then the payload.
fn packet(data: &[u8]) {
    let [kind, flags, rest @ ..] = data else {
        return;
    };
    let (correlation, payload) = match rest.iter().position(|byte| *byte == 0) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&[][..], rest),
    };
    let name = |text| Name::new(text).expect("a plain name");
    let reader = Reader {
        topics: Topics::new(name("farm"), name("barn")),
        limits: AskLimits::default(),
        max_payload: 256 * 1024,
    };
    let topic: &[u8] = match kind % 6 {
        0 => b"almanac/farm/ask/tester",
        1 => b"almanac/farm/sense/soil-1",
        2 => b"almanac/farm/status/barn",
        3 => b"almanac/farm/edition/offer/barn",
        4 => b"almanac/farm/edition/chunk/barn",
        _ => correlation,
    };
    let own = String::from_utf8_lossy(correlation);
    let packet = Packet {
        topic,
        payload,
        retain: flags & 1 != 0,
        redelivered: flags & 2 != 0,
        response_topic: (flags & 4 != 0).then_some(own.as_ref()),
        correlation: (flags & 8 != 0).then_some(correlation),
        expiry_s: (flags & 16 != 0).then_some(u32::from(*flags)),
    };
    match reader.read(&packet, NOW) {
        Incoming::Ask(ask) => {
            assert!(
                ask.respond_to.starts_with("almanac/farm/answer/"),
                "{}",
                ask.respond_to
            );
            if let Ok(asked) = &ask.asked {
                let question = &asked.question;
                assert!((1..=2_000).contains(&question.text.chars().count()));
                assert!(question.readings.len() <= AskLimits::default().readings);
                assert!(question.readings.iter().all(is_plain));
            }
        }
        Incoming::Sense { readings, .. } => {
            assert!(readings.len() <= 256 && readings.iter().all(is_plain));
        }
        _ => {}
    }
    if let Ok(ask) = Ask::parse(payload) {
        let text = serde_json::to_string(&ask).expect("what was read can be written");
        let again = Ask::parse(text.as_bytes()).expect("what was written can be read");
        assert_eq!(
            (again.id, again.question, again.place),
            (ask.id, ask.question, ask.place)
        );
    }
}

/// A measurement that an answer may cite.
fn is_plain(reading: &almanac::types::Reading) -> bool {
    let number = match &reading.value {
        almanac::types::ReadingValue::Number(number) => number.is_finite(),
        _ => true,
    };
    number && reading.name.len() <= 128
}

fn packets() -> Vec<Vec<u8>> {
    let ask = Ask {
        id: Some("7".into()),
        question: "How deep should I plant maize?".into(),
        place: Some(Place::new("US", "Iowa")),
        crop: Some("maize".into()),
        stage: Some("V6".into()),
        device: Some("soil-1".into()),
        readings: vec![serde_json::json!({"n": "temperature", "u": "Cel", "v": 10.5, "t": -60})],
        max_chars: Some(400),
        stream: true,
        deadline_s: Some(2.5),
        top_k: Some(3),
        adapter: Some("farm".into()),
    };
    let status = BoxStatus {
        box_name: "barn".into(),
        state: BoxState::Ready,
        edition: 7,
        queue: 1,
        wait_s: 2,
        session: 3,
        version: "0.1.0".into(),
    };
    let json = |value: serde_json::Result<Vec<u8>>| value.expect("plain");
    let senml = br#"[{"bn":"soil-1/","bt":1795219000,"bver":10,"bu":"Cel"},{"n":"t","v":10.5},{"n":"wet","vb":true},{"n":"note","vs":"dry"}]"#;
    // An array of one map: base name -2 (text), value 2 (a double), unit 1.
    let cbor = b"\x81\xa3\x21\x66soil-1\x02\xfb\x40\x25\x00\x00\x00\x00\x00\x00\x01\x63Cel";
    let message = |kind: u8, flags: u8, correlation: &[u8], payload: &[u8]| {
        [&[kind, flags], correlation, &[0], payload].concat()
    };
    vec![
        message(0, 8, b"abc", &json(serde_json::to_vec(&ask))),
        message(
            0,
            4,
            b"almanac/farm/answer/tester/x",
            b"How deep should I plant maize?",
        ),
        message(1, 0, b"", senml),
        message(1, 1, b"", cbor),
        message(
            1,
            0,
            b"",
            br#"{"temperature": 10.5, "door": true, "note": "dry"}"#,
        ),
        message(2, 1, b"", &json(serde_json::to_vec(&status))),
        message(3, 0, b"", b"{}"),
        message(5, 0, b"almanac/farm/ask/x", b"Why?"),
    ]
}

fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(config) = Config::parse(text, Path::new("/etc/almanac/almanac.toml"), None) else {
        return;
    };
    assert!((1..=64).contains(&config.model.threads));
    assert!((256..=32_768).contains(&config.model.context_tokens));
    assert!((1..=10).contains(&config.search.top_k));
    assert!((0.0..=1.0).contains(&config.answer.refuse_below));
    assert!((0.0..=1.0).contains(&config.search.dense_weight));
}

fn configs() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../../examples/almanac.toml").to_vec(),
        b"[box]\nsite = \"farm\"\nname = \"barn\"\nplace = { country = \"US\", region = \"Iowa\" }\n\
          [mqtt]\nhost = \"127.0.0.1\"\nport = 1883\nshare_group = \"g\"\n[model]\nthreads = 2\n"
            .to_vec(),
    ]
}
