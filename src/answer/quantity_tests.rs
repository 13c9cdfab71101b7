//! What counts as the same quantity, and what does not.

use super::quantity::{Kind, MonthPart, Quantity, limits, quantities};

fn one(text: &str) -> Quantity {
    let mut all = quantities(text);
    assert_eq!(all.len(), 1, "{text:?} has one quantity: {all:?}");
    all.remove(0)
}

/// Whether the first quantity of `said` follows from any of `source`.
fn follows(said: &str, source: &str) -> bool {
    let said = quantities(said);
    let source = quantities(source);
    !said.is_empty()
        && said
            .iter()
            .all(|said| source.iter().any(|one| said.follows_from(one)))
}

#[test]
fn the_same_number_and_unit_in_another_form_is_the_same() {
    for (said, source) in [
        ("2 inches", "2-inch"),
        ("two inches", "2 inches"),
        ("1/2 inch", "half an inch"),
        ("0.5 inch", "1/2 inch"),
        ("1,000 kg", "1000 kilograms"),
        ("50 kg/ha", "50 kg per hectare"),
        ("50 kg/acre", "50 kg of nitrogen per acre"),
        ("50 kg N per acre", "50 kg/acre"),
        ("50 kg an acre", "50 kg/acre"),
        ("10 %", "10 percent"),
        ("50 °F", "50 degrees Fahrenheit"),
        ("21 days", "21 days"),
        ("three weeks", "21 days"),
        ("250 aphids per plant", "250 soybean aphids per plant"),
        ("2 beetles per trap per day", "2 beetles/trap/day"),
        ("pH 5.5 to 6.3", "a pH of 5.5 to 6.3"),
        ("30-inch rows", "rows of 30 inches"),
        ("35,000 seeds per acre", "32,000 to 35,000 seeds per acre"),
    ] {
        assert!(follows(said, source), "{said:?} from {source:?}");
    }
}

#[test]
fn an_exact_conversion_rounded_to_its_digits_is_the_same() {
    for (said, source) in [
        ("5 cm", "2 inches"),
        ("5.1 cm", "2 inches"),
        ("10 °C", "50 °F"),
        ("50 °F", "10 °C"),
        ("124 kg/ha", "50 kg/acre"),
        ("139 kg/ha", "124 lb/acre"),
        ("79,000 seeds per hectare", "32,000 seeds per acre"),
        ("0.09 t/ha", "90 kg/ha"),
        ("400 ml", "0.4 litre"),
    ] {
        assert!(follows(said, source), "{said:?} from {source:?}");
    }
}

#[test]
fn a_wrong_conversion_is_not_the_same() {
    for (said, source) in [
        ("6 cm", "2 inches"),
        ("5.0 cm", "2 inches"),
        ("3 cm", "1 inch"),
        ("12 °C", "50 °F"),
        ("130 kg/ha", "50 kg/acre"),
        ("100 kg/ha", "60 lb/acre"),
        ("2.3 inches", "2 inches"),
        ("1 kg", "600 g"),
    ] {
        assert!(!follows(said, source), "{said:?} not from {source:?}");
    }
}

#[test]
fn a_number_with_another_unit_is_another_quantity() {
    for (said, source) in [
        ("50 lb/acre", "50 kg/acre"),
        ("50 kg/ha", "50 kg/acre"),
        ("50 kg", "50 kg/acre"),
        ("50 kg/acre", "50 kg"),
        ("2", "2 inches"),
        ("2 inches", "2"),
        ("10 plants", "10%"),
        ("10%", "10 plants"),
        ("10 rows", "10 plants"),
        ("50 °C", "50 °F"),
        ("6 months", "180 days"),
        ("250 aphids per leaf", "250 aphids per plant"),
        ("60 bu/acre", "60 lb/acre"),
    ] {
        assert!(!follows(said, source), "{said:?} not from {source:?}");
    }
}

#[test]
fn both_ends_of_a_range_take_the_unit() {
    assert!(follows("3 cm", "3 to 5 cm"));
    assert!(follows("3 cm", "3–5 cm"));
    assert!(follows("between 3 and 5 cm", "3-5 cm"));
    assert!(follows("18 to 20%", "18-20 %"));
    assert!(!follows("4 cm", "3 to 5 cm"));
    assert!(!follows("2 to 5 cm", "3 to 5 cm"));
    assert!(follows("2 inches to 3 inches", "2 to 3 inches"));
}

#[test]
fn a_date_is_no_plain_number() {
    assert!(follows("May 10", "10 May"));
    assert!(follows("by the 15th of November", "15 November"));
    assert!(follows("April", "April 12"));
    assert!(follows("April 30", "April 12 to April 30"));
    assert!(follows("May 19", "May 13 to 19"));
    assert!(follows("on 12 April", "12-30 April"));
    assert!(!follows("May 11", "10 May"));
    assert!(!follows("May 10", "10 plants in May"));
    assert!(!follows("10 plants", "May 10"));
    assert!(!follows("April 12", "April"));
}

#[test]
fn the_part_of_a_month_counts() {
    assert_eq!(
        one("mid-April").kind,
        Kind::Date {
            month: 4,
            day: None,
            part: Some(MonthPart::Middle)
        }
    );
    assert!(follows("late May", "the last week of May"));
    assert!(follows("the end of June", "late June"));
    assert!(!follows("early April", "late April"));
    assert!(!follows("mid-April", "April"));
}

#[test]
fn a_verb_is_no_month() {
    assert!(quantities("You may plant. It may rain, and ants march.").is_empty());
    assert!(quantities("May be wet.").is_empty());
}

#[test]
fn years_are_years_only() {
    assert!(follows("in 2015", "2015"));
    assert!(!follows("2015 plants", "2,015 kg"));
    assert!(!follows("2015", "2,015 plants"));
}

#[test]
fn a_number_in_a_name_is_left_to_the_names() {
    assert!(quantities("Sow PBW 752 or PMH 13 at V6.").is_empty());
    assert!(quantities("at 08:00 UTC").is_empty());
}

#[test]
fn everyday_number_words_are_no_quantities() {
    assert!(quantities("One of them is better than the one before.").is_empty());
    assert!(quantities("Half of the maize is in.").is_empty());
    assert_eq!(quantities("one week").len(), 1);
    assert_eq!(quantities("twenty-five days").len(), 1);
    assert!(follows("25 days", "twenty-five days"));
}

#[test]
fn any_text_is_read_without_panic() {
    for text in [
        "",
        "1",
        "1/",
        "/1",
        "½½½",
        "1-1-1-1",
        "°",
        "5 °",
        "per per per",
        "1 per",
        "$",
        "1,,000",
        "١٢٣",
        "9999999999999999999999999999 kg",
        "a 1/0 b",
        "to 5 to",
        "May 99",
        "31 May 31",
        "5 kg / / ha",
        "two hundred thousand million",
        "1 1/2-1/2",
    ] {
        let _ = quantities(text);
    }
}

#[test]
fn five_of_the_100_flowers_are_flowers() {
    let found =
        limits("Spray when five or more of the 100 flowers are damaged, or 6 of 10 leaves.");
    let things: Vec<_> = found
        .iter()
        .map(|one| (one.value(), one.things()))
        .collect();
    let of = |value: f64, thing: &str| {
        things
            .iter()
            .any(|(number, things)| *number == Some(value) && *things == [thing.to_owned()])
    };
    assert!(of(5.0, "flower") && of(6.0, "leaf"), "{things:?}");
}
