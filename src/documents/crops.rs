//! Crop names: one canonical name for each crop, whatever it is called.

/// Canonical name first, then what else it is called in English, by trade, or in a neighbour's tongue.
/// "Beans" alone is left out: where soybean is grown it means soybean, elsewhere it does not.
/// Lower-case, singular; single words, so that they can be found in running text.
const CROPS: &[&[&str]] = &[
    &["maize", "corn", "milho", "makka", "makki", "safrinha"],
    &["rice", "paddy", "arroz", "dhan"],
    &["soybean", "soya", "soy", "soyabean", "soja"],
    &["wheat", "trigo", "gehu", "kanak"],
    &["sorghum", "milo", "jowar", "sorgo", "chari"],
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
    &["common bean", "rajma", "feijao", "feijão", "frijol"],
    &["mungbean", "moong"],
    &["urdbean", "urad"],
    &["pigeonpea", "arhar", "tur"],
    &["sugarbeet"],
    &["berseem"],
    &[
        "citrus",
        "kinnow",
        "orange",
        "mandarin",
        "lemon",
        "grapefruit",
        "laranja",
    ],
    &["mango", "manga"],
    &["apple"],
    &["grape", "grapevine", "uva"],
    &["cattle", "cow", "dairy", "gado"],
    &["buffalo", "bufalo", "búfalo"],
];

/// Two words that name a crop together; the second alone may name another.
const PAIRS: &[(&str, &str, &str)] = &[
    ("common", "bean", "common bean"),
    ("dry", "bean", "common bean"),
    ("kidney", "bean", "common bean"),
    ("green", "gram", "mungbean"),
    ("black", "gram", "urdbean"),
    ("bengal", "gram", "chickpea"),
    ("pigeon", "pea", "pigeonpea"),
    ("chick", "pea", "chickpea"),
    ("sugar", "cane", "sugarcane"),
    ("sugar", "beet", "sugarbeet"),
    ("milho", "safrinha", "maize"),
];

/// Names that are other words too: in a question they name crops, in running text hardly ever.
const AMBIGUOUS: &[&str] = &[
    "gram", "grams", "pea", "orange", "jau", "cana", "tur", "manga", "apple", "buffalo", "cafe",
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

/// As [`known`], for a word out of its sentence: names that are other words, too, name nothing there.
pub fn named_by(word: &str) -> Option<&'static str> {
    known(word).filter(|_| !AMBIGUOUS.contains(&word))
}

/// Canonical names of the crops that `text` names, in order of appearance, each once.
///
/// `gram` and `pea` name crops only in a farmer's question; "5 grams" must not, so a word right after
/// a number does not count.
pub fn named_in(text: &str) -> Vec<&'static str> {
    each_once(mentions(text).map(|(crop, _)| crop))
}

/// As [`named_in`] for titles and running text, where `gram` is a weight and `orange` a colour.
pub fn named_in_prose(text: &str) -> Vec<&'static str> {
    each_once(
        mentions(text)
            .filter(|(_, is_sure)| *is_sure)
            .map(|(crop, _)| crop),
    )
}

/// How often running text names each crop, in order of appearance, and its number of words.
pub(super) fn counted_in_prose(text: &str) -> (Vec<(&'static str, usize)>, usize) {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (crop, _) in mentions(text).filter(|(_, is_sure)| *is_sure) {
        match counts.iter_mut().find(|(known, _)| *known == crop) {
            Some((_, count)) => *count += 1,
            None => counts.push((crop, 1)),
        }
    }
    (counts, words(text).count())
}

fn each_once(crops: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut found = Vec::new();
    for crop in crops {
        if !found.contains(&crop) {
            found.push(crop);
        }
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// Every mention of a crop in order, with whether the word names nothing else.
fn mentions(text: &str) -> impl Iterator<Item = (&'static str, bool)> {
    let mut before = String::new();
    words(text).filter_map(move |word| {
        let word = word.to_lowercase();
        let after_number = !before.is_empty() && before.chars().all(|c| c.is_ascii_digit());
        let singular = word.strip_suffix('s').unwrap_or(&word);
        let pair = PAIRS
            .iter()
            .find(|(first, second, _)| *first == before && *second == singular);
        let found = match pair {
            Some((_, _, crop)) => Some((*crop, true)),
            None if after_number => None,
            None => known(&word).map(|crop| (crop, !AMBIGUOUS.contains(&word.as_str()))),
        };
        before = word;
        found
    })
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
        assert_eq!(
            named_in("green gram, dry beans and sugar cane for a dairy"),
            ["mungbean", "common bean", "sugarcane", "cattle"]
        );
    }

    #[test]
    fn in_prose_a_weight_and_a_colour_are_no_crops() {
        assert!(named_in_prose("some grams of an orange powder").is_empty());
        assert_eq!(
            counted_in_prose("Corn and maize, then wheat."),
            (vec![("maize", 2), ("wheat", 1)], 5)
        );
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
