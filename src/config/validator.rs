//! From values as written to values that are in range.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw::{RawConfig, RawLibrary};
use super::{
    AnswerConfig, Config, ConfigError, DenseMode, Drafting, LibraryConfig, MOST_AT_ONCE,
    ModelConfig, MqttConfig, QueueConfig, SearchConfig, SensorConfig,
};

/// Checks the values of one file, and puts defaults where it is silent.
pub(super) struct Validator<'a> {
    /// The file, for messages; relative paths in it are taken from its folder.
    pub(super) path: &'a Path,
}

impl Validator<'_> {
    /// `raw`, checked; `state` overrides `[paths] state`.
    ///
    /// # Errors
    /// A value is out of range.
    pub(super) fn validate(
        &self,
        raw: RawConfig,
        state: Option<&Path>,
    ) -> Result<Config, ConfigError> {
        let beside = |path: PathBuf| match self.path.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path,
        };
        let state = match state {
            Some(state) => state.to_owned(),
            None => beside(raw.paths.state.unwrap_or_else(|| "/var/lib/almanac".into())),
        };
        let keep_alive = raw.mqtt.keep_alive_s.unwrap_or(30);
        let mqtt = match raw.mqtt.host {
            None => None,
            Some(host) => Some(MqttConfig {
                host,
                port: raw.mqtt.port.unwrap_or(1883),
                user: raw.mqtt.user,
                password_file: raw.mqtt.password_file.map(beside),
                keep_alive: Duration::from_secs(
                    self.within("mqtt.keep_alive_s", keep_alive, 5, 3_600)?
                        .into(),
                ),
                max_payload_bytes: self.within(
                    "mqtt.max_payload_bytes",
                    raw.mqtt.max_payload_bytes.unwrap_or(256 * 1024),
                    16 * 1024,
                    16 * 1024 * 1024,
                )?,
                share_group: match raw.mqtt.share_group {
                    Some(group) => Some(self.name("mqtt.share_group", group)?),
                    None => None,
                },
            }),
        };
        Ok(Config {
            site: self.name(
                "box.site",
                raw.this_box.site.unwrap_or_else(|| "farm".into()),
            )?,
            box_name: self.name(
                "box.name",
                raw.this_box.name.unwrap_or_else(|| "box".into()),
            )?,
            place: raw.this_box.place.unwrap_or_default(),
            run: beside(raw.paths.run.unwrap_or_else(|| "/run/almanac".into())),
            trusted: beside(
                raw.paths
                    .trusted
                    .unwrap_or_else(|| "/etc/almanac/trusted.d".into()),
            ),
            mqtt,
            model: ModelConfig {
                runtime: raw
                    .model
                    .runtime
                    .map_or_else(|| state.join("runtime/libonnxruntime.so"), beside),
                threads: self.within(
                    "model.threads",
                    raw.model.threads.unwrap_or_else(default_threads),
                    1,
                    64,
                )?,
                context_tokens: self.within(
                    "model.context_tokens",
                    raw.model.context_tokens.unwrap_or(2_048),
                    256,
                    32_768,
                )?,
                at_once: self.within(
                    "model.at_once",
                    raw.model.at_once.unwrap_or(1),
                    1,
                    MOST_AT_ONCE,
                )?,
                adapter: raw.model.adapter,
            },
            library: self.library(raw.library)?,
            search: SearchConfig {
                top_k: self.within("search.top_k", raw.search.top_k.unwrap_or(3), 1, 10)?,
                dense_weight: self.within(
                    "search.dense_weight",
                    raw.search.dense_weight.unwrap_or(0.5),
                    0.0,
                    1.0,
                )?,
                crop_boost: self.within(
                    "search.crop_boost",
                    raw.search.crop_boost.unwrap_or(0.3),
                    0.0,
                    10.0,
                )?,
            },
            answer: AnswerConfig {
                refuse_below: self.within(
                    "answer.refuse_below",
                    raw.answer.refuse_below.unwrap_or(0.38),
                    0.0,
                    1.0,
                )?,
                max_tokens: self.within(
                    "answer.max_tokens",
                    raw.answer.max_tokens.unwrap_or(96),
                    8,
                    1_024,
                )?,
                max_chars: self.within(
                    "answer.max_chars",
                    raw.answer.max_chars.unwrap_or(600),
                    40,
                    4_000,
                )?,
                guard: raw.answer.guard.unwrap_or(true),
                drafting: match raw.answer.drafting.as_deref() {
                    None | Some("agreeing") => Drafting::Agreeing,
                    Some("grounded") => Drafting::Grounded,
                    Some("quote") => Drafting::Quote,
                    Some(other) => {
                        return Err(self.wrong(
                            "answer.drafting",
                            format!("is {other:?}; write \"agreeing\", \"grounded\" or \"quote\""),
                        ));
                    }
                },
            },
            queue: QueueConfig {
                length: self.within("queue.length", raw.queue.length.unwrap_or(64), 1, 10_000)?,
                deadline: Duration::from_secs(self.within(
                    "queue.deadline_s",
                    raw.queue.deadline_s.unwrap_or(300),
                    1,
                    86_400,
                )?),
                keep_outcomes: Duration::from_secs(
                    3_600
                        * self.within(
                            "queue.keep_outcomes_h",
                            raw.queue.keep_outcomes_h.unwrap_or(24),
                            1,
                            720,
                        )?,
                ),
                max_outcomes: self.within(
                    "queue.max_outcomes",
                    raw.queue.max_outcomes.unwrap_or(10_000),
                    16,
                    1_000_000,
                )?,
            },
            sensors: SensorConfig {
                max_age: Duration::from_secs(self.within(
                    "sensors.max_age_s",
                    raw.sensors.max_age_s.unwrap_or(21_600),
                    1,
                    31_536_000,
                )?),
                max_devices: self.within(
                    "sensors.max_devices",
                    raw.sensors.max_devices.unwrap_or(1_000),
                    1,
                    100_000,
                )?,
            },
            state,
        })
    }

    fn library(&self, raw: RawLibrary) -> Result<LibraryConfig, ConfigError> {
        let passage_tokens = self.within(
            "library.passage_tokens",
            raw.passage_tokens.unwrap_or(160),
            32,
            512,
        )?;
        Ok(LibraryConfig {
            passage_tokens,
            overlap_tokens: self.within(
                "library.overlap_tokens",
                raw.overlap_tokens.unwrap_or(32),
                0,
                passage_tokens / 2,
            )?,
            dense: match raw.dense.as_deref() {
                None | Some("auto") => DenseMode::Auto,
                Some("exact") => DenseMode::Exact,
                Some("graph") => DenseMode::Graph,
                Some(other) => {
                    return Err(self.wrong(
                        "library.dense",
                        format!("is {other:?}; write \"exact\", \"graph\" or \"auto\""),
                    ));
                }
            },
            cache_bytes: 1024
                * 1024
                * self.within("library.cache_mib", raw.cache_mib.unwrap_or(32), 8, 1_024)?,
        })
    }

    fn within<T: PartialOrd + std::fmt::Display>(
        &self,
        key: &'static str,
        value: T,
        least: T,
        most: T,
    ) -> Result<T, ConfigError> {
        if value >= least && value <= most {
            Ok(value)
        } else {
            Err(self.wrong(key, format!("is {value}; it must be {least} to {most}")))
        }
    }

    fn name(&self, key: &'static str, value: String) -> Result<String, ConfigError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if (1..=64).contains(&value.len()) && value.chars().all(legal) {
            Ok(value)
        } else {
            Err(self.wrong(
                key,
                format!("is {value:?}; write 1 to 64 letters, digits, `_` or `-`"),
            ))
        }
    }

    fn wrong(&self, key: &'static str, problem: String) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            key,
            problem,
        }
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4))
}
