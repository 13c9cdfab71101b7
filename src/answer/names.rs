//! Named products and other proper names in text: what must never come from nowhere.

use std::collections::BTreeSet;

use super::words;

/// Endings of the common names of active ingredients (ISO 1750 stems and wide use).
const CHEMICAL: &[&str] = &[
    "thrin", "conazole", "zole", "strobin", "fos", "phos", "amide", "mectin", "clopr", "cloprid",
    "prole", "sulfuron", "sulam", "trione", "azine", "fop", "xyfop", "dim", "nil", "carb",
    "thiram", "zeb", "phosate", "fosinate", "quat", "oxam", "thoxam", "noid", "uron", "chlor",
    "dicamba", "spinosad", "toram", "mide", "fen", "pyr", "zone", "nate",
];

/// Everyday words that end like a chemical.
const NOT_CHEMICAL: &[&str] = &[
    "zone",
    "often",
    "stiffen",
    "roughen",
    "soften",
    "ozone",
    "provide",
    "pyramid",
    "inoculate",
    "contaminate",
    "germinate",
    "eliminate",
    "alternate",
    "pollinate",
    "dominate",
    "determinate",
    "terminate",
    "originate",
    "hydrate",
    "carbonate",
    "coordinate",
    "indeterminate",
    "fortunate",
    "designate",
    "combine",
    "dim",
    "nil",
    "carb",
    "pesticide",
    "deepen",
    "deafen",
    "magazine",
    "ate",
    "senate",
    "donate",
    "ornate",
    "nominate",
    "discriminate",
    "phosphate",
    "sulphate",
];

/// Words that begin a sentence or stand in capitals without naming anything.
const COMMON: &[&str] = &[
    "i",
    "yes",
    "usually",
    "generally",
    "typically",
    "apply",
    "plant",
    "sow",
    "spray",
    "treat",
    "harvest",
    "dry",
    "store",
    "wait",
    "use",
    "add",
    "give",
    "irrigate",
    "scout",
    "check",
    "start",
    "begin",
    "finish",
    "stop",
    "however",
    "also",
    "therefore",
    "thus",
    "according",
    "based",
    "ideally",
    "first",
    "second",
    "third",
    "finally",
    "farmers",
    "farmer",
    "passage",
    "passages",
    "source",
    "sources",
    "answer",
    "note",
    "recommended",
    "recommendation",
    "optimal",
    "ideal",
    "maximum",
    "minimum",
    "average",
    "aim",
    "consider",
    "ensure",
    "remember",
    "during",
    "since",
    "n",
    "p",
    "k",
    "ph",
    "c",
    "f",
    "usa",
    "us",
    "additionally",
    "furthermore",
    "overall",
    "always",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "measure",
    "monitor",
    "expect",
    "choose",
    "avoid",
    "keep",
    "select",
    "planting",
    "sowing",
    "crop",
    "crops",
    "soil",
    "seed",
    "seeds",
    "grain",
    "field",
    "fields",
    "yield",
    "rate",
    "about",
    "approximately",
    "control",
    "rows",
    "row",
    "depth",
    "depending",
    "without",
    "within",
    "both",
    "early",
    "late",
];

/// A name that a text uses, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: String,
    /// True when only its place at the start of a sentence gives it a capital.
    pub opening: bool,
}

/// The words of `text` that may name a product, a variety, a place or a chemical.
///
/// Capitalised words, words with a digit (`V6`, `PMH`, `2,4-D` by its parts) and words that end as
/// active ingredients do. Months are left to the dates.
pub fn names(text: &str) -> Vec<Name> {
    let mut found = Vec::new();
    let mut opening = true;
    for word in words_and_stops(text) {
        match word {
            Piece::Stop => opening = true,
            Piece::Word(word) => {
                if is_name(word) {
                    found.push(Name {
                        text: word.to_owned(),
                        opening: opening && !has_inner_sign(word) && !is_chemical(word),
                    });
                }
                opening = false;
            }
        }
    }
    found
}

