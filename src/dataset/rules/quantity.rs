//! Questions that a quantity answers: how deep, at what temperature, for how long, how much.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::clause::{Clause, Verb};
use super::text::{capitalised, pattern};

const NUMBER: &str = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?[½¼¾]|\s\d/\d)?|[½¼¾]|two|three|four|five|six|seven|eight|nine|ten|twelve)";
const NEAR: &str = r"(?:(?:about|approximately|around|roughly|nearly|almost|an average of|at least|at most|up to|more than|less than|no more than|over|under|between|from|only)\s)*";
const LENGTH: &str =
    r"(?:inch(?:es)?|mm|cm|km|m|feet|foot|ft|(?:centi|milli|kilo)?met(?:re|er)s?|yards?|miles?)";
const HEAT: &str = r"(?:°\s?[CF]|º\s?[CF]|degrees? (?:Celsius|Fahrenheit|C|F))";
const TIME: &str = r"(?:seconds?|minutes?|min|hours?|h|days?|weeks?|months?|years?)";
const SHARE: &str = r"(?:%|per ?cent)";
const AMOUNT: &str = r"(?:(?:million |billion )?(?:tonnes?|tons|hectares|acres)|mg|kg|g|t|lbs?|pounds?|ounces?|oz|quintals?|bushels?|(?:kilo)?grams?|ml|mL|l|L|(?:milli)?lit(?:re|er)s?|gallons?|cups?|ha|hectares?|acres?|ppm|mM|kPa|MPa)";
const MONTH: &str =
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)";
const PER: &str =
    r"(?:\s?/\s?[A-Za-z]+\d?|\sper\s[a-z]+|\s(?:ha|hm|plant|kg|L|m|year|y|day|d)\s?[-−–]\s?[12])*";
/// What a number measures, in one or two words.
const MEASURES: &str = r"(?:temperatures?|depths?|rates?|densit(?:y|ies)|concentrations?|heights?|distances?|spacings?|pH|doses?|pressures?|altitudes?|elevations?|widths?|lengths?|intervals?|yields?|weights?|contents?|durations?|periods?|prices?|costs?|areas?|levels?|ranges?|rainfall|precipitation|requirements?|numbers?|percentages?|proportions?|moisture|thickness|diameters?|productivity|humidity|salinity)";

/// Places of a quantity in a sentence, with what asks for it there.
struct Place {
    find: Regex,
    wh: Wh,
    /// Whether it may follow the verb directly.
    alone: bool,
}

/// How to ask.
#[derive(Clone, Copy)]
enum Wh {
    /// As it is.
    Fixed(&'static str),
    /// By the captured word.
    Word(fn(&str) -> Option<String>),
}

fn quantity(unit: &str) -> String {
    format!(
        r"{NEAR}{NUMBER}(?:\s?{unit}{PER})?(?:\s?(?:-|–|—|to|and|or)\s?{NUMBER})?[\s-]?{unit}{PER}(?:\b|$|\s)"
    )
}

fn place(find: String, wh: Wh, alone: bool) -> Place {
    Place {
        find: pattern(&format!(r"(?:^|\s)(?:{find})")),
        wh,
        alone,
    }
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let any = format!("(?:{LENGTH}|{HEAT}|{TIME}|{SHARE}|{AMOUNT})");
    vec![
        place(
            format!(
                r"(?:to a |at )?{}\s?(deep|wide|apart|tall|high|long|thick|old|in height|in depth|in width|in length|in diameter)\b",
                quantity(&format!("(?:{LENGTH}|{TIME})"))
            ),
            Wh::Word(how),
            true,
        ),
        place(
            format!(
                r"((?:at|to|with) an? (?:[a-z-]+ ){{0,2}}{MEASURES} (?:of|between|above|below)) {}",
                quantity(&any)
            ),
            Wh::Word(measured),
            false,
        ),
        place(
            format!(
                r"((?:at|to) (?:[a-z-]+ )?{MEASURES} (?:of|between|above|below)) {}",
                quantity(&any)
            ),
            Wh::Word(measured),
            false,
        ),
        place(
            format!("at {}", quantity(HEAT)),
            Wh::Fixed("At what temperature"),
            false,
        ),
        place(
            format!(
                "at {}",
                quantity("(?:(?:kg|g|t|lbs?|L|l|pounds)(?: [A-Z][a-z]?)?)")
            ),
            Wh::Fixed("At what rate"),
            false,
        ),
        place(
            format!("for {}", quantity(TIME)),
            Wh::Fixed("For how long"),
            false,
        ),
        place(
            format!("every {}", quantity(TIME)),
            Wh::Fixed("How often"),
            true,
        ),
        place(
            format!("by {}", quantity(SHARE)),
            Wh::Fixed("By how much"),
            false,
        ),
        place(
            format!("within {}", quantity(TIME)),
            Wh::Fixed("Within what time"),
            false,
        ),
        place(
            format!(r"to {}\s?(moisture|humidity)\b", quantity(SHARE)),
            Wh::Word(|noun| Some(format!("To what {noun}"))),
            false,
        ),
        place(
            format!(
                r"at {}\s?(?:grain |relative )?(moisture|humidity)\b",
                quantity(SHARE)
            ),
            Wh::Word(|noun| Some(format!("At what {noun}"))),
            false,
        ),
        place(
            format!(r"between {NUMBER} and {NUMBER}\s?{HEAT}"),
            Wh::Fixed("Between what temperatures"),
            false,
        ),
        place(
            format!(
                r"{NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? ((?:days|weeks|months) (?:after|before) (?:planting|sowing|seeding|transplanting|emergence|germination|flowering|anthesis|bloom|silking|pollination|harvest|calving|lambing))\b"
            ),
            Wh::Word(|when| Some(format!("How many {when}"))),
            false,
        ),
        place(
            format!(
                r"(?:in|after) {NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? (days|weeks|months)$"
            ),
            Wh::Word(|unit| Some(format!("After how many {unit}"))),
            false,
        ),
        place(
            format!(
                r"(?:in|from|between|before|by|after|on|around) (?:(?:the|early|mid|late|end|start|beginning|of|first|second|last|half|week|about|and|to|or|-|–|\d{{1,2}}|{MONTH})[\s-]?)*\b{MONTH}(?: \d{{1,2}}\b)?(?:(?: to| and|-|–) (?:(?:early|mid|late|about|the|end|of|\d{{1,2}})[\s-])*{MONTH}(?: \d{{1,2}}\b)?)?"
            ),
            Wh::Fixed("When"),
            false,
        ),
        place(
            r"in (?:1[5-9]|20)\d\d\b".into(),
            Wh::Fixed("In what year"),
            false,
        ),
    ]
});

