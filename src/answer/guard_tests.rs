//! What may leave the box, and what may not.

use super::guard::{Fault, Origin, Sources, Verdict};

const PASSAGE: &str = "Plant maize (corn) about 2 inches (5 cm) deep in Iowa. \
    Use 120 litres of water per acre on young maize. \
    On fodder maize spray Coragen 18.5 SC at 0.4 ml/litre. \
    After spraying Coragen, do not feed the fodder to cattle for 21 days. \
    Give 50 kg/acre of nitrogen in three splits.\n\n\
    | Stand (plants per acre) | Yield of the best (%) |\n|---|---|\n| 24,000 | 94 |\n";

fn sources() -> Sources {
    let mut sources = Sources::new("maize Iowa US");
    sources.add(Origin::Passage(0), "Planting maize in Iowa", PASSAGE);
    sources.add(
        Origin::Reading(0),
        "",
        "soil-temperature of probe-3 was 9.5 °C at 2026-11-22 08:00 UTC",
    );
    sources.add(
        Origin::Question,
        "",
        "I have 40 acres. How deep do I plant?",
    );
    sources
}

fn fault(sentence: &str) -> Option<Fault> {
    match sources().check(sentence) {
        Verdict::Grounded(_) => None,
        Verdict::Ungrounded(fault) => Some(fault),
    }
}

#[test]
fn what_the_passage_says_is_grounded() {
    for sentence in [
        "Plant maize 2 inches deep.",
        "Plant corn about 5 cm deep in Iowa.",
        "Use 120 litres of water per acre on young maize.",
        "Spray fodder maize with Coragen at 0.4 ml/litre.",
        "Do not feed the fodder to cattle for 21 days after spraying Coragen.",
        "A stand of 24,000 plants per acre gives 94% of the best yield.",
        "The soil temperature was 9.5 °C.",
        "On your 40 acres plant 2 inches deep.",
    ] {
        assert_eq!(fault(sentence), None, "{sentence}");
    }
}

#[test]
fn a_converted_unit_is_grounded() {
    assert_eq!(fault("Plant maize 51 mm deep."), None);
    assert_eq!(fault("Give 124 kg/ha of nitrogen."), None);
    assert_eq!(fault("Do not feed the fodder to cattle for 3 weeks."), None);
}

#[test]
fn a_dose_from_nowhere_is_caught() {
    assert_eq!(
        fault("Spray Coragen at 0.8 ml/litre."),
        Some(Fault::Number("0.8 ml/litre".into()))
    );
    assert!(fault("Give 60 kg/acre of nitrogen.").is_some());
    assert!(fault("Plant maize three inches deep.").is_some());
    assert!(fault("Plant maize on May 10.").is_some());
}

#[test]
fn a_product_from_nowhere_is_caught() {
    assert_eq!(
        fault("Spray the maize with Roundup."),
        Some(Fault::Name("Roundup".into()))
    );
    assert_eq!(
        fault("Spray the maize with cypermethrin."),
        Some(Fault::Name("cypermethrin".into()))
    );
}

#[test]
fn a_known_number_with_another_unit_is_caught() {
    assert!(fault("Plant maize 2 cm deep.").is_some());
    assert!(fault("Give 50 lb/acre of nitrogen.").is_some());
    assert!(fault("Give 50 kg/ha of nitrogen.").is_some());
    assert!(fault("Spray Coragen at 0.4 g/litre.").is_some());
}

#[test]
fn a_known_quantity_of_something_else_is_caught() {
    assert_eq!(
        fault("The harvest losses are 21 days."),
        Some(Fault::OutOfContext("21 days".into()))
    );
}

#[test]
fn a_lost_not_is_caught() {
    assert_eq!(
        fault("After spraying Coragen, feed the fodder to cattle for 21 days."),
        Some(Fault::Negation)
    );
}

#[test]
fn the_origin_of_each_figure_is_told() {
    match sources().check("Plant maize 2 inches deep when the soil temperature is 9.5 °C.") {
        Verdict::Grounded(origins) => assert_eq!(
            origins.into_iter().collect::<Vec<_>>(),
            [Origin::Passage(0), Origin::Reading(0)]
        ),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn nothing_is_grounded_in_nothing_but_words_without_figures() {
    let sources = Sources::new("");
    assert!(matches!(
        sources.check("Plant 2 inches deep."),
        Verdict::Ungrounded(_)
    ));
    assert!(matches!(sources.check(""), Verdict::Grounded(_)));
}

#[test]
fn a_figure_of_one_case_is_not_given_to_another() {
    let mut sources = Sources::new("maize Iowa US");
    sources.add(
        Origin::Passage(0),
        "Nitrogen rate",
        "Maize that follows soybean needs about 124 lb of nitrogen per acre. \
         Maize that follows maize needs about 181 lb of nitrogen per acre.",
    );
    sources.add(Origin::Question, "", "How much nitrogen does maize need?");
    let is_grounded = |sentence: &str| matches!(sources.check(sentence), Verdict::Grounded(_));
    assert!(is_grounded(
        "After soybean maize needs 124 lb of nitrogen per acre."
    ));
    assert!(!is_grounded(
        "Maize that follows maize needs 124 lb of nitrogen per acre."
    ));
    assert!(!is_grounded("Maize needs 124 lb of nitrogen per acre."));
}

#[test]
fn the_case_may_stand_in_the_question() {
    let mut sources = Sources::new("maize");
    sources.add(
        Origin::Passage(0),
        "Depth",
        "Sow maize seed 3 to 5 cm deep in clay soils. Sow maize seed 5 to 7 cm deep in sandy soils.",
    );
    sources.add(Origin::Question, "", "How deep do I sow in clay?");
    assert!(matches!(
        sources.check("Sow 3 to 5 cm deep."),
        Verdict::Grounded(_)
    ));
    assert!(matches!(
        sources.check("Sow 5 to 7 cm deep."),
        Verdict::Ungrounded(_)
    ));
}
