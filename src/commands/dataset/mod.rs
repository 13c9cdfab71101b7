//! `almanac dataset`

mod build;
mod check;

use std::path::PathBuf;

use super::Context;
use crate::study::{self, Split, StudyQuestion};

/// Arguments of `almanac dataset`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make questions and answers from documents, measure them, and keep the good ones
    Build(Box<build::Args>),
    /// Read a data set again and hold every pair against its passage
    Check(check::Args),
}

/// Questions that must not be learnt.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct HeldOutArgs {
    /// A study's question set: what it asks, and its documents, are kept out
    #[arg(long, value_name = "QUESTIONS")]
    held_out: Option<PathBuf>,
    /// Parts of the set that are kept out
    #[arg(long, value_name = "SPLIT,...", value_delimiter = ',', default_value = "test,dev", value_parser = split)]
    split: Vec<Split>,
}

impl HeldOutArgs {
    fn set(&self) -> anyhow::Result<Vec<StudyQuestion>> {
        Ok(match &self.held_out {
            Some(path) => study::read(path)?,
            None => Vec::new(),
        })
    }
}

fn split(text: &str) -> Result<Split, String> {
    let found = Split::ALL.into_iter().find(|split| split.name() == text);
    found.ok_or_else(|| format!("{text:?} is no part of a set; write train, dev or test"))
}

/// Builds or checks a data set.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    match args.what {
        What::Build(args) => build::run(context, &args),
        What::Check(args) => check::run(context, &args),
    }
}
