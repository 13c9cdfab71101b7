//! `examples/almanac.toml` is what people copy: it must name every key, with its true default.

use std::path::{Path, PathBuf};

use almanac::config::Config;

const EXAMPLE: &str = "# Example: ";

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(text: &str) -> Config {
    let path = Path::new("/etc/almanac/almanac.toml");
    Config::parse(text, path, None).unwrap_or_else(|error| panic!("{error}\n---\n{text}"))
}

/// `key = value` out of `# key = value`.
fn setting(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("# ")?;
    let (key, _) = rest.split_once(" = ")?;
    let legal = |c: char| c.is_ascii_lowercase() || c == '_';
    (!key.is_empty() && key.chars().all(legal)).then_some(rest)
}

/// The sample with its defaults written out and, when `examples` is set, its examples too.
fn uncommented(examples: bool) -> String {
    let sample = read("examples/almanac.toml");
    let lines = sample.lines().map(|line| {
        let example = line.strip_prefix(EXAMPLE).filter(|_| examples);
        example.or_else(|| setting(line)).unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_as_it_lies_there_changes_nothing() {
    assert_eq!(parse(&read("examples/almanac.toml")), parse(""));
}

#[test]
fn the_sample_uncommented_equals_the_defaults() {
    assert_eq!(parse(&uncommented(false)), parse(""));
}

#[test]
fn the_broker_settings_of_the_sample_equal_the_defaults_once_there_is_a_broker() {
    let with_host =
        uncommented(false).replace("# Example: host = \"127.0.0.1\"", "host = \"127.0.0.1\"");
    let config = parse(&with_host);
    assert!(config.mqtt.is_some());
    assert_eq!(config, parse("[mqtt]\nhost = \"127.0.0.1\"\n"));
}

#[test]
fn the_examples_of_the_sample_are_accepted_too() {
    let config = parse(&uncommented(true));
    assert_eq!(config.place.region.as_deref(), Some("Iowa"));
    assert_eq!(config.model.adapter.as_deref(), Some("agronomy"));
}

#[test]
fn every_key_that_is_read_stands_in_the_sample() {
    let sample = read("examples/almanac.toml");
    let raw = read("src/config/raw.rs");
    let mut table = String::new();
    let mut keys = 0;
    for line in raw.lines() {
        if let Some(name) = line.trim().strip_prefix("/// `[") {
            table = name.split(']').next().unwrap_or_default().to_owned();
        }
        let Some(field) = line.trim().strip_prefix("pub ") else {
            continue;
        };
        let Some((key, _)) = field.split_once(": Option<") else {
            continue;
        };
        keys += 1;
        let start = sample
            .find(&format!("\n[{table}]\n"))
            .unwrap_or_else(|| panic!("the sample has no [{table}]"));
        let part = &sample[start + 2..];
        let part = &part[..part.find("\n[").unwrap_or(part.len())];
        let written = [format!("\n# {key} = "), format!("\n{EXAMPLE}{key} = ")];
        assert!(
            written.iter().any(|text| part.contains(text)),
            "the sample's [{table}] lacks {key}"
        );
    }
    assert!(
        keys > 20,
        "only {keys} keys found: has raw.rs changed its form?"
    );
}
