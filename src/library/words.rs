//! Text to search terms, the same for documents and questions.
//!
//! Lower case, compatibility forms folded (NFKC), accents of Latin letters dropped, British and American
//! spelling made one, crop names made canonical, English Snowball stems. Numbers are kept, without the
//! commas between their thousands. Changing any of this changes [`VERSION`].

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::documents::crops;

/// Part of the store's schema: terms of another version must not be searched.
pub const VERSION: u32 = 1;

/// Longest term kept, in bytes: longer runs are no words.
const MAX_TERM_BYTES: usize = 64;

/// Words that say nothing about the subject, and those that only make a question.
const STOP: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "best", "but", "by", "can", "could", "did", "do", "does", "for", "from", "get", "give",
    "good", "had", "has", "have", "he", "her", "here", "his", "how", "i", "if", "in", "into", "is",
    "it", "its", "just", "let", "many", "may", "me", "much", "must", "my", "need", "of", "on",
    "or", "our", "ought", "please", "should", "so", "tell", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "us", "use", "was", "we", "were",
    "what", "when", "where", "whether", "which", "who", "why", "will", "with", "would", "you",
    "your",
];

/// Words of nearly one meaning in the field, as stems of this module, with what they are called in Hindi, Punjabi and
/// Portuguese; a question's term finds all of its group. No word is in two. They touch questions alone, so a change
/// leaves `VERSION` as it is.
pub const GROUPS: &[&[&str]] = &[
    &["plant", "sow", "seed", "drill", "bijai", "plantio"],
    &["deep", "depth"],
    &["fertilis", "manur", "khad", "adubo"],
    &["nitrogen", "n"],
    &["phosphorus", "phosphat", "p", "p2o5"],
    &["potassium", "potash", "k", "k2o"],
    &["lime", "limeston", "calcario"],
    &["harvest", "reap", "combin", "katai", "colheita"],
    &["ripe", "ripen", "matur"],
    &["moistur", "humid"],
    &["dri", "dryer"],
    &["store", "storag"],
    &["bag", "sack"],
    &["spray", "treat", "control"],
    &["threshold", "limit"],
    &["space", "apart", "distanc", "gap"],
    &["popul", "densiti", "stand"],
    &["temperatur", "warm", "hot", "cold"],
    &["frost", "freez", "geada"],
    &["irrig", "water", "pani"],
    &["rain", "rainfal", "chuva"],
    &["flood", "submerg", "waterlog"],
    &["date", "time"],
    &["varieti", "hybrid", "cultivar"],
    &["rate", "dose", "amount"],
    &["kilo", "kilogram", "kg"],
    &["pound", "lb"],
    &["tonn", "t"],
    &["soil", "ground", "dirt"],
    &["sprout", "germin", "emerg"],
    &["flower", "bloom", "blossom"],
    &["leaf", "leav", "foliag", "defoli"],
    &["straw", "stubbl", "residu", "stover", "parali", "palhada"],
    &["fodder", "forag", "chara"],
    &["pastur", "paddock", "graze"],
    &["damag", "injuri", "harm", "hurt"],
    &["insect", "pest", "bug", "percevejo"],
    &[
        "caterpillar",
        "worm",
        "armyworm",
        "cutworm",
        "bollworm",
        "larva",
        "borer",
        "lagarta",
        "cartucho",
        "broca",
        "sundi",
    ],
    &["aphid", "pulgao", "chepa"],
    &["leafhopp", "cigarrinha", "jassid"],
    &["weevil", "bicudo"],
    &["moth", "traca", "mariposa"],
    &["diseas", "infect"],
    &["rust", "ferrugem", "kungi", "ratua"],
    &["wilt", "uktha", "murcha"],
    &["blight", "jhulsa"],
    &["weed", "nadin", "kharpatwar"],
    &["medicin", "fungicid", "insecticid", "herbicid", "chemic"],
    &["zinc", "zn"],
];

/// Spellings that stemming does not bring together: American or variant form, then ours.
const SPELLINGS: &[(&str, &str)] = &[
    ("fertilizer", "fertiliser"),
    ("fertilizers", "fertilisers"),
    ("fertilize", "fertilise"),
    ("fertilized", "fertilised"),
    ("mold", "mould"),
    ("molds", "moulds"),
    ("moldy", "mouldy"),
    ("color", "colour"),
    ("meter", "metre"),
    ("meters", "metres"),
    ("liter", "litre"),
    ("liters", "litres"),
    ("plow", "plough"),
    ("plowing", "ploughing"),
    ("sulfur", "sulphur"),
    ("gray", "grey"),
    ("tons", "tonnes"),
    ("dried", "dry"),
    ("drying", "dry"),
    ("dryer", "dry"),
    ("drier", "dry"),
    ("sown", "sow"),
    ("sowing", "sow"),
];

/// One term of a question with its alternatives, itself first; finding any one of them finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryTerm {
    /// Stems, the question's own first.
    pub alternatives: Vec<String>,
}

