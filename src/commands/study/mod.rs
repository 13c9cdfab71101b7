//! `almanac study`: checks a question set, and measures answers on it.

mod check;
mod generate;
mod lessons;
mod score;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Context;
use crate::durable;
use crate::service::Rooms;
use crate::study::{self, Scored, Split, StudyQuestion};

/// The question set and what it rests on.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Files {
    /// Questions with their key facts, JSON lines
    #[arg(
        long,
        value_name = "FILE",
        default_value = "examples/farm/questions.jsonl"
    )]
    pub questions: PathBuf,
    /// The documents that the questions are about, as they were ingested
    #[arg(long, value_name = "FOLDER", default_value = "examples/farm/documents")]
    pub documents: PathBuf,
}

/// Arguments of `almanac study`; without a part it asks, measures and tells.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    whole: Whole,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Count a question set and hold it against its documents; fails on a fault
    Check(check::Args),
    /// Ask every question of every arm and keep the answers; goes on where it was cut
    Generate(generate::Args),
    /// Write the prompts of a part with the answers to learn, for `make train`
    Lessons(lessons::Args),
    /// Measure kept answers, and tell the figures with their intervals
    Score(score::Args),
}

/// Arguments of the whole study.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Whole {
    #[command(flatten)]
    ask: generate::Args,
    #[command(flatten)]
    tell: score::Tell,
    /// Only find the relevance under which to refuse, on the parts that are not for testing; nothing is generated
    #[arg(long)]
    calibrate: bool,
}

/// Checks a set, or asks, measures and tells.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    match &args.part {
        Some(Part::Check(args)) => return check::run(context, args),
        Some(Part::Generate(args)) => return generate::run(context, args),
        Some(Part::Lessons(args)) => return lessons::run(context, args),
        Some(Part::Score(args)) => return score::run(context, args),
        None => {}
    }
    let Whole {
        ask,
        tell,
        calibrate: only_calibrate,
    } = &args.whole;
    let set = study::read(&ask.files.questions)?;
    let rooms = Rooms::open(&context.config)?;
    if *only_calibrate {
        return calibrate(context, &rooms, &set, tell.scores.as_deref());
    }
    let answers = generate::ask(context, ask, &set, &rooms)?;
    score::tell(context, tell, &ask.files, &set, (&answers, &rooms))
}

fn calibrate(
    context: &Context,
    rooms: &Rooms,
    set: &[StudyQuestion],
    lines: Option<&Path>,
) -> anyhow::Result<()> {
    let answerer = rooms.answerer()?;
    let mut scored = Vec::new();
    let mut text = Vec::new();
    for question in set.iter().filter(|one| one.split != Split::Test) {
        let judgement = answerer.judge(&question.ask())?;
        let line = serde_json::json!({
            "id": question.id, "split": question.split, "group": question.group,
            "kind": question.kind, "relevance": judgement.relevance,
            "features": judgement.features, "quote": judgement.quote,
        });
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
        scored.push(Scored {
            split: question.split,
            kind: question.kind,
            relevance: judgement.relevance,
        });
    }
    if let Some(path) = lines {
        durable::replace(path, &text)?;
    }
    let found = study::calibrate(&scored).context(
        "the parts that are not for testing have no questions of one sort: both are needed, answerable and not",
    )?;
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    context.output.line(&format!(
        "[answer]\nrefuse_below = {:.3}  # refuses {:.0} % of the answerable and {:.0} % of the others (training and development parts)",
        found.refuse_below,
        100.0 * found.answerable_refused,
        100.0 * found.others_refused
    ))?;
    Ok(())
}
