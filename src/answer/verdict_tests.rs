//! Readings beside limits.

use super::super::testing::reading;
use super::*;

/// By `weight` alone.
fn by<'a>(weight: &'a dyn Fn(usize, &Reading) -> Option<f32>) -> Choice<'a> {
    Choice {
        weight,
        shared: &|_| 0.0,
    }
}

fn text(reading: Reading, sentence: &str) -> Option<String> {
    verdict(&[reading], &[sentence], &by(&|_, _| Some(1.0))).map(|verdict| verdict.text)
}

#[test]
fn a_count_is_held_against_the_limit_of_its_own_things() {
    let release = "Release 50,000 egg parasitoids per acre when a trap catches 3 moths.";
    assert_eq!(
        text(reading("moths-per-trap", 4.0, "moth"), release).as_deref(),
        Some("The moths per trap of 4 moth is above 3 moths.")
    );
    let leaves = "Spray cotton when the top three leaves carry six whiteflies a leaf.";
    assert_eq!(
        text(reading("whitefly-per-leaf", 8.0, ""), leaves).as_deref(),
        Some("The whitefly per leaf of 8 is above six whiteflies.")
    );
    let plants = "Sow 80,000 plants per hectare.";
    assert_eq!(text(reading("moths-per-trap", 4.0, "moth"), plants), None);
}

#[test]
fn a_sentence_over_the_same_ground_goes_before_one_over_another() {
    let bugs = reading("stink-bugs-on-straw", 1.2, "bug per square metre");
    let found = verdict(
        &[bugs],
        &[
            "Treat at 1 stink bug per 5 plants.",
            "Before sowing, 2 stink bugs per square metre justify a treatment.",
        ],
        &by(&|_, _| Some(1.0)),
    )
    .expect("two limits");
    assert_eq!(found.sentence, 1);
    assert!(
        found.text.contains("is below 2 stink bugs"),
        "{}",
        found.text
    );
}

#[test]
fn of_two_limits_the_one_of_more_weight_counts_and_of_equal_ones_the_first() {
    let ground = [reading("soil-temperature", 44.0, "°F")];
    let sentences = [
        "Store seed at 60 °F.",
        "Plant at a soil temperature of 50 °F.",
    ];
    let found = |weights: [f32; 2]| {
        verdict(&ground, &sentences, &by(&|at, _| Some(weights[at])))
            .map(|verdict| verdict.sentence)
    };
    assert_eq!(found([0.9, 1.0]), Some(1));
    assert_eq!(found([1.0, 1.0]), Some(0));
}

#[test]
fn the_share_of_a_readings_name_leaves_out_what_is_counted_over() {
    let stems = |text: &str| words::content(text);
    let moths = reading("moths-per-trap", 4.0, "moth");
    assert_eq!(named(&moths, &stems("three moths caught")), 1.0);
    let gauge = reading("rainfall-total", 620.0, "mm");
    assert_eq!(named(&gauge, &stems("700 mm of rain are ideal")), 1.0);
    let salt = reading("soil-salinity", 2.0, "dS/m");
    assert_eq!(named(&salt, &stems("wait until the soil is dry")), 0.5);
}

#[test]
fn what_the_unit_tells_need_not_be_named_again() {
    let stems = |text: &str| words::content(text);
    let coldest = reading("air-temperature-minimum", -2.0, "°C");
    assert_eq!(named(&coldest, &stems("dry beans suffer at 0 °C")), 1.0);
    let ground = reading("soil-temperature", 44.0, "°F");
    assert_eq!(named(&ground, &stems("seed needs 50 °F")), 0.5);
    let age = reading("days-since-sowing", 47.0, "day");
    assert_eq!(named(&age, &stems("sown, cut it after 55 days")), 1.0);
    assert_eq!(named(&age, &stems("it can be stored for 55 days")), 0.5);
}

#[test]
fn a_reading_is_below_or_above_a_limit() {
    let wait = "Wait to plant maize until the soil is 50 °F (10 °C) and rising.";
    assert_eq!(
        text(reading("soil-temperature", 44.0, "°F"), wait).as_deref(),
        Some("The soil temperature of 44 °F is below 50 °F.")
    );
    assert_eq!(
        text(reading("soil-temperature", 12.0, "°C"), wait).as_deref(),
        Some("The soil temperature of 12 °C is above 50 °F.")
    );
}

