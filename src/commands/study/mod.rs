//! `almanac study`: checks a question set, and measures answers on it.

mod check;
mod generate;

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use super::Context;
use super::progress::Meter;
use crate::answer::Answerer;
use crate::control::Progress;
use crate::service::Rooms;
use crate::study::{self, Report, Scored, StudyQuestion};

/// The question set and what it rests on.
#[derive(Debug, clap::Args)]
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

/// Arguments of `almanac study`; without a part it asks every question.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Count a question set and hold it against its documents; fails on a fault
    Check(check::Args),
    /// Ask every question of every arm and keep the answers; goes on where it was cut
    Generate(generate::Args),
}

/// Arguments of asking.
#[derive(Debug, clap::Args)]
struct AskArgs {
    #[command(flatten)]
    files: Files,
    /// Only find the relevance under which to refuse, on the development part; nothing is generated
    #[arg(long)]
    calibrate: bool,
    /// Also print every question with what came of it
    #[arg(long)]
    rows: bool,
}

/// One run, as `--json` prints it.
#[derive(Serialize)]
struct Run<'a> {
    guard: bool,
    report: &'a Report,
}

/// Checks the set, or asks every question with the guard on and off and prints both tables.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    match &args.part {
        Some(Part::Check(args)) => return check::run(context, args),
        Some(Part::Generate(args)) => return generate::run(context, args),
        None => {}
    }
    let args = args.ask;
    let set = study::read(&args.files.questions)?;
    let answerer = Rooms::open(&context.config)?.answerer()?;
    if args.calibrate {
        return calibrate(context, &answerer, &set);
    }
    let (guarded, answerer) = ask_all(answerer, &set, true);
    let (raw, _) = ask_all(answerer, &set, false);
    for (guard, report) in [(true, &guarded), (false, &raw)] {
        if context.output.is_json() {
            context.output.json(&Run { guard, report })?;
            continue;
        }
        let word = if guard { "on" } else { "off" };
        context.output.line(&format!("guard {word}\n{report}"))?;
        if args.rows {
            for row in &report.rows {
                context.output.line(&format!(
                    "{:6} {:?} {}/{} {}",
                    row.id, row.status, row.facts_right, row.facts, row.text
                ))?;
            }
        }
    }
    Ok(())
}

fn ask_all(answerer: Answerer, set: &[StudyQuestion], guard: bool) -> (Report, Answerer) {
    let mut parts = answerer.into_parts();
    parts.config.guard = guard;
    let mut answerer = Answerer::new(parts);
    let mut meter = Meter::new();
    let mut done = 0;
    let report = study::run(set, &mut |question| {
        done += 1;
        meter.show(&Progress {
            text: question.text.clone(),
            done,
            total: set.len() as u64,
        });
        answerer.answer(question, &[], &mut |_| ControlFlow::Continue(()))
    });
    meter.finish();
    (report, answerer)
}

fn calibrate(context: &Context, answerer: &Answerer, set: &[StudyQuestion]) -> anyhow::Result<()> {
    let score = |question: &StudyQuestion| {
        let judgement = answerer.judge(&question.ask())?;
        anyhow::Ok(Scored {
            split: question.split,
            kind: question.kind,
            relevance: judgement.relevance,
        })
    };
    let scored = set.iter().map(score).collect::<Result<Vec<_>, _>>()?;
    let found = study::calibrate(&scored).context(
        "the development part has no questions of one sort: it needs both, answerable and not",
    )?;
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    context.output.line(&format!(
        "[answer]\nrefuse_below = {:.3}  # refuses {:.0} % of the answerable and {:.0} % of the other development questions",
        found.refuse_below,
        100.0 * found.answerable_refused,
        100.0 * found.others_refused
    ))?;
    Ok(())
}
