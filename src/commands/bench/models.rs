//! How fast this machine loads, reads, writes and embeds with the imported models.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::memory::memory;
use crate::config::Config;
use crate::durable::FileError;
use crate::model::folder::{Kind, Manifest};
use crate::model::measure::{self, Speed};
use crate::model::{Embedder as _, Generator as _, Runtime, SentenceEmbedder, TextGenerator};

/// Arguments of `almanac bench`.
#[derive(Debug, clap::Args)]
// Flattened into another `Args`, whose group would bear the same name.
#[group(skip)]
pub struct Args {
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u16).range(1..))]
    prompt: u16,
    /// Tokens written after it
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    write: u16,
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    repeat: u16,
}

/// Measures and prints; blocking, for some seconds.
pub fn run(config: &Config, as_json: bool, args: &Args) -> anyhow::Result<()> {
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

/// One thing done several times.
struct Figure {
    what: String,
    /// Tokens, or texts, each time.
    amount: usize,
    unit: &'static str,
    times: Vec<Duration>,
}

fn decoder(
    config: &Config,
    runtime: &Runtime,
    args: &Args,
) -> anyhow::Result<(Measured, TextGenerator)> {
    let folder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let begun = Instant::now();
    let mut generator = TextGenerator::open(runtime, &folder, config.model.context_tokens)?;
    let load = begun.elapsed();
    let (prompt, write) = (usize::from(args.prompt), usize::from(args.write));
    let speed = measure::speed(&mut generator, prompt, write, usize::from(args.repeat))?;
    let Speed {
        prompt: read,
        decode,
    } = speed;
    let measured = Measured {
        name: generator.name().to_owned(),
        load,
        figures: vec![
            Figure::new("read", prompt, "tokens", read),
            Figure::new("write", write, "tokens", decode),
        ],
    };
    Ok((measured, generator))
}

fn embedder(
    config: &Config,
    runtime: &Runtime,
    args: &Args,
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

impl Figure {
    fn new(what: &str, amount: usize, unit: &'static str, mut times: Vec<Duration>) -> Figure {
        times.sort_unstable();
        Figure {
            what: format!("{what}, {amount} {unit}"),
            amount,
            unit,
            times,
        }
    }

    /// The middle time; zero of none.
    fn median(&self) -> Duration {
        self.times
            .get(self.times.len() / 2)
            .copied()
            .unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "amounts are small")]
    fn per_second(&self) -> f64 {
        self.amount as f64 / self.median().as_secs_f64().max(f64::EPSILON)
    }

    fn range(&self) -> (f64, f64) {
        let at = |time: Option<&Duration>| ms(time.copied().unwrap_or_default());
        (at(self.times.first()), at(self.times.last()))
    }

    fn line(&self) -> String {
        let (least, most) = self.range();
        format!(
            "  {:<28} {:>9.1} ms ({least:.1} to {most:.1}), {:.0} {} a second",
            self.what,
            ms(self.median()),
            self.per_second(),
            self.unit
        )
    }

    fn json(&self) -> serde_json::Value {
        let (least, most) = self.range();
        json!({"what": self.what, "median_ms": ms(self.median()), "least_ms": least, "most_ms": most,
            "per_second": self.per_second()})
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_time_counts_and_outliers_are_shown_beside_it() {
        let times = [3, 1, 100].map(Duration::from_millis).to_vec();
        let figure = Figure::new("read", 30, "tokens", times);
        assert_eq!(figure.median(), Duration::from_millis(3));
        assert!((figure.per_second() - 10_000.0).abs() < 1e-6);
        assert!(
            figure
                .line()
                .contains("3.0 ms (1.0 to 100.0), 10000 tokens a second")
        );
    }
}
