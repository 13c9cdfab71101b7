//! Whether the gold section is found, and whether what is found is of the asked place.

use std::path::Path;

use serde::Serialize;

use super::{Bench, read_folder};
use crate::commands::Context;
use crate::library::{Library, Query, SearchResults};
use crate::study::{self, Kind, RecallAt, Split, StudyQuestion};
use crate::types::Place;

/// A district that no document is of.
const UNKNOWN_DISTRICT: &str = "Nowhere";

/// Recall on one part of the set.
#[derive(Debug, Serialize)]
struct Row<'a> {
    part: &'static str,
    split: &'a str,
    questions: usize,
    documents: usize,
    passages: usize,
    at: &'a [RecallAt],
}

/// Whether the place is kept.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Places {
    part: &'static str,
    /// Questions that are asked alike for several places.
    pairs: usize,
    /// Those whose first passage is of the asked place itself.
    first_is_of_place: usize,
    /// Those whose gold section stands first: the right place and the right passage.
    first_is_gold: usize,
    /// The first again, asked from a district that no document is of: those that are led by the region's
    /// passage and name it as the fallback.
    district_names_region: usize,
    /// Questions on a topic that the library does not cover for their place.
    uncovered: usize,
    /// Those led by a passage of a wider place, which is named as the fallback.
    fallback_named: usize,
    /// Those for which nothing is found: the absence is plain.
    nothing_found: usize,
    /// Those led by a passage of the place itself, about something else: left to the relevance threshold.
    other_of_place: usize,
    /// Those led by a passage of another place, with nothing said: must be none.
    silently_elsewhere: usize,
}

/// Takes `documents` in, asks the questions of `file`, prints recall by split and the place test.
pub fn run(
    context: &Context,
    bench: &Bench<'_>,
    file: &Path,
    documents: &Path,
) -> anyhow::Result<()> {
    let set = study::read(file)?;
    let library = bench.library("questions")?;
    bench.take(&library, &read_folder(documents)?)?;
    let splits = Split::ALL.map(Some).into_iter().chain([None]);
    for split in splits {
        recall(context, &library, &set, split)?;
    }
    let places = places(&library, &set)?;
    if context.output.is_json() {
        return Ok(context.output.json(&places)?);
    }
    Ok(context.output.line(&places.to_string())?)
}

fn recall(
    context: &Context,
    library: &Library,
    set: &[StudyQuestion],
    split: Option<Split>,
) -> anyhow::Result<()> {
    let of_split: Vec<&StudyQuestion> = set
        .iter()
        .filter(|question| split.is_none_or(|split| question.split == split))
        .collect();
    let found = study::retrieval(library, &of_split)?;
    let name = split.map_or("all", Split::name);
    let out = context.output;
    if out.is_json() {
        return Ok(out.json(&Row {
            part: "questions",
            split: name,
            questions: found.questions,
            documents: found.documents,
            passages: found.passages,
            at: &found.at,
        })?);
    }
    out.line(&format!(
        "{name}: gold section of {} questions in {} documents, {} passages",
        found.questions, found.documents, found.passages
    ))?;
    for at in &found.at {
        out.line(&format!(
            "  R@{:<2}  with place and crop {:.3} ({:.3} to {:.3})   without {:.3} ({:.3} to {:.3})",
            at.k,
            at.filtered,
            at.filtered_low,
            at.filtered_high,
            at.unfiltered,
            at.unfiltered_low,
            at.unfiltered_high
        ))?;
    }
    Ok(())
}

fn places(library: &Library, set: &[StudyQuestion]) -> anyhow::Result<Places> {
    let mut counted = Places {
        part: "places",
        ..Places::default()
    };
    for question in set {
        let is_pair = question.pair.is_some() && question.kind == Kind::Answerable;
        if !is_pair && question.kind != Kind::NearMissPlace {
            continue;
        }
        let search = |place: Option<Place>| {
            library.search(&Query {
                text: question.question.clone(),
                place,
                crop: question.crop.clone(),
                top_k: 3,
            })
        };
        let found = search(question.place.clone())?;
        if is_pair {
            counted.pair(question, &found);
            let district = question.place.clone().map(|place| Place {
                district: Some(UNKNOWN_DISTRICT.into()),
                ..place
            });
            counted.district(question, &search(district)?);
        } else {
            counted.uncovered(question, &found);
        }
    }
    Ok(counted)
}

impl Places {
    fn pair(&mut self, question: &StudyQuestion, found: &SearchResults) {
        self.pairs += 1;
        let Some(first) = found.hits.first().map(|hit| &hit.passage) else {
            return;
        };
        let is_gold = question
            .gold
            .as_ref()
            .is_some_and(|gold| gold.document == first.document && gold.section == first.section());
        let is_own = question.place.as_ref() == Some(&first.place);
        self.first_is_of_place += usize::from(is_own);
        self.first_is_gold += usize::from(is_gold);
    }

    fn district(&mut self, question: &StudyQuestion, found: &SearchResults) {
        let region = question.place.as_ref();
        let is_named = found
            .fallback
            .as_ref()
            .is_some_and(|fallback| region == Some(&fallback.used));
        let first = found.hits.first().map(|hit| &hit.passage.place);
        self.district_names_region += usize::from(is_named && first == region);
    }

    fn uncovered(&mut self, question: &StudyQuestion, found: &SearchResults) {
        self.uncovered += 1;
        let asked = question.place.clone().unwrap_or_default();
        let count = match found.hits.first() {
            None => &mut self.nothing_found,
            Some(_) if found.fallback.is_some() => &mut self.fallback_named,
            // A place that the question's words name goes before the asker's.
            Some(hit) if hit.passage.place == asked || hit.passage.place == found.place => {
                &mut self.other_of_place
            }
            Some(_) => &mut self.silently_elsewhere,
        };
        *count += 1;
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |count: usize, all: usize| 100.0 * count as f64 / all.max(1) as f64;
        writeln!(
            f,
            "places: of {} questions asked alike for several places the first passage is of the asked place \
             for {} ({:.1} %), and the gold section for {} ({:.1} %)",
            self.pairs,
            self.first_is_of_place,
            share(self.first_is_of_place, self.pairs),
            self.first_is_gold,
            share(self.first_is_gold, self.pairs)
        )?;
        writeln!(
            f,
            "places: asked from a district without documents, {} of the {} are led by the region's passage and name it as the wider place",
            self.district_names_region, self.pairs
        )?;
        write!(
            f,
            "places: of {} questions whose topic the place does not have, {} name the wider place, {} find \
             nothing, {} find the place's own passage on something else, {} are led elsewhere unsaid",
            self.uncovered,
            self.fallback_named,
            self.nothing_found,
            self.other_of_place,
            self.silently_elsewhere
        )
    }
}