#[test]
fn a_range_has_an_inside() {
    let cut = "Cut rice at 17 to 21 percent grain moisture.";
    let of = |value| text(reading("grain-moisture", value, "%"), cut);
    assert_eq!(
        of(18.5).as_deref(),
        Some("The grain moisture of 18.5% is within 17 to 21 percent.")
    );
    assert!(of(25.0).is_some_and(|text| text.contains("is above")));
    assert!(of(16.0).is_some_and(|text| text.contains("is below")));
}

#[test]
fn figures_of_another_kind_are_no_limit() {
    let deep = "Sow the seed 5 cm deep.";
    assert_eq!(text(reading("soil-temperature", 9.5, "°C"), deep), None);
    assert_eq!(text(reading("soil-temperature", 9.5, "°C"), ""), None);
}

#[test]
fn a_bare_number_is_compared_with_a_bare_number() {
    let ph = "Cotton likes a soil pH of 6 to 8.";
    let told = text(reading("soil-ph", 7.5, ""), ph);
    assert!(
        told.as_deref()
            .is_some_and(|text| text.contains("is within 6 to 8")),
        "{told:?}"
    );
}

/// What is said where the question has these words.
fn asked(reading: Reading, question: &str, sentence: &str) -> Option<String> {
    let stems = words::content(question);
    let choice = Choice {
        weight: &|_, _| Some(1.0),
        shared: &|context| context.intersection(&stems).count() as f32,
    };
    verdict(&[reading], &[sentence], &choice).map(|verdict| verdict.text)
}

#[test]
fn of_two_limits_in_a_sentence_the_one_counts_whose_words_the_question_has() {
    let stand = "Aim at a stand of 70,000 plants per acre for pinto and 90,000 plants per acre for navy beans.";
    let of = |question| {
        asked(
            reading("plant-stand", 78_000.0, "plant/acre"),
            question,
            stand,
        )
    };
    assert!(of("Enough for my navy beans?").is_some_and(|text| text.contains("is below 90,000")));
    assert!(of("Enough for my pinto?").is_some_and(|text| text.contains("is above 70,000")));
    let row = "Grass: mombaça; Cattle go in at: 85 to 90 cm; Cattle come out at: 40 cm";
    let out = asked(
        reading("sward-height", 36.0, "cm"),
        "Should they come out?",
        row,
    );
    assert!(out.is_some_and(|text| text.contains("is below 40 cm")));
}

#[test]
fn of_limits_that_are_asked_about_alike_the_one_counts_that_the_reading_meets() {
    let bloom = "Air above 35 °C cuts the yield, and air below 12 °C makes flowers drop.";
    let of = |value| text(reading("air-temperature", value, "°C"), bloom);
    assert_eq!(
        of(9.0).as_deref(),
        Some("The air temperature of 9 °C is below 12 °C.")
    );
    assert_eq!(
        of(36.0).as_deref(),
        Some("The air temperature of 36 °C is above 35 °C.")
    );
    let test = "Test: potassium; Low: below 130 ppm; Medium: 130 to 250 ppm; High: above 250 ppm";
    let of = |value| text(reading("soil-potassium", value, "ppm"), test);
    assert!(of(310.0).is_some_and(|text| text.contains("is above 250 ppm")));
    assert!(of(200.0).is_some_and(|text| text.contains("is within 130 to 250 ppm")));
    assert!(of(90.0).is_some_and(|text| text.contains("is below 130 ppm")));
}

#[test]
fn the_least_and_the_most_are_one_limit_of_which_the_broken_end_is_told() {
    let warmth = "Cotton needs a mean of at least 18 °C and at most 30 °C.";
    let of = |value| text(reading("mean-temperature", value, "°C"), warmth);
    assert!(of(31.5).is_some_and(|text| text.contains("is above 30 °C.")));
    assert!(of(12.0).is_some_and(|text| text.contains("is below 18 °C.")));
    assert!(of(25.0).is_some_and(|text| text.contains("is within 18 °C to 30 °C.")));
}

