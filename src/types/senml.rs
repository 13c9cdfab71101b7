//! SenML (RFC 8428), JSON and CBOR, and flat plain JSON, to dated readings.
//!
//! Values (`v`, `vs`, `vb`) become readings. A sum without a value (`s`) and data values (`vd`) are ignored:
//! neither is a measurement that an answer could cite. Unknown fields are ignored, unless their name ends in
//! `_`, which by RFC 8428 section 4.4 a reader must understand or refuse.

mod fields;
mod units;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use super::{Reading, ReadingValue};
use fields::{Fields, Scalar, cbor_fields, json_fields, json_scalar};

/// Times below this are relative to now (RFC 8428, section 4.5.3).
const RELATIVE_BELOW: f64 = 268_435_456.0;
/// Latest time taken, seconds since 1970: the year 5138; beyond it nothing is a date.
const LATEST: f64 = 1.0e11;
/// Highest SenML version understood (`bver`, RFC 8428 section 4.4).
const VERSION: f64 = 10.0;
/// Most records of one pack: stops a packet of small records from filling the memory.
pub const MAX_RECORDS: usize = 256;
/// Longest name, in bytes.
const MAX_NAME: usize = 128;
/// Longest text value, in bytes.
const MAX_TEXT: usize = 256;
/// Deepest CBOR taken: SenML itself needs two levels.
const CBOR_DEPTH: usize = 8;

/// Why records cannot be read; the text names the record and the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SenmlError(pub String);

/// A reading, and whether the sender said when it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The reading; dated on arrival when the sender gave no time.
    pub reading: Reading,
    /// Whether the sender gave an absolute time. A retained message without one is of unknown age.
    pub dated: bool,
}

/// Resolves SenML records in JSON to dated readings; `now` in seconds since 1970 UTC.
///
/// `device` names the readings' device; where it is open, the base name does.
///
/// # Errors
/// The first record that is no SenML, by its number from 1.
pub fn resolve_json(
    records: &[Json],
    device: Option<&str>,
    now: i64,
) -> Result<Vec<Reading>, SenmlError> {
    let fields = records.iter().map(json_fields).collect();
    let resolved = resolve(fields, device, now)?;
    Ok(resolved.into_iter().map(|each| each.reading).collect())
}

/// Reads the payload of a `sense/<device>` message: SenML in JSON or CBOR, or a flat JSON object of names and values.
///
/// The form is told by the first byte: `[` SenML JSON, `{` plain JSON, else CBOR.
///
/// # Errors
/// The payload is none of these, has more than [`MAX_RECORDS`] records, or the first record that is wrong.
pub fn parse(payload: &[u8], device: &str, now: i64) -> Result<Vec<Resolved>, SenmlError> {
    match payload.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => wrong("the payload is empty".into()),
        Some(b'[') => {
            let records: Vec<Json> = serde_json::from_slice(payload).map_err(|error| {
                SenmlError(format!("the SenML JSON pack cannot be read: {error}"))
            })?;
            resolve(records.iter().map(json_fields).collect(), Some(device), now)
        }
        Some(b'{') => read_plain(payload, device, now),
        Some(_) => read_cbor(payload, device, now),
    }
}

fn wrong<T>(reason: String) -> Result<T, SenmlError> {
    Err(SenmlError(reason))
}

fn read_plain(payload: &[u8], device: &str, now: i64) -> Result<Vec<Resolved>, SenmlError> {
    let map: serde_json::Map<String, Json> = serde_json::from_slice(payload)
        .map_err(|error| SenmlError(format!("the JSON object cannot be read: {error}")))?;
    check_count(map.len())?;
    let mut readings = Vec::with_capacity(map.len());
    for (name, value) in &map {
        let value = match json_scalar(value) {
            Scalar::Number(number) => ReadingValue::Number(number),
            Scalar::Text(text) => ReadingValue::Text(checked_text(text, name)?),
            Scalar::Bool(on) => ReadingValue::Bool(on),
            // Gateways write null for what a sensor did not deliver this time.
            Scalar::Other if value.is_null() => continue,
            Scalar::Other => {
                return wrong(format!("{name:?} must be a number, text or true/false"));
            }
        };
        readings.push(Resolved {
            reading: Reading {
                device: device.to_owned(),
                name: checked_name(name, name)?,
                value,
                unit: None,
                at: now,
            },
            dated: false,
        });
    }
    Ok(readings)
}

