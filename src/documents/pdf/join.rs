//! Lines to running text: words broken at a line's end are made whole.

use std::collections::HashMap;

/// How a document writes its words.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// The words that stand whole inside a line, in lower case.
    words: HashMap<String, u32>,
    /// No word is broken: a hyphen at a line's end is the word's own.
    is_unbroken: bool,
    /// Dashes have a space before them and none behind, as in Spanish.
    has_loose_dashes: bool,
}

impl Vocabulary {
    /// Without words; `is_unbroken` where the document breaks none at the ends of lines.
    pub fn new(is_unbroken: bool) -> Self {
        Vocabulary {
            is_unbroken,
            ..Self::default()
        }
    }

    /// Adds the words of a line, save those that may be broken: the last, and the first after a hyphen.
    pub fn add_line(&mut self, text: &str, after_hyphen: bool) {
        let mut words: Vec<&str> = text.split(' ').skip(usize::from(after_hyphen)).collect();
        words.pop();
        self.has_loose_dashes |= words.iter().skip(1).any(|word| begins_tied(word));
        for word in words {
            let bare = bare(word);
            if !bare.is_empty() {
                *self.words.entry(bare.to_lowercase()).or_default() += 1;
            }
        }
    }

    /// Takes back that no word is broken where `lines` break one that stands whole elsewhere.
    pub fn check(&mut self, lines: &[&str]) {
        let is_evident = lines.windows(2).any(|pair| {
            let (head, tail) = (pair[0].rsplit(' ').next(), pair[1].split(' ').next());
            let head = head.and_then(|head| head.strip_suffix('-')).map(bare);
            let (Some(head), Some(tail)) = (head, tail.map(bare)) else {
                return false;
            };
            !head.is_empty()
                && tail.starts_with(char::is_lowercase)
                && self.count(&format!("{head}{tail}")) > self.count(&format!("{head}-{tail}"))
        });
        self.is_unbroken &= !is_evident;
    }

    fn count(&self, word: &str) -> u32 {
        self.words
            .get(&word.to_lowercase())
            .copied()
            .unwrap_or_default()
    }
}

fn bare(word: &str) -> &str {
    word.trim_matches(|ch: char| !ch.is_alphanumeric())
}

/// `texts`, each a line, as one.
pub(super) fn lines<T: AsRef<str>>(texts: &[T], vocabulary: &Vocabulary) -> String {
    let mut out = String::new();
    for text in texts {
        push_line(&mut out, text.as_ref(), vocabulary);
    }
    clean(&out)
}

/// Appends a line to running text.
fn push_line(out: &mut String, line: &str, vocabulary: &Vocabulary) {
    if out.is_empty() || line.is_empty() {
        out.push_str(line);
        return;
    }
    let next = line.chars().next().unwrap_or(' ');
    let soft = out.ends_with('\u{ad}');
    if out.ends_with('-') && leaves_open(out, line) {
        out.push(' ');
    } else if (out.ends_with('-') || soft) && next.is_alphanumeric() {
        let head_from = out.rfind(' ').map_or(0, |at| at + 1);
        let head = out[head_from..].trim_end_matches(['-', '\u{ad}']);
        let tail = line.split(' ').next().unwrap_or_default();
        let keep = !soft && keeps_hyphen(head, tail, vocabulary);
        let whole_head = !head.is_empty();
        if !keep && whole_head {
            out.pop();
        }
        if !whole_head {
            out.push(' ');
        }
    } else if !(is_tied(out) && next.is_alphanumeric()
        || is_minus(out) && next.is_ascii_digit()
        || is_link(out) && !next.is_uppercase()
        || begins_tied(line) && !vocabulary.has_loose_dashes)
    {
        out.push(' ');
    }
    out.push_str(line);
}

