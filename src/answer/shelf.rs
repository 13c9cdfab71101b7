//! The library as the source of passages.

use std::sync::Arc;

use super::AnswerError;
use super::passages::{Fallback, Hit, Hits, Passage, PassageQuery, Passages};
use crate::library::{self, Library, LibraryError, Query};

impl Passages for Arc<Library> {
    fn search(&self, query: &PassageQuery<'_>) -> Result<Hits, AnswerError> {
        let found = Library::search(
            self,
            &Query {
                text: query.text.to_owned(),
                place: Some(query.place.clone()),
                crop: query.crop.map(str::to_owned),
                top_k: query.top_k,
            },
        )
        .map_err(unreadable)?;
        Ok(Hits {
            hits: found.hits.into_iter().map(hit).collect(),
            place: found.place,
            fallback: found.fallback.map(|fallback| Fallback {
                asked: fallback.asked,
                used: fallback.used,
            }),
        })
    }

    fn rarity(&self, word: &str) -> f32 {
        Library::rarity(self, word)
    }
}

fn hit(found: library::Hit) -> Hit {
    let passage = found.passage.as_ref();
    Hit {
        passage: Passage {
            document: passage.document.clone(),
            title: passage.title.clone(),
            headings: passage.headings.clone(),
            page: passage.page,
            place: passage.place.clone(),
            crops: passage.crops.clone(),
            text: passage.text.clone(),
        },
        lexical: found.lexical,
        dense: found.dense,
        fused: found.fused,
        coverage: found.coverage,
    }
}

fn unreadable(error: LibraryError) -> AnswerError {
    AnswerError::Library(Box::new(error))
}
