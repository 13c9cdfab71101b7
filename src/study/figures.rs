//! Figures of a text by patterns: numbers and the unit behind them, for scoring and checking.

use std::sync::LazyLock;

use regex::Regex;

/// A number with its unit, as found.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its value.
    pub value: f64,
    /// Step of the last digit shown.
    pub step: f64,
    /// Parts of the unit: `["kg", "acre"]` for `kg/acre`; empty without one.
    pub unit: Vec<&'static str>,
    /// What follows the number, lower case, up to the next sentence end.
    pub behind: String,
    /// As written.
    pub text: String,
}

/// Spellings, base unit, factor, shift: base = (value + shift) * factor.
type Known = (&'static str, &'static str, &'static str, f64, f64);

/// name, pattern of its spellings, base, factor, shift.
const KNOWN: &[Known] = &[
    ("%", r"%|per ?cent", "%", 1.0, 0.0),
    (
        "°F",
        r"°\s?F\b|degrees F(?:ahrenheit)?\b",
        "K",
        5.0 / 9.0,
        459.67,
    ),
    ("°C", r"°\s?C\b|degrees C(?:elsius)?\b", "K", 1.0, 273.15),
    ("inch", r"inch(?:es)?\b", "m", 0.0254, 0.0),
    (
        "ft²",
        r"ft²|ft2\b|sq\.? ?ft\b|square f(?:ee|oo)t\b",
        "m2",
        0.092_903_04,
        0.0,
    ),
    ("m²", r"m²|m2\b|square met(?:re|er)s?\b", "m2", 1.0, 0.0),
    ("cm³", r"cm³|cm3\b|cc\b", "l", 0.001, 0.0),
    ("dm³", r"dm³|dm3\b", "l", 1.0, 0.0),
    ("m³", r"m³|m3\b|cubic met(?:re|er)s?\b", "l", 1_000.0, 0.0),
    ("MPa", r"MPa\b", "Pa", 1e6, 0.0),
    ("kPa", r"kPa\b", "Pa", 1e3, 0.0),
    ("hp", r"hp\b|horsepower\b", "hp", 1.0, 0.0),
    ("rpm", r"rpm\b|revolutions per minute\b", "rpm", 1.0, 0.0),
    // Short, long or metric, by country: it is converted into nothing.
    ("ton", r"tons?\b", "ton", 1.0, 0.0),
    ("cwt", r"cwt\b|hundredweights?\b", "kg", 45.359_237, 0.0),
    ("foot", r"(?:feet|foot|ft)\b", "m", 0.3048, 0.0),
    ("mm", r"mm\b|milli-?met(?:re|er)s?\b", "m", 0.001, 0.0),
    ("cm", r"cm\b|centimet(?:re|er)s?\b", "m", 0.01, 0.0),
    (
        "mph",
        r"mph\b|miles? (?:per|an) hour\b",
        "m/s",
        0.447_04,
        0.0,
    ),
    (
        "km/h",
        r"km\s?/\s?h\b|kmh\b|kph\b|kilomet(?:re|er)s? (?:per|an) hour\b",
        "m/s",
        1.0 / 3.6,
        0.0,
    ),
    ("km", r"km\b|kilomet(?:re|er)s?\b", "m", 1_000.0, 0.0),
    ("mile", r"miles?\b", "m", 1_609.344, 0.0),
    ("ml", r"ml\b|millilit(?:re|er)s?\b", "l", 0.001, 0.0),
    ("mg", r"mg\b|milligrams?\b", "kg", 1e-6, 0.0),
    ("kg", r"kgs?\b|kilograms?\b|kilos?\b", "kg", 1.0, 0.0),
    ("lb", r"lbs?\b|pounds?\b", "kg", 0.453_592_37, 0.0),
    ("ounce", r"oz\b|ounces?\b", "kg", 0.028_349_523_125, 0.0),
    ("quintal", r"quintals?\b|q\b", "kg", 100.0, 0.0),
    ("t", r"t\b|tonnes?\b", "kg", 1_000.0, 0.0),
    ("gallon", r"gal\b|gallons?\b", "l", 3.785_411_784, 0.0),
    ("hectare", r"ha\b|hectares?\b", "m2", 10_000.0, 0.0),
    ("acre", r"acres?\b|ac\b", "m2", 4_046.856_422_4, 0.0),
    ("bushel", r"bu\b|bushels?\b", "bushel", 1.0, 0.0),
    ("ppm", r"ppm\b|parts per million\b", "ppm", 1.0, 0.0),
    ("ppb", r"ppb\b|parts per billion\b", "ppm", 0.001, 0.0),
    ("hour", r"h\b|hours?\b", "s", 3_600.0, 0.0),
    ("second", r"sec\b|seconds?\b", "s", 1.0, 0.0),
    ("minute", r"min\b|minutes?\b", "s", 60.0, 0.0),
    ("day", r"days?\b", "s", 86_400.0, 0.0),
    ("week", r"weeks?\b", "s", 604_800.0, 0.0),
    ("month", r"months?\b", "month", 1.0, 0.0),
    ("year", r"years?\b", "month", 12.0, 0.0),
    ("litre", r"l\b|lit(?:re|er)s?\b", "l", 1.0, 0.0),
    ("g", r"g\b|grams?\b|gm\b", "kg", 0.001, 0.0),
    ("m", r"m\b|met(?:re|er)s?\b", "m", 1.0, 0.0),
];

/// A pattern that is a constant of this file and compiles; its test runs every one.
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+[ -]\d/\d{1,2}\b|\d/(?:2|3|4|8|16)\b|\d+(?:\.\d+)?")
});
static UNITS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    KNOWN
        .iter()
        .map(|(_, spellings, ..)| pattern(&format!(r"(?i)^[\s-]*(?:{spellings})")))
        .collect()
});
/// Up to three words may stand before the `per` that belongs to a unit.
static PER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:\s+(?:of\s+)?(?:[a-z][\w-]*\s+){0,2}?(?:[a-z][\w-]*)\s*)??(?:\s*/\s*|\s+per\s+|\s+an?\s+|\s+each\s+)",
    )
});
static JOINED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\s*(?:-|to|or|and)\s*(?:\$)?\d[\d,./]*"));

