//! On a box: what there is, and changing it.

use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::Context;
use super::super::channel::Channel;
use super::super::progress::Meter;
use crate::control::{Client, EditionOp, Fault, FaultCode, Progress, Request};
use crate::edition::{Manifest, Phase, Told};
use crate::service::{
    EditionReport, Editions, InstallReport, offer_at, probe as ask_golden, progress,
};

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
        value["handover"] = serde_json::to_value(&report.handover)?;
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
    if let Some(handover) = &report.handover {
        out.line(&handover.to_string())?;
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
    let mut steps = Steps::new();
    let report: InstallReport = match daemon(context)? {
        Some(mut daemon) => {
            let path = std::path::absolute(path)?;
            let what = EditionOp::Install {
                path,
                allow_downgrade,
            };
            order(&mut daemon, what, &mut steps)?
        }
        None => {
            let (offer, mut contents) = offer_at(path)?;
            let mut editions = Editions::new(&context.config, &context.again);
            let tell = &mut |told: &Told| steps.show(&progress(told));
            let (accepted, run) = editions.take(offer, &mut contents, allow_downgrade, tell)?;
            InstallReport::new(&accepted, run)
        }
    };
    steps.finish();
    tell_end(context, &report)
}

fn tell_end(context: &Context, report: &InstallReport) -> anyhow::Result<()> {
    let (out, run) = (context.output, &report.run);
    if report.stale {
        eprintln!(
            "warning: edition {} expired; ask for a newer one",
            run.serial
        );
    }
    if out.is_json() {
        out.json(run)?;
    }
    match run.phase {
        Phase::Current if out.is_json() => Ok(()),
        Phase::Current => Ok(out.line(&format!(
            "edition {} ({}) is current; signed by {}",
            run.serial, report.name, report.key
        ))?),
        phase => Err(Fault::new(
            FaultCode::Failed,
            format!("edition {} was {phase}: {}", run.serial, run.why),
        )
        .hint("the box answers on the edition that it had")
        .into()),
    }
}

pub fn roll_back(context: &Context, why: &str) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let done: Value = match daemon(context)? {
        Some(mut daemon) => {
            let why = why.to_owned();
            order(&mut daemon, EditionOp::Rollback { why }, &mut steps)?
        }
        None => {
            let mut editions = Editions::new(&context.config, &context.again);
            let serial = editions.roll_back(why, &mut |told| steps.show(&progress(told)))?;
            json!({ "current": serial })
        }
    };
    steps.finish();
    let out = context.output;
    match out.is_json() {
        true => out.json(&done)?,
        false => out.line(&format!("edition {} is current", done["current"]))?,
    }
    Ok(())
}

pub fn collect_garbage(context: &Context) -> anyhow::Result<()> {
    let done: Value = match daemon(context)? {
        Some(mut daemon) => order(&mut daemon, EditionOp::Gc, &mut Steps::new())?,
        None => {
            let swept = Editions::new(&context.config, &context.again).sweep()?;
            json!({ "removed": swept.files, "bytes": swept.bytes })
        }
    };
    let out = context.output;
    match out.is_json() {
        true => out.json(&done)?,
        false => {
            let mib = done["bytes"].as_u64().unwrap_or(0) >> 20;
            out.line(&format!("{} removed, {mib} MiB", done["removed"]))?;
        }
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
    let look = Request::Edition {
        what: EditionOp::Look,
    };
    Channel::open(&context.config)?.call_as(&look, &mut |_| {})
}

/// The daemon that serves these editions: then they are changed by it.
fn daemon(context: &Context) -> anyhow::Result<Option<Client>> {
    Ok(Client::connect(&context.config.run)?)
}

/// Has the daemon do `what`; it does so to the end also where this command is broken off.
fn order<T: DeserializeOwned>(
    daemon: &mut Client,
    what: EditionOp,
    steps: &mut Steps,
) -> anyhow::Result<T> {
    let done = daemon.call(&Request::Edition { what }, &mut |step| steps.show(step))??;
    Ok(serde_json::from_value(done)?)
}

/// Steps on a line each, a fetch as a bar.
struct Steps(Option<Meter>);

impl Steps {
    fn new() -> Self {
        Steps(None)
    }

    fn show(&mut self, step: &Progress) {
        match step.total {
            0 => {
                self.end_bar();
                eprintln!("{}", step.text);
            }
            _ => self.0.get_or_insert_with(Meter::new).show(step),
        }
    }

    fn end_bar(&mut self) {
        if let Some(meter) = self.0.take() {
            meter.finish();
        }
    }

    fn finish(mut self) {
        self.end_bar();
    }
}
