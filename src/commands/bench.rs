//! `almanac bench`

use std::time::Duration;

use serde_json::json;

use super::Context;
use crate::library::measure_dense;
use crate::model::measure::speed;
use crate::service::Rooms;

/// Arguments of `almanac bench`; without a part, all of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Part {
    /// The exact scan against the hora graph
    Dense {
        /// Passages
        #[arg(long, default_value_t = 1_000)]
        passages: usize,
    },
    /// Writing: tokens a second after a prompt
    Generate {
        /// Tokens written
        #[arg(long, default_value_t = 64)]
        tokens: usize,
    },
    /// Reading: time to the first token of a prompt
    Prompt {
        /// Tokens read
        #[arg(long, default_value_t = 700)]
        tokens: usize,
    },
}

/// Times the parts and prints a line for each.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let all = [
        Part::Dense { passages: 1_000 },
        Part::Prompt { tokens: 700 },
        Part::Generate { tokens: 64 },
    ];
    match args.part {
        Some(part) => measure(context, part),
        None => all.into_iter().try_for_each(|part| measure(context, part)),
    }
}

fn measure(context: &Context, part: Part) -> anyhow::Result<()> {
    match part {
        Part::Dense { passages } => dense(context, passages),
        Part::Generate { tokens } => decoder(context, (64, tokens), "generate"),
        Part::Prompt { tokens } => decoder(context, (tokens, 1), "prompt"),
    }
}

fn dense(context: &Context, passages: usize) -> anyhow::Result<()> {
    let found = measure_dense(passages, 384)?;
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    Ok(context.output.line(&format!(
        "dense     {passages} passages: scan {:.2} ms, graph {:.2} ms at recall@10 {:.3}, built in {:.1} s",
        found.probe.exact_us / 1_000.0,
        found.probe.graph_us / 1_000.0,
        found.probe.recall_at_10,
        found.build_s
    ))?)
}

fn decoder(context: &Context, (prompt, tokens): (usize, usize), name: &str) -> anyhow::Result<()> {
    let mut generator = Rooms::open(&context.config)?.generator()?;
    let speed = speed(&mut generator, prompt, tokens, 5)?;
    let (read, wrote) = (median(speed.prompt), median(speed.decode));
    if context.output.is_json() {
        let (read, wrote) = (read.as_secs_f64(), wrote.as_secs_f64());
        return Ok(context.output.json(&json!({
            "bench": name, "prompt_tokens": prompt, "prompt_s": read, "tokens": tokens, "decode_s": wrote,
        }))?);
    }
    let (what, count, took) = match name {
        "prompt" => ("read", prompt, read),
        _ => ("written", tokens, wrote),
    };
    #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
    let rate = count as f64 / took.as_secs_f64();
    Ok(context.output.line(&format!(
        "{name:9} {count} tokens {what} in {:.0} ms, {rate:.0} a second (median of 5)",
        1_000.0 * took.as_secs_f64()
    ))?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
