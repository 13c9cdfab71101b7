//! Questions that a quantity answers: how deep, at what temperature, for how long, how much.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::clause::{Clause, Verb};
use super::quantity_forms::{
    AMOUNT, BAD_TAIL, BARE, BORDER, COUNT, HELD, HOURS, LASTING, LENGTH, MEASURED, MUCH, OWNED,
    PART, PLACES, SECOND_VERB, TIME, WEIGHING, Wh,
};
use super::text::pattern;

/// The part of `rest` before the next thing is said.
pub fn main_clause(rest: &str) -> &str {
    BORDER
        .find(rest)
        .map_or(rest, |found| &rest[..found.start()])
        .trim()
}

/// The question that the quantity of `clause` answers, if there is one of a known shape.
pub fn ask(clause: &Clause<'_>, common: &BTreeSet<String>) -> Option<String> {
    let main = main_clause(clause.rest);
    if SECOND_VERB.is_match(main) || main.contains(" not ") || main.starts_with("not ") {
        return None;
    }
    let asked = match clause.verb {
        Verb::Auxiliary(_) => bare(clause, main, common),
        Verb::Lexical { base, .. } => taken(clause, base, main, common),
        Verb::Instruction(_) => MUCH.captures(main).map(|found| {
            let wh = format!("How much {}", &found["what"]);
            clause.question(&wh, found["tail"].trim(), common)
        }),
    };
    // Behind other verbs a place may belong to their object: "reduces a yield grown at 20 °C".
    let may_have_place = match clause.verb {
        Verb::Lexical { base, .. } => matches!(base, "grow" | "survive" | "tolerate"),
        Verb::Auxiliary(_) | Verb::Instruction(_) => true,
    };
    asked.or_else(|| may_have_place.then(|| at_place(clause, main, common))?)
}

/// "The optimum temperature is 25 °C in spring": what is it.
fn bare(clause: &Clause<'_>, main: &str, common: &BTreeSet<String>) -> Option<String> {
    let found = BARE.captures(main)?;
    let tail = tail(&main[found.get(0)?.end()..])?;
    if !MEASURED.is_match(clause.subject) || clause.subject.contains(" and ") {
        return None;
    }
    let be = if found.name("be").is_some() {
        "be "
    } else {
        ""
    };
    Some(clause.question("What", &format!("{be}{tail}"), common))
}

/// "The crop requires 500 mm of water": how much.
fn taken(clause: &Clause<'_>, base: &str, main: &str, common: &BTreeSet<String>) -> Option<String> {
    let ask = |wh: String, tail: &str| Some(clause.question(&wh, tail.trim(), common));
    match base {
        "account" => PART
            .captures(main)
            .and_then(|found| ask(format!("What share of {}", &found["what"]), "for")),
        "last" | "take" => LASTING
            .captures(main)
            .and_then(|found| ask("How long".into(), tail(&found["tail"])?)),
        "weigh" | "cost" | "yield" => WEIGHING
            .captures(main)
            .and_then(|found| ask("How much".into(), tail(&found["tail"])?)),
        "grow" | "survive" | "affect" | "attack" | "infect" | "cause" => None,
        _ => {
            if let Some(found) = OWNED.captures(main) {
                return ask(format!("What {}", &found["what"]), tail(&found["tail"])?);
            }
            if let Some(found) = PART
                .captures(main)
                .filter(|found| !is_vague_whole(&found["what"]))
            {
                return ask(format!("What percentage of {}", &found["what"]), "");
            }
            if let Some(found) = HOURS.captures(main) {
                return ask(
                    format!("How many {} of {}", &found["unit"], &found["what"]),
                    &found["tail"],
                );
            }
            if let Some(found) = MUCH.captures(main) {
                return ask(format!("How much {}", &found["what"]), &found["tail"]);
            }
            if let Some(found) = HELD
                .captures(main)
                .filter(|_| matches!(base, "have" | "contain"))
            {
                return ask(format!("How much {}", &found["what"]), "");
            }
            let found = COUNT.captures(main)?;
            let is_unit = found["what"].split(' ').any(|word| UNITS.is_match(word));
            (!is_unit).then(|| ask(format!("How many {}", &found["what"]), &found["tail"]))?
        }
    }
}

