//! On a box: what there is, and changing it.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::super::Context;
use super::super::channel::Channel;
use super::super::progress::Meter;
use crate::control::{Client, Fault, FaultCode, Progress, Request};
use crate::edition::{Manifest, Phase, Told};
use crate::service::{EditionReport, Editions, probe as ask_golden};

pub fn status(context: &Context) -> anyhow::Result<()> {
    let report = report(context)?;
    let out = context.output;
    let manifest = report
        .current()
        .context("there is no edition yet; run `almanac models fetch` and `almanac ingest`")?;
    if out.is_json() {
        // Manifest first, for those who look for it; the last update beside it.
        let mut value = serde_json::to_value(manifest)?;
        value["last_update"] = serde_json::to_value(&report.last)?;
        return Ok(out.json(&value)?);
    }
    out.line(&format!("edition {} ({})", manifest.serial, manifest.name))?;
    if let Some(run) = &report.last {
        let why = match run.why.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        out.line(&format!(
            "last update: edition {}, {}{why}",
            run.serial, run.phase
        ))?;
    }
    files_and_questions(context, manifest)
}

pub fn list(context: &Context) -> anyhow::Result<()> {
    let report = report(context)?;
    let out = context.output;
    for manifest in &report.editions {
        let mark = match Some(manifest.serial) == report.current {
            true => "*",
            false => " ",
        };
        if out.is_json() {
            out.json(manifest)?;
        } else {
            out.line(&format!("{mark} {:>4}  {}", manifest.serial, manifest.name))?;
        }
    }
    Ok(())
}

/// Prints the parts of `manifest`.
pub fn files_and_questions(context: &Context, manifest: &Manifest) -> anyhow::Result<()> {
    let out = context.output;
    for file in &manifest.files {
        let role = format!("{:?}", file.role).to_lowercase();
        out.line(&format!("  {role:9} {}", file.path.display()))?;
    }
    for golden in &manifest.golden {
        out.line(&format!("  golden    {}", golden.question))?;
    }
    Ok(())
}

pub fn install(context: &Context, path: &Path, allow_downgrade: bool) -> anyhow::Result<()> {
    alone(context)?;
    let mut meter = Meter::new();
    let mut editions = Editions::new(&context.config, &context.again);
    let installed = editions.install(path, allow_downgrade, &mut |told| show(&mut meter, told));
    meter.finish();
    let (accepted, run) = installed?;
    let out = context.output;
    if accepted.stale {
        eprintln!(
            "warning: edition {} expired; ask for a newer one",
            run.serial
        );
    }
    if out.is_json() {
        out.json(&run)?;
    }
    match run.phase {
        Phase::Current => {
            if !out.is_json() {
                out.line(&format!(
                    "edition {} ({}) is current; signed by {}",
                    run.serial,
                    accepted.manifest.name,
                    accepted.signed.key.id()
                ))?;
            }
            Ok(())
        }
        phase => Err(Fault::new(
            FaultCode::Failed,
            format!("edition {} was {phase}: {}", run.serial, run.why),
        )
        .hint("the box answers on the edition that it had")
        .into()),
    }
}

pub fn roll_back(context: &Context, why: &str) -> anyhow::Result<()> {
    alone(context)?;
    let mut editions = Editions::new(&context.config, &context.again);
    let serial = editions.roll_back(why, &mut |_| {})?;
    match context.output.is_json() {
        true => context.output.json(&json!({ "current": serial }))?,
        false => context
            .output
            .line(&format!("edition {serial} is current"))?,
    }
    Ok(())
}

pub fn collect_garbage(context: &Context) -> anyhow::Result<()> {
    alone(context)?;
    let swept = Editions::new(&context.config, &context.again).sweep()?;
    let (files, bytes) = (swept.files, swept.bytes);
    match context.output.is_json() {
        true => context
            .output
            .json(&json!({ "removed": files, "bytes": bytes }))?,
        false => context
            .output
            .line(&format!("{files} removed, {} MiB", bytes >> 20))?,
    }
    Ok(())
}

pub fn probe(context: &Context, serial: u64) -> anyhow::Result<()> {
    let out = context.output;
    Ok(ask_golden(&context.config, serial, &mut |asked| {
        out.json(asked)
    })?)
}

fn report(context: &Context) -> anyhow::Result<EditionReport> {
    Channel::open(&context.config)?.call_as(&Request::Edition, &mut |_| {})
}

/// Editions change under nobody's feet.
fn alone(context: &Context) -> anyhow::Result<()> {
    match Client::connect(&context.config.run)? {
        None => Ok(()),
        Some(_) => Err(
            Fault::new(FaultCode::Busy, "the daemon is running on this state")
                .hint("systemctl stop almanac, do this again, then systemctl start almanac")
                .into(),
        ),
    }
}

fn show(meter: &mut Meter, told: &Told) {
    let text = format!("edition {}: {}", told.serial, told.phase);
    match told.bytes {
        Some((done, total)) => meter.show(&Progress { text, done, total }),
        None => eprintln!("{text}"),
    }
}
