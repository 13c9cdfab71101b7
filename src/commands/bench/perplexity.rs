//! How well the imported decoder predicts a text: what an import or a precision costs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::json;

use super::models::folder;
use crate::commands::Context;
use crate::durable;
use crate::model::folder::Kind;
use crate::model::measure::{Score, likelihood, scores};
use crate::model::{Generator as _, Runtime, TextGenerator};

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
    /// Write the tokens with their scores here, so that other programs can score the same ones
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
}

/// The tokens of a text and what was thought of each; nothing of the first of each window.
#[derive(Serialize)]
struct Scored<'a> {
    program: String,
    window: usize,
    tokens: &'a [i64],
    nll: Vec<Option<f64>>,
    choice: Vec<Option<i64>>,
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
    let found = scores(&mut generator, &tokens, WINDOW, None)?;
    if let Some(path) = &args.scores {
        let scored = Scored {
            program: generator.name().to_owned(),
            window: WINDOW,
            tokens: &tokens,
            nll: each(&found, |score| score.nll),
            choice: each(&found, |score| score.choice),
        };
        durable::replace(path, &serde_json::to_vec(&scored)?)?;
    }
    let measured = likelihood(&found);
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

fn each<T>(scores: &[Option<Score>], of: impl Fn(&Score) -> T) -> Vec<Option<T>> {
    let scores = scores.iter();
    scores.map(|score| score.as_ref().map(&of)).collect()
}
