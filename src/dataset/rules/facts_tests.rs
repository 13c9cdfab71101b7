use super::*;
use crate::dataset::rules::text::common_words;

fn asked(sentence: &str) -> Option<String> {
    let common = common_words(["wheat global demand leaf rust symptoms the seed grain"]);
    ask(&Clause::parse(sentence)?, &common)
}

#[test]
fn each_shape_of_fact_has_its_question() {
    for (sentence, question) in [
        ("Wheat is a grass of medium height.", "What is wheat?"),
        (
            "Global demand is rising because of the use of gluten.",
            "Why is global demand rising?",
        ),
        (
            "Grain should be harvested when it is dry enough.",
            "When should grain be harvested?",
        ),
        (
            "Leaf rust is caused by a fungus of the genus Puccinia.",
            "What causes leaf rust?",
        ),
        (
            "Wheat is widely grown in Kansas and Punjab.",
            "Where is wheat grown?",
        ),
        ("Wheat is mainly used for bread.", "What is wheat used for?"),
        (
            "Symptoms include wilting and yellow leaves.",
            "What do symptoms include?",
        ),
        (
            "Symptoms may be used to find leaf rust early.",
            "What may symptoms be used for?",
        ),
        (
            "Leaf rust can be controlled by resistant varieties.",
            "How can leaf rust be controlled?",
        ),
        (
            "Leaf rust may cause heavy losses of grain.",
            "What may leaf rust cause?",
        ),
        (
            "Wheat is susceptible to rust and to drought.",
            "What is wheat susceptible to?",
        ),
        (
            "The seed consists of germ, bran and starch.",
            "What does the seed consist of?",
        ),
        (
            "The main aim of breeding is a high yield.",
            "What is the main aim of breeding?",
        ),
        (
            "Leaf rust is also known as brown rust.",
            "What is leaf rust also known as?",
        ),
    ] {
        assert_eq!(asked(sentence).as_deref(), Some(question), "{sentence}");
    }
}

#[test]
fn what_is_no_such_fact_is_left() {
    for sentence in [
        "The aim is a high yield of wheat.",
        "Wheat is not a legume of any kind.",
        "Grain is found to be dry.",
        "Wheat is tall.",
    ] {
        assert_eq!(asked(sentence), None, "{sentence}");
    }
}