/// Whether the hyphen at the end of `out` stands for a word that comes later: "pre- and post-emergence".
fn leaves_open(out: &str, line: &str) -> bool {
    let head = out.rsplit(' ').next().unwrap_or_default();
    let next = line.split(' ').next().unwrap_or_default();
    head.len() > 1 && matches!(next, "and" | "or" | "to") && line.len() > next.len()
}

/// Whether a line begins with a dash that stands against its word: such a dash ties the word before it, too.
fn begins_tied(line: &str) -> bool {
    let mut first = line.chars();
    first.next() == Some('—') && first.next().is_some_and(char::is_alphanumeric)
}

/// Whether the text ends in a dash or slash that stands against its word.
fn is_tied(out: &str) -> bool {
    let mut last = out.chars().rev();
    matches!(last.next(), Some('–' | '—' | '/')) && last.next().is_some_and(|ch| ch != ' ')
}

/// Whether the text ends in a dash that can be a number's sign: "stored at –", and not "10 –".
fn is_minus(out: &str) -> bool {
    let before = out.strip_suffix(" –").or(out.strip_suffix(" −"));
    before.is_some_and(|before| before.ends_with(char::is_alphabetic))
}

/// Whether the text ends within a web address.
fn is_link(out: &str) -> bool {
    let last = out.rsplit(' ').next().unwrap_or_default();
    (last.contains("://") || last.starts_with("www.")) && last.ends_with(['/', '.', '_', '=', '-'])
}

/// Words that seldom stand second but after a hyphen.
const SECOND_HALVES: [&str; 40] = [
    "induced",
    "based",
    "related",
    "specific",
    "dependent",
    "treated",
    "free",
    "like",
    "derived",
    "resistant",
    "tolerant",
    "producing",
    "term",
    "scale",
    "fed",
    "rich",
    "made",
    "year",
    "old",
    "yielding",
    "spectrum",
    "growing",
    "mediated",
    "associated",
    "quality",
    "sized",
    "borne",
    "infected",
    "promoting",
    "linked",
    "throughput",
    "level",
    "wide",
    "season",
    "maturing",
    "flowering",
    "scavenging",
    "economic",
    "economically",
    "friendly",
];

/// "block-by-" and "two-": the next hyphen of a compound, and a number before what it counts.
fn goes_on_as_compound(head: &str, tail: &str, vocabulary: &Vocabulary) -> bool {
    let last = head.rsplit_once('-').map(|(_, last)| last);
    let counts = matches!(&*head.to_lowercase(), "two" | "three" | "four" | "five")
        && !matches!(tail, "teen" | "some" | "fold");
    counts || last.is_some_and(|last| vocabulary.count(last) > 0)
}

/// Whether the hyphen between `head` and `tail` belongs to the word.
fn keeps_hyphen(head: &str, tail: &str, vocabulary: &Vocabulary) -> bool {
    let starts = tail.chars().next().unwrap_or(' ');
    if !starts.is_lowercase() || head.ends_with(|ch: char| !ch.is_alphabetic()) {
        // "N-P", "2-year" broken after its hyphen, "Anglo-\nAmerican".
        return true;
    }
    if head.contains("://") || head.starts_with("www.") {
        return true;
    }
    let head = head.trim_start_matches(|ch: char| !ch.is_alphanumeric());
    let tail = bare(tail);
    let hyphenated = vocabulary.count(&format!("{head}-{tail}"));
    let whole = vocabulary.count(&format!("{head}{tail}"));
    if hyphenated != whole {
        return hyphenated > whole;
    }
    if vocabulary.is_unbroken {
        return true;
    }
    if goes_on_as_compound(head, tail, vocabulary) || SECOND_HALVES.contains(&&*tail.to_lowercase())
    {
        return true;
    }
    let part = head.rsplit('-').next().unwrap_or(head);
    // Both halves are words of this document: more likely a compound than a broken word.
    let known = |word: &str| word.chars().count() >= 3 && vocabulary.count(word) > 0;
    let prefix = matches!(
        part.to_lowercase().as_str(),
        "non" | "self" | "well" | "high" | "low" | "cross" | "long" | "short" | "half" | "semi"
    );
    (prefix && vocabulary.count(tail) > 0) || (known(part) && known(tail))
}

