use super::*;

fn parts(sentence: &str) -> Option<(&str, &str)> {
    Clause::parse(sentence).map(|clause| (clause.subject, clause.rest))
}

#[test]
fn a_plain_sentence_has_subject_verb_and_rest() {
    assert_eq!(
        parts("Maize seed should be sown 5 cm deep."),
        Some(("Maize seed", "be sown 5 cm deep"))
    );
    assert_eq!(
        parts("Grain yield was 5 t/ha in Iowa."),
        Some(("Grain yield", "5 t/ha in Iowa"))
    );
    assert_eq!(
        parts("The crop requires 500 mm of water."),
        Some(("The crop", "500 mm of water"))
    );
    let led = Clause::parse("In Iowa, maize is planted in April.").expect("plain");
    assert_eq!((led.lead, led.subject), (Some("In Iowa"), "maize"));
    let told = Clause::parse("Plant seeds 1 inch deep.").expect("an instruction");
    assert_eq!(
        (told.verb, told.rest),
        (Verb::Instruction("Plant"), "seeds 1 inch deep")
    );
}

#[test]
fn what_is_not_plain_is_left() {
    for sentence in [
        "It is grown in Iowa.",
        "These plants are 2 m tall.",
        "Studies show that maize is tall.",
        "When sown early, maize is tall.",
        "Seeds that are sown deep are late.",
        "Using mulch is wise.",
        "Wheat, rice and maize are cereals.",
        "Do not sow.",
        "The field has been sown.",
        "Cover crops are sown in autumn.",
    ] {
        let found = Clause::parse(sentence);
        assert!(
            found.is_none_or(|found| found.subject == "Cover crops"),
            "{sentence}: {found:?}"
        );
    }
}

#[test]
fn verbs_agree_with_their_subject() {
    let question = |sentence| {
        let clause = Clause::parse(sentence).expect("plain");
        clause.question("What", "", &BTreeSet::from(["plants".to_owned()]))
    };
    assert_eq!(
        question("Plants need 20 mm of water."),
        "What do plants need?"
    );
    assert_eq!(
        question("The plant needs 20 mm of water."),
        "What does the plant need?"
    );
    assert_eq!(
        question("The plant produced 20 g of grain."),
        "What did the plant produce?"
    );
}