#[test]
fn a_sign_a_ratio_and_a_number_like_a_year_are_read_as_they_are() {
    let frost = "The killing frost is 25 °F.";
    assert_eq!(
        text(reading("air-temperature-minimum", -6.0, "°C"), frost).as_deref(),
        Some("The air temperature minimum of -6 °C is below 25 °F.")
    );
    let moist = "Keep soil moisture between 70 and 90%.";
    let dry = text(reading("soil-moisture", 0.58, "(ratio)"), moist);
    assert!(dry.is_some_and(|text| text.contains("is below 70 and 90%")));
    let stems = "Keep 1,500 stems.";
    assert!(text(reading("stems", 1_980.0, ""), stems).is_some_and(|text| text.contains("above")));
}

#[test]
fn what_is_counted_among_is_no_limit() {
    let spray = "Spray when five or more of the 100 flowers are damaged.";
    assert_eq!(
        text(reading("damaged-flowers", 7.0, "flower"), spray).as_deref(),
        Some("The damaged flowers of 7 flower is above five.")
    );
}

#[test]
fn what_a_limit_is_counted_over_may_be_left_unsaid_but_not_the_area() {
    let law = "The law keeps vehicles to 20,000 pounds per axle.";
    let heavy = text(reading("axle-load", 11_000.0, "kg"), law);
    assert!(heavy.is_some_and(|text| text.contains("is above 20,000 pounds per axle")));
    let wet = "Blight comes when leaves stay wet for more than 12 hours a day.";
    assert!(
        text(reading("leaf-wetness", 9.0, "hour"), wet)
            .is_some_and(|text| text.contains("is below 12"))
    );
    let dose = "Give 40 kg of nitrogen per hectare.";
    assert_eq!(text(reading("axle-load", 11_000.0, "kg"), dose), None);
}

#[test]
fn a_share_of_something_else_is_no_limit_where_there_is_another() {
    let cut = "Harvest soybean at 13 to 15% moisture, when 95% of the pods are brown.";
    let wet = asked(
        reading("grain-moisture", 17.5, "%"),
        "The pods look brown. Cut now?",
        cut,
    );
    assert!(wet.is_some_and(|text| text.contains("is above 13 to 15%")));
}

#[test]
fn so_many_or_more_of_a_thing_are_counted_as_the_thing() {
    let eggs = "With 5 or more eggs on the leaves, look how many are black.";
    assert_eq!(
        text(reading("fruitworm-eggs", 7.0, "egg"), eggs).as_deref(),
        Some("The fruitworm eggs of 7 egg is above 5.")
    );
    let plants = "With 5 or more plants in the row, thin it.";
    assert_eq!(text(reading("fruitworm-eggs", 7.0, "egg"), plants), None);
}

#[test]
fn below_zero_a_range_may_begin_with_its_upper_end() {
    let frost = "The top bud of cane dies between -1 and -3.3 °C.";
    let at = |value: f64| text(reading("air-temperature-minimum", value, "°C"), frost);
    assert!(at(-2.0).is_some_and(|text| text.contains("is within -1 and -3.3 °C")));
    assert!(at(-5.0).is_some_and(|text| text.contains("is below")));
    assert!(at(2.0).is_some_and(|text| text.contains("is above")));
}

#[test]
fn a_ratio_to_one_is_one_figure() {
    let gypsum = "Apply gypsum when the ratio of calcium to potassium is below 3 to 1.";
    let at = |value: f64| text(reading("calcium-potassium-ratio", value, ""), gypsum);
    assert!(at(2.1).is_some_and(|text| text.contains("is below 3 to 1")));
    assert!(at(4.0).is_some_and(|text| text.contains("is above 3 to 1")));
    let juice = "Pick the fruit when its ratio of solids to acid reaches 14:1.";
    let juicy = text(reading("solids-acid-ratio", 15.8, ""), juice);
    assert!(juicy.is_some_and(|text| text.contains("is above 14:1")));
}

#[test]
fn speeds_and_traces_are_held_against_limits_in_other_units() {
    let wind = "Spray only in a wind of 3 to 10 mph.";
    let calm = text(reading("wind-speed", 9.0, "km/h"), wind);
    assert!(calm.is_some_and(|text| text.contains("is within 3 to 10 mph")));
    let poison = "Maize for people holds no more than 20 parts per billion of aflatoxin.";
    let trace = text(reading("aflatoxin", 0.03, "ppm"), poison);
    assert!(trace.is_some_and(|text| text.contains("is above 20 parts per billion")));
}