/// Soft hyphens out, single spaces, accents that were set beside their letters put on them.
pub(super) fn clean(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let text: String = text.chars().filter(|ch| *ch != '\u{ad}').nfc().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(texts: &[&str], known: &str) -> String {
        let mut vocabulary = Vocabulary::default();
        vocabulary.add_line(&format!("{known} ."), false);
        lines(texts, &vocabulary)
    }

    #[test]
    fn a_broken_word_is_made_whole() {
        assert_eq!(
            join(&["the germi-", "nation of seed"], ""),
            "the germination of seed"
        );
        assert_eq!(join(&["germi\u{ad}", "nation"], ""), "germination");
    }

    #[test]
    fn a_hyphen_stays_where_the_document_writes_it_elsewhere() {
        assert_eq!(
            join(&["a drought-", "tolerant one"], "drought-tolerant"),
            "a drought-tolerant one"
        );
        assert_eq!(
            join(&["a drought-", "tolerant"], "drought tolerant"),
            "a drought-tolerant"
        );
        assert_eq!(
            join(&["water-", "logging"], "water logging waterlogging"),
            "waterlogging"
        );
    }

    #[test]
    fn where_no_word_is_broken_every_hyphen_stays() {
        let mut vocabulary = Vocabulary::new(true);
        assert_eq!(lines(&["a cross-", "breed"], &vocabulary), "a cross-breed");
        vocabulary.add_line("one crossbreed more .", false);
        assert_eq!(lines(&["a cross-", "breed"], &vocabulary), "a crossbreed");
        vocabulary.check(&["the cross-", "breed of"]);
        let found = lines(&["germi-", "nation"], &vocabulary);
        assert_eq!(found, "germination", "it breaks words after all");
    }

    #[test]
    fn compounds_of_several_words_and_numbers_keep_their_hyphens() {
        assert_eq!(join(&["block-by-", "block"], "by"), "block-by-block");
        assert_eq!(join(&["non-signifi-", "cant"], "non"), "non-significant");
        assert_eq!(join(&["two-", "thirds"], ""), "two-thirds");
        assert_eq!(join(&["four-", "teen"], ""), "fourteen");
    }

    #[test]
    fn a_dash_between_spaces_keeps_them() {
        assert_eq!(join(&["early –", "late"], ""), "early – late");
        assert_eq!(join(&["kg/", "ha"], ""), "kg/ha");
    }

    #[test]
    fn a_hyphen_that_stands_for_a_later_word_keeps_its_space() {
        assert_eq!(join(&["1.7-", "to 2-fold"], ""), "1.7- to 2-fold");
        assert_eq!(
            join(&["pre-", "and post-harvest"], ""),
            "pre- and post-harvest"
        );
        assert_eq!(join(&["germi-", "nation and"], ""), "germination and");
    }

    #[test]
    fn a_dash_against_its_word_is_tied_to_the_word_before_it() {
        assert_eq!(join(&["the list", "—when done"], ""), "the list—when done");
        assert_eq!(
            join(&["la lista", "—así—"], "uno —otro— más"),
            "la lista —así—"
        );
        assert_eq!(join(&["stored at –", "30 °C"], ""), "stored at –30 °C");
        assert_eq!(join(&["from 10 –", "30 °C"], ""), "from 10 – 30 °C");
    }

    #[test]
    fn numbers_and_capitals_keep_their_hyphen() {
        assert_eq!(join(&["a 2-", "year trial"], ""), "a 2-year trial");
        assert_eq!(join(&["Striga-", "Resistant"], ""), "Striga-Resistant");
        assert_eq!(join(&["pH 5–", "7"], ""), "pH 5–7");
    }

    #[test]
    fn lines_are_parted_by_one_space() {
        assert_eq!(join(&["one ", " two", "- three"], ""), "one two - three");
    }
}
