//! How fast this machine loads, reads, writes and embeds with the imported models.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::figure::{Figure, ms};
use super::generate::Decoding;
use super::memory::memory;
use crate::config::Config;
use crate::durable::FileError;
use crate::model::folder::{Kind, Manifest};
use crate::model::{Embedder as _, Generator as _, Runtime, SentenceEmbedder, TextGenerator};

/// Measures and prints; blocking, for some seconds.
pub fn run(config: &Config, as_json: bool, args: &Decoding) -> anyhow::Result<()> {
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    // Both models stay open until the memory is read, as in the daemon.
    let (decoder, _generator) = decoder(config, &runtime, args)?;
    let (embedder, _embedder) = embedder(config, &runtime, args)?;
    let memory = memory();
    if as_json {
        let threads = config.model.threads;
        println!(
            "{}",
            json!({"threads": threads, "decoder": decoder.json(), "embedder": embedder.json(),
            "memory_mib": {"now": memory.now_mib, "most": memory.most_mib}})
        );
        return Ok(());
    }
    println!(
        "{} threads, median of {} (least to most)",
        config.model.threads, args.repeat
    );
    decoder.print();
    embedder.print();
    println!(
        "memory: {} MiB now, {} MiB at most",
        memory.now_mib, memory.most_mib
    );
    Ok(())
}

/// What was measured of one model.
struct Measured {
    name: String,
    load: Duration,
    figures: Vec<Figure>,
}

fn decoder(
    config: &Config,
    runtime: &Runtime,
    args: &Decoding,
) -> anyhow::Result<(Measured, TextGenerator)> {
    let folder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let begun = Instant::now();
    let mut generator = TextGenerator::open(runtime, &folder, config.model.context_tokens)?;
    let load = begun.elapsed();
    let measured = Measured {
        name: generator.name().to_owned(),
        load,
        figures: args.figures(&mut generator)?,
    };
    Ok((measured, generator))
}

fn embedder(
    config: &Config,
    runtime: &Runtime,
    args: &Decoding,
) -> anyhow::Result<(Measured, SentenceEmbedder)> {
    let folder = folder(config, Kind::Embedder, None)?;
    let name = Manifest::open(&folder)?.short_name();
    let begun = Instant::now();
    let embedder = SentenceEmbedder::open(runtime, &folder)?;
    let load = begun.elapsed();
    let passage = "Plant maize two inches deep where the soil is warm. ".repeat(12);
    let question = "How deep should I sow maize seed?";
    let mut figures = Vec::new();
    for (what, texts) in [
        ("a question", vec![question]),
        ("passages", vec![passage.as_str(); 16]),
    ] {
        let mut times = Vec::new();
        for _ in 0..args.repeat {
            let begun = Instant::now();
            embedder.embed(&texts)?;
            times.push(begun.elapsed());
        }
        figures.push(Figure::new(
            &format!("embed {what}"),
            texts.len(),
            "texts",
            times,
        ));
    }
    Ok((
        Measured {
            name,
            load,
            figures,
        },
        embedder,
    ))
}

/// The folder of the imported model of `kind`, called `name` where one is given.
pub(super) fn folder(config: &Config, kind: Kind, name: Option<&str>) -> anyhow::Result<PathBuf> {
    let models = config.state.join("models");
    if let Some(name) = name {
        let folder = models.join(name);
        Manifest::open_kind(&folder, kind)?;
        return Ok(folder);
    }
    let mut found = imported(&models, kind).with_context(
        || "no models are imported\nhint: almanac models fetch; almanac models import",
    )?;
    match (found.pop(), found.is_empty()) {
        (Some(folder), true) => Ok(folder),
        (None, _) => bail!("no {kind:?} is imported\nhint: almanac models import"),
        (Some(_), false) => bail!("there is more than one {kind:?}\nhint: name one with --model"),
    }
}

fn imported(models: &Path, kind: Kind) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(models).map_err(FileError::at("list", models))? {
        let folder = entry.map_err(FileError::at("list", models))?.path();
        // A folder that is no finished model of this kind is not what is looked for.
        if Manifest::open_kind(&folder, kind).is_ok() {
            found.push(folder);
        }
    }
    Ok(found)
}

impl Measured {
    fn print(&self) {
        println!("{}\n  {:<28} {:>9.0} ms", self.name, "load", ms(self.load));
        for figure in &self.figures {
            println!("{}", figure.line());
        }
    }

    fn json(&self) -> serde_json::Value {
        let figures: Vec<_> = self.figures.iter().map(Figure::json).collect();
        json!({"name": self.name, "load_ms": ms(self.load), "figures": figures})
    }
}
