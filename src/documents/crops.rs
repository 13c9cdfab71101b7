//! Crop names: one canonical name for each crop, whatever it is called.

/// Canonical name first, then what else it is called in English, by trade, or in a neighbour's tongue.
/// "Beans" alone is left out: where soybean is grown it means soybean, elsewhere it does not.
/// Lower-case, singular; single words, so that they can be found in running text.
const CROPS: &[&[&str]] = &[
    &["maize", "corn", "milho", "makka", "makki", "safrinha"],
    &["rice", "paddy", "arroz", "dhan"],
    &["soybean", "soya", "soy", "soyabean", "soja"],
    &["wheat", "trigo", "gehu", "kanak"],
    &["sorghum", "milo", "jowar", "sorgo"],
    &["millet", "bajra"],
    &["barley", "cevada", "jau"],
    &["oat", "aveia"],
    &["rye"],
    &["cotton", "algodao", "algodão", "kapas", "narma"],
    &["sugarcane", "cana"],
    &["groundnut", "peanut", "amendoim"],
    &["rapeseed", "canola", "mustard", "sarson"],
    &["sunflower", "girassol"],
    &["chickpea", "gram", "chana"],
    &["cowpea"],
    &["lentil", "masur"],
    &["cassava", "manioc", "mandioca", "yuca"],
    &["potato", "batata", "aloo"],
    &["tomato", "tomate"],
    &["onion", "cebola"],
    &["alfalfa", "lucerne"],
    &["coffee", "cafe", "café"],
    &["cocoa", "cacao"],
    &["banana", "plantain"],
    &["pea"],
];

/// The crop's canonical name: `corn` and `Maize` give `maize`; a name that is not known stays, lower-case.
pub fn canonical(name: &str) -> String {
    let name = name.trim().to_lowercase();
    known(&name).map_or(name, str::to_owned)
}

/// The canonical name of the crop that the lower-case word `word` names, singular or plural.
pub fn known(word: &str) -> Option<&'static str> {
    let find = |word: &str| {
        CROPS
            .iter()
            .find(|names| names.contains(&word))
            .map(|names| names[0])
    };
    find(word)
        .or_else(|| find(word.strip_suffix('s')?))
        .or_else(|| find(word.strip_suffix("es")?))
}

/// Canonical names of the crops that `text` names, in order of appearance, each once.
///
/// `gram` and `pea` name crops only in a farmer's question; "5 grams" must not, so a word right after
/// a number does not count.
pub fn named_in(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut after_number = false;
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        if !after_number
            && let Some(crop) = known(&word.to_lowercase())
            && !found.contains(&crop)
        {
            found.push(crop);
        }
        after_number = word.chars().all(|c| c.is_ascii_digit());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_and_plurals_have_one_name() {
        for (name, crop) in [
            ("Corn", "maize"),
            ("paddy", "rice"),
            ("Soybeans", "soybean"),
            ("soya", "soybean"),
            ("potatoes", "potato"),
            ("teff", "teff"),
        ] {
            assert_eq!(canonical(name), crop);
        }
    }

    #[test]
    fn crops_are_found_in_a_question_but_units_are_not() {
        assert_eq!(
            named_in("Is corn after soybeans, or maize on maize?"),
            ["maize", "soybean"]
        );
        assert!(named_in("Use 5 grams a litre").is_empty());
        assert_eq!(named_in("When do I sow gram?"), ["chickpea"]);
    }

    #[test]
    fn no_name_belongs_to_two_crops() {
        let mut names: Vec<_> = CROPS.iter().flat_map(|names| names.iter()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
