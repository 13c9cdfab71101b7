//! One TOML file: raw as written, then validated; past [`Config::load`] nothing needs checking again.
//!
//! Every key with its unit, default and reason stands in `examples/almanac.toml`; a test keeps that
//! file equal to the defaults here.

mod raw;
mod validator;

use std::path::{Path, PathBuf};
use std::time::Duration;

use raw::RawConfig;
use validator::Validator;

use crate::types::Place;

/// The validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[box] site`: the second level of every topic.
    pub site: String,
    /// `[box] name`: this box in `status/<box>` and in answers.
    pub box_name: String,
    /// `[box] place`: what a question without a place is asked for.
    pub place: Place,
    /// `[paths] state`: what must survive a restart.
    pub state: PathBuf,
    /// `[paths] run`: the control socket's folder.
    pub run: PathBuf,
    /// `[paths] trusted`: public keys whose editions are taken.
    pub trusted: PathBuf,
    /// `[mqtt]`; `None` when no host is set: the box then answers on its socket only.
    pub mqtt: Option<MqttConfig>,
    /// `[model]`
    pub model: ModelConfig,
    /// `[library]`
    pub library: LibraryConfig,
    /// `[search]`
    pub search: SearchConfig,
    /// `[answer]`
    pub answer: AnswerConfig,
    /// `[queue]`
    pub queue: QueueConfig,
    /// `[sensors]`
    pub sensors: SensorConfig,
}

/// The broker and how to talk to it.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttConfig {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name, where the broker wants one.
    pub user: Option<String>,
    /// File that holds the password: a systemd credential, so that it stands in no config.
    pub password_file: Option<PathBuf>,
    /// Keep-alive; at least 5 s (the client library's floor).
    pub keep_alive: Duration,
    /// Largest packet taken or sent, bytes.
    pub max_payload_bytes: u32,
    /// Group of boxes that share the questions of a site through `$share/<group>/`.
    pub share_group: Option<String>,
}

/// Most questions that are answered at once.
pub const MOST_AT_ONCE: usize = 16;

/// The runtime and how much of the machine it may use.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// libonnxruntime; by default `<state>/runtime/libonnxruntime.so`.
    pub runtime: PathBuf,
    /// Threads of one inference.
    pub threads: usize,
    /// Tokens of prompt and answer for which the KV cache is allocated.
    pub context_tokens: usize,
    /// Questions that are answered at once, 1 to [`MOST_AT_ONCE`].
    pub at_once: usize,
    /// Adapter used when a question names none.
    pub adapter: Option<String>,
}

/// Passages and their index.
#[derive(Clone, Debug, PartialEq)]
pub struct LibraryConfig {
    /// Longest passage, in the embedder's tokens.
    pub passage_tokens: usize,
    /// Tokens that neighbouring passages of one section share.
    pub overlap_tokens: usize,
    /// How vectors are searched.
    pub dense: DenseMode,
    /// sled's cache, bytes.
    pub cache_bytes: u64,
}

/// How vectors are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseMode {
    /// Every vector is compared.
    Exact,
    /// The hora graph, once it is built.
    Graph,
    /// The graph where a probe shows it faster at recall@10 >= 0.99, else exact.
    Auto,
}

/// Ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchConfig {
    /// Passages an answer is made from.
    pub top_k: usize,
    /// Share of the dense score in the fused one, 0 to 1.
    pub dense_weight: f32,
    /// Added to the fused score of a passage of the asked crop.
    pub crop_boost: f32,
}

/// Prompting, refusing, grounding.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerConfig {
    /// Relevance of the best passage, 0 to 1, under which the box refuses.
    pub refuse_below: f32,
    /// Longest draft, in tokens.
    pub max_tokens: usize,
    /// Longest answer, in characters.
    pub max_chars: usize,
    /// Whether ungrounded drafts are replaced; off only to measure the model.
    pub guard: bool,
    /// When a grounded draft is used rather than the best quotation.
    pub drafting: Drafting,
}

/// When a grounded draft is used rather than the best quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drafting {
    /// Whenever its first sentence is grounded.
    Grounded,
    /// When its first sentence is grounded and says what the best quotation says.
    Agreeing,
    /// Never: the answer is always a quotation.
    Quote,
}

/// Queue and journal.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    /// Questions that may wait; one more is told `busy`.
    pub length: usize,
    /// Deadline of a question that names none.
    pub deadline: Duration,
    /// How long an outcome is kept for a repeated id.
    pub keep_outcomes: Duration,
    /// How many outcomes are kept at most.
    pub max_outcomes: usize,
}

/// Sensor readings.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorConfig {
    /// Age at which a reading no longer enters an answer.
    pub max_age: Duration,
    /// Devices whose readings are kept.
    pub max_devices: usize,
}

/// A configuration that cannot be used; the message names the file, the key or line, and what to write.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot read the configuration: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, or has a key that is not known or of a wrong type; the text names the line.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// A value is out of range.
    #[error("{path}: {key} {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, with its table.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

impl Config {
    /// Reads and validates the file at `path`; `state` overrides `[paths] state`.
    ///
    /// # Errors
    /// The file cannot be read, a key is unknown (with its line), or a value is out of range.
    pub fn load(path: &Path, state: Option<&Path>) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Config::parse(&text, path, state)
    }

    /// The defaults, with `state` as the state folder.
    ///
    /// # Errors
    /// None that a caller can cause: the defaults are in range.
    pub fn defaults(state: Option<&Path>) -> Result<Config, ConfigError> {
        Config::parse("", Path::new("(defaults)"), state)
    }

    /// As [`Config::load`], from `text`; relative paths in it are taken from the folder of `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path, state: Option<&Path>) -> Result<Config, ConfigError> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Validator { path }.validate(raw, state)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
