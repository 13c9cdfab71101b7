//! Sensor readings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a sensor measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReadingValue {
    /// A number, in the reading's unit.
    Number(f64),
    /// A switch.
    Bool(bool),
    /// Anything else.
    Text(String),
}

/// One dated measurement of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The device, as in the topic `sense/<device>`; empty when the asker named none.
    pub device: String,
    /// What was measured, for example `soil-temperature`.
    pub name: String,
    /// The measurement.
    pub value: ReadingValue,
    /// Its unit for people, for example `°C` or `%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// When it was measured, seconds since 1970-01-01 UTC.
    pub at: i64,
}

impl fmt::Display for ReadingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadingValue::Number(number) => write!(f, "{number}"),
            ReadingValue::Bool(on) => f.write_str(if *on { "on" } else { "off" }),
            ReadingValue::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Reading {
    /// The value with its unit: `soil-temperature 9.5 °C`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)?;
        match self.unit.as_deref() {
            Some("%") => f.write_str("%"),
            Some(unit) => write!(f, " {unit}"),
            None => Ok(()),
        }
    }
}
