//! `almanac dataset check`

use std::path::PathBuf;

use super::HeldOutArgs;
use crate::commands::Context;
use crate::dataset::{self, HeldOut};

/// Arguments of `almanac dataset check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data set
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    held_out: HeldOutArgs,
}

/// Prints what the data set holds; fails on a fault.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let set = args.held_out.set()?;
    // Compared by words alone: a check needs no model.
    let held = HeldOut::new(&set, &args.held_out.split, &mut |_| anyhow::Ok(None))?;
    let report = dataset::check(&args.file, &held)?;
    match context.output.is_json() {
        true => context.output.json(&report)?,
        false => context.output.line(&report.to_string())?,
    }
    match report.faults {
        0 => Ok(()),
        faults => anyhow::bail!("{}: {faults} faults", args.file.display()),
    }
}
