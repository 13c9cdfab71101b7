//! How well the imported decoder predicts a text: what an import or a precision costs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::models::folder;
use crate::commands::Context;
use crate::model::folder::Kind;
use crate::model::measure::perplexity;
use crate::model::{Runtime, TextGenerator};

/// Tokens of a window: each is scored from an empty cache.
const WINDOW: usize = 512;

/// Arguments of `almanac bench perplexity`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Text to score
    file: PathBuf,
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Tokens scored at most, from the start of the text
    #[arg(long, default_value_t = 20_480)]
    tokens: usize,
}

/// Scores and prints; blocking, for a minute.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = &context.config;
    let text = fs::read_to_string(&args.file)
        .with_context(|| format!("{}: cannot read the text", args.file.display()))?;
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    let folder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let mut generator = TextGenerator::open(&runtime, &folder, WINDOW)?;
    let mut tokens = generator.vocabulary().encode(&text, false)?;
    tokens.truncate(args.tokens);
    ensure!(
        tokens.len() > 1,
        "the text has fewer than two tokens\nhint: take a longer one"
    );
    let measured = perplexity(&mut generator, &tokens, WINDOW, None)?;
    let found = measured.perplexity();
    if context.output.is_json() {
        let row = json!({"perplexity": found, "scored": measured.scored, "window": WINDOW});
        return Ok(context.output.json(&row)?);
    }
    Ok(context.output.line(&format!(
        "perplexity {found:.3} over {} tokens in windows of {WINDOW}",
        measured.scored
    ))?)
}
