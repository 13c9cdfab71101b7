//! Words of an answer against those of the reference: token F1 and length, and whether it declines.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// The words that F1 compares: lower case, without articles and punctuation; numbers keep their point.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '/' | '-' | '–' | '—'))
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != '°')
                .to_lowercase()
        })
        .filter(|word| !word.is_empty() && !matches!(word.as_str(), "a" | "an" | "the"))
        .collect()
}

/// Harmonic mean of precision and recall over words, each counted as often as it stands in both; 0 to 1.
/// As SQuAD has it (Rajpurkar et al. 2016); 0 when either is empty.
pub fn token_f1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &reference {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in &answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    2.0 * f64::from(shared) / (answer.len() + reference.len()) as f64
}

/// Words of the answer for each word of the reference; `None` without a reference.
pub fn length_ratio(answer: &str, reference: &str) -> Option<f64> {
    let reference = reference.split_whitespace().count();
    (reference > 0).then(|| answer.split_whitespace().count() as f64 / reference as f64)
}

/// A pattern that is a constant of this file and compiles; the tests run it.
static DECLINES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:(?:do|does|did|can|ca|could)(?: not|n't) (?:know|say|tell|answer|mention|provide|specify|contain|find|give|have)|cannot (?:answer|say|tell|provide|find|be answered)|(?:am|is|are|was|were) not (?:able|sure|mentioned|provided|specified|stated|given|available|in my library)|isn't (?:mentioned|provided|specified|stated|given)|unable to|no (?:information|mention|answer|data)\b)",
    )
    .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// Whether a model's answer says that it has none: its first sentence declines, and no figure is given.
pub fn declines(answer: &str) -> bool {
    let first = answer.split_inclusive(['.', '!', '?']).next().unwrap_or("");
    DECLINES.is_match(first) && !answer.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_counts_shared_words() {
        // answer: sow 2 inches deep (4), reference: about 2 inches deep (4), shared 3.
        let f1 = token_f1("Sow 2 inches deep.", "About 2 inches deep");
        assert!((f1 - 0.75).abs() < 1e-12);
        assert_eq!(token_f1("The 2.5 cm.", "2.5 cm"), 1.0);
        assert_eq!(token_f1("2 2 2", "2"), 0.5);
        assert_eq!(token_f1("", "2 inches"), 0.0);
        assert_eq!(token_f1("2 inches", ""), 0.0);
    }

    #[test]
    fn a_whole_passage_is_long_and_scores_low() {
        let passage = "Sow 2 inches deep. ".repeat(30);
        assert!(token_f1(&passage, "About 2 inches deep.") < 0.1);
        assert_eq!(length_ratio(&passage, "About 2 inches deep."), Some(30.0));
        assert_eq!(length_ratio("x", ""), None);
        assert_eq!(length_ratio("", "2 inches"), Some(0.0));
    }

    #[test]
    fn an_answer_that_declines_is_told_from_one_that_answers() {
        assert!(declines("I do not know the answer to that."));
        assert!(declines("The text does not mention zinc."));
        assert!(declines("I'm sorry, I can't answer that."));
        assert!(declines("There is no information on that."));
        assert!(!declines("Do not sow before the soil is warm."));
        assert!(!declines("The text does not say, but 5 kg is common."));
        assert!(!declines("Sow deep. I do not know the variety."));
        assert!(!declines(""));
    }
}
