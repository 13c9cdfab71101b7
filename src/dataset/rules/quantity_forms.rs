//! The forms of quantities in sentences.

use std::sync::LazyLock;

use regex::Regex;

use super::text::{capitalised, pattern};

const NUMBER: &str = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?[½¼¾]|\s\d/\d)?|[½¼¾]|two|three|four|five|six|seven|eight|nine|ten|twelve)";
const NEAR: &str = r"(?:(?:about|approximately|around|roughly|nearly|almost|an average of|at least|at most|up to|more than|less than|no more than|over|under|between|from|only)\s)*";
pub const LENGTH: &str =
    r"(?:inch(?:es)?|mm|cm|km|m|feet|foot|ft|(?:centi|milli|kilo)?met(?:re|er)s?|yards?|miles?)";
const HEAT: &str = r"(?:°\s?[CF]|º\s?[CF]|degrees? (?:Celsius|Fahrenheit|C|F))";
pub const TIME: &str = r"(?:seconds?|minutes?|min|hours?|h|days?|weeks?|months?|years?)";
const SHARE: &str = r"(?:%|per ?cent)";
pub const AMOUNT: &str = r"(?:(?:million |billion )?(?:tonnes?|tons|hectares|acres)|mg|kg|g|t|lbs?|pounds?|ounces?|oz|quintals?|bushels?|(?:kilo)?grams?|ml|mL|l|L|(?:milli)?lit(?:re|er)s?|gallons?|cups?|ha|hectares?|acres?|ppm|mM|kPa|MPa)";
const MONTH: &str =
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)";
const PER: &str =
    r"(?:\s?/\s?[A-Za-z]+\d?|\sper\s[a-z]+|\s(?:ha|hm|plant|kg|L|m|year|y|day|d)\s?[-−–]\s?[12])*";
/// What a number measures, in one or two words.
const MEASURES: &str = r"(?:temperatures?|depths?|rates?|densit(?:y|ies)|concentrations?|heights?|distances?|spacings?|pH|doses?|pressures?|altitudes?|elevations?|widths?|lengths?|intervals?|yields?|weights?|contents?|durations?|periods?|prices?|costs?|areas?|levels?|ranges?|rainfall|precipitation|requirements?|numbers?|percentages?|proportions?|moisture|thickness|diameters?|productivity|humidity|salinity)";

/// Places of a quantity in a sentence, with what asks for it there.
pub struct Place {
    /// The quantity with what stands before it.
    pub find: Regex,
    /// What asks for it.
    pub wh: Wh,
    /// Whether it may follow the verb directly.
    pub alone: bool,
}

/// How to ask.
#[derive(Clone, Copy)]
pub enum Wh {
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

pub static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
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

pub static BARE: LazyLock<Regex> = LazyLock::new(|| {
    let any = format!("(?:{LENGTH}|{HEAT}|{TIME}|{SHARE}|{AMOUNT})");
    pattern(&format!(
        r"^(?P<be>be )?(?:{}|{NEAR}\d+\.\d+(?:\s?(?:-|–|to|and)\s?\d+(?:\.\d+)?)?(?:\s|$))",
        quantity(&any)
    ))
});
pub static MEASURED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)\b{MEASURES}(?:$|\s(?:of|for|in|at|from|during|per)\s)"
    ))
});
pub static PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^(?:for )?{}\s?of (?P<what>.+)$",
        quantity(SHARE)
    ))
});
pub static MUCH: LazyLock<Regex> = LazyLock::new(|| {
    let unit = format!("(?:{AMOUNT}|mm|inches|inch|cm)");
    pattern(&format!(
        r"^{}\s?of (?P<what>[a-z]+(?: [a-z]+)?)(?P<tail>(?: (?:per|for|in|from|during|to|at|by|on|each|every|a|when|before|after)\b.*)?)$",
        quantity(&unit)
    ))
});
pub static HOURS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? (?P<unit>hours|days|weeks|months) of (?P<what>[a-z]+(?: [a-z]+)?)(?P<tail>(?: (?:per|for|in|during|to|at|each|every|a)\b.*)?)$"
    ))
});
pub static HELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{}\s?(?P<what>[a-z]+(?: [a-z]+)?)$",
        quantity(SHARE)
    ))
});
pub static LASTING: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"^{}(?P<tail>.*)$", quantity(TIME))));
pub static WEIGHING: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"^{}(?P<tail>.*)$", quantity(AMOUNT))));
pub static OWNED: LazyLock<Regex> = LazyLock::new(|| {
    let any = format!("(?:{LENGTH}|{HEAT}|{TIME}|{SHARE}|{AMOUNT})");
    pattern(&format!(
        r"^an? (?P<what>(?:[a-z-]+ ){{0,2}}{MEASURES}) of {}(?P<tail>.*)$",
        quantity(&any)
    ))
});
pub static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"^{NEAR}{NUMBER}(?:\s?(?:-|–|to|or)\s?{NUMBER})? (?P<what>(?:[a-z]+ )?[a-z]{{3,}}s)(?P<tail>(?: (?:per|for|in|from|on|at|each|every)\b.*)?)$"
    ))
});

/// Words that end the main clause, behind which another thing is said.
pub static BORDER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"[,;:()—]|\s[–-]\s|\s(?:which|who|that|whereas|while|when|where|because|although|though|but|if|unless|since|so|until|due|depending|compared|making|resulting|using|followed|than)\b",
    )
});
/// A further verb: the clause is not what it seems.
pub static SECOND_VERB: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:is|are|was|were|has|have|had|does|did|can|should|will|may|must)\b")
});
pub static BAD_TAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:than|more|less|higher|lower|greater|or|to|of|-|–|/|−|±|older|younger|larger|smaller|longer|shorter|above|below|\d)",
    )
});
