//! Questions by rules: from sentences with quantities and facts, from tables and from lists; no model.
//!
//! A rule asks only what a sentence plainly says and gives the sentence as the answer, so that what is
//! wrong is the question at worst. Whatever is not plain is left: few questions, hardly a wrong one.

mod clause;
mod clause_words;
mod fact_words;
mod facts;
mod quantity;
mod quantity_forms;
mod table;
mod text;

pub use text::{common_words, is_fit, pattern, uncited};

use std::collections::BTreeSet;

use super::error::DatasetError;
use super::material::Unit;
use super::mode::in_mode;
use super::teacher::{Draft, Job, Manner, Reply, Teacher};
use crate::documents::{Body, sentences};
use crate::study::Ledger;
use clause::Clause;
use text::is_glued;

/// Most items of a list that is asked for whole, and most words of one.
const ITEMS: std::ops::RangeInclusive<usize> = 2..=8;
const MOST_ITEM_WORDS: usize = 16;

/// A draft with what sorts it.
struct Found {
    kind: Kind,
    draft: Draft,
    /// A trial's own result: true of the trial alone.
    is_finding: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Quantity,
    Fact,
    Cell,
    List,
}

/// Writes questions by rules, in English alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuleTeacher;

impl Teacher for RuleTeacher {
    fn name(&self) -> String {
        "rules".into()
    }

    fn version(&self) -> u32 {
        1
    }

    fn is_costly(&self) -> bool {
        false
    }

    fn write(&mut self, job: &Job<'_>) -> Result<Reply, DatasetError> {
        let unit = job.unit;
        let is_english = unit
            .source
            .language
            .as_deref()
            .is_none_or(|language| language.to_lowercase().starts_with("en"));
        if !is_english {
            return Ok(Reply::Drafts(Vec::new()));
        }
        let mut asked = BTreeSet::new();
        let mut all: Vec<Found> = Vec::new();
        for mut found in candidates(unit) {
            let Some(question) = in_mode(&found.draft.question, unit, job.mode, found.is_finding)
            else {
                continue;
            };
            if asked.insert(question.to_lowercase()) {
                found.draft.question = question;
                if job.manner == Manner::QuestionsOnly {
                    found.draft.answer = None;
                }
                all.push(found);
            }
        }
        Ok(Reply::Drafts(chosen(all, job.wanted)))
    }

    fn ledger(&self) -> Ledger {
        Ledger::default()
    }
}

fn candidates(unit: &Unit) -> Vec<Found> {
    let mut found = Vec::new();
    for block in &unit.blocks {
        match &block.body {
            Body::Paragraph(text) => found.extend(
                sentences(text)
                    .into_iter()
                    .filter_map(|one| of_sentence(one, unit)),
            ),
            Body::List(items) => {
                let each = items.iter().flat_map(|item| sentences(item));
                found.extend(each.filter_map(|one| of_sentence(one, unit)));
                found.extend(of_list(items, unit));
            }
            Body::Table(table) => {
                let drafts = table::drafts(
                    table,
                    &unit.source.title,
                    unit.heading(),
                    &unit.source.common,
                );
                found.extend(drafts.into_iter().map(|draft| Found {
                    kind: Kind::Cell,
                    draft,
                    is_finding: unit.source.is_study,
                }));
            }
            Body::Caption(_) => {}
        }
    }
    found
}

fn of_sentence(sentence: &str, unit: &Unit) -> Option<Found> {
    let sentence = uncited(sentence);
    if !is_fit(&sentence) {
        return None;
    }
    let clause = Clause::parse(&sentence)?;
    let common = &unit.source.common;
    if is_glued(clause.subject, common) {
        return None;
    }
    let (kind, question) = match quantity::ask(&clause, common) {
        Some(question) => (Kind::Quantity, question),
        None => (Kind::Fact, facts::ask(&clause, common)?),
    };
    let is_finding = unit.source.is_study && clause.is_past();
    Some(Found {
        kind,
        draft: Draft {
            question,
            answer: Some(sentence.clone()),
            support: Some(sentence),
        },
        is_finding,
    })
}

