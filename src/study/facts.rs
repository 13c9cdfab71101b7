//! Whether an answer holds a key fact.

use super::figures::{Figure, figures, written};
use super::questions::Fact;

/// How far behind a number the things may stand that it counts, in characters.
const REACH: usize = 60;

/// Whether `answer` holds `fact`: all its numbers with the unit (or converted exactly), or one of
/// its strings.
pub fn is_right(fact: &Fact, answer: &str) -> bool {
    match fact {
        Fact::Words { any_of, .. } => {
            let answer = answer.to_lowercase();
            any_of
                .iter()
                .any(|words| answer.contains(&words.to_lowercase()))
        }
        Fact::Numbers { numbers, unit, .. } => {
            let (measures, things) = written(unit);
            let found = figures(answer);
            !numbers.is_empty()
                && numbers.iter().all(|number| {
                    found
                        .iter()
                        .any(|figure| matches(figure, *number, &measures, &things, answer))
                })
        }
    }
}

fn matches(
    figure: &Figure,
    number: f64,
    measures: &[&str],
    things: &[String],
    answer: &str,
) -> bool {
    let near = |thing: &String| {
        let reach: String = figure.behind.chars().take(REACH).collect();
        reach.contains(thing.as_str())
            // In a table row the things stand in the column's name.
            || (answer.contains(": ") && answer.to_lowercase().contains(thing.as_str()))
    };
    if !things.is_empty() {
        // "250 aphids per plant": a count, so the number must be as written.
        return (figure.value - number).abs() < 1e-9
            && things.iter().all(near)
            && measures
                .iter()
                .all(|measure| figure.unit.contains(measure) || near(&(*measure).to_owned()));
    }
    if measures.is_empty() {
        return (figure.value - number).abs() < 1e-9;
    }
    // "8.2 kg per tonne" holds "8.2 kg".
    let unit = figure.unit.get(..measures.len());
    let cut = Figure {
        unit: unit.unwrap_or_default().to_vec(),
        ..figure.clone()
    };
    figure.is(number, measures) || cut.is(number, measures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[f64], unit: &str) -> Fact {
        Fact::Numbers {
            name: "fact".into(),
            numbers: numbers.to_vec(),
            unit: unit.into(),
        }
    }

    #[test]
    fn both_ends_of_a_range_are_needed() {
        let fact = numbers(&[15.0, 20.0], "%");
        assert!(is_right(&fact, "The ideal is 15 to 20% moisture."));
        assert!(is_right(&fact, "15% to 20%."));
        assert!(!is_right(&fact, "About 20% moisture."));
    }

    #[test]
    fn the_unit_counts() {
        let fact = numbers(&[2.0], "inch");
        assert!(is_right(&fact, "Plant 2 inches deep."));
        assert!(is_right(&fact, "Plant 5 cm deep."));
        assert!(!is_right(&fact, "Plant 2 cm deep."));
        assert!(!is_right(&fact, "Plant 2 deep."));
        assert!(!is_right(&fact, "Plant 12 inches deep."));
    }

    #[test]
    fn counted_things_must_be_named() {
        let fact = numbers(&[250.0], "aphid/plant");
        assert!(is_right(&fact, "Spray at 250 aphids per plant."));
        assert!(is_right(&fact, "250 soybean aphids on each plant."));
        assert!(!is_right(&fact, "Spray at 250 beetles per plant."));
        let fact = numbers(&[2.0], "beetle/trap/day");
        assert!(is_right(&fact, "2 beetles per trap per day"));
        let fact = numbers(&[32_000.0, 35_000.0], "seed/acre");
        assert!(is_right(&fact, "32,000 to 35,000 seeds per acre"));
    }

    #[test]
    fn strings_are_found_in_any_case() {
        let fact = Fact::Words {
            name: "start".into(),
            any_of: vec!["15 November".into(), "November 15".into()],
        };
        assert!(is_right(&fact, "Finish by november 15."));
        assert!(!is_right(&fact, "Finish by 16 November."));
    }

    #[test]
    fn an_empty_answer_holds_nothing() {
        assert!(!is_right(&numbers(&[2.0], ""), ""));
        assert!(!is_right(&numbers(&[], ""), "anything 2"));
    }
}
