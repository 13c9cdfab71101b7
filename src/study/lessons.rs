//! Lessons for fine-tuning: the prompt that the box would send for a question, and what should be written then.
//!
//! The prompts come from the box's own retrieval over its own library, so that a model is tuned on what it
//! will be served. Documents of other parts of the set are hidden: no passage of a test question is ever in a
//! training prompt. Each answerable question comes again with its document withheld, and with the sentences
//! withheld that hold its figures while the rest of the passage stays; the right answer is then that the text
//! does not say.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use super::facts::is_right;
use super::questions::{Fact, Kind, Split, StudyQuestion};
use crate::answer::{
    AnswerError, Answerer, Brief, Hits, NOT_SAID, Passage, PassageQuery, Passages,
};
use crate::documents::sentences;
use crate::model::{Message, Role};
use crate::types::Question;

/// Passages in a prompt, at most; each lesson comes with the best one, two and so on.
const MOST_PASSAGES: usize = 3;

/// Hits asked for beyond those wanted, since some may be hidden.
const SPARE: usize = 24;

/// One line of a file of lessons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesson {
    /// The question's id.
    pub id: String,
    /// Its part of the set.
    pub split: Split,
    /// Its topic.
    pub group: Option<String>,
    /// Whether, and why not, the whole library answers it.
    pub kind: Kind,
    /// What was withheld of the answer.
    pub withheld: Withheld,
    /// Whether the prompt answers it.
    pub answered: bool,
    /// Whether the sentence that the prompt points at holds all key facts.
    pub key_is_right: bool,
    /// Ids of the documents in the prompt, best first.
    pub documents: Vec<String>,
    /// Relevance as the box judges it, 0 to 1.
    pub relevance: f32,
    /// The chat in the form that trainers read: system, user, assistant.
    pub messages: Vec<ChatLine>,
}

/// What a lesson's prompt lacks on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Withheld {
    /// Nothing.
    Nothing,
    /// The document with the answer.
    Document,
    /// Every sentence and row with a figure of the answer; what stands around them is there.
    Fact,
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatLine {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: String,
}

/// Makes lessons of questions, on one opened library.
pub struct Teacher {
    answerer: Answerer,
    hidden: Hidden,
    /// Documents of other parts of the set.
    foreign: BTreeSet<String>,
}

type Hidden = Arc<RwLock<Hiding>>;

/// What the library does not show just now.
#[derive(Default)]
struct Hiding {
    documents: BTreeSet<String>,
    /// Their sentences are hidden, in every document.
    facts: Vec<Fact>,
}

/// A library without what is hidden just now.
struct Withholding {
    inner: Box<dyn Passages + Send>,
    hidden: Hidden,
}

impl Passages for Withholding {
    fn search(&self, query: &PassageQuery<'_>) -> Result<Hits, AnswerError> {
        let mut found = self.inner.search(&PassageQuery {
            top_k: query.top_k + SPARE,
            ..*query
        })?;
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        found
            .hits
            .retain(|hit| !hidden.documents.contains(&hit.passage.document));
        for hit in &mut found.hits {
            hit.passage.text = without(&hit.passage.text, &hidden.facts);
        }
        found.hits.retain(|hit| !hit.passage.text.is_empty());
        found.hits.truncate(query.top_k);
        Ok(found)
    }

    fn rarity(&self, word: &str) -> f32 {
        self.inner.rarity(word)
    }
}

impl Teacher {
    /// A teacher of the part `split` of `set`.
    pub fn new(answerer: Answerer, set: &[StudyQuestion], split: Split) -> Self {
        let hidden = Hidden::default();
        let mut parts = answerer.into_parts();
        parts.passages = Box::new(Withholding {
            inner: parts.passages,
            hidden: Arc::clone(&hidden),
        });
        let foreign = set.iter().filter(|question| question.split != split);
        let foreign = foreign.filter_map(|question| question.gold.as_ref());
        Teacher {
            answerer: Answerer::new(parts),
            hidden,
            foreign: foreign.map(|gold| gold.document.clone()).collect(),
        }
    }

