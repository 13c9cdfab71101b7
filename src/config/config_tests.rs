use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("almanac.toml"), None)
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = parse("").expect("defaults are valid");
    assert_eq!(config.search.top_k, 3);
    assert_eq!(config.mqtt, None);
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_line() {
    let error = parse("[box]\nname = \"b1\"\nplcae = {}\n").expect_err("a misspelt key");
    let text = error.to_string();
    assert!(text.contains("line 3") && text.contains("plcae"), "{text}");
}

#[test]
fn a_value_out_of_range_names_the_key_and_the_range() {
    let error = parse("[search]\ntop_k = 40\n").expect_err("40 is too many");
    assert_eq!(
        error.to_string(),
        "almanac.toml: search.top_k is 40; it must be 1 to 10"
    );
}

#[test]
fn a_name_that_would_break_a_topic_is_refused() {
    assert!(parse("[box]\nsite = \"a/b\"\n").is_err());
}
