//! `almanac ask`

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::channel::Channel;
use super::{Context, place};
use crate::control::Request;
use crate::types::{Answer, Ask, Status};

/// Arguments of `almanac ask`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The question, in plain words
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    question: Option<String>,
    /// JSON lines, each an ask as over MQTT ("-" reads standard input); answers come as JSON lines
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// Where: `Iowa, US` or `{"country":"US","region":"Iowa"}`; the box's own place when open
    #[arg(long, value_parser = place::parse)]
    place: Option<crate::types::Place>,
    /// The crop it is about
    #[arg(long)]
    crop: Option<String>,
    /// How many passages to answer from, 1 to 10
    #[arg(long)]
    top_k: Option<u8>,
    /// The device whose readings belong to the question
    #[arg(long)]
    device: Option<String>,
}

/// Asks and prints the answer.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    if let Some(batch) = &args.batch {
        return lines(batch)?.try_for_each(|line| {
            let (number, line) = line?;
            let ask: Ask = serde_json::from_str(&line)
                .with_context(|| format!("{}: line {number} is no ask", batch.display()))?;
            let answer = channel.call(&Request::Ask { ask }, &mut |_| {})?;
            Ok(context.output.json(&answer)?)
        });
    }
    let ask = Ask {
        question: args.question.unwrap_or_default(),
        place: args.place,
        crop: args.crop,
        top_k: args.top_k,
        device: args.device,
        stream: context.output.is_terminal(),
        ..Ask::default()
    };
    if context.output.is_json() {
        let answer = channel.call(&Request::Ask { ask }, &mut |_| {})?;
        return Ok(context.output.json(&answer)?);
    }
    let mut streamed = false;
    let answer: Answer = channel.call_as(&Request::Ask { ask }, &mut |part| {
        // A closed pipe shows when the answer is printed.
        streamed |= context.output.words(&part.text).is_ok();
    })?;
    print(context, &answer, streamed)
}

/// The non-empty lines of a file, or of standard input, numbered from 1.
pub(super) fn lines(
    path: &Path,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<(usize, String)>>> {
    let input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(path)
            .with_context(|| format!("{}: cannot be read", path.display()))?;
        Box::new(BufReader::new(file))
    };
    let name = path.display().to_string();
    let numbered = (1..).zip(input.lines());
    Ok(numbered.filter_map(move |(number, line)| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(Ok((number, line))),
        Err(error) => Some(Err(error).with_context(|| format!("{name}: line {number}"))),
    }))
}

fn print(context: &Context, answer: &Answer, streamed: bool) -> anyhow::Result<()> {
    let out = context.output;
    if streamed {
        out.line("\n")?;
    }
    match (&answer.answer, answer.status) {
        (Some(text), _) => out.line(text)?,
        (None, Status::Refused) => out.line("Not in my library.")?,
        (None, _) => out.line(&format!("No answer ({:?}).", answer.status))?,
    }
    if let Some(reason) = &answer.reason {
        out.line(&format!("  {reason}"))?;
    }
    for (number, citation) in (1..).zip(&answer.citations) {
        let page = citation.page.map(|page| format!(", page {page}"));
        out.line(&format!(
            "  [{number}] {}, {}{} ({})",
            citation.title,
            citation.section,
            page.unwrap_or_default(),
            citation.place
        ))?;
        out.line(&format!("      \"{}\"", citation.quote))?;
    }
    for reading in &answer.readings {
        out.line(&format!("  reading: {} {reading}", reading.device))?;
    }
    out.line(&format!("  {} ms", answer.timing_ms.total))?;
    Ok(())
}
