//! A second opinion on grounding, written apart from the guard: by patterns, over the whole answer.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::figures::{Figure, figures};

/// What an answer may rest on.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    /// Texts of the cited passages with their quotes, readings as text, the question.
    pub texts: Vec<&'a str>,
}

/// A pattern that is a constant of this file and compiles; every test runs it.
static MONTH_DAY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(january|february|march|april|may|june|july|august|september|october|november|december)\s+(\d{1,2})\b|\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(january|february|march|april|may|june|july|august|september|october|november|december)\b",
    )
    .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// The figures, dates and names of `answer` that stand nowhere in `evidence`, as written.
pub fn ungrounded(answer: &str, evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let known: BTreeSet<String> = evidence
        .texts
        .iter()
        .flat_map(|text| dates(text).0)
        .collect();
    let (own_dates, rest) = dates(answer);
    found.extend(own_dates.difference(&known).cloned());
    let sources: Vec<Figure> = evidence
        .texts
        .iter()
        .flat_map(|text| figures(text))
        .collect();
    for figure in figures(&rest) {
        if !sources.iter().any(|source| stands(&figure, source)) {
            found.push(
                format!("{} {}", figure.text, figure.unit.join("/"))
                    .trim()
                    .to_owned(),
            );
        }
    }
    found.extend(strange_names(answer, evidence));
    found
}

/// Month and day pairs, and the text without them.
fn dates(text: &str) -> (BTreeSet<String>, String) {
    let found = MONTH_DAY
        .captures_iter(text)
        .filter_map(|found| {
            let month = found.get(1).or_else(|| found.get(4))?;
            let day = found.get(2).or_else(|| found.get(3))?;
            Some(format!(
                "{} {}",
                day.as_str(),
                month.as_str().to_lowercase()
            ))
        })
        .collect();
    (found, MONTH_DAY.replace_all(text, " ").into_owned())
}

/// Whether `figure` is `source`, as written or converted.
pub(super) fn stands(figure: &Figure, source: &Figure) -> bool {
    if figure.unit.is_empty() || source.unit.is_empty() {
        return figure.unit == source.unit && (figure.value - source.value).abs() < 1e-9;
    }
    figure.is(source.value, &source.unit)
}

/// Words with a capital inside a sentence that no evidence has in any case.
fn strange_names(answer: &str, evidence: &Evidence<'_>) -> Vec<String> {
    let all = evidence.texts.join(" ").to_lowercase();
    let mut names = Vec::new();
    let mut opening = true;
    for word in answer.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let named = bare.chars().count() > 1
            && bare.starts_with(|c: char| c.is_uppercase())
            && bare.chars().any(|c| c.is_lowercase());
        if named && !opening {
            let singular = bare.to_lowercase();
            let singular = singular.strip_suffix("'s").unwrap_or(&singular);
            if !all.contains(singular) {
                names.push(bare.to_owned());
            }
        }
        opening = word.ends_with(['.', ':', '!', '?', ';']);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, source: &str) -> Vec<String> {
        ungrounded(
            answer,
            &Evidence {
                texts: vec![source],
            },
        )
    }

    #[test]
    fn what_the_source_says_passes() {
        let source = "Plant maize 2 inches deep by May 10. Use Coragen 18.5 SC at 0.4 ml/litre.";
        assert_eq!(check("Plant 5 cm deep.", source), Vec::<String>::new());
        assert_eq!(check("Plant by 10 May.", source), Vec::<String>::new());
        assert_eq!(
            check("Spray Coragen at 0.4 ml per litre.", source),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_number_unit_date_or_name_is_listed() {
        let source = "Plant maize 2 inches deep by May 10.";
        assert_eq!(check("Plant 3 inches deep.", source), ["3 inch"]);
        assert_eq!(check("Plant 2 cm deep.", source), ["2 cm"]);
        assert_eq!(check("Plant by May 11.", source), ["11 may"]);
        assert_eq!(check("Spray the Roundup.", source), ["Roundup"]);
    }

    #[test]
    fn an_empty_answer_has_nothing_ungrounded_and_no_evidence_grounds_nothing() {
        assert!(check("", "anything 5").is_empty());
        assert_eq!(check("Give 5 kg.", ""), ["5 kg"]);
    }
}
