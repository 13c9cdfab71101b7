//! The sections of a library's documents, ready to be asked about.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::context::ContextTags;
use super::rules::common_words;
use crate::documents::{Block, Body, Document, Passage};
use crate::library::{Library, terms};
use crate::types::{Digest, Place};

/// Fewest words of a section that is asked about.
const LEAST_WORDS: usize = 15;

/// Longest text of a section that a teacher gets, in characters: it must fit a small model's context.
pub const MOST_CHARS: usize = 6_000;

/// Sections that say nothing of farming.
static ASIDE: LazyLock<Regex> = LazyLock::new(|| {
    super::rules::pattern(
        r"(?i)\b(?:acknowledge?ments?|references|bibliography|funding|conflicts? of interest|competing interests?|declarations?|author(?:s|'s|s'|ship)?\b.*contributions?|contributions? of authors|abbreviations?|supplement\w*|supporting information|data (?:availability|accessibility|archiving)|availability of data|ethic\w*|consent|disclaimer|publisher'?s note|footnotes?|see also|external links|further reading|additional (?:files?|information)|open access)\b",
    )
});
/// How a trial was made, not what it found.
static METHOD: LazyLock<Regex> = LazyLock::new(|| {
    super::rules::pattern(
        r"(?i)\b(?:methods?|methodology|materials and|statistical?|data (?:analys[ie]s|collection)|experimental (?:design|procedures?|section)|sampling|genotyping|sequencing|PCR|primers?|extraction|assays?)\b",
    )
});
/// Headings that only reports of studies have.
static STUDY: LazyLock<Regex> = LazyLock::new(|| {
    super::rules::pattern(
        r"(?i)\b(?:materials and methods|methods|methodology|results|discussion)\b",
    )
});

/// What is known of a document besides its text.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its id in the library.
    pub id: String,
    /// Title.
    pub title: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Where it comes from, as written.
    pub source: Option<String>,
    /// Licence, as written.
    pub licence: Option<String>,
    /// Date, as written.
    pub date: Option<String>,
    /// Language tag, as written.
    pub language: Option<String>,
    /// Where it holds.
    pub place: Place,
    /// Crops that it is about.
    pub crops: Vec<String>,
    /// Words that it has in lower case.
    pub common: BTreeSet<String>,
    /// Whether it reports on a study.
    pub is_study: bool,
}

/// One section.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its document.
    pub source: Arc<Origin>,
    /// Its number in the document, from 0.
    pub number: usize,
    /// The headings over it, outermost first.
    pub headings: Vec<String>,
    /// What stands in it.
    pub blocks: Vec<Block>,
    /// The passages that it is searched by.
    pub passages: Vec<Passage>,
    /// What it is about.
    pub tags: ContextTags,
}

impl Unit {
    /// The nearest heading; empty before the first.
    pub fn heading(&self) -> &str {
        self.headings.last().map_or("", String::as_str)
    }

    /// All its passages, at most `MOST_CHARS` characters.
    pub fn text(&self) -> String {
        let whole = self
            .passages
            .iter()
            .map(|passage| passage.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        match whole.char_indices().nth(MOST_CHARS) {
            Some((end, _)) => whole[..end].to_owned(),
            None => whole,
        }
    }

    /// How many questions it is worth: one in forty words, 5 to 15 and at most `most`.
    pub fn questions(&self, most: usize) -> usize {
        let words = self.text().split_whitespace().count();
        let range = super::teacher::QUESTIONS;
        (words / 40).clamp(*range.start(), *range.end()).min(most)
    }

    /// The passage that has most of the words of `support`, the first of several.
    pub fn gold(&self, support: &str) -> Option<&Passage> {
        let wanted: BTreeSet<String> = terms(support).into_iter().collect();
        let share = |passage: &Passage| {
            let own: BTreeSet<String> = terms(&passage.text).into_iter().collect();
            wanted.intersection(&own).count()
        };
        let mut best: Option<(usize, &Passage)> = None;
        for passage in &self.passages {
            let share = share(passage);
            if best.is_none_or(|(most, _)| share > most) {
                best = Some((share, passage));
            }
        }
        best.map(|(_, passage)| passage)
    }
}

/// The sections of `document` that are worth asking about, cut as `library` cuts them.
pub fn units(document: &Document, library: &Library) -> Vec<Unit> {
    let headings: Vec<&str> = document
        .sections
        .iter()
        .flat_map(|section| &section.headings)
        .map(String::as_str)
        .collect();
    let is_study = headings
        .iter()
        .filter(|heading| STUDY.is_match(heading))
        .count()
        >= 2;
    let source = Arc::new(Origin {
        id: document.id.clone(),
        title: document.title.clone(),
        digest: document.digest,
        source: document.source.clone(),
        licence: document.licence.clone(),
        date: document.date.clone(),
        language: document.language.clone(),
        place: document.tags.place(),
        crops: document.tags.crops(),
        common: common_words(
            document
                .sections
                .iter()
                .flat_map(|section| &section.blocks)
                .flat_map(texts),
        ),
        is_study,
    });
    let mut found = Vec::new();
    for (number, section) in document.sections.iter().enumerate() {
        let is_aside =
            |heading: &String| ASIDE.is_match(heading) || (is_study && METHOD.is_match(heading));
        if section.headings.iter().any(is_aside) {
            continue;
        }
        let alone = Document {
            sections: vec![section.clone()],
            ..document.clone()
        };
        let passages = library.cut_passages(&alone);
        let text: String = passages
            .iter()
            .map(|passage| format!("{}\n", passage.text))
            .collect();
        if text.split_whitespace().count() < LEAST_WORDS {
            continue;
        }
        found.push(Unit {
            source: Arc::clone(&source),
            number,
            headings: section.headings.clone(),
            blocks: section.blocks.clone(),
            passages,
            tags: ContextTags::of(&text, &document.tags),
        });
    }
    found
}

fn texts(block: &Block) -> Vec<&str> {
    match &block.body {
        Body::Paragraph(text) | Body::Caption(text) => vec![text],
        Body::List(items) => items.iter().map(String::as_str).collect(),
        Body::Table(_) => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::library::testing::{HashingEmbedder, document, open};

    /// The sections of the Markdown `text`.
    pub(crate) fn units(id: &str, text: &str) -> Vec<Unit> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = open(folder.path(), HashingEmbedder::new("a"));
        all(&document(id, text), &library)
    }

    fn all(document: &Document, library: &Library) -> Vec<Unit> {
        let mut document = document.clone();
        // Tests are short: a section of a few words counts.
        let filler = Body::Caption("and so on ".repeat(LEAST_WORDS));
        document
            .sections
            .iter_mut()
            .for_each(|section| section.blocks.push(filler.clone().into()));
        super::units(&document, library)
    }
}
