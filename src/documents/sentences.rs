//! Text to sentences.

/// Never the end of a sentence: something belonging to it follows.
const OPEN: &[&str] = &[
    "approx", "ca", "cf", "dr", "e.g", "esp", "eg", "i.e", "ie", "incl", "max", "min", "mr", "mrs",
    "ms", "mt", "prof", "resp", "spp", "ssp", "st", "vs", "viz", "var", "cv",
];

/// Not the end of a sentence when a number follows: `No. 5`, `Nov. 5`, `Fig. 2`.
const BEFORE_NUMBER: &[&str] = &[
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "no",
    "nos", "fig", "figs", "p", "pp", "vol", "tab", "eq", "ch", "sec", "art", "ref",
];

/// The sentences of `text`, trimmed and without list marks, in order; none is empty.
///
/// A line break ends a sentence: the readers put running text on one line. Decimal points, abbreviations
/// (`e.g.`, `approx.`, `St.`, `Nov. 5`), initials and numbered items do not. Where it is unclear, two
/// sentences stay together rather than one being torn.
pub fn sentences(text: &str) -> Vec<&str> {
    text.lines()
        .flat_map(|line| of_line(without_mark(line.trim())))
        .collect()
}

fn of_line(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if !matches!(c, '.' | '!' | '?' | '…' | '।' | '。') {
            continue;
        }
        let mut end = at + c.len_utf8();
        // "?!", "..." and closing quotes or brackets belong to the sentence that they end.
        while let Some((next_at, next)) = characters.next_if(|(_, c)| {
            matches!(
                c,
                '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’' | '»'
            )
        }) {
            end = next_at + next.len_utf8();
        }
        if ends(&line[start..end], &line[end..], c) {
            found.push(line[start..end].trim());
            start = end;
        }
    }
    found.push(line[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Whether a sentence ends between `before`, whose mark is `mark`, and `after`.
fn ends(before: &str, after: &str, mark: char) -> bool {
    if mark == '。' {
        return true;
    }
    if !after.is_empty() && !after.starts_with(char::is_whitespace) {
        return false;
    }
    let Some(next) = after.trim_start().chars().next() else {
        return true;
    };
    if next.is_lowercase() {
        return false;
    }
    mark != '.' || !is_open(before, next)
}

/// Whether the point at the end of `before` belongs to an abbreviation, an initial or an item number.
fn is_open(before: &str, next: char) -> bool {
    let stem = before.trim_end_matches(['.', '"', '\'', ')', ']', '”', '’', '»']);
    if stem.len() + 1 < before.len() && !before.ends_with('.') {
        // A bracket or a quote closed: "(see Fig. 2.)" is over.
        return false;
    }
    let word = stem
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“'))
        .next()
        .unwrap_or(stem);
    let lower = word.to_lowercase();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_dotted_capitals = word.contains('.')
        && word
            .split('.')
            .all(|part| part.chars().count() == 1 && part.chars().all(char::is_uppercase));
    let is_item_number =
        stem.len() <= 3 && !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    OPEN.contains(&lower.as_str())
        || (BEFORE_NUMBER.contains(&lower.as_str()) && next.is_ascii_digit())
        || (is_initial && next.is_uppercase() && !is_quantity(stem, word))
        || is_dotted_capitals
        || is_item_number
}

/// Whether the letter `word` at the end of `stem` is what is measured ("100 kg of N", "40 kg/ha P"), no initial.
fn is_quantity(stem: &str, word: &str) -> bool {
    let before = stem[..stem.len() - word.len()].trim_end();
    let last = before.rsplit(char::is_whitespace).next().unwrap_or("");
    matches!(last, "of" | "kg" | "lb" | "and" | "or" | "plus")
        || last.contains('/')
        || last.starts_with(|c: char| c.is_ascii_digit())
}

/// `line` without the mark of a list item.
fn without_mark(line: &str) -> &str {
    for mark in ["- ", "* ", "• ", "+ "] {
        if let Some(rest) = line.strip_prefix(mark) {
            return rest.trim_start();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_inside_a_sentence_do_not_end_it() {
        for whole in [
            "Plant 2.5 cm deep.",
            "Use a starter, e.g. Urea, at sowing.",
            "Apply approx. 40 kg.",
            "Harvest after Nov. 5 in most years.",
            "Fields near St. Louis dry late.",
            "See Fig. 2 and No. 5 for more.",
            "Written by C. Kappes in 2013.",
            "The U.S. Department says so.",
            "It grew to 3.5 t/ha vs. 2.9 t/ha.",
            "Plant 2 in. deep.",
            "1. Check the date.",
            "Ask \"why?\" before you spray.",
        ] {
            assert_eq!(sentences(whole), [whole]);
        }
    }

    #[test]
    fn sentences_end_where_a_reader_would_say_so() {
        for (text, expected) in [
            (
                "Plant 2.5 cm. Then roll!  Why? It helps",
                &["Plant 2.5 cm.", "Then roll!", "Why?", "It helps"][..],
            ),
            (
                "It was 2014. The rain came.",
                &["It was 2014.", "The rain came."],
            ),
            (
                "Sow in Nov. The rest waits.",
                &["Sow in Nov.", "The rest waits."],
            ),
            ("Is it wet? No. Wait.", &["Is it wet?", "No.", "Wait."]),
            (
                "Use 100 kg of N. Split it.",
                &["Use 100 kg of N.", "Split it."],
            ),
            ("Soil at 10 °C. Not less.", &["Soil at 10 °C.", "Not less."]),
            ("(See below.) Next.", &["(See below.)", "Next."]),
            (
                "He said \"stop.\" Then rain.",
                &["He said \"stop.\"", "Then rain."],
            ),
            ("- one\n- two three\n\nfour", &["one", "two three", "four"]),
            ("ਪਾਣੀ ਦਿਓ। ਫਿਰ ਬੀਜੋ।", &["ਪਾਣੀ ਦਿਓ।", "ਫਿਰ ਬੀਜੋ।"]),
            ("", &[]),
            (" \n .", &["."]),
        ] {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_and_marks_is_lost(text in "[a-zA-Z0-9 .!?,\\n\"()-]{0,80}") {
            let kept: String = sentences(&text).concat();
            let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            prop_assert_eq!(bare(&kept), bare(&text));
        }
    }
}
