//! `almanac study check`

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};

use super::Files;
use crate::commands::Context;
use crate::durable;
use crate::study::{self, Corpus};
use crate::types::Digest;

/// Arguments of `almanac study check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// File with the SHA-256 of the frozen test part; compared where it is there
    #[arg(long, value_name = "FILE", default_value = HASH_FILE)]
    expect_test_hash: PathBuf,
    /// Freeze the test part: write its SHA-256 to that file instead of comparing
    #[arg(long)]
    freeze: bool,
}

/// Where the hash of the frozen test part stands.
pub const HASH_FILE: &str = "docs/study/test.sha256";

/// Counts and checks the set; one line a fault.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let set = study::read(&args.files.questions)?;
    let corpus = Corpus::read(&args.files.documents)?;
    let report = study::check(&set, &corpus);
    if context.output.is_json() {
        context.output.json(&report)?;
    } else {
        context.output.line(&report.to_string())?;
        for fault in &report.faults {
            context.output.line(&format!("fault: {fault}"))?;
        }
    }
    if !report.faults.is_empty() {
        bail!(
            "{}: {} faults in {} questions",
            args.files.questions.display(),
            report.faults.len(),
            set.len()
        );
    }
    if args.freeze {
        return freeze(&args.expect_test_hash, report.test_sha256);
    }
    compare(&args.expect_test_hash, report.test_sha256)
}

fn freeze(path: &Path, digest: Digest) -> anyhow::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        durable::create_folder(folder)?;
    }
    Ok(durable::replace(
        path,
        format!("{digest}  test\n").as_bytes(),
    )?)
}

/// Fails when `path` is there and names another digest than `found`.
pub fn compare(path: &Path, found: Digest) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    let expected = text.split_whitespace().next().unwrap_or_default();
    let expected = Digest::from_str(expected)
        .with_context(|| format!("{}: it begins with no SHA-256", path.display()))?;
    if expected != found {
        bail!(
            "the test part has changed since it was frozen: {found}, {} has {expected}; restore it, or \
             freeze it anew before anything is tuned or measured (`almanac study check --freeze`)",
            path.display()
        );
    }
    Ok(())
}