    /// The lessons of one question: with each number of passages, and again with each sort of [`Withheld`].
    /// Blocking while the library is searched.
    ///
    /// # Errors
    /// The library, the embedder or the chat template failed.
    pub fn lessons(&self, question: &StudyQuestion) -> Result<Vec<Lesson>, AnswerError> {
        let mut lessons: Vec<Lesson> = Vec::new();
        for withheld in [Withheld::Nothing, Withheld::Document, Withheld::Fact] {
            let Some(hidden) = self.hidden_for(question, withheld) else {
                continue;
            };
            *self.hidden.write().unwrap_or_else(PoisonError::into_inner) = hidden;
            let asked = Question {
                top_k: Some(MOST_PASSAGES),
                ..question.ask()
            };
            for brief in self.answerer.briefs(&asked)? {
                let lesson = lesson(question, brief, withheld);
                // A withheld document may be told by another one as well.
                if withheld == Withheld::Nothing || !lesson.answered {
                    lessons.push(lesson);
                }
            }
        }
        Ok(lessons)
    }

    fn hidden_for(&self, question: &StudyQuestion, withheld: Withheld) -> Option<Hiding> {
        let mut hiding = Hiding {
            documents: self.foreign.clone(),
            facts: Vec::new(),
        };
        match withheld {
            Withheld::Nothing => {}
            Withheld::Document => {
                hiding
                    .documents
                    .insert(question.gold.as_ref()?.document.clone());
            }
            Withheld::Fact => {
                // Words can be said in other words that would stay.
                let are_figures = |fact: &Fact| matches!(fact, Fact::Numbers { .. });
                if question.facts.is_empty() || !question.facts.iter().all(are_figures) {
                    return None;
                }
                hiding.facts.clone_from(&question.facts);
            }
        }
        Some(hiding)
    }
}

/// `text` without the sentences and rows that hold one of `facts`.
fn without(text: &str, facts: &[Fact]) -> String {
    if facts.is_empty() {
        return text.to_owned();
    }
    let tells = |part: &str| facts.iter().any(|fact| is_right(fact, part));
    let lines = text.lines().map(|line| {
        if !tells(line) {
            return line.to_owned();
        }
        if line.starts_with('|') {
            return String::new();
        }
        let left = sentences(line).into_iter().filter(|one| !tells(one));
        left.collect::<Vec<_>>().join(" ")
    });
    let left = lines.filter(|line| !line.trim().is_empty());
    left.collect::<Vec<_>>().join("\n")
}

fn lesson(question: &StudyQuestion, brief: Brief, withheld: Withheld) -> Lesson {
    let reference = question.answer.as_deref();
    let told = |passage: &Passage| match withheld {
        Withheld::Fact => holds_facts(question, &passage.text),
        _ => tells(question, passage),
    };
    let answered = reference.is_some() && brief.passages.iter().any(told);
    let learned = match reference {
        Some(reference) if answered => reference,
        _ => NOT_SAID,
    };
    let mut messages: Vec<ChatLine> = brief.messages.iter().map(ChatLine::of).collect();
    messages.push(ChatLine {
        role: "assistant",
        content: learned.to_owned(),
    });
    Lesson {
        id: question.id.clone(),
        split: question.split,
        group: question.group.clone(),
        kind: question.kind,
        withheld,
        answered,
        key_is_right: !question.facts.is_empty() && holds_facts(question, &brief.key),
        documents: brief.passages.into_iter().map(|one| one.document).collect(),
        relevance: brief.relevance,
        messages,
    }
}

/// Whether `passage` is of the gold section or holds every key fact.
fn tells(question: &StudyQuestion, passage: &Passage) -> bool {
    let is_gold = question
        .gold
        .as_ref()
        .is_some_and(|gold| gold.document == passage.document && gold.section == passage.section());
    is_gold || holds_facts(question, &passage.text)
}

fn holds_facts(question: &StudyQuestion, text: &str) -> bool {
    question.facts.iter().all(|fact| is_right(fact, text))
}

impl ChatLine {
    fn of(message: &Message) -> Self {
        ChatLine {
            role: match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            },
            content: message.content.clone(),
        }
    }
}

#[cfg(test)]
#[path = "lessons_tests.rs"]
mod tests;
