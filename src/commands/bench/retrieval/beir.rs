//! nDCG and recall on a BEIR-style set, our search beside the plain ones.

use std::path::Path;

use serde::Serialize;

use super::{Bench, name_of, read};
use crate::commands::Context;
use crate::config::SearchConfig;
use crate::library::{Hit, Library, Plain, Query};
use crate::study::{self, BeirSet, DEPTHS, RankingMeasure};

/// Passages asked for: enough for ten documents of a few passages each, and few enough that our own
/// search takes its candidates as it does for an answer.
const PASSAGES: usize = 40;

/// One way of searching, measured.
#[derive(Debug, Serialize)]
struct Row<'a> {
    part: &'static str,
    set: &'a str,
    way: &'static str,
    documents: usize,
    passages: usize,
    #[serde(flatten)]
    measure: RankingMeasure,
}

/// How documents are found.
#[derive(Clone, Copy)]
enum Way {
    Plain(Plain),
    /// Our own, with this dense weight; `None`: as configured.
    Ours(Option<f32>),
}

const WAYS: [(&str, Way); 4] = [
    ("plain BM25", Way::Plain(Plain::Words)),
    ("plain embedder", Way::Plain(Plain::Meaning)),
    ("ours, words only", Way::Ours(Some(0.0))),
    ("ours, fused", Way::Ours(None)),
];

/// Takes the set in `folder` in, asks it every way, prints a row each.
pub fn run(context: &Context, bench: &Bench<'_>, folder: &Path) -> anyhow::Result<()> {
    let set = study::read_beir(folder)?;
    let name = name_of(folder);
    let library = bench.library(&format!("beir-{name}"))?;
    bench.take(&library, &read(&set.corpus, &name)?)?;
    let out = context.output;
    if !out.is_json() {
        let stats = library.stats();
        out.line(&format!(
            "{name}: {} questions, {} documents, {} passages",
            set.questions.len(),
            stats.documents,
            stats.passages
        ))?;
        let depths: Vec<String> = DEPTHS.iter().map(|k| format!("   R@{k:<2}")).collect();
        out.line(&format!(
            "  {:<18} nDCG@10 (95 %)        {}",
            "",
            depths.concat()
        ))?;
    }
    for (name_of_way, way) in WAYS {
        let measure = measure(bench, &library, &set, way)?;
        if out.is_json() {
            let stats = library.stats();
            out.json(&Row {
                part: "beir",
                set: &name,
                way: name_of_way,
                documents: stats.documents,
                passages: stats.passages,
                measure,
            })?;
            continue;
        }
        let recall: Vec<String> = measure.recall.iter().map(|r| format!("  {r:.3}")).collect();
        out.line(&format!(
            "  {name_of_way:<18} {:.3} ({:.3} to {:.3}) {}",
            measure.ndcg_at_10,
            measure.ndcg_low,
            measure.ndcg_high,
            recall.concat()
        ))?;
    }
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    library: &Library,
    set: &BeirSet,
    way: Way,
) -> anyhow::Result<RankingMeasure> {
    let mut ranked = Vec::with_capacity(set.questions.len());
    for (text, judged) in &set.questions {
        let found = match way {
            Way::Plain(half) => {
                let found = library.plain(text, half, PASSAGES)?;
                unique(
                    found
                        .into_iter()
                        .map(|(passage, _)| passage.document.clone()),
                )
            }
            Way::Ours(weight) => {
                let search = &bench.config.search;
                let config = SearchConfig {
                    dense_weight: weight.unwrap_or(search.dense_weight),
                    ..search.clone()
                };
                documents(library, text, &config)?
            }
        };
        ranked.push((found, judged));
    }
    Ok(study::judge_rankings(&ranked))
}

/// Documents in the order of their best passages; those that say the same follow the one that was kept.
pub fn documents(
    library: &Library,
    text: &str,
    config: &SearchConfig,
) -> anyhow::Result<Vec<String>> {
    let query = Query {
        text: text.to_owned(),
        top_k: PASSAGES,
        ..Query::default()
    };
    let found = library.search_with(&query, config)?;
    let ids = |hit: Hit| std::iter::once(hit.passage.document.clone()).chain(hit.also);
    Ok(unique(found.hits.into_iter().flat_map(ids)))
}

fn unique(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for id in ids {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}
