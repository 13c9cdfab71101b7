//! Topics that a farmer asks by, and the words that name them.

/// Topic, then words of it, lower-case and singular. Named as the sample farm names them.
const TOPICS: &[(&str, &[&str])] = &[
    (
        "pests",
        &[
            "aphid",
            "armyworm",
            "beetle",
            "bollworm",
            "borer",
            "caterpillar",
            "cutworm",
            "hopper",
            "insect",
            "leafhopper",
            "locust",
            "mite",
            "nematode",
            "pest",
            "planthopper",
            "rootworm",
            "thrips",
            "weevil",
            "whitefly",
        ],
    ),
    (
        "disease",
        &[
            "anthracnose",
            "blast",
            "blight",
            "canker",
            "disease",
            "fungicide",
            "mildew",
            "mosaic",
            "pathogen",
            "rust",
            "scab",
            "smut",
            "virus",
            "wilt",
        ],
    ),
    (
        "livestock",
        &[
            "buffalo",
            "calf",
            "cattle",
            "cow",
            "dairy",
            "goat",
            "heifer",
            "livestock",
            "pig",
            "poultry",
            "sheep",
        ],
    ),
    ("weeds", &["herbicide", "weed", "weeding"]),
    (
        "irrigation",
        &["irrigation", "irrigating", "evapotranspiration"],
    ),
    (
        "nutrients",
        &[
            "fertiliser",
            "fertilizer",
            "fertilisation",
            "fertilization",
            "manure",
            "nutrient",
        ],
    ),
    (
        "planting",
        &["planting", "seeding", "sowing", "transplanting"],
    ),
    ("storage", &["storage", "storing"]),
];

/// Fewest words of a topic for it to be taken from running text, and one in so many words.
const MIN_MENTIONS: usize = 5;
const WORDS_PER_MENTION: usize = 100;

/// The words of `text` that name `topic`, lower-case and singular, in order of appearance, each once.
pub fn topic_words(text: &str, topic: &str) -> Vec<String> {
    let known = TOPICS
        .iter()
        .find_map(|(name, words)| (*name == topic).then_some(*words))
        .unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let word = word.to_lowercase();
        let singular = word.strip_suffix('s').unwrap_or(&word);
        let named = [word.as_str(), singular]
            .into_iter()
            .find(|word| known.contains(word));
        if let Some(named) = named.filter(|named| !found.iter().any(|has| has == named)) {
            found.push(named.to_owned());
        }
    }
    found
}

/// Topics that `text`, a title or heading, names.
pub(super) fn named_in(text: &str) -> Vec<&'static str> {
    counted(text)
        .0
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(topic, _)| topic)
        .collect()
}

/// Topics that running text comes back to all the time.
pub(super) fn dominant(text: &str) -> Vec<&'static str> {
    let (counts, words) = counted(text);
    let least = MIN_MENTIONS.max(words / WORDS_PER_MENTION);
    counts
        .into_iter()
        .filter(|(_, count)| *count >= least)
        .map(|(topic, _)| topic)
        .collect()
}

/// How often each topic is named, and the number of words.
fn counted(text: &str) -> (Vec<(&'static str, usize)>, usize) {
    let mut counts: Vec<(&str, usize)> = TOPICS.iter().map(|(topic, _)| (*topic, 0)).collect();
    let mut words = 0;
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        words += 1;
        let word = word.to_lowercase();
        let singular = word.strip_suffix('s').unwrap_or(&word);
        for ((_, known), (_, count)) in TOPICS.iter().zip(&mut counts) {
            if known.contains(&word.as_str()) || known.contains(&singular) {
                *count += 1;
            }
        }
    }
    (counts, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_topics_and_text_must_insist() {
        assert_eq!(
            named_in("Stem borers and leaf blight"),
            ["pests", "disease"]
        );
        assert_eq!(named_in("Feeding dairy cows"), ["livestock"]);
        assert!(named_in("Choosing a field").is_empty());
        assert!(dominant("A weed. Herbicides.").is_empty());
        assert_eq!(dominant(&"Pull each weed. ".repeat(5)), ["weeds"]);
        assert_eq!(
            topic_words("Rust and blights: rust.", "disease"),
            ["rust", "blight"]
        );
        assert!(topic_words("Rust.", "no such topic").is_empty());
    }
}