/// Number words and odd signs as digits and plain ones.
fn plain(text: &str) -> String {
    static WORDS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
        let names = [
            "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve",
        ];
        let mut all: Vec<(Regex, String)> = names
            .iter()
            .zip(2..)
            .map(|(name, value)| (pattern(&format!(r"(?i)\b{name}\b")), format!("{value}")))
            .collect();
        all.push((pattern(r"(?i)\bhalf an? "), "1/2 ".into()));
        all.push((pattern(r"[–—−‑]"), "-".into()));
        all.push((pattern(r"(\d)\s*½"), "$1 1/2".into()));
        all.push((pattern("½"), "1/2".into()));
        all.push((pattern("¾"), "3/4".into()));
        all.push((pattern("¼"), "1/4".into()));
        all.push((pattern(r"[º˚]"), "°".into()));
        all
    });
    WORDS.iter().fold(text.to_owned(), |text, (from, to)| {
        from.replace_all(&text, to.as_str()).into_owned()
    })
}

/// Every figure of `text`; digits inside names (`V6`, `PBW 752`) are left out.
pub fn figures(text: &str) -> Vec<Figure> {
    let text = plain(text);
    NUMBER
        .find_iter(&text)
        .filter(|found| !in_name(&text, found.start(), found.end()))
        .filter_map(|found| {
            let (value, step) = value(found.as_str())?;
            let behind = &text[found.end()..];
            let mut unit = shared_unit(behind);
            if unit.is_empty() {
                unit = header_unit(&text[..found.start()]);
            }
            let end = behind.find(". ").unwrap_or(behind.len());
            Some(Figure {
                value,
                step,
                unit,
                behind: behind[..end].to_lowercase(),
                text: found.as_str().to_owned(),
            })
        })
        .collect()
}

