//! `almanac models import-adapter`: a PEFT folder becomes an adapter of the box's decoder.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::Setting;
use crate::service;

/// Arguments of `almanac models import-adapter`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that PEFT saved: adapter_config.json and adapter_model.safetensors
    folder: PathBuf,
    /// What questions and `model.adapter` call it
    #[arg(long)]
    name: String,
}

pub fn run(setting: &Setting, args: &Args) -> anyhow::Result<()> {
    let path = service::adopt_adapter(setting.state, &args.name, &args.folder)
        .with_context(|| format!("{} was not imported", args.folder.display()))?;
    let (name, shown) = (&args.name, path.display());
    setting.say(
        &format!("{name}: imported, {shown}; a running daemon takes it with its next start"),
        json!({"name": name, "path": path}),
    );
    Ok(())
}
