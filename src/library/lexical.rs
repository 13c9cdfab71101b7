//! Search by words: BM25 (Robertson and Zaragoza, 2009) over an inverted index in memory, and what
//! words of the question that stand side by side add to it.

use std::collections::HashMap;
use std::sync::Arc;

use super::words::QueryTerm;

/// What shapes BM25.
#[derive(Clone, Copy, Debug)]
pub struct Bm25 {
    /// How soon more of the same word stops counting.
    k1: f32,
    /// How much a long passage is held back.
    b: f32,
}

impl Bm25 {
    /// The values of Pyserini's BEIR baselines, better here too on both public sets than 1.2 and 0.6 to 0.75.
    pub const OURS: Bm25 = Bm25 { k1: 0.9, b: 0.4 };

    /// The values of textbooks, for comparing.
    pub const PLAIN: Bm25 = Bm25 { k1: 1.2, b: 0.75 };
}

/// What two words side by side count against the mean of what each counts alone. On both public sets
/// 0.2 to 0.4 are best and alike.
const PHRASE_WEIGHT: f32 = 0.3;

/// What an alternative of a question's word counts against the word itself.
const ALTERNATIVE_WEIGHT: f32 = 0.6;

/// Numbers for terms; grows only.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    numbers: HashMap<String, u32>,
}

impl Dictionary {
    /// The number of `term`, given now if it has none.
    pub fn number(&mut self, term: &str) -> u32 {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(term.to_owned(), number);
        number
    }

    /// The number of `term`, if any passage ever had it.
    pub fn find(&self, term: &str) -> Option<u32> {
        self.numbers.get(term).copied()
    }

    /// Number of terms.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The numbers of the terms of one passage, as they stand in it.
pub type PassageTerms = Box<[u32]>;

/// Postings of all passages ("rows") of one snapshot.
#[derive(Debug, Default)]
pub struct LexicalIndex {
    dictionary: Arc<Dictionary>,
    /// Postings of term `t` are `postings[starts[t]..starts[t + 1]]`.
    starts: Vec<u32>,
    /// Row and count.
    postings: Vec<(u32, u32)>,
    lengths: Vec<u32>,
    mean_length: f32,
}

/// A question's term as this index knows it.
#[derive(Clone, Debug)]
pub struct WeighedTerm {
    /// The question's own word.
    own: String,
    /// Numbers of the alternatives there are, with their weight.
    numbers: Vec<(u32, f32)>,
    /// How much finding the term says: high for rare and unknown terms.
    pub idf: f32,
}

impl WeighedTerm {
    /// Whether both are, first of all, the same word.
    pub fn is_same_word(&self, other: &WeighedTerm) -> bool {
        self.own == other.own
    }
}

impl LexicalIndex {
    /// Inverts `rows`, whose terms are numbered by `dictionary`.
    pub fn new(dictionary: Arc<Dictionary>, rows: &[&PassageTerms]) -> Self {
        let mut starts = vec![0_u32; dictionary.len() + 1];
        for row in rows {
            for (term, _) in counted(row) {
                starts[term as usize + 1] += 1;
            }
        }
        for term in 1..starts.len() {
            starts[term] += starts[term - 1];
        }
        let mut next = starts.clone();
        let total = starts.last().copied().unwrap_or(0);
        let mut postings = vec![(0, 0); total as usize];
        for (row, terms) in rows.iter().enumerate() {
            for (term, count) in counted(terms) {
                let at = &mut next[term as usize];
                postings[*at as usize] = (u32::try_from(row).unwrap_or(u32::MAX), count);
                *at += 1;
            }
        }
        let lengths: Vec<u32> = rows
            .iter()
            .map(|terms| u32::try_from(terms.len()).unwrap_or(u32::MAX))
            .collect();
        let total: f32 = lengths.iter().map(|length| *length as f32).sum();
        LexicalIndex {
            dictionary,
            starts,
            postings,
            mean_length: (total / lengths.len().max(1) as f32).max(1.0),
            lengths,
        }
    }

    /// Number of different terms in the passages.
    pub fn terms(&self) -> usize {
        self.starts
            .windows(2)
            .filter(|pair| pair[0] < pair[1])
            .count()
    }

