//! An embedder for machines without one: all texts are alike, so that a library is searched by words alone.

use ndarray::Array2;

use crate::model::{Embedder, ModelError, TokenCounter};
use crate::types::Digest;

/// Tokens of a passage: as many as the embedder of the recipe reads.
const WINDOW: usize = 256;

/// Gives every text the same vector.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wordless;

impl TokenCounter for Wordless {
    fn count(&self, text: &str) -> usize {
        // A word of English prose is about four thirds of a token.
        text.split_whitespace().count() * 4 / 3
    }
}

impl Embedder for Wordless {
    fn dimension(&self) -> usize {
        1
    }

    fn max_tokens(&self) -> usize {
        WINDOW
    }

    fn digest(&self) -> Digest {
        Digest::of(b"no embedder")
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, ModelError> {
        Ok(Array2::ones((texts.len(), 1)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::library::Query;
    use crate::library::testing::{document, open};

    #[test]
    fn a_library_is_searched_by_words_where_there_is_no_embedder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(folder.path(), Arc::new(Wordless));
        for (id, text) in [
            ("a.md", "Maize is sown in April."),
            ("b.md", "Wheat is sown in October."),
        ] {
            library.ingest(&document(id, text)).expect("taken in");
        }
        let query = Query {
            text: "When is wheat sown?".into(),
            top_k: 1,
            ..Query::default()
        };
        let found = library.search(&query).expect("searchable");
        assert_eq!(found.hits[0].passage.document, "b.md");
    }
}
