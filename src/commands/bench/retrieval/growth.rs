//! Whether what was found is still found when the library grows: the counterpart of the paper's Table 17.

use std::path::Path;

use serde::Serialize;

use super::{Args, Bench, beir, corpus, name_of, read, read_folder};
use crate::commands::Context;
use crate::documents::Document;
use crate::library::Library;
use crate::study::{self, BeirSet, SEED, StudyQuestion, judge_rankings};
use crate::types::Random;

/// How many times its first number of passages the library has, as in the paper.
const FACTORS: [f64; 5] = [1.0, 1.5, 2.2, 4.3, 6.8];

/// Copies of each document of the question set for other places.
const TWINS: usize = 2;

/// The depth that is told: the third of [`study::DEPTHS`].
const DEPTH: usize = 3;

/// One size of the library.
#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    factor: f64,
    documents: usize,
    passages: usize,
    /// Passages of twins for other places, and of other texts, among them.
    twin_passages: usize,
    other_passages: usize,
    /// Recall at 3 of the question set's gold sections, with place and crop.
    with_place: f64,
    /// The same without place and crop.
    without_place: f64,
    /// Recall at 3 of the BEIR set's documents; its questions have no place.
    set: Option<f64>,
}

/// What is asked at each size.
struct Asked<'a> {
    questions: Vec<&'a StudyQuestion>,
    set: Option<BeirSet>,
}

/// Takes the gold documents in, then distractors in shuffled order; measures at each factor.
pub fn run(context: &Context, bench: &Bench<'_>, args: &Args, file: &Path) -> anyhow::Result<()> {
    let questions = study::read(file)?;
    let folder = args.farm_documents()?;
    let mut gold = read_folder(&folder)?;
    let mut set = None;
    if let Some(folder) = args.beir.first() {
        let read_set = study::read_beir(folder)?;
        gold.extend(read(&read_set.corpus, &name_of(folder))?);
        set = Some(read_set);
    }
    let asked = Asked {
        questions: questions.iter().collect(),
        set,
    };
    let library = bench.library("growth")?;
    bench.take(&library, &gold)?;
    let base = library.stats().passages;
    let mut rest = distractors(args, &folder)?.into_iter();
    let out = context.output;
    if !out.is_json() {
        out.line("recall@3       passages (twins, others)   questions: with place  without   set")?;
    }
    let (mut twins, mut others) = (0, 0);
    for factor in FACTORS {
        let mut wanted = (base as f64 * factor) as usize - base;
        wanted = wanted.saturating_sub(twins + others);
        let mut chosen = Vec::new();
        while wanted > 0 {
            let Some(document) = rest.next() else { break };
            let passages = library.cut_passages(&document).len();
            let count = match document.id.starts_with("twin/") {
                true => &mut twins,
                false => &mut others,
            };
            *count += passages;
            wanted = wanted.saturating_sub(passages);
            chosen.push(document);
        }
        bench.take(&library, &chosen)?;
        let row = measure(bench, &library, &asked, (factor, twins, others))?;
        match out.is_json() {
            true => out.json(&row)?,
            false => out.line(&row.to_string())?,
        }
    }
    Ok(())
}

/// Other texts on farming and twins for other places, in an order that is the same in every run.
fn distractors(args: &Args, folder: &Path) -> anyhow::Result<Vec<Document>> {
    let mut found = corpus::twins(folder, TWINS)?;
    for folder in &args.data {
        let (documents, failed) = corpus::read_any(folder)?;
        if failed > 0 {
            eprintln!("{}: {failed} files could not be read", folder.display());
        }
        found.extend(documents);
    }
    let mut random = Random::new(SEED);
    for last in (1..found.len()).rev() {
        found.swap(last, random.below(last + 1));
    }
    Ok(found)
}

fn measure(
    bench: &Bench<'_>,
    library: &Library,
    asked: &Asked<'_>,
    (factor, twins, others): (f64, usize, usize),
) -> anyhow::Result<Row> {
    let found = study::retrieval(library, &asked.questions)?;
    let at = found.at.iter().find(|at| at.k == DEPTH);
    let mut of_set = None;
    if let Some(set) = &asked.set {
        let mut ranked = Vec::with_capacity(set.questions.len());
        for (text, judged) in &set.questions {
            ranked.push((
                beir::documents(library, text, &bench.config.search)?,
                judged,
            ));
        }
        let measure = judge_rankings(&ranked);
        let depth = study::DEPTHS.iter().position(|k| *k == DEPTH);
        of_set = depth.and_then(|depth| measure.recall.get(depth).copied());
    }
    Ok(Row {
        part: "growth",
        factor,
        documents: found.documents,
        passages: found.passages,
        twin_passages: twins,
        other_passages: others,
        with_place: at.map_or(0.0, |at| at.filtered),
        without_place: at.map_or(0.0, |at| at.unfiltered),
        set: of_set,
    })
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let twins = format!("({}, {})", self.twin_passages, self.other_passages);
        let set = self
            .set
            .map_or_else(|| "-".into(), |set| format!("{set:.3}"));
        write!(
            f,
            "  {:>3} fold {:>10} {twins:>17} {:>22.3} {:>8.3} {set:>7}",
            self.factor, self.passages, self.with_place, self.without_place
        )
    }
}