    /// `terms` with what this index knows of them.
    pub fn weigh(&self, terms: &[QueryTerm]) -> Vec<WeighedTerm> {
        terms
            .iter()
            .map(|term| {
                let numbers: Vec<(u32, f32)> = term
                    .alternatives
                    .iter()
                    .enumerate()
                    .filter_map(|(index, stem)| {
                        let weight = if index == 0 { 1.0 } else { ALTERNATIVE_WEIGHT };
                        Some((self.dictionary.find(stem)?, weight))
                    })
                    .collect();
                // The commonest alternative bounds what finding any of them can say.
                let frequency = numbers
                    .iter()
                    .map(|(number, _)| self.postings_of(*number).len())
                    .max()
                    .unwrap_or(0);
                WeighedTerm {
                    own: term.alternatives.first().cloned().unwrap_or_default(),
                    idf: self.idf(frequency),
                    numbers,
                }
            })
            .collect()
    }

    /// BM25 of every row for `terms`; 0 where none is found. A term counts once, by its alternatives' weighted counts.
    pub fn scores(&self, terms: &[WeighedTerm], shape: Bm25) -> Vec<f32> {
        let mut scores = vec![0.0; self.lengths.len()];
        let mut counts = Vec::new();
        for term in terms {
            if let [(number, weight)] = term.numbers[..] {
                for (row, count) in self.postings_of(number) {
                    scores[*row as usize] +=
                        self.score(shape, term.idf, *row, weight * *count as f32);
                }
                continue;
            }
            counts.clear();
            for (number, weight) in &term.numbers {
                let postings = self.postings_of(*number).iter();
                counts.extend(postings.map(|(row, count)| (*row, weight * *count as f32)));
            }
            counts.sort_unstable_by_key(|(row, _)| *row);
            for same in counts.chunk_by(|(row, _), (next, _)| row == next) {
                let count = same.iter().map(|(_, count)| count).sum();
                scores[same[0].0 as usize] += self.score(shape, term.idf, same[0].0, count);
            }
        }
        scores
    }

    /// What it adds to the BM25 of a passage with these `terms` that neighbouring words of the question
    /// stand side by side in it: the ordered phrases of the sequential dependence model (Metzler and
    /// Croft, 2005), each as rare as its words on average.
    pub fn phrases(&self, question: &[WeighedTerm], row: usize, terms: &PassageTerms) -> f32 {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        let stands = |term: &WeighedTerm, number: u32| {
            let known = term.numbers.iter().find(|(known, _)| *known == number);
            known.map(|(_, weight)| *weight)
        };
        let score = |pair: &[WeighedTerm]| {
            let count: f32 = terms
                .windows(2)
                .filter_map(|at| Some(stands(&pair[0], at[0])? * stands(&pair[1], at[1])?))
                .sum();
            match count > 0.0 {
                true => {
                    let idf = f32::midpoint(pair[0].idf, pair[1].idf);
                    self.score(Bm25::OURS, idf, row, count)
                }
                false => 0.0,
            }
        };
        PHRASE_WEIGHT * question.windows(2).map(score).sum::<f32>()
    }

    /// BM25 of one term that stands `count` times in `row`.
    fn score(&self, shape: Bm25, idf: f32, row: u32, count: f32) -> f32 {
        let Bm25 { k1, b } = shape;
        let length = self.lengths[row as usize] as f32 / self.mean_length;
        idf * count * (k1 + 1.0) / (count + k1 * (1.0 - b + b * length))
    }

    /// Share of the question that a passage speaks of, 0 to 1, each term by its idf.
    ///
    /// `terms` are the passage's; a term in `granted` counts as found, for what holds of the passage
    /// without standing in it (its place). 0 for a question without terms.
    pub fn coverage(
        &self,
        question: &[WeighedTerm],
        terms: &PassageTerms,
        granted: &[bool],
    ) -> f32 {
        let (mut found, mut all) = (0.0, 0.0);
        for (index, term) in question.iter().enumerate() {
            all += term.idf;
            let has = |(number, _): &(u32, f32)| terms.contains(number);
            if granted.get(index).copied().unwrap_or(false) || term.numbers.iter().any(has) {
                found += term.idf;
            }
        }
        if all > 0.0 { found / all } else { 0.0 }
    }

    /// Never negative, also for a term that every passage has.
    fn idf(&self, frequency: usize) -> f32 {
        let (rows, frequency) = (self.lengths.len() as f32, frequency as f32);
        (1.0 + (rows - frequency + 0.5) / (frequency + 0.5)).ln()
    }

