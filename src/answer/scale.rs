//! Reads what follows a number: its unit, what it counts, and over what.

use super::quantity::Scale;
use super::reader::Reader;
use super::units::{self, CELSIUS, FAHRENHEIT, Unit};
use super::words;

/// How many words may stand between a unit and its `per`: "50 kg of pure nitrogen per acre".
const MOST_BETWEEN: usize = 3;

impl Reader<'_> {
    /// The scale at token `at` and the token after it.
    pub(super) fn scale(&self, at: usize) -> (Scale, usize) {
        let mut scale = Scale::default();
        let mut next = at + usize::from(self.mark(at, '-'));
        let compound = self.word(next).and_then(|word| units::compound(&word));
        match (self.base_unit(next), compound) {
            (Some((unit, after)), _) => {
                scale.unit = Some(unit);
                next = after;
            }
            (None, Some((unit, over))) => {
                scale.unit = Some(unit);
                scale.per.push(over);
                next += 1;
            }
            (None, None) => {
                next = at;
                while scale.things.len() < 3
                    && let Some(word) = self.thing(next)
                {
                    scale.things.push(words::stem(&word));
                    next += 1;
                }
            }
        }
        if scale.unit.is_some() || !scale.things.is_empty() {
            next = self.denominators(next, &mut scale);
        }
        (scale, next)
    }

    /// The unit of measure at `at` and the token after it.
    pub(super) fn base_unit(&self, at: usize) -> Option<(Unit, usize)> {
        if self.mark(at, '%') {
            return Some((units::named("%")?, at + 1));
        }
        if self.mark(at, '"') || self.mark(at, '″') {
            return Some((units::named("inch")?, at + 1));
        }
        if self.mark(at, '°') {
            return Some((self.degrees(at + 1)?, at + 2));
        }
        let word = self.word(at)?;
        let following = self.word(at + 1);
        match (word.as_str(), following.as_deref()) {
            ("degrees" | "degree" | "deg", _) => return Some((self.degrees(at + 1)?, at + 2)),
            ("per", Some("cent")) => return Some((units::named("%")?, at + 2)),
            ("parts", Some("per")) => match self.word(at + 2).as_deref() {
                Some("million") => return Some((units::named("ppm")?, at + 3)),
                Some("billion") => return Some((units::named("ppb")?, at + 3)),
                _ => {}
            },
            // "2 in each hole": a preposition, unless nothing or a dimension follows.
            ("in", Some(next)) if !["deep", "apart", "wide", "rows"].contains(&next) => {
                return None;
            }
            ("square", Some("metre" | "meter" | "metres" | "meters")) => {
                return Some((units::named("m2")?, at + 2));
            }
            _ => {}
        }
        units::named(&word).map(|unit| (unit, at + 1))
    }

    fn degrees(&self, at: usize) -> Option<Unit> {
        match self.word(at)?.as_str() {
            "c" | "celsius" | "centigrade" => Some(CELSIUS),
            "f" | "fahrenheit" => Some(FAHRENHEIT),
            _ => None,
        }
    }

    /// A word that a number may count.
    fn thing(&self, at: usize) -> Option<String> {
        let word = self.word(at)?;
        // "three leaves carry six whiteflies": the second number counts things of its own.
        (!words::is_stop(&word) && words::small(&word).is_none()).then_some(word)
    }

    /// `per acre`, `/ha`, `an acre`, `of nitrogen per acre`, `N/acre`: added to `scale`.
    fn denominators(&self, at: usize, scale: &mut Scale) -> usize {
        let mut next = at;
        while let Some(over) = self.over(next) {
            match self.base_unit(over) {
                Some((unit, after)) => {
                    scale.per.push(unit);
                    next = after;
                }
                None => match self.thing(over) {
                    Some(word) => {
                        scale.per_things.push(words::stem(&word));
                        next = over + 1;
                    }
                    None => break,
                },
            }
        }
        next
    }

    /// The token after the `per` that belongs to the unit that ended before `at`.
    fn over(&self, at: usize) -> Option<usize> {
        for skipped in 0..=MOST_BETWEEN {
            let here = at + skipped;
            if self.mark(here, '/') || self.word(here).as_deref() == Some("per") {
                return Some(here + 1);
            }
            let word = self.word(here)?;
            if ["a", "an", "each", "every"].contains(&word.as_str()) {
                return self.base_unit(here + 1).is_some().then_some(here + 1);
            }
            // "200 ml in 200 litres per acre": past a preposition the `per` is another number's.
            if words::is_stop(&word) && word != "of" {
                return None;
            }
        }
        None
    }
}
