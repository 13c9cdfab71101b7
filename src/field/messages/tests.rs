use super::*;

const NOW: i64 = 1_800_000_000;
const ASK: &[u8] = b"almanac/farm/ask/c1";
const SENSE: &[u8] = b"almanac/farm/sense/probe-3";

fn reader() -> Reader {
    let name = |text| Name::new(text).expect("a legal name");
    Reader {
        topics: Topics::new(name("farm"), name("b1")),
        limits: AskLimits::default(),
        max_payload: 256 * 1024,
    }
}

fn ask(packet: &Packet<'_>) -> IncomingAsk {
    let packet = Packet {
        topic: ASK,
        ..*packet
    };
    match reader().read(&packet, NOW) {
        Incoming::Ask(ask) => *ask,
        other => panic!("no ask: {other:?}"),
    }
}

fn ask_of(payload: &[u8]) -> IncomingAsk {
    ask(&Packet {
        payload,
        ..Packet::default()
    })
}

fn reason(payload: &[u8]) -> String {
    ask_of(payload).asked.expect_err("an invalid ask").0
}

#[test]
fn plain_text_is_a_question() {
    let ask = ask_of("When do I sow maize? ".as_bytes());
    assert_eq!(
        ask.asked.expect("valid").question.text,
        "When do I sow maize?"
    );
    assert_eq!(ask.respond_to, "almanac/farm/answer/c1");
    assert_eq!(ask.expires_in, None);
}

#[test]
fn the_key_is_the_id_else_the_correlation_else_the_payload() {
    let packet = Packet {
        payload: br#"{"id":"q17","question":"?"}"#,
        correlation: Some(b"77"),
        ..Packet::default()
    };
    assert_eq!(ask(&packet).key.id, AskId::Named("q17".into()));
    assert_eq!(ask(&packet).correlation.as_deref(), Some(b"77".as_slice()));
    let packet = Packet {
        payload: b"when?",
        ..packet
    };
    assert_eq!(ask(&packet).key.id, AskId::Correlation(b"77".to_vec()));
    assert_eq!(
        ask_of(b"when?").key.id,
        AskId::Payload(Digest::of(b"when?"))
    );
}

#[test]
fn the_nearer_of_expiry_and_deadline_counts() {
    let packet = Packet {
        payload: br#"{"question":"?","deadline_s":60.5}"#,
        expiry_s: Some(90),
        ..Packet::default()
    };
    assert_eq!(ask(&packet).expires_in, Some(Duration::from_millis(60_500)));
    let nearer = Packet {
        expiry_s: Some(5),
        ..packet
    };
    assert_eq!(ask(&nearer).expires_in, Some(Duration::from_secs(5)));
}

#[test]
fn a_foreign_reply_topic_is_invalid_and_told_on_the_clients_own() {
    let own = Packet {
        payload: b"when?",
        response_topic: Some("almanac/farm/answer/c1/tab"),
        ..Packet::default()
    };
    assert_eq!(ask(&own).respond_to, "almanac/farm/answer/c1/tab");
    let foreign = ask(&Packet {
        response_topic: Some("almanac/farm/answer/c2"),
        ..own
    });
    assert_eq!(foreign.respond_to, "almanac/farm/answer/c1");
    let reason = foreign.asked.expect_err("invalid").0;
    assert_eq!(
        reason,
        "the Response Topic must lie below almanac/farm/answer/c1"
    );
}

