//! Sentences fit to be asked about: without citations, whole, and clear without the ones before.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// Fewest and most words of a sentence that is asked about: shorter ones are headings, longer ones
/// say several things.
const WORDS: std::ops::RangeInclusive<usize> = 6..=36;

/// A pattern that is a constant of this room and compiles; the tests run every one.
pub fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

/// Citations and pointers to figures, in any bracket; brackets that lost their content.
static CITATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\s*[(\[](?:[^()\[\]]*(?:et al|\b(?:19|20)\d\d[a-z]?\b|\bfigs?\b|\btables?\b|\bsupp|\bsee\b|\bibid|\bdoi\b|\bappendix|http)[^()\[\]]*|[\s,;.–-]*|\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*)[)\]]",
    )
});
static SPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+"));
static SPACE_BEFORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+([.,;:])"));
/// What cannot be understood outside its place, or is no plain prose.
static UNFIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\bet al\b|\bfigs?\b\.?|\btables?\b|\beq(?:uation)?s?\b|\bsupplement|\brespectively\b|\bhttps?:|\bwww\.|[@=<>≤≥±×→|{}_^~*\\]|\bp-value|\babove-mentioned|\baforementioned|\bthis (?:study|paper|article|work|section|chapter|review)\b|\b(?:former|latter)\b|\bdescribed (?:above|below|earlier|previously)\b|\b(?:this|these|those|our|we|i|my)\b|\?|…",
    )
});

/// A sentence that begins inside another: its full stop was lost.
static RUN_ON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"[\w')’][ ](?:In|The|It|However|They|For|There|When|While|As|Most|Some)\s[a-z]")
});

/// `sentence` without its citations.
pub fn uncited(sentence: &str) -> String {
    let text = CITATION.replace_all(sentence, "");
    let text = SPACE.replace_all(text.trim(), " ");
    SPACE_BEFORE.replace_all(&text, "$1").into_owned()
}

/// Whether the cleaned `sentence` can be asked about on its own.
pub fn is_fit(sentence: &str) -> bool {
    let words = sentence.split_whitespace().count();
    WORDS.contains(&words)
        && sentence.ends_with('.')
        && sentence.starts_with(|c: char| c.is_uppercase())
        && !UNFIT.is_match(sentence)
        && is_balanced(sentence)
        && !has_glued_heading(sentence)
        && !RUN_ON.is_match(sentence)
}

fn is_balanced(text: &str) -> bool {
    let count = |mark: char| text.matches(mark).count();
    count('(') == count(')')
        && count('[') == count(']')
        && count('“') == count('”')
        && count('"').is_multiple_of(2)
}

/// Whether a heading ran into the text: "Description Wheat is a stout grass".
fn has_glued_heading(sentence: &str) -> bool {
    const HEADINGS: &[&str] = &[
        "Abstract",
        "Agricultural",
        "Background",
        "Biology",
        "Characteristics",
        "Classification",
        "Climate",
        "Conclusion",
        "Control",
        "Cultivation",
        "Description",
        "Disease",
        "Diseases",
        "Distribution",
        "Ecology",
        "Economics",
        "Epidemiology",
        "Etymology",
        "Genetics",
        "Growth",
        "Harvest",
        "History",
        "Impact",
        "Introduction",
        "Management",
        "Morphology",
        "Nutrition",
        "Objective",
        "Origin",
        "Overview",
        "Pests",
        "Prevention",
        "Processing",
        "Production",
        "Symptoms",
        "Taxonomy",
        "Toxicity",
        "Transmission",
        "Treatment",
        "Uses",
        "Varieties",
    ];
    let mut words = sentence.split_whitespace();
    let first = words.next().unwrap_or("");
    let capital = |word: &str| word.starts_with(|c: char| c.is_uppercase());
    HEADINGS.contains(&first) && words.take(3).any(capital)
}

/// The words of `texts` that are no proper names, in lower case: those that stand there in lower case, and
/// those that have a capital at the beginning of sentences alone.
pub fn common_words<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    let (mut lower, mut begin, mut inside) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for text in texts {
        let mut begins = true;
        for piece in text.split_whitespace() {
            let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if word.starts_with(|c: char| c.is_lowercase()) {
                lower.insert(word.to_owned());
            } else if is_plain(word) {
                let kind = if begins { &mut begin } else { &mut inside };
                kind.insert(word.to_lowercase());
            }
            begins = piece.ends_with(['.', '!', '?', ':']);
        }
    }
    begin.retain(|word: &String| !inside.contains(word) && !is_latin(word));
    lower.extend(begin);
    lower
}