fn how(word: &str) -> Option<String> {
    let word = match word {
        "apart" => "far apart",
        "in height" => "tall",
        "in depth" => "deep",
        "in width" | "in diameter" => "wide",
        "in length" => "long",
        other => other,
    };
    Some(format!("How {word}"))
}

/// `at a row spacing of`: at what row spacing.
fn measured(phrase: &str) -> Option<String> {
    let (preposition, noun) = phrase.split_once(' ')?;
    let (noun, _) = noun.rsplit_once(' ')?;
    let noun = noun.trim_start_matches("an ").trim_start_matches("a ");
    Some(format!("{} what {noun}", capitalised(preposition)))
}

static BARE: LazyLock<Regex> = LazyLock::new(|| {
    let any = format!("(?:{LENGTH}|{HEAT}|{TIME}|{SHARE}|{AMOUNT})");
    pattern(&format!(
        r"^(?P<be>be )?(?:{}|{NEAR}\d+\.\d+(?:\s?(?:-|–|to|and)\s?\d+(?:\.\d+)?)?(?:\s|$))",
        quantity(&any)
    ))
});
static MEASURED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)\b{MEASURES}(?:$|\s(?:of|for|in|at|from|during|per)\s)"
    ))
});
static PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^(?:for )?{}\s?of (?P<what>.+)$",
        quantity(SHARE)
    ))
});
static MUCH: LazyLock<Regex> = LazyLock::new(|| {
    let unit = format!("(?:{AMOUNT}|mm|inches|inch|cm)");
    pattern(&format!(
        r"^{}\s?of (?P<what>[a-z]+(?: [a-z]+)?)(?P<tail>(?: (?:per|for|in|from|during|to|at|by|on|each|every|a|when|before|after)\b.*)?)$",
        quantity(&unit)
    ))
});
static HOURS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? (?P<unit>hours|days|weeks|months) of (?P<what>[a-z]+(?: [a-z]+)?)(?P<tail>(?: (?:per|for|in|during|to|at|each|every|a)\b.*)?)$"
    ))
});
static HELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{}\s?(?P<what>[a-z]+(?: [a-z]+)?)$",
        quantity(SHARE)
    ))
});
static LASTING: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"^{}(?P<tail>.*)$", quantity(TIME))));
static WEIGHING: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"^{}(?P<tail>.*)$", quantity(AMOUNT))));
static OWNED: LazyLock<Regex> = LazyLock::new(|| {
    let any = format!("(?:{LENGTH}|{HEAT}|{TIME}|{SHARE}|{AMOUNT})");
    pattern(&format!(
        r"^an? (?P<what>(?:[a-z-]+ ){{0,2}}{MEASURES}) of {}(?P<tail>.*)$",
        quantity(&any)
    ))
});
static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? (?P<what>(?:[a-z]+ )?[a-z]{{3,}}s)(?P<tail>(?: (?:per|for|in|from|on|at|each|every)\b.*)?)$"
    ))
});

/// Words that end the main clause, behind which another thing is said.
static BORDER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"[,;:()—]|\s[–-]\s|\s(?:which|who|that|whereas|while|when|where|because|although|though|but|if|unless|since|so|until|due|depending|compared|making|resulting|using|followed|than)\b",
    )
});
/// A further verb: the clause is not what it seems.
static SECOND_VERB: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:is|are|was|were|has|have|had|does|did|can|should|will|may|must)\b")
});
static BAD_TAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:than|more|less|higher|lower|greater|or|to|of|-|–|/|−|±|older|younger|larger|smaller|longer|shorter|above|below|\d)",
    )
});

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
