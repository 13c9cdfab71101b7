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
                .any(|words| !places(&answer, &words.to_lowercase()).is_empty())
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

/// Whether `figure` of `answer` is one of the numbers of `fact`, in its unit.
pub(super) fn is_of(fact: &Fact, figure: &Figure, answer: &str) -> bool {
    let Fact::Numbers { numbers, unit, .. } = fact else {
        return false;
    };
    let (measures, things) = written(unit);
    numbers
        .iter()
        .any(|number| matches(figure, *number, &measures, &things, answer))
}

/// Whether `figure` of `answer` measures what `fact` measures, whatever its value.
pub(super) fn is_alike(fact: &Fact, figure: &Figure, answer: &str) -> bool {
    let Fact::Numbers { unit, .. } = fact else {
        return false;
    };
    let (measures, things) = written(unit);
    if things.is_empty() {
        return figure.measures(&measures);
    }
    matches(figure, figure.value, &measures, &things, answer)
}

/// Where `words` stand in `text`, both lower case: from a word's beginning, and to its end where a
/// longer word would say something else (`May 1` is not in `May 15`, `yes` not in `yesterday`).
pub(super) fn places(text: &str, words: &str) -> Vec<usize> {
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let words = words.trim();
    let whole = words.chars().count() <= 3 || words.ends_with(|c: char| c.is_ascii_digit());
    if words.is_empty() {
        return Vec::new();
    }
    text.match_indices(words)
        .map(|(at, _)| at)
        .filter(|at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + words.len()..].chars().next();
            !(joins(before) || whole && joins(after))
        })
        .collect()
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
    fn a_string_is_not_found_inside_a_longer_word_or_number() {
        let fact = |any_of: &str| Fact::Words {
            name: "fact".into(),
            any_of: vec![any_of.into()],
        };
        assert!(!is_right(&fact("May 1"), "Sow by May 15."));
        assert!(!is_right(&fact("yes"), "It rained yesterday."));
        assert!(!is_right(&fact("above"), "Mulch is hereabove."));
        assert!(is_right(&fact("white grub"), "White grubs eat the roots."));
        assert!(!is_right(&fact(" "), "anything"));
    }

    #[test]
    fn an_empty_answer_holds_nothing() {
        assert!(!is_right(&numbers(&[2.0], ""), ""));
        assert!(!is_right(&numbers(&[], ""), "anything 2"));
    }
}
