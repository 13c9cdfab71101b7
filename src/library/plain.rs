//! One half of a search alone, without anything of our own: what a measure is held against.

use std::sync::Arc;

use super::dense::Best;
use super::lexical::Bm25;
use super::words::{self, QueryTerm};
use super::{Library, LibraryError};
use crate::documents::Passage;

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// BM25 with k1 1.2 and b 0.75: no alternatives of a word, no phrases, no filter, no boosts.
    Words,
    /// The cosine of question and passage: no filter, no boosts.
    Meaning,
}

impl Library {
    /// At most `count` passages with their score, best first; blocking, milliseconds.
    ///
    /// # Errors
    /// The embedder fails.
    pub fn plain(
        &self,
        text: &str,
        way: Plain,
        count: usize,
    ) -> Result<Vec<(Arc<Passage>, f32)>, LibraryError> {
        let snapshot = self.snapshots.current();
        let best = match way {
            Plain::Meaning => {
                let vector = self.embed(&[text])?;
                let dense = self.snapshots.dense(&snapshot);
                dense.nearest(vector.row(0), count, &|_| true)
            }
            Plain::Words => {
                let alone = |term| QueryTerm {
                    alternatives: vec![term],
                };
                let terms: Vec<QueryTerm> = words::terms(text).into_iter().map(alone).collect();
                let lexical = snapshot.lexical();
                let mut best = Best::new(count);
                let scores = lexical.scores(&lexical.weigh(&terms), Bm25::PLAIN);
                for (row, score) in scores.into_iter().enumerate() {
                    if score > 0.0 {
                        best.offer(row, score);
                    }
                }
                best.into_sorted()
            }
        };
        let passage = |(row, score)| (Arc::clone(snapshot.passage(row)), score);
        Ok(best.into_iter().map(passage).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{HashingEmbedder, document, open};
    use super::*;

    #[test]
    fn each_half_alone_ranks_by_its_own_score() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(folder.path(), HashingEmbedder::new("test"));
        for (id, text) in [
            ("a", "Wheat rust on leaves."),
            ("b", "Maize is planted deep."),
        ] {
            library.ingest(&document(id, text)).expect("taken in");
        }
        let found = library.plain("rust", Plain::Words, 5).expect("searched");
        assert_eq!(found.len(), 1, "only passages with the word");
        assert_eq!(found[0].0.document, "a");
        let found = library.plain("sow", Plain::Words, 5).expect("searched");
        assert!(found.is_empty(), "a word is not replaced by its like");
        let found = library.plain("maize deep", Plain::Meaning, 5);
        let found = found.expect("searched");
        assert_eq!(found[0].0.document, "b");
        assert!(found.len() == 2 && found[0].1 > found[1].1);
    }
}