    fn postings_of(&self, term: u32) -> &[(u32, u32)] {
        let term = term as usize;
        // The shared dictionary may be newer than this index.
        match (self.starts.get(term), self.starts.get(term + 1)) {
            (Some(start), Some(end)) => &self.postings[*start as usize..*end as usize],
            _ => &[],
        }
    }
}

/// Numbers the terms of a passage, which are given with a space between.
pub fn number_terms(dictionary: &mut Dictionary, terms: &str) -> PassageTerms {
    terms
        .split_ascii_whitespace()
        .map(|term| dictionary.number(term))
        .collect()
}

/// Each term once, by rising number, with its count.
fn counted(terms: &PassageTerms) -> Vec<(u32, u32)> {
    let mut sorted = terms.to_vec();
    sorted.sort_unstable();
    sorted
        .chunk_by(|term, next| term == next)
        .map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    fn index(texts: &[&str]) -> (LexicalIndex, Vec<PassageTerms>) {
        let mut dictionary = Dictionary::default();
        let rows: Vec<_> = texts
            .iter()
            .map(|text| number_terms(&mut dictionary, &words::terms(text).join(" ")))
            .collect();
        let index = LexicalIndex::new(Arc::new(dictionary), &rows.iter().collect::<Vec<_>>());
        (index, rows)
    }

    fn best(index: &LexicalIndex, question: &str) -> usize {
        let scores = index.scores(&index.weigh(&words::query_terms(question)), Bm25::OURS);
        (0..scores.len())
            .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
            .expect("a row")
    }

    const TEXTS: &[&str] = &[
        "Plant maize 5 cm deep in clay.",
        "Store maize grain at 14 percent moisture.",
        "Wheat rust is a disease of wheat leaves.",
        "Fertilise maize with 120 kg of nitrogen.",
    ];

    #[test]
    fn the_passage_of_the_rarest_words_wins() {
        let (index, _) = index(TEXTS);
        assert_eq!(best(&index, "At what depth do I sow corn?"), 0);
        assert_eq!(best(&index, "How dry for storage: which moisture?"), 1);
        assert_eq!(best(&index, "fertilizer for maize"), 3);
    }

    #[test]
    fn scores_follow_the_formula() {
        let (index, _) = index(&["rust rust leaf", "leaf"]);
        let scores = index.scores(&index.weigh(&words::query_terms("rust")), Bm25::OURS);
        let idf = (1.0_f32 + 1.5 / 1.5).ln();
        let expected = idf * 2.0 * 1.9 / (2.0 + 0.9 * (0.6 + 0.4 * 1.5));
        assert!((scores[0] - expected).abs() < 1e-5, "{scores:?}");
        assert_eq!(scores[1], 0.0);
    }

    #[test]
    fn words_side_by_side_count_more_than_apart() {
        let (index, rows) = index(&["leaf rust of wheat", "wheat leaf has no rust", "leaf rust"]);
        let question = index.weigh(&words::query_terms("leaf rust"));
        let phrases: Vec<f32> = (0..3)
            .map(|row| index.phrases(&question, row, &rows[row]))
            .collect();
        assert!(phrases[0] > 0.0 && phrases[2] > 0.0);
        assert_eq!(phrases[1], 0.0);
        let one = index.weigh(&words::query_terms("rust"));
        assert_eq!(
            index.phrases(&one, 0, &rows[0]),
            0.0,
            "one word is no phrase"
        );
    }

    #[test]
    fn coverage_is_the_share_of_the_question_that_is_found() {
        let (index, rows) = index(TEXTS);
        let coverage = |question: &str, row: usize| {
            index.coverage(&index.weigh(&words::query_terms(question)), &rows[row], &[])
        };
        assert_eq!(coverage("How deep should I sow corn?", 0), 1.0);
        assert_eq!(coverage("What tyre pressure is right?", 0), 0.0);
        let part = coverage("Which tyre for maize?", 0);
        assert!(part > 0.0 && part < 0.4, "{part}");
        assert_eq!(coverage("What should I do?", 0), 0.0);
    }

    #[test]
    fn an_empty_index_answers_with_nothing() {
        let (index, _) = index(&[]);
        assert!(
            index
                .scores(&index.weigh(&words::query_terms("maize")), Bm25::OURS)
                .is_empty()
        );
    }
}
