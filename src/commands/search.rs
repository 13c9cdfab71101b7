//! `almanac search`

use std::path::PathBuf;

use anyhow::Context as _;

use super::channel::Channel;
use super::{Context, ask, place};
use crate::control::{Request, SearchQuery};
use crate::service::SearchLine;
use crate::types::Place;

/// Arguments of `almanac search`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is looked for
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    question: Option<String>,
    /// JSON lines {"id","question","place"?,"crop"?} or BEIR queries {"_id","text"} ("-" reads standard input);
    /// results come as JSON lines
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// How many passages a question, at most 1000
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Where: `Iowa, US`, or `{}` for everywhere; the box's own place when open
    #[arg(long, value_parser = place::parse)]
    place: Option<Place>,
    /// The crop it is about
    #[arg(long)]
    crop: Option<String>,
}

/// Searches and prints the passages, best first.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    if let Some(batch) = &args.batch {
        return ask::lines(batch)?.try_for_each(|line| {
            let (number, line) = line?;
            let mut query: SearchQuery = serde_json::from_str(&line)
                .with_context(|| format!("{}: line {number} is no question", batch.display()))?;
            query.top_k = query.top_k.or(args.top_k);
            query.place = query.place.or_else(|| args.place.clone());
            query.crop = query.crop.or_else(|| args.crop.clone());
            let found = channel.call(&Request::Search { query }, &mut |_| {})?;
            Ok(context.output.json(&found)?)
        });
    }
    let query = SearchQuery {
        id: None,
        question: args.question.unwrap_or_default(),
        place: args.place,
        crop: args.crop,
        top_k: args.top_k,
    };
    let request = Request::Search { query };
    if context.output.is_json() {
        let found = channel.call(&request, &mut |_| {})?;
        return Ok(context.output.json(&found)?);
    }
    let found: SearchLine = channel.call_as(&request, &mut |_| {})?;
    if found.results.is_empty() {
        context.output.line("nothing found")?;
    }
    for hit in &found.results {
        context.output.line(&format!(
            "{:.3}  {} > {} ({})",
            hit.score, hit.document, hit.section, hit.place
        ))?;
        context
            .output
            .line(&format!("       {}", hit.text.replace('\n', "\n       ")))?;
    }
    Ok(())
}
