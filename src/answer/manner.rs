//! How a sentence speaks: as advice, as a report, of its own text.

use super::quantity::Quantity;
use super::sentences::Sentence;
use super::words;

/// A table row is quoted when it is clearly better than a sentence.
const ROW_COST: f32 = 0.1;
/// The first sentence of a passage mostly says what the rest explains.
const FIRST_WEIGHT: f32 = 0.2;
/// Asked for advice, "Sow 3 to 5 cm deep" answers, and "a study found" only supports it.
const ADVICE_WEIGHT: f32 = 0.15;
const EVIDENCE_COST: f32 = 0.15;

/// "This sheet covers four insects" names all that is asked, and answers nothing.
const ABOUT_COST: f32 = 0.6;

/// What a text calls itself.
const ITSELF: &[&str] = &[
    "article",
    "brochure",
    "bulletin",
    "chapter",
    "circular",
    "document",
    "factsheet",
    "guide",
    "handbook",
    "leaflet",
    "manual",
    "page",
    "paper",
    "publication",
    "section",
    "sheet",
];

/// What a text says that it does.
const COVERS: &[&str] = &[
    "addresses",
    "contains",
    "covers",
    "describes",
    "discusses",
    "explains",
    "gives",
    "lists",
    "outlines",
    "presents",
    "provides",
    "reviews",
    "summarises",
    "summarizes",
    "tells",
];

/// Verbs that begin advice.
const ADVICE: &[&str] = &[
    "add",
    "aim",
    "apply",
    "begin",
    "check",
    "dry",
    "finish",
    "give",
    "harvest",
    "inoculate",
    "irrigate",
    "keep",
    "lime",
    "measure",
    "place",
    "plant",
    "put",
    "scout",
    "sow",
    "spray",
    "start",
    "stop",
    "store",
    "take",
    "topdress",
    "treat",
    "use",
    "wait",
];

/// Words of reports rather than of advice.
const EVIDENCE: &[&str] = &[
    "comparison",
    "experiment",
    "experiments",
    "older",
    "report",
    "review",
    "studies",
    "study",
    "survey",
    "trial",
    "trials",
];

/// What the place of a sentence in its passage and its manner add to its score; `stated` are its figures.
pub fn score(position: usize, sentence: &Sentence, stated: &[Quantity]) -> f32 {
    if !sentence.cells.is_empty() {
        return -ROW_COST;
    }
    let words: Vec<String> = words::split(&sentence.text)
        .map(str::to_lowercase)
        .collect();
    if is_about_itself(&words) && stated.iter().all(|one| one.measure().is_none()) {
        return -ABOUT_COST;
    }
    let mut score = 0.0;
    if position == 0 {
        score += FIRST_WEIGHT;
    }
    if words.first().is_some_and(|first| is_in(ADVICE, first)) {
        score += ADVICE_WEIGHT;
    }
    if words.iter().any(|word| is_in(EVIDENCE, word)) {
        score -= EVIDENCE_COST;
    }
    score
}

/// Whether a sentence says what its text is about: "this sheet covers".
fn is_about_itself(words: &[String]) -> bool {
    matches!(words, [this, itself, does, ..] if this == "this" && is_in(ITSELF, itself) && is_in(COVERS, does))
}

fn is_in(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::super::guard::stated;
    use super::super::sentences::sentences;
    use super::*;

    fn scored(text: &str) -> f32 {
        let sentence = &sentences(text)[0];
        score(3, sentence, &stated(sentence))
    }

    #[test]
    fn what_a_sheet_says_of_itself_goes_behind_unless_it_gives_a_figure() {
        assert!(scored("This sheet covers four insects and one disease of maize.") < -0.5);
        assert_eq!(scored("This sheet covers 40 ha of maize."), 0.0);
        assert_eq!(scored("This insect covers the leaf with honeydew."), 0.0);
    }

    #[test]
    fn advice_goes_before_a_report() {
        assert!(scored("Sow 3 to 5 cm deep.") > scored("Rows are sown 3 to 5 cm deep."));
        assert!(scored("In a trial 3 cm was best.") < scored("At 3 cm it is best."));
    }
}
