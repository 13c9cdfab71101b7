//! Which limit of the found passages a reading is held against.

use super::passages::{PassageQuery, Passages};
use super::quote::{self, Asked, candidates};
use super::testing::{Shelf, reading};
use crate::types::{Place, Reading};

/// What `question` with `reading` is told from one passage.
fn told(heading: &str, passage: &str, question: &str, reading: Reading) -> Option<String> {
    let place = Place::new("US", "Iowa");
    let shelf = Shelf::default().with(&place, heading, passage);
    let sent = [reading];
    let asked = Asked::new(question, &sent, &shelf);
    let query = PassageQuery {
        text: &asked.text,
        place: &place,
        crop: None,
        top_k: 2,
    };
    let hits = shelf.search(&query).expect("a shelf never fails").hits;
    let found = candidates(&asked, &hits, None).expect("without an embedder");
    quote::verdict(&asked, &sent, &found).map(|verdict| verdict.text)
}

#[test]
fn a_growth_stage_is_one_of_the_stages_that_a_limit_names() {
    let loss = "Add up the feeding of all insects. \
        Treat soybean in the vegetative stages when insects have eaten 30% of the leaf area. \
        Treat soybean in the reproductive stages when insects have eaten 20% of the leaf area.";
    let of = |stage: &str| {
        let question = format!("My soybean is at {stage}, is it time to treat?");
        told(
            "Leaf loss",
            loss,
            &question,
            reading("leaf-loss", 25.0, "%"),
        )
    };
    assert!(of("R3").is_some_and(|text| text.contains("is above 20%")));
    assert!(of("V4").is_some_and(|text| text.contains("is below 30%")));
}

#[test]
fn a_reading_is_left_aside_where_another_figure_is_asked() {
    let store = "Store paddy at about 13% moisture. Stack the bags no higher than 4.5 m.";
    let of = |question: &str| {
        told(
            "Storage",
            store,
            question,
            reading("grain-moisture", 12.0, "%"),
        )
    };
    assert_eq!(of("How high may I stack the paddy bags?"), None);
    assert!(of("Is the paddy dry enough to store?").is_some());
}
