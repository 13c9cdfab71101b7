//! `almanac bench`: times parts of the machine.

mod adapter;
mod at_once;
mod extraction;
mod figure;
mod generate;
mod memory;
mod models;
mod parity;
mod perplexity;
mod resident;
mod retrieval;

use super::Context;
use crate::library::{Comparison, clustered_vectors, measure_dense};

/// Length of the vectors that are searched: that of the default embedder.
const DIMENSION: usize = 384;

/// Vectors that are searched for, and the seed of all: two runs measure the same.
const QUERIES: usize = 100;
const SEED: u64 = 20_260_101;

/// Arguments of `almanac bench`; without a part it times the models.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    decoding: generate::Decoding,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// What an adapter costs: active, at a switch, and when there is none
    Adapter(adapter::Args),
    /// The exact scan, the quantised scan and the hora graph over clustered vectors
    Dense {
        /// Number of vectors
        #[arg(long, default_value_t = 1_000)]
        passages: usize,
        /// Also build the graph: minutes for 10,000 vectors
        #[arg(long)]
        graph: bool,
    },
    /// How well PDFs are read, against their publishers' XML
    Extraction(extraction::Args),
    /// How fast the decoder reads, writes and answers
    Generate(generate::Args),
    /// Write what the decoder computes, for a comparison with another processor
    Logits(parity::WriteArgs),
    /// What models and a library keep resident
    Memory(resident::Args),
    /// Compare what was computed on two processors, or with two graphs
    Parity(parity::CompareArgs),
    /// How well the decoder predicts a text
    Perplexity(perplexity::Args),
    /// What the search finds: public sets, gold sections, places
    Retrieval(retrieval::Args),
}

/// Times and prints.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.part {
        None => models::run(&context.config, context.output.is_json(), &args.decoding),
        Some(Part::Adapter(args)) => adapter::run(context, args),
        Some(Part::Extraction(args)) => extraction::run(context.output, args),
        Some(Part::Dense { passages, graph }) => dense(context, *passages, *graph),
        Some(Part::Generate(args)) => generate::run(context, args),
        Some(Part::Logits(args)) => parity::write(context, args),
        Some(Part::Memory(args)) => resident::run(context, args),
        Some(Part::Parity(args)) => parity::compare(context, args),
        Some(Part::Perplexity(args)) => perplexity::run(context, args),
        Some(Part::Retrieval(args)) => retrieval::run(context, args),
    }
}

fn dense(context: &Context, passages: usize, graph: bool) -> anyhow::Result<()> {
    let all = clustered_vectors(passages + QUERIES, DIMENSION, SEED);
    let stored = all.slice(ndarray::s![..passages, ..]).to_owned();
    let queries = all.slice(ndarray::s![passages.., ..]).to_owned();
    let found = measure_dense(stored, &queries, graph)?;
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    let way = |name: &str, one: &Comparison| {
        format!(
            "{passages} passages: {name} {:.2} ms (p99 {:.2}), {:.2} x the exact scan, recall@10 {:.3}",
            one.own_us / 1_000.0,
            one.own_p99_us / 1_000.0,
            one.own_us / one.exact_us,
            one.recall_at_10,
        )
    };
    context.output.line(&way("int8 scan", &found.scan))?;
    if let Some(graph) = &found.graph {
        let line = way("graph", &graph.search);
        context
            .output
            .line(&format!("{line}, built in {:.1} s", graph.build_s))?;
    }
    Ok(())
}
