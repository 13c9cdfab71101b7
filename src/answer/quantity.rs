//! Quantities in text: numbers with their units, ranges, dates; and when one is another, converted.

use super::lexer::Number;
use super::reader::Reader;
use super::units::{Measure, Unit};

/// What a number counts or measures, over what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// The unit, where it is one of measure.
    pub unit: Option<Unit>,
    /// Otherwise the stems of the words after the number: `250 soybean aphids`.
    pub things: Vec<String>,
    /// `per acre`, `/day`: units of measure.
    pub per: Vec<Unit>,
    /// `per plant`, `per trap`: stems.
    pub per_things: Vec<String>,
}

/// Part of a month, where a date names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthPart {
    /// Early, beginning, first week.
    Early,
    /// Mid, middle.
    Middle,
    /// Late, end, last week.
    Late,
}

/// What kind of quantity.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A number on a scale.
    Amount(Number, Scale),
    /// A month, with a day or a part of it.
    Date {
        /// 1 to 12.
        month: u32,
        /// 1 to 31.
        day: Option<u32>,
        /// Early, mid, late.
        part: Option<MonthPart>,
    },
    /// A year of four digits.
    Year(u32),
}

/// One quantity of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// What it says.
    pub kind: Kind,
    /// First byte of its number.
    pub start: usize,
    /// Byte after its last token.
    pub end: usize,
}

impl Quantity {
    /// The measure of its unit, if it has one.
    pub fn measure(&self) -> Option<Measure> {
        match &self.kind {
            Kind::Amount(_, scale) => scale.unit.map(|unit| unit.measure),
            _ => None,
        }
    }

    /// What a measure is taken over: time for a speed; `None` where it is over nothing or over things.
    pub fn over(&self) -> Option<Measure> {
        match &self.kind {
            Kind::Amount(_, scale) => scale.per.first().map(|unit| unit.measure),
            _ => None,
        }
    }

    /// True for a date with a month.
    pub fn is_date(&self) -> bool {
        matches!(self.kind, Kind::Date { .. })
    }

    /// Its number, as written; `None` for a date or a year.
    pub fn value(&self) -> Option<f64> {
        match &self.kind {
            Kind::Amount(number, _) => Some(number.value),
            _ => None,
        }
    }

    /// Whether `self` can be more or less than `other`: both amounts of one measure, or both counts. What `other` is
    /// counted over may be left unsaid: an axle load of 11 t is held against "20,000 pounds per axle".
    pub fn is_comparable(&self, other: &Quantity) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Amount(_, own), Kind::Amount(_, other)) => {
                own.compares(other)
                    || (own.unit.is_none() && other.unit.is_none())
                    || own.leaves_unsaid(other)
            }
            _ => false,
        }
    }

    /// As [`Quantity::is_comparable`], and of the same things over the same things.
    pub fn is_alike(&self, other: &Quantity) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Amount(_, own), Kind::Amount(_, other)) => own.compares(other),
            _ => false,
        }
    }

    /// Stems of what it counts; none for a bare number, a measure or a date.
    pub fn things(&self) -> &[String] {
        match &self.kind {
            Kind::Amount(_, scale) => &scale.things,
            _ => &[],
        }
    }

    /// How `self` stands to a comparable `other`, in the unit of both; `None` where they are not comparable.
    pub fn compare(&self, other: &Quantity) -> Option<std::cmp::Ordering> {
        match (&self.kind, &other.kind) {
            (Kind::Amount(number, scale), Kind::Amount(limit, other_scale))
                if self.is_comparable(other) =>
            {
                match scale.compares(other_scale) {
                    true => scale
                        .base(number.value)
                        .partial_cmp(&other_scale.base(limit.value)),
                    false => scale
                        .undivided(number.value)
                        .partial_cmp(&other_scale.undivided(limit.value)),
                }
            }
            _ => None,
        }
    }

    /// True when `self` says what `source` says, in the same unit or converted exactly and rounded
    /// to the digits that `self` shows.
    pub fn follows_from(&self, source: &Quantity) -> bool {
        match (&self.kind, &source.kind) {
            (Kind::Year(a), Kind::Year(b)) => a == b,
            (
                Kind::Date { month, day, part },
                Kind::Date {
                    month: source_month,
                    day: source_day,
                    part: source_part,
                },
            ) => {
                month == source_month
                    && (day.is_none() || day == source_day)
                    && (part.is_none() || part == source_part)
            }
            (Kind::Amount(a, scale), Kind::Amount(b, source)) => {
                scale.compares(source) && equal(*a, scale, *b, source)
            }
            _ => false,
        }
    }
}