/// Whether `word` ends as the common names of active ingredients do.
pub fn is_chemical(word: &str) -> bool {
    let lower = word.to_lowercase();
    lower.chars().count() >= 6
        && !NOT_CHEMICAL.contains(&lower.as_str())
        && CHEMICAL.iter().any(|ending| lower.ends_with(ending))
}

/// The words of `text` by which a name is found again: lower case and stem of each.
pub fn known(text: &str) -> BTreeSet<String> {
    words::split(text)
        .flat_map(|word| [word.to_lowercase(), words::stem(word)])
        .collect()
}

impl Name {
    /// Whether the name stands among `known` words, or is an everyday word.
    pub fn is_in(&self, known: &BTreeSet<String>) -> bool {
        let lower = self.text.to_lowercase();
        let bare = lower.trim_end_matches("'s");
        // The stemmer leaves `DD60s` as it is.
        let one = bare.strip_suffix('s').unwrap_or(bare);
        known.contains(bare)
            || known.contains(one)
            || known.contains(&words::stem(bare))
            || COMMON.contains(&bare)
            || words::is_stop(bare)
            || is_month(bare)
            || super::units::named(bare).is_some()
    }
}

enum Piece<'a> {
    Word(&'a str),
    Stop,
}

/// Words, with a stop after each sentence, colon and list mark.
fn words_and_stops(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let inside = c.is_alphanumeric() || matches!(c, '\'' | '’' | '®' | '™');
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                pieces.push(Piece::Word(text[from..at].trim_matches(['\'', '’'])));
                start = None;
            }
            _ => {}
        }
        let decimal = text[at + c.len_utf8()..].starts_with(|next: char| next.is_alphanumeric());
        if matches!(c, ':' | '\n' | '!' | '?' | '"' | '“') || (c == '.' && !decimal) {
            pieces.push(Piece::Stop);
        }
    }
    if let Some(from) = start {
        pieces.push(Piece::Word(text[from..].trim_matches(['\'', '’'])));
    }
    pieces
}

fn is_name(word: &str) -> bool {
    let Some(first) = word.chars().next() else {
        return false;
    };
    if first.is_ascii_digit() {
        return false;
    }
    first.is_uppercase() || has_inner_sign(word) || is_chemical(word)
}

fn has_inner_sign(word: &str) -> bool {
    let inner_capital = word.chars().skip(1).any(char::is_uppercase);
    inner_capital
        || word
            .chars()
            .any(|c| c.is_ascii_digit() || matches!(c, '®' | '™'))
}

fn is_month(word: &str) -> bool {
    words::MONTHS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str, source: &str) -> Vec<String> {
        let known = known(source);
        names(text)
            .into_iter()
            .filter(|name| !name.is_in(&known))
            .map(|name| name.text)
            .collect()
    }

    #[test]
    fn a_trade_name_and_an_active_ingredient_are_names() {
        let source = "Spray the maize.";
        assert_eq!(unknown("Spray Roundup on maize.", source), ["Roundup"]);
        assert_eq!(
            unknown("Spray the maize with cypermethrin.", source),
            ["cypermethrin"]
        );
        assert_eq!(
            unknown("Sow PMH1 or glyphosate.", source),
            ["PMH1", "glyphosate"]
        );
    }

    #[test]
    fn months_units_and_everyday_openings_are_no_names() {
        assert_eq!(
            unknown("Usually plant in May. However, wait at 50 °F.", "plant"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_name_is_found_again_in_any_case() {
        assert_eq!(
            unknown("Use CORAGEN.", "Use Coragen 18.5 SC."),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_first_word_is_marked_as_opening() {
        let found = names("Roundup kills weeds. Use Coragen.");
        assert!(found[0].opening);
        assert!(
            !found
                .iter()
                .any(|name| name.text == "Coragen" && name.opening)
        );
    }
}
