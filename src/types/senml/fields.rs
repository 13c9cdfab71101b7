//! Records of either encoding as labelled values.

use serde_json::Value as Json;

/// A field's value, whatever the encoding.
pub(super) enum Scalar<'a> {
    Number(f64),
    Text(&'a str),
    Bool(bool),
    Other,
}

/// One record's fields by their JSON labels; `None` when it is no map.
pub(super) type Fields<'a> = Option<Vec<(&'a str, Scalar<'a>)>>;

pub(super) fn json_scalar(value: &Json) -> Scalar<'_> {
    match value {
        Json::Number(number) => number.as_f64().map_or(Scalar::Other, Scalar::Number),
        Json::String(text) => Scalar::Text(text),
        Json::Bool(on) => Scalar::Bool(*on),
        _ => Scalar::Other,
    }
}

pub(super) fn json_fields(record: &Json) -> Fields<'_> {
    let map = record.as_object()?;
    Some(
        map.iter()
            .map(|(k, v)| (k.as_str(), json_scalar(v)))
            .collect(),
    )
}

pub(super) fn cbor_fields(record: &ciborium::Value) -> Fields<'_> {
    let map = record.as_map()?;
    let mut fields = Vec::with_capacity(map.len());
    for (key, value) in map {
        let label = match key {
            ciborium::Value::Text(label) => label.as_str(),
            ciborium::Value::Integer(number) => cbor_label(i128::from(*number)),
            _ => "",
        };
        fields.push((label, cbor_scalar(value)));
    }
    Some(fields)
}

/// RFC 8428, table 4; an unknown number is an unknown field, so it is ignored.
fn cbor_label(number: i128) -> &'static str {
    match number {
        -1 => "bver",
        -2 => "bn",
        -3 => "bt",
        -4 => "bu",
        -5 => "bv",
        -6 => "bs",
        0 => "n",
        1 => "u",
        2 => "v",
        3 => "vs",
        4 => "vb",
        5 => "s",
        6 => "t",
        7 => "ut",
        8 => "vd",
        _ => "",
    }
}

fn cbor_scalar(value: &ciborium::Value) -> Scalar<'_> {
    match value {
        #[allow(clippy::cast_precision_loss)]
        ciborium::Value::Integer(number) => Scalar::Number(i128::from(*number) as f64),
        ciborium::Value::Float(number) => Scalar::Number(*number),
        ciborium::Value::Text(text) => Scalar::Text(text),
        ciborium::Value::Bool(on) => Scalar::Bool(*on),
        _ => Scalar::Other,
    }
}
