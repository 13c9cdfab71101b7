//! Questions that no quantity answers: what a thing is, why, when, where, what for.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::clause::{Clause, Verb};
use super::fact_words::{GENERAL, KINDS, NO_TERM, PROCESSES, RANKS, WITH};
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
        r"^(?:(?:mainly|primarily|widely|commonly|usually|mostly) )?(?:(?P<done>grown|cultivated|found|produced|located|distributed|planted)(?: (?:mainly|primarily|widely|commonly|mostly|only))? (?:in|throughout|across)|native to) (?P<place>.+)$",
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
        r"^(?:(?:one of|a type of|a kind of|a form of) )?(?P<article>an?|the) (?P<what>(?:[\w-]+ ){2,}.+)$",
    )
});
static AGENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:mainly|primarily|usually|commonly|often|largely|strongly|greatly|easily|also) )?(?P<done>transmitted by|spread by|pollinated by|propagated by|controlled by|measured by|treated with|carried by|affected by|influenced by|determined by|limited by|regulated by|damaged by|favou?red by|attacked by|eaten with|served with|infected with|associated with|made from|made of|made by|derived from|composed of|obtained from|extracted from|produced from|produced by|involved in|sensitive to|susceptible to|resistant to|tolerant of|tolerant to|vulnerable to|rich in|high in) (?P<what>.+)$",
    )
});
/// A task of somebody, and how it is done.
static WAY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^be (?P<done>kept|stored|planted|sown|applied|controlled|prepared|propagated|harvested|treated|managed|prevented|cured|watered|irrigated|grown|reduced|avoided|dried|eaten|cooked|pruned|fed|improved|increased) (?:by|with|using|in|on|under|at|through|as) (?P<how>.+)$",
    )
});
static CAN_USE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:also )?be (?:also )?used (?P<as>to|for|as) (?P<what>.+)$"));
/// What something may bring about.
static MAY_DO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<done>cause|lead to|result in|contribute to|involve|include|require|damage|attack|infect|transmit|prevent) (?P<what>[a-z].+)$",
    )
});
/// "The main objective of ...": a thing of which there is one.
static SINGLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^The (?:main|primary|most|best|major|ideal|usual|chief|principal|only|optimum|optimal|right|safest|earliest|latest|highest|lowest|largest) ",
    )
});
static NAMES_IT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:the|a|an|to|that|not|from|between|about|in|[A-Z]\w+|\d\S*|\w+ing)\b")
});
/// A verb in the passive or one that stands alone: a question may end with it.
static DONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:\w+ed|grown|sown|cut|dug|eaten|kept|put|taken|given|be \w+|begin|start)\b")
});

/// Places that are no names.
static REGION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:tropics|tropical|temperate|countries|regions|world|continents|climates|highlands|lowlands|areas|soils|zones|hemispheres?)\b",
    )
});

/// The participle of a sentence in the passive, with hardly anything behind it.
static SOON_DONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:usually|best|typically|generally|commonly|often|ready to be) )?(?:\w+ed|grown|sown|cut|dug|ready)(?: (?:by hand|to \w+))?$",
    )
});

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
        .or_else(|| able(clause, common))
        .or_else(|| is_now.then(|| passive(clause, common))?)
        .or_else(|| is_now.then(|| definition(clause, verb, common))?)
}

