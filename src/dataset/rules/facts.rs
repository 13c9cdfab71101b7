//! Questions that no quantity answers: what a thing is, why, when, where, what for.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::clause::{Clause, Verb};
use super::quantity::main_clause;
use super::text::{inside, pattern};

static BECAUSE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?P<what>[^,;:()]+?),? because (?P<why>.+)$"));
static WHEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<what>[^,;:()]+?) (?P<when>when|before|once|as soon as|until) (?P<then>[^,;:()]+)$",
    )
});
static WHERE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:mainly|primarily|widely|commonly|usually|also|mostly|often|now) )?(?P<done>grown|cultivated|found|produced|located|distributed|native|planted|domesticated)(?: (?:mainly|primarily|widely|commonly|mostly|only))? (?:in|to|throughout|across) (?P<place>.+)$",
    )
});
static USED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:mainly|primarily|widely|commonly|usually|also|mostly|often|sometimes) )?used (?:(?:mainly|primarily|widely|commonly) )?(?P<as>to|for|as) (?P<what>.+)$",
    )
});
static CAUSED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:(?:mainly|primarily|usually|commonly|often) )?caused by (?P<what>.+)$")
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:also|commonly|often|sometimes) )*(?:known|called|referred to)(?: in [A-Z]\w+)? as (?P<what>.+)$",
    )
});
static DEFINED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:one of|a type of|a kind of|a form of) )?(?:an?|the|one of the) (?P<what>(?:[\w-]+ ){1,}.+)$",
    )
});
static SPREAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:mainly|primarily|usually|commonly|often) )?(?P<done>transmitted|spread|pollinated|propagated|controlled|measured|treated|carried) by (?P<what>.+)$",
    )
});

/// A verb in the passive or one that stands alone: a question may end with it.
static DONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:\w+ed|grown|sown|cut|dug|eaten|kept|put|taken|given|be \w+|begin|start)\b")
});

/// Words that never begin what a definition defines: it would be about something else.
const NO_TERM: &[&str] = &[
    "aim",
    "goal",
    "objective",
    "purpose",
    "reason",
    "result",
    "results",
    "main",
    "first",
    "second",
    "most",
    "each",
    "every",
    "all",
    "problem",
    "example",
    "challenge",
    "importance",
    "role",
    "effect",
    "key",
    "next",
    "best",
    "major",
    "primary",
    "average",
    "total",
    "ideal",
    "time",
    "use",
    "way",
    "difference",
    "end",
];

/// The question that `clause` answers in words.
pub fn ask(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let Verb::Auxiliary(verb) = clause.verb else {
        return taken(clause, common);
    };
    let rest = clause.rest;
    if rest.starts_with("not ") || rest.contains(" not ") {
        return None;
    }
    let is_now = matches!(verb, "is" | "are");
    because(clause, common)
        .or_else(|| when(clause, verb, common))
        .or_else(|| {
            if is_now || matches!(verb, "was" | "were") {
                passive(clause, common)
            } else {
                None
            }
        })
        .or_else(|| {
            if is_now {
                definition(clause, verb, common)
            } else {
                None
            }
        })
}

fn because(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let found = BECAUSE.captures(clause.rest)?;
    let what = &found["what"];
    let is_plain =
        what.split(' ').count() <= 12 && !what.contains(" that ") && !what.contains(" which ");
    (is_plain && found["why"].split(' ').count() >= 2).then(|| clause.question("Why", what, common))
}

/// Advice on the moment: "should be harvested when the grain is dry".
fn when(clause: &Clause<'_>, verb: &str, common: &BTreeSet<String>) -> Option<String> {
    if !matches!(verb, "should" | "must" | "is" | "are") {
        return None;
    }
    let found = WHEN.captures(clause.rest)?;
    let (what, then) = (&found["what"], &found["then"]);
    let is_plain = DONE.is_match(what)
        && what.split(' ').count() <= 10
        && then.split(' ').count() >= 2
        && !what.contains(|c: char| c.is_ascii_digit())
        && ![
            " if ",
            " and ",
            " so ",
            " only",
            " even",
            " long",
            " immediately",
        ]
        .iter()
        .any(|word| format!("{what} ").contains(word));
    let wh = if &found["when"] == "until" {
        "Until when"
    } else {
        "When"
    };
    is_plain.then(|| clause.question(wh, what, common))
}

