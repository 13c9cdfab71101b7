//! What a question is told besides its section: nothing, the document's place, or the section's tags.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::material::Unit;
use crate::library::terms;
use crate::types::Place;

/// The paper's three context setups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The section alone.
    None,
    /// With the document's title and place.
    Context,
    /// With the tags of the section: locations, crops, cattle, diseases.
    External,
}

impl Mode {
    /// All of them, in the order of the paper's Table 13.
    pub const ALL: [Mode; 3] = [Mode::None, Mode::Context, Mode::External];

    /// As it is written in a data set and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Context => "context",
            Mode::External => "external",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Mode::ALL.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| format!("{text:?} is no context mode; write none, context or external"))
    }
}

/// `question`, as asked in `mode`: what the mode knows is named where the question lacks it.
///
/// `is_finding`: it asks for what one trial found, which is true of that trial alone. `None` where the
/// question is not clear with what the mode knows.
pub fn in_mode(question: &str, unit: &Unit, mode: Mode, is_finding: bool) -> Option<String> {
    let source = &unit.source;
    let names_topic = names_topic(question, unit);
    let tagged_crop = match source.crops.as_slice() {
        [crop] if mode == Mode::External => Some(crop.as_str()),
        _ => None,
    };
    let needs_title = is_finding || (!names_topic && tagged_crop.is_none());
    if mode == Mode::None {
        return (!needs_title).then(|| question.to_owned());
    }
    let what = if source.is_study { "the study " } else { "" };
    let title = source
        .title
        .trim_end_matches('.')
        .replace(['“', '”', '"'], "'");
    if question.starts_with("In the table") {
        let named = question.contains(&title) || (names_topic && !is_finding);
        let (table, rest) = question.split_once("”, ")?;
        return Some(match named {
            true => question.to_owned(),
            false => format!("{table}” of {what}“{title}”, {rest}"),
        });
    }
    if needs_title {
        return Some(format!("In {what}“{title}”, {}", lower_first(question)));
    }
    let mut asked = question.to_owned();
    if let Some(crop) = tagged_crop.filter(|_| !names_topic) {
        asked = with_tail(&asked, &format!("for {crop}"));
    }
    // What a thing is does not change with the place.
    if let Some(place) = place_words(&source.place)
        && LOCAL.iter().any(|start| asked.starts_with(start))
        && !names_place(&asked, &source.place)
    {
        asked = with_tail(&asked, &format!("in {place}"));
    }
    Some(asked)
}

/// Beginnings of questions whose answer may be another elsewhere.
const LOCAL: &[&str] = &[
    "How",
    "When",
    "Until when",
    "At what",
    "For how",
    "By how",
    "To what",
    "With what",
    "Within what",
    "Which",
    "Should",
    "What should",
    "What is the",
    "What are the",
];

/// Whether `question` says what it is about: a crop, or a word of the title.
fn names_topic(question: &str, unit: &Unit) -> bool {
    let of_title: BTreeSet<String> = terms(&unit.source.title).into_iter().collect();
    let is_topic = |term: &String| term.len() > 3 && of_title.contains(term);
    terms(question).iter().any(is_topic)
        || !crate::documents::crops::named_in_prose(question).is_empty()
}

fn names_place(text: &str, place: &Place) -> bool {
    let text = text.to_lowercase();
    let levels = [&place.district, &place.region];
    let mut named = levels
        .into_iter()
        .flatten()
        .map(|level| level.to_lowercase());
    let found = crate::library::named_places(&text);
    named.any(|level| text.contains(&level))
        || found
            .iter()
            .any(|found| place.covers(found) || found.covers(place))
}

/// `Iowa, US`; `None` where a place is no narrower than a country: few would ask so.
fn place_words(place: &Place) -> Option<String> {
    place.region.is_some().then(|| place.to_string())
}

fn with_tail(question: &str, tail: &str) -> String {
    format!("{} {tail}?", question.trim_end_matches('?'))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::material::testing::units;

    fn unit(title: &str, body: &str) -> Unit {
        let text = format!(
            "---\ntitle: {title}\nplace: {{country: US, region: Iowa}}\ncrop: maize\n---\n{body}\n"
        );
        units("a.md", &text).remove(0)
    }

    #[test]
    fn each_mode_adds_what_it_knows() {
        let unit = unit("Sowing", "## Depth\n\nText of the section.");
        let asked = |mode| in_mode("How deep should seed be drilled?", &unit, mode, false);
        assert_eq!(asked(Mode::None), None);
        assert_eq!(
            asked(Mode::Context).as_deref(),
            Some("In “Sowing”, how deep should seed be drilled?")
        );
        assert_eq!(
            asked(Mode::External).as_deref(),
            Some("How deep should seed be drilled for maize in Iowa, US?")
        );
    }

    #[test]
    fn what_a_question_names_is_not_added_again() {
        let unit = unit("Sowing", "## Depth\n\nText of the section.");
        let question = "How deep is corn sown in Iowa?";
        assert_eq!(
            in_mode(question, &unit, Mode::External, false).as_deref(),
            Some(question)
        );
        assert_eq!(
            in_mode(question, &unit, Mode::None, false).as_deref(),
            Some(question)
        );
    }

    #[test]
    fn a_finding_is_asked_of_its_study() {
        let unit = unit(
            "Maize trial in Iowa",
            "## Results\n\nText of the section.\n\n## Methods\n\nText.",
        );
        let question = "What was the maize yield?";
        assert_eq!(in_mode(question, &unit, Mode::None, true), None);
        assert_eq!(
            in_mode(question, &unit, Mode::Context, true).as_deref(),
            Some("In the study “Maize trial in Iowa”, what was the maize yield?")
        );
    }
}
