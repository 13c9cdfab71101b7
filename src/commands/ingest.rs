//! `almanac ingest`

use std::path::PathBuf;

use anyhow::Context as _;

use super::Context;
use super::channel::Channel;
use super::progress::Meter;
use crate::control::Request;
use crate::service::IngestReport;

/// Arguments of `almanac ingest`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders with documents
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Remove documents that are no longer under these paths
    #[arg(long)]
    sync: bool,
}

/// Reads the documents in and prints what changed.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let absolute = |path: &PathBuf| {
        std::fs::canonicalize(path).with_context(|| format!("{}: cannot be read", path.display()))
    };
    let request = Request::Ingest {
        paths: args.paths.iter().map(absolute).collect::<Result<_, _>>()?,
        sync: args.sync,
    };
    let mut channel = Channel::open(&context.config)?;
    let mut meter = Meter::new();
    let result = channel.call(&request, &mut |progress| meter.show(progress));
    meter.finish();
    let result = result?;
    if context.output.is_json() {
        context.output.json(&result)?;
    }
    let report: IngestReport = serde_json::from_value(result)?;
    if !context.output.is_json() {
        context.output.line(&report.to_string())?;
    }
    for problem in &report.problems {
        eprintln!("warning: {problem}");
    }
    if report.problems.is_empty() {
        Ok(())
    } else {
        anyhow::bail!("{} files could not be read in", report.problems.len())
    }
}
