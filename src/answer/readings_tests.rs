//! Which limit of the found passages a reading is held against.

use std::collections::BTreeSet;

use super::passages::{PassageQuery, Passages};
use super::quote::{Asked, candidates};
use super::readings::{self, Around};
use super::testing::{Shelf, reading};
use super::words;
use crate::types::{Place, Reading};

/// What `question` with `reading` is told from one passage.
fn told(heading: &str, passage: &str, question: &str, reading: Reading) -> Option<String> {
    let shelf = Shelf::default().with(&Place::new("US", "Iowa"), heading, passage);
    told_from(&shelf, question, reading, &BTreeSet::new())
}

/// What `question` about `crops` is told from `shelf`.
fn told_from(
    shelf: &Shelf,
    question: &str,
    reading: Reading,
    crops: &BTreeSet<String>,
) -> Option<String> {
    let place = Place::new("US", "Iowa");
    let sent = [reading];
    let asked = Asked::new(question, &sent, shelf);
    let query = PassageQuery {
        text: &asked.text,
        place: &place,
        crop: None,
        top_k: 2,
    };
    let hits = shelf.search(&query).expect("a shelf never fails").hits;
    let found = candidates(&asked, &hits, None).expect("without an embedder");
    let around = Around { hits: &hits, crops };
    readings::verdict(&asked, &sent, &found, around).map(|verdict| verdict.text)
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

#[test]
fn the_nights_have_no_limit_for_the_water() {
    let nights = "Several nights at 75 °F or more spoil the grain.";
    let of = |name: &str| {
        let asked = "Is the flood too cold for the rice?";
        told("Rice", nights, asked, reading(name, 61.0, "°F"))
    };
    assert_eq!(of("water-temperature"), None);
    assert!(of("night-temperature").is_some_and(|text| text.contains("is below 75 °F")));
}

#[test]
fn how_many_to_look_at_is_no_limit() {
    let worms = "Pluck 100 cotton flowers at random and open them. \
        Spray when five or more of the 100 flowers are damaged.";
    let asked = "Opened 100 flowers, here is how many were bad. Must I spray?";
    let bad = reading("damaged-flowers", 7.0, "flower");
    let told = told("Pink bollworm", worms, asked, bad);
    assert!(told.is_some_and(|text| text.contains("is above five")));
}

#[test]
fn a_limit_that_is_crossed_goes_before_what_is_best() {
    let germination = "The best soil temperature for maize germination is 25 to 30 °C. \
        Soil hotter than 40 °C harms maize germination.";
    let at = |value: f64| {
        let question = "How is the soil for the germination of maize?";
        let reading = reading("soil-temperature", value, "°C");
        told("Germination", germination, question, reading).expect("it has limits")
    };
    assert!(at(43.0).contains("is above 40 °C"), "{}", at(43.0));
    assert!(at(28.0).contains("is within 25 to 30 °C"), "{}", at(28.0));
}

#[test]
fn the_limit_of_the_asked_crop_goes_before_one_of_any_crop() {
    let place = Place::new("US", "Iowa");
    let mut shelf = Shelf::default()
        .with(&place, "Soil", "The soil is too alkaline at a pH of 8.5.")
        .with(
            &place,
            "Soil",
            "The soil is not too alkaline at a pH of 8.0.",
        );
    shelf.passages[1].crops = vec!["potato".to_owned()];
    let of = |crops: &[&str]| {
        let crops = crops.iter().map(|crop| words::stem(crop)).collect();
        let question = "Is the soil too alkaline?";
        told_from(&shelf, question, reading("soil-ph", 7.2, ""), &crops).expect("both have limits")
    };
    assert!(of(&[]).contains("is below 8.5"), "{}", of(&[]));
    let potato = of(&["potato"]);
    assert!(potato.contains("is below 8.0"), "{potato}");
}
