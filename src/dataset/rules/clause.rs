//! A sentence as subject, verb and rest, where that is plain to see; everything else is left.

use std::collections::BTreeSet;

use super::clause_words::{
    AUXILIARIES, EMPTY, INSTRUCTIONS, LEADS, NO_PLACE, PREPOSITIONS, VAGUE, VERBS,
};
use super::text::inside;

/// Most words of a subject, and of the phrase before the comma.
const MOST_SUBJECT_WORDS: usize = 9;
const MOST_LEAD_WORDS: usize = 5;

/// How the verb of a sentence stands in a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb<'a> {
    /// It changes places with the subject.
    Auxiliary(&'a str),
    /// `does` and the like before the subject, the base form after it.
    Lexical {
        /// `does`, `do` or `did`.
        helper: &'static str,
        /// As in the dictionary.
        base: &'static str,
    },
    /// An instruction: `should you` and this.
    Instruction(&'a str),
}

/// The parts of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause<'a> {
    /// `In Iowa`, which stood before a comma.
    pub lead: Option<&'a str>,
    /// Empty in an instruction.
    pub subject: &'a str,
    /// The verb.
    pub verb: Verb<'a>,
    /// All behind the verb, without the full stop.
    pub rest: &'a str,
}

impl<'a> Clause<'a> {
    /// The parts of `sentence`; `None` where they are not plain to see.
    pub fn parse(sentence: &'a str) -> Option<Self> {
        let text = sentence.trim_end_matches('.').trim();
        if let Some((first, rest)) = text.split_once(' ')
            && INSTRUCTIONS.contains(&first)
            && !rest.starts_with(|c: char| c.is_uppercase())
        {
            let negated = ["not ", "in mind", "of "]
                .iter()
                .any(|start| rest.starts_with(start));
            // "Spray drift is ...", "Cover crops are ...": a noun.
            let is_noun = words(rest)
                .take(4)
                .any(|(_, word)| AUXILIARIES.contains(&word));
            return (!negated && !is_noun).then_some(Clause {
                lead: None,
                subject: "",
                verb: Verb::Instruction(first),
                rest,
            });
        }
        let (lead, text) = led(text)?;
        let (at, verb, behind) = find_verb(text)?;
        let subject = text[..at].trim();
        let rest = text[behind..].trim();
        (is_subject(subject) && !rest.is_empty()).then_some(Clause {
            lead,
            subject,
            verb,
            rest,
        })
    }

    /// The question that begins with `wh` and ends with what is left of the rest, `kept`.
    pub fn question(&self, wh: &str, kept: &str, common: &BTreeSet<String>) -> String {
        let subject = inside(self.subject, common);
        let middle = match self.verb {
            Verb::Auxiliary(verb) => format!("{verb} {subject}"),
            Verb::Lexical { helper, base } => format!("{helper} {subject} {base}"),
            Verb::Instruction(verb) => format!("should you {}", verb.to_lowercase()),
        };
        let lead = self
            .lead
            .map_or_else(String::new, |lead| inside(lead, common));
        let parts = [wh, &middle, kept.trim(), &lead];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}?", parts.join(" "))
    }

    /// Whether it tells of something past.
    pub fn is_past(&self) -> bool {
        matches!(
            self.verb,
            Verb::Auxiliary("was" | "were") | Verb::Lexical { helper: "did", .. }
        )
    }
}

/// The words of `text` with the byte at which each begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(' ').scan(0, |at, word| {
        let begins = *at;
        *at += word.len() + 1;
        Some((begins, word))
    })
}

/// The phrase before the first comma and the text behind it; `None` where it is none that can be moved.
fn led(text: &str) -> Option<(Option<&str>, &str)> {
    let first = text.split(' ').next()?;
    if !LEADS.contains(&first) {
        return Some((None, text));
    }
    let (lead, rest) = text.split_once(", ")?;
    let count = lead.split(' ').count();
    let is_plain = lead
        .split(' ')
        .skip(1)
        .all(|word| !VAGUE.contains(&word.to_lowercase().as_str()) && !AUXILIARIES.contains(&word));
    let refers = NO_PLACE
        .iter()
        .any(|word| lead.split(' ').any(|own| own == *word));
    (count <= MOST_LEAD_WORDS && is_plain && !refers).then_some((Some(lead), rest))
}