/// A list under a heading of its own, asked for whole.
fn of_list(items: &[String], unit: &Unit) -> Option<Found> {
    let heading = unit.heading().trim_end_matches([':', '.']);
    let items: Vec<String> = items
        .iter()
        .map(|item| uncited(item).trim_end_matches(['.', ';', ',']).to_owned())
        .collect();
    let is_plain = |item: &String| (1..=MOST_ITEM_WORDS).contains(&item.split_whitespace().count());
    // A list of titles is one of links.
    let is_title = |item: &&String| {
        let capitals = item
            .split_whitespace()
            .filter(|word| word.starts_with(|c: char| c.is_uppercase()));
        item.split_whitespace().count() > 2
            && capitals.count() * 2 > item.split_whitespace().count()
    };
    let titles = items.iter().filter(is_title).count();
    let lists = unit
        .blocks
        .iter()
        .filter(|block| matches!(block.body, Body::List(_)))
        .count();
    let is_asked = ITEMS.contains(&items.len())
        && items.iter().all(is_plain)
        && (1..=MOST_ITEM_WORDS).contains(&heading.split_whitespace().count())
        && lists == 1
        && titles * 2 < items.len()
        && !heading.contains(['“', '”', '"', '?']);
    is_asked.then(|| Found {
        kind: Kind::List,
        draft: Draft {
            question: format!(
                "What does “{}” list under “{heading}”?",
                unit.source.title.trim_end_matches('.')
            ),
            answer: Some(format!("{}.", items.join("; "))),
            support: Some(items.join("\n")),
        },
        is_finding: false,
    })
}

/// At most `wanted` of `all`: kinds in turn, each spread over the section, in the order of the text.
fn chosen(all: Vec<Found>, wanted: usize) -> Vec<Draft> {
    let mut queues: Vec<Vec<usize>> = Vec::new();
    for kind in [Kind::Quantity, Kind::Fact, Kind::Cell, Kind::List] {
        let own: Vec<usize> = (0..all.len()).filter(|at| all[*at].kind == kind).collect();
        let most = own.len().min(wanted);
        queues.push((0..most).map(|at| own[at * own.len() / most]).collect());
    }
    let mut taken = BTreeSet::new();
    for round in 0..wanted {
        for queue in &queues {
            if let Some(at) = queue.get(round)
                && taken.len() < wanted
            {
                taken.insert(*at);
            }
        }
    }
    let kept = all
        .into_iter()
        .enumerate()
        .filter(|(at, _)| taken.contains(at));
    kept.map(|(_, found)| found.draft).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::material::testing::units;
    use crate::dataset::teacher::Mode;

    const TEXT: &str = "---\ntitle: Planting maize in Iowa\nplace: {country: US, region: Iowa}\ncrop: maize\n---\n# Planting maize in Iowa\n\n## Depth\n\nMaize seed should be sown 5 cm deep in dry soil. Maize is a tall grass of warm countries.\n\n| Soil | Seed rate (kg/ha) |\n|---|---|\n| Loam | 20 |\n| Clay | 25 |\n\n## Tools\n\n- planter\n- roller\n";

    fn drafts(mode: Mode, manner: Manner, wanted: usize) -> Vec<Draft> {
        let mut all = Vec::new();
        for unit in units("a.md", TEXT) {
            let job = Job {
                unit: &unit,
                mode,
                manner,
                wanted,
            };
            if let Reply::Drafts(drafts) = RuleTeacher.write(&job).expect("rules cannot fail") {
                all.extend(drafts);
            }
        }
        all
    }

    #[test]
    fn sentences_tables_and_lists_are_asked_for() {
        let drafts = drafts(Mode::External, Manner::Combined, 15);
        let questions: Vec<&str> = drafts.iter().map(|draft| draft.question.as_str()).collect();
        assert_eq!(
            questions,
            [
                "How deep should maize seed be sown in dry soil in Iowa, US?",
                "What is maize?",
                "In the table under “Depth” in “Planting maize in Iowa”, what is the seed rate for Loam?",
                "In the table under “Depth” in “Planting maize in Iowa”, what is the seed rate for Clay?",
                "What does “Planting maize in Iowa” list under “Tools”?",
            ]
        );
        assert_eq!(
            drafts[0].answer.as_deref(),
            Some("Maize seed should be sown 5 cm deep in dry soil.")
        );
        assert_eq!(drafts[4].answer.as_deref(), Some("planter; roller."));
    }

    #[test]
    fn questions_alone_have_no_answer_and_a_bound_is_kept() {
        let drafts = drafts(Mode::External, Manner::QuestionsOnly, 2);
        assert!(
            drafts
                .iter()
                .all(|draft| draft.answer.is_none() && draft.support.is_some())
        );
        assert_eq!(
            drafts.len(),
            3,
            "two of the first section, one of the second"
        );
    }
}
