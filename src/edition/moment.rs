//! A moment, as manifests and offers write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01 UTC; written as `2027-03-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0).ok();
        match moment.and_then(|moment| moment.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            // Beyond the year 9999.
            None => write!(f, "{}", self.0),
        }
    }
}

/// Seconds of the years 0 to 9999, which RFC 3339 has a form for.
const WRITTEN: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

impl FromStr for Moment {
    /// What is wrong and what was expected.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = OffsetDateTime::parse(text, &Rfc3339).ok();
        let moment = read.map(|read| Moment(read.unix_timestamp()));
        // An offset can lead out of the years that can be written.
        match moment.filter(|moment| WRITTEN.contains(&moment.0)) {
            Some(moment) => Ok(moment),
            None => Err(format!(
                "a time is written as \"2027-03-01T00:00:00Z\", found {text:?}"
            )),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
