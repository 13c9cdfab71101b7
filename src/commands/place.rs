//! Places on the command line.

use crate::types::Place;

/// `Iowa, US` (narrowest first, as answers show it), `US/Iowa` or a JSON place.
///
/// # Errors
/// Broken JSON, or more than three levels.
pub fn parse(text: &str) -> Result<Place, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    Place::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_answers_show_it() {
        assert_eq!(parse("Iowa, US"), Ok(Place::new("US", "Iowa")));
        let text = r#"{"country":"US","region":"Iowa"}"#;
        assert_eq!(parse(text), Ok(Place::new("US", "Iowa")));
        let place = parse("Story, Iowa, US").expect("three levels");
        assert_eq!(place.to_string(), "Story, Iowa, US");
        assert!(parse("a, b, c, d").is_err());
    }
}