fn value(digits: &str) -> Option<(f64, f64)> {
    if let Some((rest, bottom)) = digits.split_once('/') {
        let (whole, top) = rest.split_once([' ', '-']).unwrap_or(("0", rest));
        let (whole, top, bottom): (f64, f64, f64) =
            (whole.parse().ok()?, top.parse().ok()?, bottom.parse().ok()?);
        return (bottom > 0.0).then_some((whole + top / bottom, 0.001));
    }
    let digits = digits.replace(',', "");
    let decimals = digits.split_once('.').map_or(0, |(_, after)| after.len());
    Some((
        digits.parse().ok()?,
        0.1_f64.powi(i32::try_from(decimals).ok()?),
    ))
}

/// A letter right before the digits, or a word of capitals before them without a unit behind.
fn in_name(text: &str, start: usize, end: usize) -> bool {
    let before = &text[..start];
    if before.ends_with(|c: char| c.is_alphanumeric()) {
        return true;
    }
    let word = before
        .trim_end_matches([' ', '-'])
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let capitals = word.len() >= 2 && word.chars().all(|c| c.is_ascii_uppercase());
    let glued =
        text[end..].starts_with(|c: char| c.is_alphabetic()) && unit(&text[end..]).is_empty();
    glued || (capitals && unit(&text[end..]).is_empty())
}

/// The unit behind a number, or behind the number that is joined to it.
fn shared_unit(behind: &str) -> Vec<&'static str> {
    let own = unit(behind);
    if !own.is_empty() {
        return own;
    }
    match JOINED.find(behind) {
        Some(joined) => shared_unit(&behind[joined.end()..]),
        None => Vec::new(),
    }
}

fn unit(behind: &str) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let mut rest = behind;
    while let Some((name, end)) = named(rest) {
        parts.push(name);
        rest = &rest[end..];
        match PER.find(rest) {
            Some(per) => rest = &rest[per.end()..],
            None => break,
        }
    }
    parts
}

fn named(text: &str) -> Option<(&'static str, usize)> {
    UNITS
        .iter()
        .zip(KNOWN)
        .find_map(|(pattern, known)| pattern.find(text).map(|found| (known.0, found.end())))
}

/// The unit in the brackets of the column name of a row written `Column (unit): 7; ...`.
fn header_unit(before: &str) -> Vec<&'static str> {
    let cell = before.rsplit("; ").next().unwrap_or(before);
    let Some((header, _)) = cell.rsplit_once(": ") else {
        return Vec::new();
    };
    match header.rsplit_once('(') {
        Some((_, inner)) => unit(&format!(" {inner}")),
        None if header.contains('%') => vec!["%"],
        None => Vec::new(),
    }
}

impl Figure {
    /// Whether this is a quantity of the kind that `unit` measures: `cm` for `inch`, `%` for `%`, a bare
    /// number for no unit.
    pub fn measures(&self, unit: &[&str]) -> bool {
        if self.unit.is_empty() || unit.is_empty() {
            return self.unit.is_empty() && unit.is_empty();
        }
        match (base(0.0, unit), base(0.0, &self.unit)) {
            (Some((names, _)), Some((own, _))) => names == own,
            _ => false,
        }
    }

    /// Whether this is `value` in `unit`, as written or converted and rounded to the digits shown.
    pub fn is(&self, value: f64, unit: &[&str]) -> bool {
        if self.unit == unit {
            return (self.value - value).abs() < 1e-6 * value.abs().max(1.0);
        }
        let Some((base, own_base)) = base(value, unit).zip(base(self.value, &self.unit)) else {
            return false;
        };
        if base.0 != own_base.0 {
            return false;
        }
        // One step of the last digit, in base units.
        let step = scale(&self.unit).unwrap_or(1.0) * self.step;
        let off = (base.1 - own_base.1).abs();
        let whole = scale(&self.unit).unwrap_or(1.0) * self.value.abs();
        off <= (0.5 * step)
            .min(0.06 * whole)
            .max(0.01 * whole.min(20.0 * step))
            + 1e-9
    }
}

fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.0 == name)
}

/// Names of the base units and the value in them.
fn base(value: f64, unit: &[&str]) -> Option<(Vec<&'static str>, f64)> {
    let first = known(unit.first()?)?;
    let mut names = vec![first.2];
    let mut base = (value + first.4) * first.3;
    for part in &unit[1..] {
        let known = known(part)?;
        names.push(known.2);
        base /= known.3;
    }
    Some((names, base))
}

fn scale(unit: &[&str]) -> Option<f64> {
    let mut scale = known(unit.first()?)?.3;
    for part in &unit[1..] {
        scale /= known(part)?.3;
    }
    Some(scale)
}

/// The parts of a written unit such as `kg/acre` or `aphid/plant`, those that are known and the rest.
pub fn written(unit: &str) -> (Vec<&'static str>, Vec<String>) {
    let mut measures = Vec::new();
    let mut things = Vec::new();
    // A pH stands before its number ("a pH of 6.5"): as a unit it is none.
    let parts = unit.split('/').map(str::trim);
    for part in parts.filter(|part| !part.is_empty() && *part != "pH") {
        match named(part) {
            Some((name, end)) if end == part.len() => measures.push(name),
            _ => things.push(part.to_lowercase()),
        }
    }
    (measures, things)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(f64, Vec<&'static str>)> {
        figures(text)
            .into_iter()
            .map(|figure| (figure.value, figure.unit))
            .collect()
    }

    #[test]
    fn numbers_come_with_their_units() {
        assert_eq!(
            found("124 lb of nitrogen per acre, 0.4 ml/litre and 18 to 20%"),
            [
                (124.0, vec!["lb", "acre"]),
                (0.4, vec!["ml", "litre"]),
                (18.0, vec!["%"]),
                (20.0, vec!["%"])
            ]
        );
        assert_eq!(found("1 1/2 inches"), [(1.5, vec!["inch"])]);
        assert_eq!(found("two inches"), [(2.0, vec!["inch"])]);
    }

    #[test]
    fn areas_volumes_and_speeds_are_units_of_their_own() {
        assert_eq!(
            found("6 plants per square foot"),
            [(6.0, vec![])],
            "things are looked for in the words behind"
        );
        assert_eq!(found("3 seeds in 2 m²")[1], (2.0, vec!["m²"]));
        assert_eq!(found("14 mph")[0].1, ["mph"]);
        let wind = figures("16 km/h").remove(0);
        assert!(wind.is(10.0, &["mph"]) && wind.measures(&["mph"]));
        assert!(!wind.measures(&["km"]));
        assert_eq!(found("1.3 g/cm3"), [(1.3, vec!["g", "cm³"])]);
        assert_eq!(written("pH"), (vec![], vec![]));
    }

    #[test]
    fn digits_of_names_are_left_out() {
        assert_eq!(found("PBW 752 at V6"), []);
    }

    #[test]
    fn a_cell_takes_the_unit_of_its_column() {
        assert_eq!(
            found("Soil: light; Dose (g/acre): 500"),
            [(500.0, vec!["g", "acre"])]
        );
    }

    #[test]
    fn a_conversion_is_the_same_figure_and_a_wrong_one_is_not() {
        let figure = |text: &str| figures(text).remove(0);
        assert!(figure("5 cm").is(2.0, &["inch"]));
        assert!(figure("124 kg/ha").is(50.0, &["kg", "acre"]));
        assert!(figure("50 °F").is(10.0, &["°C"]));
        assert!(!figure("6 cm").is(2.0, &["inch"]));
        assert!(!figure("50 kg/ha").is(50.0, &["kg", "acre"]));
        assert!(!figure("50").is(50.0, &["kg"]));
    }
}
