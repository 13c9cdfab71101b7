use super::*;
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn json(text: &str) -> Result<Vec<Resolved>, SenmlError> {
    parse(text.as_bytes(), "probe-3", NOW)
}

fn one(text: &str) -> Reading {
    let all = json(text).expect("readable SenML");
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].reading.clone()
}

fn reason(text: &str) -> String {
    json(text).expect_err("not readable").to_string()
}

#[test]
fn base_fields_hold_for_the_records_that_follow() {
    let all = json(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.7e9,"bu":"Cel","bv":10,"n":"air","v":1.5},
            {"n":"soil-temperature","t":-5,"v":-0.5},
            {"n":"humidity","u":"%RH","bv":0,"v":61}]"#,
    )
    .expect("readable");
    let shown: Vec<String> = all.iter().map(|each| each.reading.to_string()).collect();
    assert_eq!(
        shown,
        ["air 11.5 °C", "soil-temperature 9.5 °C", "humidity 61%"]
    );
    assert_eq!(all[1].reading.at, 1_699_999_995);
    assert!(
        all.iter()
            .all(|each| each.dated && each.reading.device == "probe-3")
    );
}

#[test]
fn times_below_2_to_the_28_are_relative_to_now() {
    assert_eq!(one(r#"[{"n":"a","v":1,"t":-60}]"#).at, NOW - 60);
    assert_eq!(one(r#"[{"n":"a","v":1}]"#).at, NOW);
    assert_eq!(
        one(r#"[{"n":"a","v":1,"t":268435455}]"#).at,
        NOW + 268_435_455
    );
    assert_eq!(one(r#"[{"n":"a","v":1,"t":268435456}]"#).at, 268_435_456);
    assert!(!json(r#"[{"n":"a","v":1}]"#).expect("readable")[0].dated);
}

#[test]
fn text_and_switches_are_readings_sums_and_data_are_passed_over() {
    let all = json(
        r#"[{"bn":"probe-3:"},{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},
            {"n":"tag","vd":"aGkgCg"},{"n":"energy","s":12.5}]"#,
    )
    .expect("readable");
    let values: Vec<_> = all.into_iter().map(|each| each.reading.value).collect();
    assert_eq!(
        values,
        [
            ReadingValue::Text("Machine Room".into()),
            ReadingValue::Bool(false)
        ]
    );
}

#[test]
fn an_error_names_the_record_and_the_field() {
    assert_eq!(
        reason(r#"[{"n":"a","v":1},{"n":"b","v":"9.5"}]"#),
        "record 2: v must be a number"
    );
    assert_eq!(
        reason(r#"[{"n":"a","v":1,"vb":true}]"#),
        "record 1: it has more than one of v, vs and vb"
    );
    assert_eq!(
        reason(r#"[{"n":"a"}]"#),
        "record 1: \"a\" has no value (v, vs or vb)"
    );
    assert_eq!(reason(r#"[{"v":1}]"#), "record 1: it has no name (n or bn)");
    assert_eq!(reason("[7]"), "record 1: it is no object");
    assert!(reason(r#"[{"bver":11,"n":"a","v":1}]"#).contains("version 11"));
    assert!(reason(r#"[{"n":"a","v":1,"new_":2}]"#).contains("new_"));
    assert!(reason(r#"[{"n":"a b","v":1}]"#).contains("must begin with a letter or digit"));
    assert!(reason(r#"[{"n":"a","v":1,"t":1e300}]"#).contains("out of range"));
}

#[test]
fn an_unknown_field_is_passed_over() {
    assert_eq!(one(r#"[{"n":"a","v":1,"ut":5,"x":[1]}]"#).name, "a");
}

#[test]
fn a_pack_of_too_many_records_is_refused() {
    let records = vec![json!({"n": "a", "v": 1}); MAX_RECORDS + 1];
    let error = resolve_json(&records, None, NOW).expect_err("one too many");
    assert_eq!(error.to_string(), "257 records, at most 256 are read");
}

#[test]
fn a_base_name_is_the_device_where_none_is_given() {
    let records = [
        json!({"bn": "probe-3/", "n": "soil-temperature", "u": "Cel", "v": 9.5}),
        json!({"bn": "", "n": "urn:dev:mac:0024befffe804ff1:voltage", "u": "V", "v": 3}),
        json!({"n": "rain", "v": 2, "u": "mm"}),
    ];
    let readings = resolve_json(&records, None, NOW).expect("readable");
    let shown: Vec<_> = readings
        .iter()
        .map(|reading| (reading.device.as_str(), reading.name.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("probe-3", "soil-temperature"),
            ("urn:dev:mac:0024befffe804ff1", "voltage"),
            ("", "rain")
        ]
    );
}

#[test]
fn two_probes_behind_one_gateway_do_not_overwrite_each_other() {
    let all =
        json(r#"[{"bn":"north:","n":"moisture","v":30},{"bn":"south:","n":"moisture","v":20}]"#)
            .expect("readable");
    let names: Vec<_> = all.iter().map(|each| each.reading.name.as_str()).collect();
    assert_eq!(names, ["north/moisture", "south/moisture"]);
    assert!(all.iter().all(|each| each.reading.device == "probe-3"));
}

#[test]
fn cbor_says_the_same_as_json() {
    // The same pack as `[{"bn":"d:","bt":1.7e9,"n":"a","u":"Cel","v":9.5},{"n":"b","t":-5,"vb":true}]`.
    use ciborium::cbor;
    let pack = cbor!([
        {-2 => "d:", -3 => 1.7e9, 0 => "a", 1 => "Cel", 2 => 9.5},
        {0 => "b", 6 => -5, 4 => true, 99 => "unknown"}
    ])
    .expect("a pack");
    let mut bytes = Vec::new();
    ciborium::into_writer(&pack, &mut bytes).expect("writable");
    let from_cbor = parse(&bytes, "probe-3", NOW).expect("readable CBOR");
    let from_json =
        json(r#"[{"bn":"d:","bt":1.7e9,"n":"a","u":"Cel","v":9.5},{"n":"b","t":-5,"vb":true}]"#)
            .expect("readable JSON");
    assert_eq!(from_cbor, from_json);
    bytes.push(0);
    assert!(parse(&bytes, "probe-3", NOW).is_err(), "a byte too many");
}

#[test]
fn a_flat_json_object_gives_a_reading_a_name() {
    let all = json(r#"{"soil-temperature": 9.5, "pump": true, "state": "idle", "lost": null}"#)
        .expect("readable");
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|each| !each.dated && each.reading.at == NOW));
    assert!(reason(r#"{"nested": {"a": 1}}"#).contains("nested"));
}

#[test]
fn hostile_payloads_are_errors() {
    let deep_json = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_cbor = vec![0x81; 100_000];
    let huge_claim = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let not_a_number = [0x81, 0xa2, 0x00, 0x61, b'a', 0x02, 0xf9, 0x7e, 0x00];
    for payload in [
        b"".as_slice(),
        b"  ",
        b"hello",
        &[0xff; 64],
        deep_json.as_bytes(),
        &deep_cbor,
        &huge_claim,
        &not_a_number,
    ] {
        assert!(parse(payload, "d", NOW).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
        let _ = parse(&bytes, "d", NOW);
    }
}
