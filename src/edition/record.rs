//! `trial.toml`: what the state machine must remember through a power cut. It is never kept in a database.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::read_bounded;
use super::moment::Moment;
use super::signature::PublicKey;
use super::{EditionError, KeyChanges, Phase};
use crate::durable;
use crate::types::Digest;

/// The record's name in the state folder.
pub(super) const FILE_NAME: &str = "trial.toml";
const FORMAT: u32 = 1;
/// A record is a few hundred bytes, and more by the keys.
const MAX_BYTES: u64 = 256 * 1024;

/// What is known of editions beside their manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this format; 1.
    pub format: u32,
    /// The highest serial that ever was current; nothing older is taken.
    pub highest: u64,
    /// The newest time that a trusted clock or a trusted signature showed.
    pub newest_time: Moment,
    /// What a rollback goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// Starts of the current edition since it was last healthy.
    #[serde(default)]
    pub starts: u32,
    /// Keys beside those of the configuration.
    #[serde(default)]
    pub keys: KeyChanges,
    /// The edition under way, or how the last one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// One edition's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its serial.
    pub serial: u64,
    /// Digest of its manifest, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// How far it is.
    pub phase: Phase,
    /// Trials begun.
    pub attempts: u32,
    /// The edition that was current when it was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    /// Why it was rejected or rolled back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Default for Record {
    fn default() -> Self {
        Record {
            format: FORMAT,
            highest: 0,
            newest_time: Moment::default(),
            previous: None,
            starts: 0,
            keys: KeyChanges::default(),
            run: None,
        }
    }
}

impl Record {
    /// Reads the record of the state folder; that of a fresh box where there is none. Blocking.
    ///
    /// # Errors
    /// It cannot be read: without it the box would trust old editions again.
    pub fn read(state: &Path) -> Result<Record, EditionError> {
        let path = path(state);
        if !path.exists() {
            return Ok(Record::default());
        }
        let bytes = read_bounded(&path, MAX_BYTES)?;
        let wrong = |reason: String| EditionError::Manifest {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let record: Record = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        match record.format {
            FORMAT => Ok(record),
            other => Err(wrong(format!(
                "format {other} is not known, this version reads format {FORMAT}; install a newer almanac"
            ))),
        }
    }

    /// Writes the record; durable when it returns. Blocking.
    ///
    /// # Errors
    /// The file cannot be written; the one before is then still there.
    pub fn write(&self, state: &Path) -> Result<(), EditionError> {
        let path = path(state);
        let text = toml::to_string(self).map_err(|error| EditionError::Manifest {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(durable::replace(&path, text.as_bytes())?)
    }

    /// The keys trusted now: those of the configuration and those that editions added, without those
    /// that an edition retired. A retired key stays retired whatever the configuration says.
    pub fn trusted(&self, configured: &[PublicKey]) -> Vec<PublicKey> {
        let retired: BTreeSet<&str> = self.keys.retire.iter().map(String::as_str).collect();
        let added = self.keys.add.iter();
        let added = added.filter_map(|key| PublicKey::parse(key).ok());
        let mut trusted: Vec<PublicKey> = Vec::new();
        for key in configured.iter().cloned().chain(added) {
            if !retired.contains(key.to_string().as_str()) && !trusted.contains(&key) {
                trusted.push(key);
            }
        }
        trusted
    }

    /// Takes the changes of a verified manifest in.
    pub(super) fn change_keys(&mut self, changes: &KeyChanges) {
        let merge = |into: &mut Vec<String>, from: &[String]| {
            // One spelling a key, so that a retired one is found however it was written.
            for key in from.iter().filter_map(|key| PublicKey::parse(key).ok()) {
                let key = key.to_string();
                if !into.contains(&key) {
                    into.push(key);
                }
            }
        };
        merge(&mut self.keys.add, &changes.add);
        merge(&mut self.keys.retire, &changes.retire);
    }
}

fn path(state: &Path) -> PathBuf {
    state.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::super::signature::{Password, generate};
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_a_fresh_box_has_none() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let fresh = Record::read(state.path()).expect("none yet");
        assert_eq!(fresh, Record::default());
        let record = Record {
            highest: 12,
            newest_time: Moment(1_800_000_000),
            previous: Some(11),
            run: Some(Run {
                serial: 12,
                manifest: Some(Digest::of(b"x")),
                phase: Phase::RolledBack,
                attempts: 2,
                over: Some(11),
                why: "too slow".into(),
            }),
            ..Record::default()
        };
        record.write(state.path()).expect("writable");
        assert_eq!(Record::read(state.path()).expect("readable"), record);
    }

    #[test]
    fn a_broken_record_is_an_error_and_not_a_fresh_box() {
        let state = tempfile::tempdir().expect("a temporary folder");
        for text in ["highest = 1", "format = 2", "\0\0\0"] {
            durable::replace(&path(state.path()), text.as_bytes()).expect("writable");
            assert!(Record::read(state.path()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_retired_key_stays_retired_though_it_is_configured_or_added_again() {
        let key = || {
            let (public, _) = generate(Password::None).expect("random numbers");
            PublicKey::parse(&public).expect("our own")
        };
        let (old, new) = (key(), key());
        let mut record = Record::default();
        record.change_keys(&KeyChanges {
            add: vec![new.to_string()],
            retire: vec![old.to_string()],
        });
        let one = std::slice::from_ref;
        assert_eq!(record.trusted(one(&old)), one(&new));
        record.change_keys(&KeyChanges {
            add: vec![old.to_string()],
            retire: Vec::new(),
        });
        assert_eq!(record.trusted(&[old]), [new]);
    }
}