/// "20% of the global total": of what.
fn is_vague_whole(what: &str) -> bool {
    [
        "the total",
        "the global total",
        "the area",
        "the world total",
        "it",
        "them",
        "that",
    ]
    .iter()
    .any(|vague| what.starts_with(vague))
}

static UNITS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^(?:{LENGTH}|{TIME}|{AMOUNT}|percent|degrees|times|others|ones|varies)$"
    ))
});

/// "… are sown 5 cm deep": how deep; the rest of the sentence is asked along.
fn at_place(clause: &Clause<'_>, main: &str, common: &BTreeSet<String>) -> Option<String> {
    PLACES.iter().find_map(|place| {
        let found = place.find.captures(main)?;
        let whole = found.get(0)?;
        let before = main[..whole.start()].trim();
        let tail = tail(&main[whole.end()..])?;
        let is_year = matches!(place.wh, Wh::Fixed("In what year"));
        // "before November frost": the month belongs to what follows.
        let is_bound =
            matches!(place.wh, Wh::Fixed("When")) && !tail.is_empty() && !FREE.is_match(tail);
        let stands_alone = before.is_empty() || before == "be";
        let wh = match place.wh {
            Wh::Fixed(wh) => wh.to_owned(),
            Wh::Word(word) => word(found.get(1)?.as_str())?,
        };
        let sound = !before.contains(|c: char| c.is_ascii_digit())
            && !is_bound
            && (!stands_alone || place.alone)
            && (!is_year || (clause.is_past() && !has_year(tail)))
            && !ends_open(before)
            && before.split(' ').count() <= 10;
        sound.then(|| clause.question(&wh, format!("{before} {tail}").trim(), common))
    })
}

static FREE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:in|on|at|for|to|with|by|from|under)\b"));

fn has_year(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
}

/// Whether something must follow: a question cannot end there.
fn ends_open(before: &str) -> bool {
    let last = before.rsplit(' ').next().unwrap_or("");
    matches!(
        last,
        "of" | "in"
            | "at"
            | "to"
            | "for"
            | "by"
            | "with"
            | "from"
            | "and"
            | "or"
            | "the"
            | "a"
            | "an"
            | "than"
            | "between"
            | "only"
            | "about"
            | "as"
            | "on"
            | "least"
            | "most"
            | "over"
            | "under"
            | "within"
            | "after"
            | "before"
            | "more"
            | "less"
            | "up"
            | "higher"
            | "lower"
    )
}

/// What is asked along behind the quantity: up to the next thing said; `None` where the quantity goes on.
fn tail(text: &str) -> Option<&str> {
    let text = text.trim();
    if BAD_TAIL.is_match(text)
        || text.starts_with(|c: char| !c.is_alphanumeric() && !text.is_empty())
    {
        return None;
    }
    if text.starts_with("and ") {
        return Some("");
    }
    let end = [" and ", " or "]
        .iter()
        .filter_map(|joint| text.find(joint))
        .min();
    let cut = &text[..end.unwrap_or(text.len())];
    // "by Banks and Solander": half of the names would be another answer.
    let behind = text[cut.len()..]
        .trim_start()
        .split(' ')
        .nth(1)
        .unwrap_or("");
    if behind.starts_with(|c: char| c.is_uppercase()) {
        return None;
    }
    let text = cut;
    // A second quantity would be a second answer.
    let end = text.find(|c: char| c.is_ascii_digit());
    let text = match end {
        Some(end) => {
            let cut = text[..end].trim_end();
            cut.rsplit_once(' ').map_or("", |(kept, _)| kept)
        }
        None => text,
    };
    let text = text.trim();
    (!ends_open(text) || text.is_empty()).then_some(text)
}

#[cfg(test)]
#[path = "quantity_tests.rs"]
mod tests;