fn read_cbor(payload: &[u8], device: &str, now: i64) -> Result<Vec<Resolved>, SenmlError> {
    use ciborium::Value as Cbor;
    let mut rest = payload;
    let value: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut rest, CBOR_DEPTH)
        .map_err(|_| {
            SenmlError(
                "the payload is no SenML (a JSON or CBOR array of records) and no JSON object"
                    .into(),
            )
        })?;
    if !rest.is_empty() {
        return wrong(format!("{} bytes follow the CBOR pack", rest.len()));
    }
    let value = match value {
        Cbor::Tag(55_799, inner) => *inner,
        other => other,
    };
    let Cbor::Array(records) = value else {
        return wrong("the CBOR payload is no array of SenML records".into());
    };
    resolve(records.iter().map(cbor_fields).collect(), Some(device), now)
}

/// What base fields of earlier records say about later ones.
#[derive(Clone, Default)]
struct Base<'a> {
    name: &'a str,
    time: f64,
    unit: Option<&'a str>,
    value: Option<f64>,
}

/// One record's own fields.
#[derive(Default)]
struct Record<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    time: f64,
    value: Option<Scalar<'a>>,
    /// Whether it has a sum or a data value: such a record needs no value.
    other_value: bool,
}

impl<'a> Record<'a> {
    fn set(&mut self, value: Scalar<'a>) -> Result<(), String> {
        match self.value.replace(value) {
            None => Ok(()),
            Some(_) => Err("it has more than one of v, vs and vb".into()),
        }
    }
}

fn check_count(count: usize) -> Result<(), SenmlError> {
    if count > MAX_RECORDS {
        return wrong(format!("{count} records, at most {MAX_RECORDS} are read"));
    }
    Ok(())
}

fn resolve(
    records: Vec<Fields<'_>>,
    device: Option<&str>,
    now: i64,
) -> Result<Vec<Resolved>, SenmlError> {
    check_count(records.len())?;
    let mut base = Base::default();
    let mut found = Vec::with_capacity(records.len());
    for (index, fields) in records.into_iter().enumerate() {
        let number = index + 1;
        let record = fields
            .ok_or_else(|| "it is no object".to_owned())
            .and_then(|fields| read_record(fields, &mut base))
            .map_err(|reason| SenmlError(format!("record {number}: {reason}")))?;
        let named = |reason| SenmlError(format!("record {number}: {reason}"));
        if let Some(one) = reading(&base, &record, now).map_err(named)? {
            found.push((base.name, one));
        }
    }
    let several = found.iter().any(|(name, _)| *name != found[0].0);
    for (base_name, one) in &mut found {
        place(&mut one.reading, base_name, device, several);
        one.reading.name = checked_name(&one.reading.name, &one.reading.name)
            .map_err(|error| SenmlError(format!("record named {:?}: {error}", one.reading.name)))?;
    }
    Ok(found.into_iter().map(|(_, one)| one).collect())
}

fn read_record<'a>(
    fields: Vec<(&'a str, Scalar<'a>)>,
    base: &mut Base<'a>,
) -> Result<Record<'a>, String> {
    let mut record = Record::default();
    for (label, value) in fields {
        match (label, value) {
            ("bn", Scalar::Text(text)) => base.name = text,
            ("bt", Scalar::Number(time)) => base.time = time,
            ("bu", Scalar::Text(unit)) => base.unit = Some(unit),
            ("bv", Scalar::Number(value)) => base.value = Some(value),
            ("bver", Scalar::Number(version)) if version <= VERSION => {}
            ("bver", Scalar::Number(version)) => {
                return Err(format!(
                    "SenML version {version}, at most {VERSION} is understood"
                ));
            }
            ("n", Scalar::Text(text)) => record.name = text,
            ("u", Scalar::Text(unit)) => record.unit = Some(unit),
            ("t", Scalar::Number(time)) => record.time = time,
            ("v", value @ Scalar::Number(_))
            | ("vs", value @ Scalar::Text(_))
            | ("vb", value @ Scalar::Bool(_)) => {
                record.set(value)?;
            }
            ("vd" | "s", _) => record.other_value = true,
            ("bn" | "bu" | "n" | "u" | "vs", _) => return Err(format!("{label} must be text")),
            ("bt" | "bv" | "bver" | "t" | "v", _) => {
                return Err(format!("{label} must be a number"));
            }
            ("vb", _) => return Err("vb must be true or false".into()),
            (label, _) if label.ends_with('_') => {
                return Err(format!(
                    "field {label:?} must be understood and is not known"
                ));
            }
            _ => {}
        }
    }
    Ok(record)
}

