//! Words: what two texts are compared by.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

use crate::library;

/// Words that carry no content of their own in a farm question.
const STOP: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at",
    "be", "because", "been", "before", "being", "but", "by", "can", "could", "did", "do", "does",
    "doing", "each", "either", "every", "few", "for", "from", "get", "gets", "give", "given", "go",
    "goes", "going", "had", "has", "have", "having", "he", "her", "here", "his", "how", "i", "if",
    "in", "into", "is", "it", "its", "just", "keep", "let", "like", "make", "many", "may", "me",
    "mean", "more", "most", "much", "must", "my", "need", "needs", "no", "not", "now", "of", "off",
    "often", "on", "once", "one", "only", "or", "other", "our", "out", "over", "own", "per",
    "please", "put", "run", "said", "same", "say", "says", "shall", "she", "should", "so", "some",
    "such", "suggest", "take", "tell", "tells", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "too", "under", "until", "up", "use", "used",
    "very", "want", "was", "we", "were", "what", "when", "where", "which", "while", "who", "why",
    "will", "with", "would", "you", "your", "best", "right", "around", "long", "worth", "far",
    "past", "between", "don't", "i'm", "it's",
];

/// Other names of one thing, by stem; the second column stands for all.
const SAME: &[(&str, &str)] = &[
    ("cornfield", "maiz"),
    ("bean", "soybean"),
    ("sow", "plant"),
    ("sown", "plant"),
    ("depth", "deep"),
    ("kilo", "kg"),
    ("kilogram", "kg"),
    ("kilogramm", "kg"),
    ("liter", "litr"),
    ("tyre", "tire"),
    ("fertilis", "fertil"),
    ("fertiliz", "fertil"),
    ("ton", "tonn"),
    ("water", "irrig"),
    ("dri", "moistur"),
    ("dryer", "moistur"),
    ("wet", "moistur"),
    ("bug", "insect"),
    ("hectar", "ha"),
    ("pound", "lb"),
    ("leav", "leaf"),
    ("p2o5", "phosphorus"),
    ("phosphat", "phosphorus"),
    ("phosphor", "phosphorus"),
    ("potash", "potassium"),
    ("k2o", "potassium"),
    ("gramm", "gram"),
    ("fertilizer", "fertil"),
];

/// The months, in order and in lower case.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Stems of nearly one meaning, by each of them.
static KIN: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut kin = HashMap::new();
    for group in library::GROUPS {
        let stems: BTreeSet<String> = group.iter().map(|stem| one_name(stem)).collect();
        for stem in &stems {
            let others = stems.iter().filter(|other| *other != stem);
            kin.insert(stem.clone(), others.cloned().collect());
        }
    }
    kin
});

/// The stem by which a word is compared; other names of one thing share a stem.
pub fn stem(word: &str) -> String {
    let lower = word.to_lowercase().replace('’', "'");
    let bare = lower.strip_suffix("'s").unwrap_or(&lower);
    let bare = match bare.is_ascii() {
        true => bare.to_owned(),
        // Without the accents that a handheld's keyboard may lack.
        false => library::folded(bare),
    };
    let crop = library::crop_named_by(&bare);
    // "common bean" is a bean.
    let bare = crop.map_or(&*bare, |crop| crop.rsplit(' ').next().unwrap_or(crop));
    one_name(&Stemmer::create(Algorithm::English).stem(bare))
}

/// The stem that stands for all names of what `stem` names.
fn one_name(stem: &str) -> String {
    let same = SAME.iter().find(|(other, _)| *other == stem);
    same.map_or(stem, |(_, one)| one).to_owned()
}

/// Other stems that mean nearly the same in the field as `stem`: `armyworm` of `caterpillar`.
pub fn kin(stem: &str) -> &'static [String] {
    KIN.get(stem).map_or(&[], Vec::as_slice)
}

/// True for a word that carries no content.
pub fn is_stop(word: &str) -> bool {
    let lower = word.to_lowercase().replace('’', "'");
    STOP.contains(&lower.as_str())
}

/// The words of `text` as written, in order; numbers are words too.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
}

/// The stems of the content words of `text`; numbers are left out.
pub fn content(text: &str) -> BTreeSet<String> {
    split(text)
        .filter(|word| !is_stop(word))
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .map(stem)
        .filter(|stem| stem.chars().count() > 1)
        .collect()
}

/// Whether `word` is a number, in figures or spelled out.
pub fn is_number(word: &str) -> bool {
    small(word).is_some() || word.starts_with(|c: char| c.is_ascii_digit())
}

/// The number that a word from `one` to `nineteen`, or a round ten, stands for.
pub fn small(word: &str) -> Option<f64> {
    let names = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    let tens = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let index = |list: &[&str]| list.iter().position(|name| *name == word);
    // Lossless: positions in short lists.
    index(&names)
        .map(|at| (at + 1) as f64)
        .or_else(|| index(&tens).map(|at| ((at + 2) * 10) as f64))
}

/// What a growth stage is: `V6` vegetative, `R3` reproductive; `None` for another word.
pub fn stage(word: &str) -> Option<&'static str> {
    let mut characters = word.chars();
    let kind = match characters.next()? {
        'V' => "vegetative",
        'R' => "reproductive",
        _ => return None,
    };
    let number = characters.as_str();
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_number && number.len() <= 2).then_some(kind)
}

/// True where `text` says that something is not so or must not be done.
pub fn is_negated(text: &str) -> bool {
    split(text).any(|word| {
        let word = word.to_lowercase().replace('’', "'");
        ["not", "no", "never", "avoid", "without", "cannot", "nor"].contains(&word.as_str())
            || word.ends_with("n't")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_of_one_crop_are_one_word() {
        assert_eq!(stem("corn"), stem("maize"));
        assert_eq!(stem("Makki"), stem("maize"));
        assert_eq!(stem("sowing"), stem("planted"));
    }

    #[test]
    fn content_leaves_out_what_every_question_has() {
        let words: Vec<String> = content("How deep should I sow the 2 maize seeds?")
            .into_iter()
            .collect();
        assert_eq!(words, ["deep", "maiz", "plant", "seed"]);
    }

    #[test]
    fn a_growth_stage_is_told_by_its_letter() {
        assert_eq!(stage("R3"), Some("reproductive"));
        assert_eq!(stage("V12"), Some("vegetative"));
        assert_eq!(stage("R"), None);
        assert_eq!(stage("Rice"), None);
        assert_eq!(stage("V123"), None);
    }

    #[test]
    fn a_negation_is_seen_in_short_forms_too() {
        assert!(is_negated("Don’t plant into wet soil."));
        assert!(!is_negated("Plant into dry soil."));
    }
}