#[test]
fn a_wrong_shape_is_invalid_and_keeps_its_id() {
    let ask = ask_of(br#"{"id":"q9","question":7}"#);
    assert_eq!(ask.id.as_deref(), Some("q9"));
    assert_eq!(ask.key.id, AskId::Named("q9".into()));
    assert!(ask.asked.is_err());
    assert!(reason(br#"{"question":"#).contains("cannot be read"));
    assert!(reason(br#"{"question":"  "}"#).contains("empty"));
    assert!(reason(b"\xff\xfe").contains("UTF-8"));
    assert!(reason(br#"{"question":"?","deadline_s":-1}"#).contains("deadline_s"));
    assert!(reason(br#"{"question":"?","readings":[{"n":"a","v":"x"}]}"#).contains("record 1"));
    let deep = format!(
        "{{\"question\":{}1{}}}",
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    assert!(reason(deep.as_bytes()).contains("cannot be read"));
}

#[test]
fn an_id_out_of_range_is_no_key() {
    let ask = ask_of(format!("{{\"id\":\"{}\",\"question\":\"?\"}}", "x".repeat(200)).as_bytes());
    assert_eq!(ask.id, None);
    assert!(matches!(ask.key.id, AskId::Payload(_)));
    assert!(ask.asked.is_err());
}

#[test]
fn an_ask_too_large_is_invalid_unread() {
    let large = vec![b'x'; 1024 * 1024];
    assert_eq!(
        reason(&large),
        "the ask has 1048576 bytes, at most 65536 are read"
    );
}

#[test]
fn correlation_data_too_long_to_repeat_is_invalid() {
    let long = vec![1; MAX_CORRELATION + 1];
    let ask = ask(&Packet {
        payload: b"when?",
        correlation: Some(&long),
        ..Packet::default()
    });
    assert_eq!(ask.correlation, None);
    assert!(ask.asked.is_err());
}

#[test]
fn a_retained_ask_is_passed_over() {
    let packet = Packet {
        topic: ASK,
        payload: b"when?",
        retain: true,
        ..Packet::default()
    };
    assert_eq!(
        reader().read(&packet, NOW),
        Incoming::Ignored("a retained ask".into())
    );
}

fn sensed(payload: &[u8], retain: bool) -> Incoming {
    let packet = Packet {
        topic: SENSE,
        payload,
        retain,
        ..Packet::default()
    };
    reader().read(&packet, NOW)
}

#[test]
fn readings_belong_to_the_device_of_the_topic() {
    let Incoming::Sense { device, readings } = sensed(
        br#"[{"bn":"other:","n":"soil-temperature","u":"Cel","v":9.5}]"#,
        false,
    ) else {
        panic!("no readings");
    };
    assert_eq!(device, "probe-3");
    assert_eq!(readings[0].device, "probe-3");
    assert_eq!(readings[0].to_string(), "soil-temperature 9.5 °C");
}

#[test]
fn a_retained_reading_counts_only_with_a_time_of_its_own() {
    let Incoming::Sense { readings, .. } =
        sensed(br#"[{"n":"a","v":1},{"n":"b","v":2,"t":1.79e9}]"#, true)
    else {
        panic!("no readings");
    };
    let names: Vec<_> = readings
        .iter()
        .map(|reading| reading.name.as_str())
        .collect();
    assert_eq!(names, ["b"]);
}

#[test]
fn unreadable_readings_are_passed_over_with_the_reason() {
    let Incoming::Ignored(why) = sensed(b"nonsense", false) else {
        panic!("taken");
    };
    assert!(why.starts_with("sense/probe-3: "), "{why}");
}

#[test]
fn the_own_status_is_read_back() {
    let payload = br#"{"box":"b1","state":"gone","edition":0,"queue":0,"wait_s":0,"session":4,"version":"0.1.0"}"#;
    let packet = Packet {
        topic: b"almanac/farm/status/b1",
        payload,
        retain: true,
        ..Packet::default()
    };
    let Incoming::OwnStatus(status) = reader().read(&packet, NOW) else {
        panic!("no status");
    };
    assert_eq!((status.state, status.session), (BoxState::Gone, 4));
}

proptest::proptest! {
    #[test]
    fn any_packet_is_a_value(topic: Vec<u8>, payload: Vec<u8>, retain: bool, which in 0..3) {
        let topic = match which { 0 => ASK, 1 => SENSE, _ => topic.as_slice() };
        let packet = Packet { topic, payload: &payload, retain, ..Packet::default() };
        let _ = reader().read(&packet, NOW);
    }
}
