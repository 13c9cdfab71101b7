//! What the answer room needs of a library: passages for a question, and how rare a word is there.

use std::collections::BTreeSet;

use super::{AnswerError, words};
use crate::types::Place;

/// A piece of a document that an answer may rest on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage {
    /// The document's own id.
    pub document: String,
    /// Its title.
    pub title: String,
    /// Headings over the passage, outermost first.
    pub headings: Vec<String>,
    /// Page, from 1, where the format has pages.
    pub page: Option<u32>,
    /// Where it holds; general when the document says nothing.
    pub place: Place,
    /// Crops it is about.
    pub crops: Vec<String>,
    /// Its own words: Markdown without notes, fit to be quoted.
    pub text: String,
}

impl Passage {
    /// The nearest heading over the passage; the title where there is none.
    pub fn section(&self) -> &str {
        self.headings.last().map_or(&self.title, |heading| heading)
    }

    /// Whether it is about one of the crops that `stems` name.
    pub fn is_of(&self, stems: &BTreeSet<String>) -> bool {
        self.crops
            .iter()
            .any(|crop| stems.contains(&words::stem(crop)))
    }
}

/// A passage found for a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hit {
    /// The passage.
    pub passage: Passage,
    /// BM25 score, not normalised; 0 when no word is shared.
    pub lexical: f32,
    /// Cosine of question and passage, -1 to 1.
    pub dense: f32,
    /// What the ranking went by.
    pub fused: f32,
    /// Share of the question's content words that the passage holds, weighted by rarity, 0 to 1.
    pub coverage: f32,
}

/// That nothing holds for the asked place and a wider one was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The place of the question.
    pub asked: Place,
    /// The wider place that the passages hold for.
    pub used: Place,
}

/// The passages for one question, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// Best first; at most as many as were asked for.
    pub hits: Vec<Hit>,
    /// Where was searched: a place that the question names goes before the asked one.
    pub place: Place,
    /// Set when only a wider place than that has passages.
    pub fallback: Option<Fallback>,
}

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub struct PassageQuery<'a> {
    /// The question.
    pub text: &'a str,
    /// Where it is asked for.
    pub place: &'a Place,
    /// The crop it is about.
    pub crop: Option<&'a str>,
    /// Most hits wanted.
    pub top_k: usize,
}

/// A searchable library, as the answer room sees it.
pub trait Passages {
    /// The best passages for `query`; blocking.
    ///
    /// # Errors
    /// The library cannot be read or the question cannot be embedded.
    fn search(&self, query: &PassageQuery<'_>) -> Result<Hits, AnswerError>;

    /// How rare `word` is in the library: 1 where no passage holds it, near 0 where all do.
    fn rarity(&self, word: &str) -> f32;
}
