use super::*;
use crate::dataset::rules::text::common_words;

fn asked(sentence: &str) -> Option<String> {
    let common = common_words([
        "maize seeds plants yields the optimum soil temperature each global wheat mature spores",
    ]);
    ask(&Clause::parse(sentence)?, &common)
}

#[test]
fn each_shape_of_quantity_has_its_question() {
    for (sentence, question) in [
        (
            "Maize seeds should be sown 5 cm deep in dry soil.",
            "How deep should maize seeds be sown in dry soil?",
        ),
        (
            "Plants can grow up to 2.5 m tall.",
            "How tall can plants grow?",
        ),
        (
            "Seeds are dried at 40 °C for two days.",
            "At what temperature are seeds dried for two days?",
        ),
        (
            "Seeds are soaked for 24 hours before sowing.",
            "For how long are seeds soaked before sowing?",
        ),
        (
            "The optimum soil temperature is 20 to 30 °C.",
            "What is the optimum soil temperature?",
        ),
        (
            "The row spacing should be about 75 cm.",
            "What should the row spacing be?",
        ),
        (
            "Maize requires 500 to 800 mm of water per season.",
            "How much water does maize require per season?",
        ),
        (
            "Seeds are planted at a depth of 3 cm.",
            "At what depth are seeds planted?",
        ),
        (
            "Plant seeds 1 inch deep and water them.",
            "How deep should you plant seeds?",
        ),
        (
            "Apply 40 kg of nitrogen at sowing.",
            "How much nitrogen should you apply at sowing?",
        ),
        (
            "Wheat was introduced to Iowa in 1840.",
            "In what year was wheat introduced to Iowa?",
        ),
        (
            "Each spikelet contains two flowers.",
            "How many flowers does each spikelet contain?",
        ),
        (
            "Maize accounts for 20% of world trade in grain.",
            "What share of world trade in grain does maize account for?",
        ),
        (
            "Mature plants have a height of 2 m.",
            "What height do mature plants have?",
        ),
        (
            "Dry maize to 14% moisture for safe storage.",
            "To what moisture should you dry maize for safe storage?",
        ),
        (
            "Plant spring maize in Punjab between the end of January and 15 February.",
            "When should you plant spring maize in Punjab?",
        ),
        (
            "Plant the seed crop before October 10.",
            "When should you plant the seed crop?",
        ),
        (
            "Spray every 7 to 10 days in warm weather and more in rain.",
            "How often should you spray in warm weather?",
        ),
        (
            "Maize is ripe 93 days after transplanting and gives grain.",
            "How many days after transplanting is maize ripe?",
        ),
        (
            "The maize plant has 17 to 18% dry matter.",
            "How much dry matter does the maize plant have?",
        ),
        (
            "Yields were reduced by 20% in dry years.",
            "By how much were yields reduced in dry years?",
        ),
    ] {
        assert_eq!(asked(sentence).as_deref(), Some(question), "{sentence}");
    }
}

#[test]
fn a_quantity_of_another_shape_is_not_asked_for() {
    for sentence in [
        "Seeds are sown 5 cm deeper than wheat.",
        "Plants that are 2 m tall were cut.",
        "Seeds are not sown 5 cm deep.",
        "Plants grew 3 to 4 times faster than wheat.",
        "Seeds from 30 plants were cut.",
    ] {
        assert_eq!(asked(sentence), None, "{sentence}");
    }
}