/// One capital, then small letters.
fn is_plain(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.all(|c| c.is_lowercase() || c == '-')
}

/// Whether `word` ends like the name of a genus, which keeps its capital.
fn is_latin(word: &str) -> bool {
    ["us", "um", "ia", "ella", "oides", "aceae", "a", "is"]
        .iter()
        .any(|end| word.ends_with(end))
}

/// `phrase`, which began a sentence, inside another: its first word in lower case unless it is a name.
pub fn inside(phrase: &str, common: &BTreeSet<String>) -> String {
    const ALWAYS: &[&str] = &[
        "The", "A", "An", "Most", "Each", "Every", "All", "In", "On", "At", "During", "Under",
    ];
    let first = phrase.split_whitespace().next().unwrap_or("");
    let lower = first.to_lowercase();
    let known = common.contains(&lower)
        || lower
            .strip_suffix('s')
            .is_some_and(|one| common.contains(one))
        || common.contains(&format!("{lower}s"));
    if ALWAYS.contains(&first)
        || (known && first.chars().skip(1).all(|c| c.is_lowercase() || c == '-'))
    {
        return format!("{lower}{}", &phrase[first.len()..]);
    }
    phrase.to_owned()
}

/// Whether a heading of its own seems to run into `subject`: a word stands there twice, or a common word has a
/// capital inside it ("Dead cotton Dead cotton", "Maize and teosinte Maize").
pub fn is_glued(subject: &str, common: &BTreeSet<String>) -> bool {
    let words: Vec<&str> = subject.split_whitespace().collect();
    let mut seen = BTreeSet::new();
    let twice = words
        .iter()
        .any(|word| word.len() > 3 && !seen.insert(word.to_lowercase()));
    let capital = |word: &&&str| {
        word.starts_with(|c: char| c.is_uppercase()) && common.contains(&word.to_lowercase())
    };
    twice || words.iter().skip(1).any(|word| capital(&word))
}

/// `text` with its first letter large.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_go_and_what_is_said_in_brackets_stays() {
        for (text, expected) in [
            (
                "Rice (Oryza sativa) feeds many (Khush, 2005; Li et al., 2010).",
                "Rice (Oryza sativa) feeds many.",
            ),
            ("It grew [12, 14–16] by 5 % (Fig. 2).", "It grew by 5 %."),
            ("Wheat () is old ( , ).", "Wheat is old."),
            ("Sow at 10 °C (50 °F).", "Sow at 10 °C (50 °F)."),
        ] {
            assert_eq!(uncited(text), expected);
        }
    }

    #[test]
    fn what_points_elsewhere_is_not_asked_about() {
        assert!(is_fit("Maize seed germinates at 50 °F or warmer."));
        for unfit in [
            "We sowed the seed at 50 °F or warmer.",
            "As Table 2 shows the seed needs 50 °F.",
            "The two rates were 40 and 50 kg respectively.",
            "The seed needs 50 °F",
            "Description Wheat is a stout grass of medium height.",
            "Short one here.",
        ] {
            assert!(!is_fit(unfit), "{unfit}");
        }
    }

    #[test]
    fn a_heading_that_ran_into_the_text_is_seen() {
        let common = common_words(["the cotton and maize of Iowa"]);
        assert!(is_glued("Dead cotton Dead cotton", &common));
        assert!(is_glued("Teosinte Maize", &common));
        assert!(!is_glued("Winter wheat in Iowa", &common));
    }

    #[test]
    fn names_keep_their_capital() {
        let common = common_words(["Sow wheat early. The seed of barley. Farmers in Iowa."]);
        assert_eq!(inside("Wheat straw", &common), "wheat straw");
        assert_eq!(inside("Seeds", &common), "seeds");
        assert_eq!(inside("Iowa farmers", &common), "Iowa farmers");
        assert_eq!(inside("The Iowa farmer", &common), "the Iowa farmer");
    }
}
