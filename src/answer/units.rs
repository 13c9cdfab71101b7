//! Units of farm figures, with the factors by which they convert.

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Metres.
    Length,
    /// Kilograms.
    Mass,
    /// Square metres.
    Area,
    /// Litres.
    Volume,
    /// Seconds.
    Time,
    /// Months: no fixed number of days, so not convertible to [`Measure::Time`].
    Month,
    /// Kelvin, by the offset of the scale.
    Temperature,
    /// Per cent.
    Percent,
    /// Parts per million.
    PartsPerMillion,
    /// Acidity.
    Ph,
    /// Bushels: a volume in law, a mass by crop in use; so convertible to neither.
    Bushel,
    /// Bar.
    Pressure,
    /// Money, by currency only.
    Money,
    /// Watts.
    Power,
}

/// One unit: base value = `(value + shift) * factor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// What it measures.
    pub measure: Measure,
    /// To the base unit.
    pub factor: f64,
    /// Added before the factor; not 0 for temperatures only.
    pub shift: f64,
}

const fn unit(measure: Measure, factor: f64) -> Unit {
    Unit {
        measure,
        factor,
        shift: 0.0,
    }
}

/// Degrees Celsius.
pub const CELSIUS: Unit = Unit {
    measure: Measure::Temperature,
    factor: 1.0,
    shift: 273.15,
};

/// Degrees Fahrenheit.
pub const FAHRENHEIT: Unit = Unit {
    measure: Measure::Temperature,
    factor: 5.0 / 9.0,
    shift: 459.67,
};

/// Exact factors: the international yard and pound (1959), the US liquid gallon of 231 cubic inches.
const UNITS: &[(&[&str], Unit)] = &[
    (
        &["mm", "millimetre", "millimeter"],
        unit(Measure::Length, 0.001),
    ),
    (
        &["cm", "centimetre", "centimeter"],
        unit(Measure::Length, 0.01),
    ),
    (&["m", "metre", "meter"], unit(Measure::Length, 1.0)),
    (
        &["km", "kilometre", "kilometer"],
        unit(Measure::Length, 1_000.0),
    ),
    (&["inch", "inches", "in"], unit(Measure::Length, 0.0254)),
    (&["foot", "feet", "ft"], unit(Measure::Length, 0.3048)),
    (&["yard", "yd"], unit(Measure::Length, 0.9144)),
    (&["mile", "mi"], unit(Measure::Length, 1_609.344)),
    (&["mg", "milligram"], unit(Measure::Mass, 1e-6)),
    (&["g", "gram", "gramme", "gm"], unit(Measure::Mass, 0.001)),
    (
        &["kg", "kilogram", "kilogramme", "kilo"],
        unit(Measure::Mass, 1.0),
    ),
    (&["t", "tonne"], unit(Measure::Mass, 1_000.0)),
    (&["quintal", "qtl"], unit(Measure::Mass, 100.0)),
    (&["lb", "lbs", "pound"], unit(Measure::Mass, 0.453_592_37)),
    (&["oz", "ounce"], unit(Measure::Mass, 0.028_349_523_125)),
    (&["ha", "hectare"], unit(Measure::Area, 10_000.0)),
    (&["acre", "ac"], unit(Measure::Area, 4_046.856_422_4)),
    (&["m2", "m²"], unit(Measure::Area, 1.0)),
    (
        &["ml", "millilitre", "milliliter", "cc"],
        unit(Measure::Volume, 0.001),
    ),
    (&["l", "litre", "liter", "lt"], unit(Measure::Volume, 1.0)),
    (&["gallon", "gal"], unit(Measure::Volume, 3.785_411_784)),
    (&["quart", "qt"], unit(Measure::Volume, 0.946_352_946)),
    (&["pint", "pt"], unit(Measure::Volume, 0.473_176_473)),
    (&["s", "sec", "second"], unit(Measure::Time, 1.0)),
    (&["min", "minute"], unit(Measure::Time, 60.0)),
    (&["h", "hr", "hour"], unit(Measure::Time, 3_600.0)),
    (&["day"], unit(Measure::Time, 86_400.0)),
    (&["week"], unit(Measure::Time, 604_800.0)),
    (&["month"], unit(Measure::Month, 1.0)),
    (&["year"], unit(Measure::Month, 12.0)),
    (&["%", "percent", "pct"], unit(Measure::Percent, 1.0)),
    (&["ppm"], unit(Measure::PartsPerMillion, 1.0)),
    (&["ppb"], unit(Measure::PartsPerMillion, 0.001)),
    (&["ph"], unit(Measure::Ph, 1.0)),
    (&["bu", "bushel"], unit(Measure::Bushel, 1.0)),
    (&["bar"], unit(Measure::Pressure, 1.0)),
    (&["kpa", "cbar", "centibar"], unit(Measure::Pressure, 0.01)),
    (&["psi"], unit(Measure::Pressure, 0.068_947_572_931_683_6)),
    (&["usd", "dollar", "$"], unit(Measure::Money, 1.0)),
    (&["w", "watt"], unit(Measure::Power, 1.0)),
    (&["kw", "kilowatt"], unit(Measure::Power, 1_000.0)),
    (&["celsius"], CELSIUS),
    (&["fahrenheit"], FAHRENHEIT),
];

/// The unit that `word` names, in any case, singular or plural.
pub fn named(word: &str) -> Option<Unit> {
    let lower = word.to_lowercase();
    let exact = |name: &str| {
        UNITS
            .iter()
            .find(|(names, _)| names.contains(&name))
            .map(|(_, unit)| *unit)
    };
    exact(&lower).or_else(|| {
        let singular = lower.strip_suffix('s')?;
        (singular.len() > 1).then(|| exact(singular)).flatten()
    })
}

/// The unit and what it is over that one word names together: `mph`.
pub fn compound(word: &str) -> Option<(Unit, Unit)> {
    let (unit, over) = match word.to_lowercase().as_str() {
        "mph" => ("mile", "hour"),
        "kmh" | "kph" => ("km", "hour"),
        "lpm" => ("litre", "minute"),
        "gpm" => ("gallon", "minute"),
        _ => return None,
    };
    Some((named(unit)?, named(over)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_known_in_the_plural_and_in_capitals() {
        assert_eq!(named("Litres"), named("l"));
        assert_eq!(named("KG"), named("kilos"));
        assert_eq!(named("inches").map(|unit| unit.factor), Some(0.0254));
        assert_eq!(named("plants"), None);
    }

    #[test]
    fn a_speed_may_be_one_word() {
        assert_eq!(compound("MPH"), named("miles").zip(named("h")));
        assert_eq!(compound("rpm"), None);
    }

    #[test]
    fn what_a_tensiometer_says_is_a_pressure() {
        let bar = |value: f64, name| named(name).map(|unit| value * unit.factor);
        assert_eq!(bar(30.0, "cbar"), bar(30.0, "kPa"));
    }

    #[test]
    fn freezing_is_one_temperature_on_both_scales() {
        let base = |value: f64, unit: Unit| (value + unit.shift) * unit.factor;
        assert!((base(0.0, CELSIUS) - base(32.0, FAHRENHEIT)).abs() < 1e-9);
    }
}