/// "can be used for", "should be kept in", "may cause".
fn able(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let rest = clause.rest;
    if let Some(found) = CAN_USE.captures(rest) {
        let what = if &found["as"] == "as" {
            "be used as"
        } else {
            "be used for"
        };
        return Some(clause.question("What", what, common));
    }
    if let Some(found) = WAY.captures(rest) {
        let is_figure = main_clause(&found["how"]).contains(|c: char| c.is_ascii_digit());
        let is_vague = ["several ", "various ", "different ", "many ", "other "]
            .iter()
            .any(|word| found["how"].starts_with(word));
        let kept = format!("be {}", &found["done"]);
        return (!is_figure && !is_vague && found["how"].split(' ').count() >= 2)
            .then(|| clause.question("How", &kept, common));
    }
    let found = MAY_DO.captures(rest)?;
    let is_plain = found["what"].split(' ').count() >= 2
        && !found["what"].starts_with("it ")
        && !found["what"].starts_with("them ");
    is_plain.then(|| clause.question("What", &found["done"], common))
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
    let is_now = matches!(verb, "is" | "are");
    if is_now && (!SOON_DONE.is_match(what) || &found["when"] == "until") {
        return None;
    }
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
    if let Some(found) = AGENT.captures(rest) {
        let what = main_clause(&found["what"]);
        let is_plain = !what.contains(|c: char| c.is_ascii_digit()) && !what.is_empty();
        return is_plain.then(|| clause.question("What", &found["done"], common));
    }
    let is_of_something = [" of ", " for ", " in ", " to "]
        .iter()
        .any(|joint| clause.subject.contains(joint));
    if SINGLE.is_match(clause.subject) && is_of_something && NAMES_IT.is_match(rest) {
        return Some(clause.question("What", "", common));
    }
    let found = WHERE.captures(rest)?;
    let place = main_clause(&found["place"]);
    let names = place
        .split(' ')
        .filter(|word| word.starts_with(|c: char| c.is_uppercase()))
        .count();
    // One place of many is no answer to where; `native to` names all.
    let several = names >= 2 && (found["place"].contains(", ") || place.contains(" and "));
    let done = found.name("done").map_or("native", |done| done.as_str());
    let (kept, is_place) = match done {
        "native" => ("native to", names >= 1 || REGION.is_match(place)),
        "located" => ("located", names >= 1),
        done => (done, several || REGION.is_match(place)),
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
    let words: Vec<&str> = bare.split(' ').collect();
    let joins = |word: &&str| {
        matches!(
            *word,
            "of" | "in" | "for" | "on" | "and" | "to" | "from" | "during" | "with" | "by"
        )
    };
    let is_name = words.len() > 1 || !GENERAL.contains(&words[0]);
    let is_made = |word: &&str| word.ends_with("ed") && word.len() > 4;
    let begins = words.first()?.to_lowercase();
    let is_term = words.len() <= 4
        && !words.iter().any(|word| joins(word) || is_made(word))
        && !NO_TERM.contains(&begins.as_str())
        && is_name;
    let what: Vec<&str> = found["what"].split([' ', ',']).collect();
    let head = what.iter().take_while(|word| {
        !joins(word)
            && !matches!(
                **word,
                "that" | "which" | "who" | "used" | "made" | "" | "where" | "native"
            )
    });
    let head: Vec<&str> = head.copied().collect();
    let kinds = if &found["article"] == "the" {
        PROCESSES
    } else {
        KINDS
    };
    let noun = head.last().copied().unwrap_or("");
    let noun = noun
        .strip_suffix('s')
        .filter(|one| kinds.contains(one))
        .unwrap_or(noun);
    let is_kind = kinds.contains(&noun)
        && !head.iter().any(|word| RANKS.contains(word))
        && what.len() > head.len();
    (is_term && is_kind && clause.lead.is_none()).then(|| format!("What {verb} {subject}?"))
}

/// "Symptoms include wilting": what do they include.
fn taken(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let Verb::Lexical { base, .. } = clause.verb else {
        return None;
    };
    if let Some((_, joints)) = WITH.iter().find(|(verb, _)| *verb == base) {
        let joint = joints
            .iter()
            .find(|joint| clause.rest.starts_with(&format!("{joint} ")))?;
        let is_plain = !clause.rest.contains(|c: char| c.is_ascii_digit())
            && clause.subject.split(' ').count() <= 7;
        return is_plain.then(|| clause.question("What", joint, common));
    }
    let is_asked = matches!(
        base,
        "include"
            | "attack"
            | "infect"
            | "prefer"
            | "cause"
            | "involve"
            | "damage"
            | "transmit"
            | "tolerate"
    );
    let has_figure = clause.rest.contains(|c: char| c.is_ascii_digit());
    let is_plain = clause.rest.split(' ').count() >= 2
        && clause.subject.split(' ').count() <= 6
        && !["them ", "it ", "such "]
            .iter()
            .any(|start| clause.rest.starts_with(start));
    (is_asked && !has_figure && is_plain).then(|| clause.question("What", "", common))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
