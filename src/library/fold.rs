//! Hits that say the same, exactly or nearly, folded into the best of them.

use std::collections::BTreeSet;

use super::Hit;
use crate::documents::Passage;

/// Words that stand together in what is compared.
const SHINGLE: usize = 3;

/// Share of common shingles from which two passages are the same text.
const SAME: f64 = 0.9;

/// Hits that are compared with each other; what comes after them is too far down to be read twice.
const MAX_COMPARED: usize = 64;

/// Words that turn a sentence round: passages that differ in them are never the same.
const TURNS: &[&str] = &[
    "avoid", "before", "after", "below", "above", "cannot", "don", "except", "less", "more",
    "never", "no", "not", "only", "unless", "without",
];

/// What is compared of a passage.
struct Print {
    shingles: BTreeSet<Vec<String>>,
    /// Numbers and words that turn a sentence round, in order.
    marks: Vec<String>,
}

/// How many hits to ask for, so that `top_k` are left when some are folded.
pub fn wanted(top_k: usize) -> usize {
    top_k + top_k.min(8)
}

/// At most `top_k` of `hits`, which are best first: one that says what a better one of another document
/// says, of the same place, is left out and its document named with the better one.
///
/// Two texts are the same when nine tenths of their shingles of three words are, and all of their numbers:
/// a new rate in an old sheet is news. Passages of one document overlap on purpose and are left alone.
pub fn fold(hits: Vec<Hit>, top_k: usize) -> Vec<Hit> {
    let mut kept: Vec<Hit> = Vec::with_capacity(top_k.min(hits.len()));
    let mut prints: Vec<Print> = Vec::new();
    for (index, hit) in hits.into_iter().enumerate() {
        if index >= MAX_COMPARED {
            kept.push(hit);
            continue;
        }
        let print = Print::of(&hit.passage);
        let same = kept.iter().zip(&prints).position(|(better, known)| {
            better.passage.document != hit.passage.document
                && better.passage.place == hit.passage.place
                && known.is_same(&print)
        });
        let Some(same) = same else {
            kept.push(hit);
            prints.push(print);
            continue;
        };
        let (better, other) = (&mut kept[same], &hit.passage.document);
        if !better.also.contains(other) {
            better.also.push(other.clone());
        }
    }
    kept.truncate(top_k);
    kept
}

impl Print {
    fn of(passage: &Passage) -> Self {
        let text = passage.text.to_lowercase();
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let is_mark =
            |word: &&&str| TURNS.contains(*word) || word.contains(|c: char| c.is_ascii_digit());
        let width = SHINGLE.min(words.len()).max(1);
        Print {
            shingles: words
                .windows(width)
                .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
                .collect(),
            marks: words
                .iter()
                .filter(is_mark)
                .map(|word| (*word).to_owned())
                .collect(),
        }
    }

    fn is_same(&self, other: &Print) -> bool {
        let (few, many) = (
            self.shingles.len().min(other.shingles.len()),
            self.shingles.len().max(other.shingles.len()),
        );
        // Where one is much longer the share cannot be reached, and need not be counted.
        if self.marks != other.marks || (few as f64) < SAME * many as f64 {
            return false;
        }
        let common = self.shingles.intersection(&other.shingles).count();
        let all = few + many - common;
        all == 0 || common as f64 >= SAME * all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HashingEmbedder, document, open};
    use super::super::{Query, SearchResults};

    const TEXT: &str = "Plant maize at a depth of 5 cm into moist soil once the soil is warm enough in spring and the risk of frost has gone, then roll the field so that the seed has contact with the soil on all sides and comes up evenly.";

    fn search(texts: &[(&str, &str)], top_k: usize) -> SearchResults {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(folder.path(), HashingEmbedder::new("test"));
        for (id, text) in texts {
            library.ingest(&document(id, text)).expect("ingestable");
        }
        let query = Query {
            text: "How deep is maize planted into soil?".into(),
            top_k,
            ..Query::default()
        };
        library.search(&query).expect("searchable")
    }

    fn found(results: &SearchResults) -> Vec<(String, Vec<String>)> {
        let hits = results.hits.iter();
        let mut found: Vec<_> = hits
            .map(|hit| (hit.passage.document.clone(), hit.also.clone()))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn the_same_text_in_two_documents_is_one_hit_that_names_both() {
        let nearly = TEXT.replace("evenly.", "well!");
        let other = "Soil for maize is worked in autumn.";
        let results = search(&[("a", TEXT), ("b", TEXT), ("c", &nearly), ("d", other)], 2);
        let found = found(&results);
        assert_eq!(found.len(), 2, "{found:?}");
        let (_, also) = &found[0];
        assert_eq!(also.len(), 2, "{found:?}");
        assert_eq!(found[1], ("d".to_owned(), Vec::new()));
    }

    #[test]
    fn another_number_a_negation_or_another_place_is_news() {
        let rate = TEXT.replace("5 cm", "7 cm");
        let not = TEXT.replace("Plant maize", "Do not plant maize");
        let place = format!("---\nplace: {{country: IN}}\n---\n{TEXT}");
        let results = search(&[("a", TEXT), ("b", &rate), ("c", &not), ("d", &place)], 10);
        assert!(results.hits.iter().all(|hit| hit.also.is_empty()));
        assert_eq!(results.hits.len(), 4);
    }
}