/// The record as a reading; `None` when it only sets base fields, or holds a sum or data.
fn reading(base: &Base<'_>, record: &Record<'_>, now: i64) -> Result<Option<Resolved>, String> {
    let value = match (&record.value, base.value) {
        (Some(Scalar::Number(value)), base) => ReadingValue::Number(value + base.unwrap_or(0.0)),
        (Some(Scalar::Text(text)), _) => {
            ReadingValue::Text(checked_text(text, "vs").map_err(|error| error.0)?)
        }
        (Some(Scalar::Bool(on)), _) => ReadingValue::Bool(*on),
        _ if record.other_value || record.name.is_empty() => return Ok(None),
        (_, Some(base)) => ReadingValue::Number(base),
        _ => return Err(format!("{:?} has no value (v, vs or vb)", record.name)),
    };
    if matches!(value, ReadingValue::Number(number) if !number.is_finite()) {
        return Err("v must be a finite number".into());
    }
    if base.name.is_empty() && record.name.is_empty() {
        return Err("it has no name (n or bn)".into());
    }
    let (at, dated) = resolve_time(base.time + record.time, now)?;
    let unit = record.unit.or(base.unit);
    Ok(Some(Resolved {
        reading: Reading {
            device: String::new(),
            name: record.name.to_owned(),
            value,
            unit: unit.map(units::for_people).transpose()?.flatten(),
            at,
        },
        dated,
    }))
}

/// Seconds since 1970, and whether the time was absolute.
fn resolve_time(time: f64, now: i64) -> Result<(i64, bool), String> {
    if !time.is_finite() || time.abs() > LATEST {
        return Err(format!("time {time} is out of range"));
    }
    // In range by the check above, so the cast keeps whole seconds.
    #[allow(clippy::cast_possible_truncation)]
    let seconds = time.floor() as i64;
    if time < RELATIVE_BELOW {
        Ok((now.saturating_add(seconds), false))
    } else {
        Ok((seconds, true))
    }
}

/// Sets device and name from base name and name.
///
/// The topic's device stays the device: no sensor writes for another. Where one pack has several base names
/// (a gateway), the base name's last part goes before the name, so that two probes do not overwrite each other.
fn place(reading: &mut Reading, base_name: &str, device: Option<&str>, several: bool) {
    let separators = [':', '/', '.'];
    let trimmed = base_name.trim_end_matches([':', '/', '.', '-', '_']);
    let (head, name) = if reading.name.is_empty() {
        trimmed.rsplit_once(separators).unwrap_or(("", trimmed))
    } else if base_name.is_empty() && device.is_none() {
        reading
            .name
            .rsplit_once(separators)
            .unwrap_or(("", &reading.name))
    } else {
        (trimmed, reading.name.as_str())
    };
    let last = head.rsplit(separators).next().unwrap_or(head);
    let name = match device {
        Some(device) if several && !last.is_empty() && last != device => format!("{last}/{name}"),
        _ => name.to_owned(),
    };
    reading.device = device.unwrap_or(head).to_owned();
    reading.name = name;
}

/// Names begin with a letter or digit and hold letters, digits and `-:./_` (RFC 8428, section 4.5.1).
fn checked_name(name: &str, shown: &str) -> Result<String, SenmlError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-:./_".contains(c);
    if (1..=MAX_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(legal)
    {
        return Ok(name.to_owned());
    }
    let start: String = shown.chars().take(40).collect();
    wrong(format!(
        "name {start:?} must begin with a letter or digit and have at most {MAX_NAME} of A-Z a-z 0-9 - : . / _"
    ))
}

fn checked_text(text: &str, field: &str) -> Result<String, SenmlError> {
    if text.len() > MAX_TEXT {
        return wrong(format!(
            "{field:?} has {} bytes of text, at most {MAX_TEXT} are read",
            text.len()
        ));
    }
    Ok(text.to_owned())
}