/// The terms of `text` in order, stop words left out.
pub fn terms(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut found = Vec::new();
    for_each_word(text, |word| {
        if word.len() <= MAX_TERM_BYTES && !STOP.contains(&word) {
            found.push(stem(&stemmer, word));
        }
    });
    found
}

/// The words of `text` in lower case without accents, a space between: for comparing names.
pub fn folded(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    for_each_word(text, |word| {
        if !found.is_empty() {
            found.push(' ');
        }
        found.push_str(word);
    });
    found
}

/// The terms of a question, each once, with their alternatives.
pub fn query_terms(text: &str) -> Vec<QueryTerm> {
    let mut found: Vec<QueryTerm> = Vec::new();
    for term in terms(text) {
        // A second word of one group adds nothing: "How deep, at what depth".
        if found.iter().any(|known| known.alternatives.contains(&term)) {
            continue;
        }
        let group = GROUPS.iter().find(|group| group.contains(&term.as_str()));
        let mut alternatives = vec![term];
        for other in group.into_iter().copied().flatten() {
            if *other != alternatives[0] {
                alternatives.push((*other).to_owned());
            }
        }
        found.push(QueryTerm { alternatives });
    }
    found
}

fn stem(stemmer: &Stemmer, word: &str) -> String {
    if let Some(crop) = crops::known(word) {
        return crop.to_owned();
    }
    let word = SPELLINGS
        .iter()
        .find(|(from, _)| *from == word)
        .map_or(word, |(_, to)| to);
    stemmer.stem(word).into_owned()
}

/// Calls `each` with every word of `text`, folded.
fn for_each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = String::new();
    let mut characters = text.nfkc().peekable();
    while let Some(c) = characters.next() {
        let next_is_digit = || |next: &char| next.is_ascii_digit();
        if c.is_alphanumeric() || (is_combining_mark(c) && !word.is_empty()) {
            fold_into(&mut word, c);
        } else if matches!(c, '.' | ',')
            && word.bytes().all(|byte| byte.is_ascii_digit())
            && !word.is_empty()
            && characters.peek().is_some_and(next_is_digit())
        {
            // "2.5" is one number, and so is "32,000".
            if c == '.' {
                word.push('.');
            }
        } else if c == '\'' || c == '’' {
            // "farmer's" is "farmer" and "s"; the "s" goes with the apostrophe.
            if characters.peek() == Some(&'s') {
                characters.next();
            }
        } else if !word.is_empty() {
            each(&word);
            word.clear();
        }
    }
    if !word.is_empty() {
        each(&word);
    }
}

/// Adds `c` in lower case, without an accent that a handheld's keyboard may lack.
fn fold_into(word: &mut String, c: char) {
    for c in c.to_lowercase() {
        if c.is_ascii() {
            word.push(c);
        } else {
            word.extend(
                std::iter::once(c)
                    .nfd()
                    .filter(|c| !('\u{300}'..='\u{36f}').contains(c)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_spellings_and_inflections_meet_in_one_term() {
        for (left, right) in [
            ("corn", "Maize"),
            ("soybeans", "soya"),
            ("fertilizers", "fertiliser"),
            ("Paraná", "parana"),
            ("sowing", "sown"),
            ("dried", "drying"),
            ("P₂O₅", "p2o5"),
            ("32,000", "32000"),
        ] {
            assert_eq!(terms(left), terms(right));
        }
    }

    #[test]
    fn numbers_and_units_are_kept_apart_and_whole() {
        assert_eq!(terms("2.5 cm, 10-32-10."), ["2.5", "cm", "10", "32", "10"]);
        assert_eq!(terms("the farmer's field"), ["farmer", "field"]);
    }

    #[test]
    fn marks_of_indic_scripts_stay_with_their_letters() {
        assert_eq!(terms("ਪਾਣੀ ਦਿਓ").len(), 2);
        assert_eq!(terms("मक्का").len(), 1);
    }

    #[test]
    fn a_question_is_left_with_what_it_asks_about() {
        let own: Vec<_> = query_terms("How deep should I sow my maize seed, at what depth?")
            .into_iter()
            .map(|term| term.alternatives[0].clone())
            .collect();
        assert_eq!(
            own,
            ["deep", "sow", "maiz"].map(|t| if t == "maiz" { "maize" } else { t })
        );
    }

    #[test]
    fn no_word_is_in_two_groups() {
        let mut all: Vec<&str> = GROUPS.concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn every_alternative_is_a_stem_that_a_text_can_have() {
        let stemmer = Stemmer::create(Algorithm::English);
        for stem in GROUPS.iter().flat_map(|group| group.iter()) {
            assert!(!STOP.contains(stem), "{stem} is a stop word");
            let again = super::stem(&stemmer, stem);
            assert!(
                again == **stem || stem.len() > 4,
                "{stem} would be stemmed to {again}"
            );
        }
    }
}
