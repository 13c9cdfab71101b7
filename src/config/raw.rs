//! The configuration exactly as written: every key optional, unknown keys refused with their line.

use std::path::PathBuf;

use serde::Deserialize;

use crate::types::Place;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Who and where this box is.
    #[serde(rename = "box")]
    pub this_box: RawBox,
    /// Folders.
    pub paths: RawPaths,
    /// The broker.
    pub mqtt: RawMqtt,
    /// Runtime and models.
    pub model: RawModel,
    /// Passages and their index.
    pub library: RawLibrary,
    /// Ranking.
    pub search: RawSearch,
    /// Prompting, refusing, grounding.
    pub answer: RawAnswer,
    /// Queue and journal.
    pub queue: RawQueue,
    /// Sensor readings.
    pub sensors: RawSensors,
}

/// `[box]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawBox {
    pub site: Option<String>,
    pub name: Option<String>,
    pub place: Option<Place>,
}

/// `[paths]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawPaths {
    pub state: Option<PathBuf>,
    pub run: Option<PathBuf>,
    pub trusted: Option<PathBuf>,
}

/// `[mqtt]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawMqtt {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub keep_alive_s: Option<u16>,
    pub max_payload_bytes: Option<u32>,
    pub share_group: Option<String>,
}

/// `[model]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawModel {
    pub runtime: Option<PathBuf>,
    pub threads: Option<usize>,
    pub context_tokens: Option<usize>,
    pub at_once: Option<usize>,
    pub adapter: Option<String>,
}

/// `[library]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLibrary {
    pub passage_tokens: Option<usize>,
    pub overlap_tokens: Option<usize>,
    pub dense: Option<String>,
    pub cache_mib: Option<u64>,
}

/// `[search]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSearch {
    pub top_k: Option<usize>,
    pub dense_weight: Option<f32>,
    pub crop_boost: Option<f32>,
}

/// `[answer]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAnswer {
    pub refuse_below: Option<f32>,
    pub max_tokens: Option<usize>,
    pub max_chars: Option<usize>,
    pub guard: Option<bool>,
    pub drafting: Option<String>,
}

/// `[queue]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawQueue {
    pub length: Option<usize>,
    pub deadline_s: Option<u64>,
    pub keep_outcomes_h: Option<u64>,
    pub max_outcomes: Option<usize>,
}

/// `[sensors]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSensors {
    pub max_age_s: Option<u64>,
    pub max_devices: Option<usize>,
}
