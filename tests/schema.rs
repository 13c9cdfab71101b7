//! The messages, their schemas and the examples of `docs/mqtt.md` say the same.

use std::path::{Path, PathBuf};

use almanac::edition::Offer;
use almanac::edition::push::{Envelope, Want};
use almanac::field::{BoxState, BoxStatus, encode};
use almanac::types::{
    Answer, Ask, AskLimits, Citation, Digest, EditionState, Phase, Place, Reading, ReadingValue,
    Status, Timing, Tokens,
};
use serde_json::{Map, Value, json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn schema(name: &str) -> Value {
    let path = docs().join("schema").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("a schema");
    serde_json::from_str(&text).expect("JSON")
}

/// What `value` breaks of `schema`. Knows the keywords that our schemas use, and fails on any other.
fn faults(root: &Value, schema: &Map<String, Value>, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, keyword: &str| {
        if !holds {
            faults.push(format!("{at}: {keyword}"));
        }
    };
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let items = value.as_array().map(|items| items.len() as f64);
    let number = value.as_f64();
    let mut inner = Vec::new();
    for (keyword, rule) in schema {
        let limit = rule.as_f64().unwrap_or_default();
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "type" => {
                let types = rule
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![rule.clone()]);
                check(
                    types
                        .iter()
                        .any(|one| is_type(value, one.as_str().expect("a type"))),
                    "type",
                );
            }
            "enum" => check(rule.as_array().expect("a list").contains(value), "enum"),
            "minLength" => check(length.is_none_or(|length| length >= limit), keyword),
            "maxLength" => check(length.is_none_or(|length| length <= limit), keyword),
            "maxItems" => check(items.is_none_or(|items| items <= limit), keyword),
            "minimum" => check(number.is_none_or(|number| number >= limit), keyword),
            "exclusiveMinimum" => check(number.is_none_or(|number| number > limit), keyword),
            "maximum" => check(number.is_none_or(|number| number <= limit), keyword),
            "required" => {
                for name in rule.as_array().expect("a list") {
                    let name = name.as_str().expect("a name");
                    check(
                        value.as_object().is_none_or(|map| map.contains_key(name)),
                        name,
                    );
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("a map") {
                    if let Some(value) = value.get(name) {
                        inner.push((rule, value, format!("{at}.{name}")));
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().expect("a map");
                for name in value.as_object().into_iter().flat_map(Map::keys) {
                    check(known.contains_key(name), &format!("unknown {name}"));
                }
            }
            "items" => {
                for (n, value) in value.as_array().into_iter().flatten().enumerate() {
                    inner.push((rule, value, format!("{at}[{n}]")));
                }
            }
            "$ref" => {
                let name = rule.as_str().and_then(|path| path.strip_prefix("#/$defs/"));
                inner.push((
                    &root["$defs"][name.expect("a local reference")],
                    value,
                    at.to_owned(),
                ));
            }
            other => panic!("{at}: this test does not know the keyword {other}"),
        }
    }
    for (rule, value, at) in inner {
        faults.extend(self::faults(
            root,
            rule.as_object().expect("a schema"),
            value,
            &at,
        ));
    }
    faults
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

fn check(name: &str, value: &Value) -> Vec<String> {
    let schema = schema(name);
    faults(&schema, schema.as_object().expect("a schema"), value, name)
}

fn full_answer() -> Answer {
    Answer {
        answer: Some("Sow 5 cm deep.".into()),
        citations: vec![Citation {
            document: "d".into(),
            title: "t".into(),
            section: "s".into(),
            page: Some(4),
            place: "Iowa, US".into(),
            quote: "Sow 5 cm deep.".into(),
            score: 0.71,
        }],
        readings: [
            ReadingValue::Number(9.5),
            ReadingValue::Bool(true),
            ReadingValue::Text("idle".into()),
        ]
        .map(|value| Reading {
            device: "p".into(),
            name: "n".into(),
            value,
            unit: Some("°C".into()),
            at: 1_800_000_000,
        })
        .into(),
        model: Some("m".into()),
        adapter: Some("a".into()),
        wait_s: Some(3),
        timing_ms: Timing {
            first_token: Some(410),
            ..Timing::default()
        },
        tokens: Tokens {
            prompt: 1,
            generated: 2,
        },
        ..Answer::without_text(Some("q17".into()), Status::Answered, "r", "b1", 12)
    }
}

fn as_json(message: &impl serde::Serialize) -> Value {
    serde_json::from_slice(&encode(message)).expect("our own JSON")
}

#[test]
fn answers_with_every_field_and_with_none_keep_to_the_schema() {
    assert_eq!(check("answer", &as_json(&full_answer())), [""; 0]);
    for status in [
        Status::Refused,
        Status::Busy,
        Status::Expired,
        Status::Invalid,
        Status::Failed,
    ] {
        let bare = Answer::without_text(None, status, "why", "b1", 0);
        assert_eq!(check("answer", &as_json(&bare)), [""; 0]);
    }
}

#[test]
fn every_state_keeps_to_the_schema() {
    for state in [
        BoxState::Starting,
        BoxState::Ready,
        BoxState::Updating,
        BoxState::Degraded,
        BoxState::Gone,
    ] {
        let status = BoxStatus {
            box_name: "b1".into(),
            state,
            edition: 0,
            queue: 0,
            wait_s: 0,
            session: 1,
            version: "0.1.0".into(),
        };
        assert_eq!(check("status", &as_json(&status)), [""; 0]);
    }
}

#[test]
fn every_state_of_an_edition_keeps_to_the_schema() {
    for phase in Phase::ALL {
        for figure in [None, Some(7)] {
            let state = EditionState {
                box_name: "b1".into(),
                serial: 12,
                state: phase,
                reason: figure.map_or(String::new(), |_| "why".into()),
                answers: 11,
                bytes: figure,
                total: figure,
                resumed: figure,
                push: figure.map_or(String::new(), |_| "5f0c3a9e71d2b846".into()),
            };
            assert_eq!(check("edition-state", &as_json(&state)), [""; 0]);
        }
    }
}

#[test]
fn offers_and_wants_keep_to_their_schemas() {
    let offer = Offer {
        manifest: b"format = 1".to_vec(),
        signature: vec![7; 300],
    };
    for push in ["", "5f0c3a9e71d2b846"] {
        let envelope = Envelope {
            offer: offer.clone(),
            push: push.into(),
        };
        let bytes = envelope.encode().expect("small");
        let value: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(check("edition-offer", &value), [""; 0]);
        let want = Want {
            serial: 12,
            sha256: Digest::of(b"x"),
            offset: 0,
            length: 1,
            credit: 1,
            push: push.into(),
        };
        let value: Value = serde_json::from_slice(&want.encode()).expect("JSON");
        assert_eq!(check("edition-want", &value), [""; 0]);
    }
}

#[test]
fn asks_are_valid_to_the_schema_where_they_are_valid_to_the_box() {
    let full = Ask {
        id: Some("q17".into()),
        question: "?".into(),
        place: Some(Place {
            country: Some("US".into()),
            ..Place::default()
        }),
        crop: Some("maize".into()),
        stage: Some("V6".into()),
        device: Some("p".into()),
        readings: vec![json!({"n": "a", "u": "Cel", "v": 1})],
        max_chars: Some(600),
        stream: true,
        deadline_s: Some(60.0),
        top_k: Some(3),
        adapter: Some("a".into()),
    };
    let full = as_json(&full);
    let known = schema("ask")["properties"].clone();
    for name in full.as_object().expect("an object").keys() {
        assert!(known.get(name).is_some(), "{name} is missing in the schema");
    }
    let with = |field: &str, value: Value| {
        let mut ask = full.clone();
        ask[field] = value;
        ask
    };
    let cases = [
        with("stream", json!(false)),
        with("unknown", json!([1])),
        with("adapter", Value::Null),
        json!({"question": "?"}),
        json!({}),
        with("question", json!(7)),
        with("question", json!("")),
        with("question", json!("x".repeat(2_001))),
        with("id", json!("")),
        with("id", json!("x".repeat(129))),
        with("crop", json!("x".repeat(65))),
        with("max_chars", json!(39)),
        with("max_chars", json!(4_001)),
        with("deadline_s", json!(0)),
        with("deadline_s", json!(86_401)),
        with("top_k", json!(0)),
        with("top_k", json!(11)),
        with("stream", json!("yes")),
        with("readings", json!([{"n": "a", "v": "1"}])),
        with("readings", json!(vec![json!({"n": "a", "v": 1}); 65])),
        with("place", json!("Iowa")),
    ];
    for ask in cases {
        let by_schema = check("ask", &ask);
        let by_box = Ask::parse(ask.to_string().as_bytes())
            .and_then(|ask| ask.validate(&AskLimits::default(), 0));
        assert_eq!(
            by_schema.is_empty(),
            by_box.is_ok(),
            "{ask}\n{by_schema:?}\n{by_box:?}"
        );
    }
}

#[test]
fn documents_of_every_format_keep_to_the_schema() {
    for (path, text) in [
        (
            "a.md",
            "---\nauthor: A\nplace: {country: US, region: Iowa}\ncrop: corn\ndate: 2026\n---\n# T\n\nA.[^1]\n\n## B\n\n- c\n\n| d | e |\n|---|---|\n| f | g |\n\n[^1]: h\n",
        ),
        ("a.txt", "One.\u{c}Two."),
        (
            "a.html",
            "<h1>Rust in Punjab</h1><p>x<figure><figcaption>Fig. 1</figcaption></figure>",
        ),
        ("a.csv", "soil,rate\nclay,20\n"),
        (
            "a.xml",
            "<article><body><sec><title>S</title><p>x</p></sec></body></article>",
        ),
        (
            "a.tei.xml",
            "<TEI><text><body><div><head>S</head><p coords=\"3,1,1,1,1\">x</p></div></body></text></TEI>",
        ),
    ] {
        let document = almanac::documents::read_bytes(Path::new(path), path, text.as_bytes());
        let json = almanac::documents::to_json(&document.expect("readable"));
        assert_eq!(check("document", &json), [""; 0], "{path}");
        let back = almanac::documents::from_json(Path::new(path), json.to_string().as_bytes());
        assert_eq!(
            almanac::documents::to_json(&back.expect("its own form")),
            json
        );
    }
    let mut broken = json!({"version": 2});
    assert!(check("document", &broken).len() > 5);
    broken["surprise"] = json!(1);
    assert!(
        check("document", &broken)
            .iter()
            .any(|fault| fault.contains("surprise"))
    );
}

#[test]
fn the_examples_of_the_documentation_keep_to_their_schemas() {
    let text = std::fs::read_to_string(docs().join("mqtt.md")).expect("the documentation");
    let mut seen = Vec::new();
    for block in text.split("```json ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name");
        let (example, _) = rest.split_once("```").expect("an end");
        let value: Value = serde_json::from_str(example).expect("JSON");
        assert_eq!(check(name, &value), [""; 0]);
        seen.push(name.to_owned());
    }
    assert_eq!(
        seen,
        [
            "ask",
            "answer",
            "status",
            "edition-state",
            "edition-offer",
            "edition-want"
        ]
    );
}

#[test]
fn a_message_that_breaks_its_schema_is_found() {
    let mut answer = as_json(&full_answer());
    answer["citations"][0]["score"] = json!(1.5);
    answer["surprise"] = json!(1);
    answer["status"] = json!("fine");
    let found = check("answer", &answer);
    assert_eq!(found.len(), 3, "{found:?}");
}
