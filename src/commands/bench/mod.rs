//! `almanac bench`: times parts of the machine.

mod extraction;
mod models;
mod perplexity;

use super::Context;
use crate::library::measure_dense;

/// Length of the vectors that are searched: that of the default embedder.
const DIMENSION: usize = 384;

/// Arguments of `almanac bench`; without a part it times the models.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    models: models::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// The exact scan against the hora graph
    Dense {
        /// Passages; 10,000 take the graph minutes to build
        #[arg(long, default_value_t = 1_000)]
        passages: usize,
    },
    /// How well PDFs are read, against their publishers' XML
    Extraction(extraction::Args),
    /// How well the decoder predicts a text
    Perplexity(perplexity::Args),
}

/// Times and prints.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    match &args.part {
        None => models::run(&context.config, context.output.is_json(), &args.models),
        Some(Part::Dense { passages }) => dense(context, *passages),
        Some(Part::Extraction(args)) => extraction::run(context.output, args),
        Some(Part::Perplexity(args)) => perplexity::run(context, args),
    }
}

fn dense(context: &Context, passages: usize) -> anyhow::Result<()> {
    let found = measure_dense(passages, DIMENSION)?;
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    Ok(context.output.line(&format!(
        "{passages} passages: scan {:.2} ms, graph {:.2} ms at recall@10 {:.3}, built in {:.1} s",
        found.probe.exact_us / 1_000.0,
        found.probe.graph_us / 1_000.0,
        found.probe.recall_at_10,
        found.build_s
    ))?)
}