impl Scale {
    /// True for a number alone: no unit, nothing counted.
    pub fn is_bare(&self) -> bool {
        self.unit.is_none() && self.things.is_empty()
    }

    /// Whether a number on this scale may be the number of `source`: same measures, same things.
    fn compares(&self, source: &Scale) -> bool {
        let measures = |scale: &Scale| {
            let mut all: Vec<Measure> = scale.per.iter().map(|unit| unit.measure).collect();
            all.sort();
            all
        };
        let mut things = (self.per_things.clone(), source.per_things.clone());
        things.0.sort();
        things.1.sort();
        if measures(self) != measures(source) || things.0 != things.1 {
            return false;
        }
        match (self.unit, source.unit) {
            (Some(a), Some(b)) => a.measure == b.measure,
            (None, None) => {
                self.is_bare()
                    || self
                        .things
                        .iter()
                        .any(|thing| source.things.contains(thing))
            }
            _ => false,
        }
    }

    /// Whether both have one measure, and only `whole` says per how many things or in what time: `hours` for
    /// `hours a day`, but not `kg` for `kg/ha`.
    fn leaves_unsaid(&self, whole: &Scale) -> bool {
        let measure = |scale: &Scale| scale.unit.map(|unit| unit.measure);
        let is_time = |unit: &Unit| unit.measure == Measure::Time;
        measure(self).is_some()
            && measure(self) == measure(whole)
            && self.per.is_empty()
            && self.per_things.is_empty()
            && whole.per.iter().all(is_time)
    }

    /// To base units; temperatures with their shift.
    fn base(&self, value: f64) -> f64 {
        let per: f64 = self.per.iter().map(|unit| unit.factor).product();
        self.undivided(value) / per
    }

    /// As [`Scale::base`], whatever it is counted over.
    fn undivided(&self, value: f64) -> f64 {
        self.unit
            .map_or(value, |unit| (value + unit.shift) * unit.factor)
    }

    /// The inverse of [`Scale::base`].
    fn shown_from(&self, value: f64) -> f64 {
        let per: f64 = self.per.iter().map(|unit| unit.factor).product();
        match self.unit {
            Some(unit) => value * per / unit.factor - unit.shift,
            None => value * per,
        }
    }

    fn same_unit(&self, other: &Scale) -> bool {
        self.unit == other.unit && self.per == other.per
    }
}

/// Equal as written or, in another unit, within the rounding that the shown digits allow.
fn equal(shown: Number, scale: &Scale, source: Number, source_scale: &Scale) -> bool {
    let converted = scale.shown_from(source_scale.base(source.value));
    let off = (converted - shown.value).abs();
    if scale.same_unit(source_scale) {
        return off <= 1e-6 * shown.value.abs().max(1.0);
    }
    let digits = i32::try_from(shown.decimals).unwrap_or(i32::MAX);
    let zeros = i32::try_from(shown.zeros).unwrap_or(0);
    let last_digit = 0.5 * 10f64.powi(-digits);
    // 79,000 for 79,073 is rounding; 100 for 60 is not: trailing zeros may hide 1 % at most.
    let round_number = (0.5 * 10f64.powi(zeros)).min(0.01 * shown.value.abs());
    // One digit can hide 30 %, which no farmer would call the same dose.
    let most = if scale.unit.is_some_and(|unit| unit.shift != 0.0) {
        0.5
    } else {
        0.06 * shown.value.abs()
    };
    off <= last_digit.max(round_number).min(most) + 1e-9
}

/// The quantities of `text`, in order.
pub fn quantities(text: &str) -> Vec<Quantity> {
    Reader::new(text).read()
}

/// As [`quantities`], for a sentence that gives limits: in `5 or more eggs` five are eggs.
pub fn limits(text: &str) -> Vec<Quantity> {
    Reader::of_limits(text).read()
}

/// The scale that a table's header gives to the numbers under it: `Stand (plants per acre)`.
pub fn header_scale(header: &str) -> Option<Scale> {
    let inner = match header.rsplit_once('(') {
        Some((_, inner)) => inner.trim_end_matches(')').trim(),
        None => header.rsplit(" in ").next().unwrap_or(header).trim(),
    };
    let inner = inner.strip_prefix("in ").unwrap_or(inner);
    quantities(&format!("7 {inner}"))
        .into_iter()
        .next()
        .and_then(|one| match one.kind {
            Kind::Amount(_, scale) if scale.unit.is_some() || header.contains('(') => {
                (!scale.is_bare()).then_some(scale)
            }
            _ => None,
        })
}