/// Where the first verb begins, which it is, and where the rest begins.
fn find_verb(text: &str) -> Option<(usize, Verb<'_>, usize)> {
    for (index, (at, word)) in words(text).enumerate() {
        if index > MOST_SUBJECT_WORDS || word.ends_with([',', ';', ':']) {
            return None;
        }
        if index == 0 {
            continue;
        }
        let behind = (at + word.len() + 1).min(text.len());
        let next = text[behind..].split(' ').next().unwrap_or("");
        if AUXILIARIES.contains(&word) {
            return Some((at, Verb::Auxiliary(word), behind));
        }
        let Some(verb) = lexical(word, &text[..at]) else {
            continue;
        };
        if is_have(verb) && !begins_amount(next) {
            // "has been sown": a compound tense.
            return None;
        }
        // "Grain yield was ...": here the word is a noun.
        let consists = matches!(
            verb,
            Verb::Lexical {
                base: "consist",
                ..
            }
        );
        let is_noun = !consists
            && (AUXILIARIES.contains(&next)
                || ["of", "and", "or", "has", "have", "had"].contains(&next));
        if !is_noun {
            return Some((at, verb, behind));
        }
    }
    None
}

fn is_have(verb: Verb<'_>) -> bool {
    matches!(verb, Verb::Lexical { base: "have", .. })
}

/// Whether `word` may begin what somebody has: a number or "a height of".
fn begins_amount(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "a",
        "an",
        "about",
        "approximately",
        "around",
        "roughly",
        "nearly",
        "up",
        "at",
        "between",
        "over",
        "more",
        "less",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "twelve",
    ];
    WORDS.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit())
}

/// The verb that `word` is behind `subject`, where both agree in number.
fn lexical(word: &str, subject: &str) -> Option<Verb<'static>> {
    // "The genes of rice": the number is that of the noun before any preposition.
    let head = subject
        .split_whitespace()
        .take_while(|word| !PREPOSITIONS.contains(word))
        .last()
        .unwrap_or("");
    let is_plural = (head.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| head.ends_with(end)))
        || subject.contains(" and ");
    VERBS.iter().find_map(|(base, third, past)| {
        let helper = match word {
            word if word == *third && !is_plural => "does",
            word if word == *base && is_plural => "do",
            word if word == *past && !past.is_empty() => "did",
            _ => return None,
        };
        Some(Verb::Lexical { helper, base })
    })
}

fn is_subject(subject: &str) -> bool {
    let words: Vec<String> = subject.split(' ').map(str::to_lowercase).collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return false;
    };
    let vague = |word: &String| VAGUE.contains(&word.as_str());
    let is_adverb = |word: &String| word.ends_with("ly") && word != "family";
    !subject.is_empty()
        && words.len() <= MOST_SUBJECT_WORDS
        && !words.iter().any(vague)
        && !PREPOSITIONS.contains(&first.as_str())
        && !PREPOSITIONS.contains(&last.as_str())
        && !matches!(
            last.as_str(),
            "the" | "a" | "an" | "often" | "never" | "always" | "more"
        )
        && !is_adverb(first)
        && !is_adverb(last)
        && !subject.contains(['(', ')', ',', ';', ':', '"', '“', '–', '—', '%'])
        && !words
            .iter()
            .all(|word| word.chars().all(|c| !c.is_alphabetic()))
        && !(first == "the" && words.len() == 1)
        && !(words.len() <= 3 && EMPTY.contains(&last.as_str()))
}

#[cfg(test)]
#[path = "clause_tests.rs"]
mod tests;