/// "is caused by", "is used for", "is grown in", "is known as".
fn passive(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let rest = clause.rest;
    let subject = inside(clause.subject, common);
    if CAUSED.is_match(rest) {
        return Some(format!("What causes {subject}?"));
    }
    if let Some(found) = USED.captures(rest) {
        let what = if &found["as"] == "as" {
            "used as"
        } else {
            "used for"
        };
        return Some(clause.question("What", what, common));
    }
    if let Some(found) = NAMED.captures(rest) {
        return (found["what"].split(' ').count() <= 8)
            .then(|| clause.question("What", "also known as", common));
    }
    if let Some(found) = SPREAD.captures(rest) {
        let what = main_clause(&found["what"]);
        let is_figure = what.contains(|c: char| c.is_ascii_digit());
        return (!is_figure)
            .then(|| clause.question("What", &format!("{} by", &found["done"]), common));
    }
    let found = WHERE.captures(rest)?;
    let is_place = !found["place"].starts_with("be ")
        && !found["place"].starts_with(|c: char| c.is_ascii_digit());
    let kept = match &found["done"] {
        "native" => "native to",
        done => done,
    };
    is_place.then(|| clause.question("Where", kept, common))
}

/// "Wheat is a grass": what is wheat.
fn definition(clause: &Clause<'_>, verb: &str, common: &BTreeSet<String>) -> Option<String> {
    let found = DEFINED.captures(clause.rest)?;
    let subject = inside(clause.subject, common);
    let bare = ["the ", "a ", "an "]
        .iter()
        .find_map(|article| subject.strip_prefix(article))
        .unwrap_or(&subject);
    let first = bare.split(' ').next()?;
    let is_term = bare.split(' ').count() <= 4
        && !NO_TERM.contains(&first.to_lowercase().as_str())
        && ![" of ", " in ", " for ", " on ", " and ", " to "]
            .iter()
            .any(|joint| bare.contains(joint))
        && found["what"].split(' ').count() >= 3
        && clause.lead.is_none();
    is_term.then(|| format!("What {verb} {subject}?"))
}

/// "Symptoms include wilting": what do they include.
fn taken(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let Verb::Lexical { base, .. } = clause.verb else {
        return None;
    };
    let is_asked = matches!(base, "include" | "attack" | "infect" | "prefer" | "cause");
    let has_figure = clause.rest.contains(|c: char| c.is_ascii_digit());
    let is_plain = clause.rest.split(' ').count() >= 2 && clause.subject.split(' ').count() <= 6;
    (is_asked && !has_figure && is_plain).then(|| clause.question("What", "", common))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::rules::text::common_words;

    fn asked(sentence: &str) -> Option<String> {
        let common = common_words(["wheat global demand leaf rust symptoms the seed grain"]);
        ask(&Clause::parse(sentence)?, &common)
    }

    #[test]
    fn each_shape_of_fact_has_its_question() {
        for (sentence, question) in [
            ("Wheat is a grass of medium height.", "What is wheat?"),
            (
                "Global demand is rising because of the use of gluten.",
                "Why is global demand rising?",
            ),
            (
                "Grain should be harvested when it is dry enough.",
                "When should grain be harvested?",
            ),
            (
                "Leaf rust is caused by a fungus of the genus Puccinia.",
                "What causes leaf rust?",
            ),
            (
                "Wheat is widely grown in Kansas and Punjab.",
                "Where is wheat grown?",
            ),
            ("Wheat is mainly used for bread.", "What is wheat used for?"),
            (
                "Symptoms include wilting and yellow leaves.",
                "What do symptoms include?",
            ),
            (
                "Leaf rust is also known as brown rust.",
                "What is leaf rust also known as?",
            ),
        ] {
            assert_eq!(asked(sentence).as_deref(), Some(question), "{sentence}");
        }
    }

    #[test]
    fn what_is_no_such_fact_is_left() {
        for sentence in [
            "The aim is a high yield of wheat.",
            "Wheat is not a legume of any kind.",
            "Grain is found to be dry.",
            "Wheat is tall.",
        ] {
            assert_eq!(asked(sentence), None, "{sentence}");
        }
    }
}
