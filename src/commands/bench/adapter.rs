//! `almanac bench adapter`: what an adapter costs when it is active, when it changes, and when there is none.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use super::figure::ms;
use super::models::folder;
use crate::commands::Context;
use crate::model::folder::Kind;
use crate::model::import::adapter::import_adapter;
use crate::model::measure::{arbitrary, speed_with};
use crate::model::{Logits, ModelError, Purpose, Runtime, TextGenerator, Weights};
use crate::study::{DRAWS, Draws, Interval, SEED};

/// Tokens whose logits are compared.
const COMPARED: usize = 200;

/// Tokens that are read right after a switch.
const SWITCHED: usize = 64;

/// How often an adapter is loaded.
const LOADS: usize = 5;

/// Arguments of `almanac bench adapter`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that PEFT saved: adapter_config.json and adapter_model.safetensors
    folder: PathBuf,
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    prompt: u16,
    /// Tokens written after it
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    write: u16,
    /// How often each way is measured, in turns
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    pairs: u16,
}

/// Times of one thing in two ways, measured in turns.
#[derive(Debug, Serialize)]
struct Ratio {
    what: &'static str,
    pairs: usize,
    /// Median of the ratios of pairs.
    ratio: f64,
    /// 95 % of its values over pairs drawn anew.
    low: f64,
    high: f64,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Found {
    /// Whether a graph without inputs for adapters has the same logits to the bit.
    equal: bool,
    /// From the file to an adapter that can be named, median.
    load_ms: f64,
    /// What a step after a switch takes longer than one after none, median.
    switch_ms: f64,
    ratios: Vec<Ratio>,
}

/// Measures and prints; blocking, for minutes.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = &context.config;
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    let decoder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let work = tempfile::tempdir().context("no temporary folder")?;
    let file = work.path().join("measured.safetensors");
    import_adapter(&args.folder, &decoder, &file)?;
    let open = |adapters: bool| {
        let purpose = Purpose {
            context: usize::from(args.prompt).max(COMPARED) + usize::from(args.write) + 2,
            adapters,
        };
        TextGenerator::open_beside(&Weights::default(), &runtime, &decoder, purpose)
    };
    let (mut bare, mut whole) = (open(false)?, open(true)?);

    let tokens = arbitrary(COMPARED);
    let equal =
        bare.logits(&tokens, Logits::All, None)? == whole.logits(&tokens, Logits::All, None)?;
    let mut loads = Vec::new();
    let mut name = String::new();
    for _ in 0..LOADS {
        whole.drop_adapter(&name);
        let begun = Instant::now();
        name = whole.load_adapter(&file)?;
        loads.push(ms(begun.elapsed()));
    }
    let found = Found {
        equal,
        load_ms: median(loads),
        switch_ms: switch_ms(&mut whole, &name, usize::from(args.pairs))?,
        ratios: ratios(&mut bare, &mut whole, &name, args)?,
    };
    if context.output.is_json() {
        return Ok(context.output.json(&found)?);
    }
    found
        .lines(args)
        .iter()
        .try_for_each(|line| context.output.line(line))?;
    Ok(())
}

/// A short prompt with the adapter, right after one without and right after one with it.
fn switch_ms(whole: &mut TextGenerator, name: &str, pairs: usize) -> Result<f64, ModelError> {
    let tokens = arbitrary(SWITCHED);
    let mut longer = Vec::new();
    for _ in 0..pairs {
        whole.logits(&tokens, Logits::Last, None)?;
        let mut timed = || -> Result<f64, ModelError> {
            let begun = Instant::now();
            whole.logits(&tokens, Logits::Last, Some(name))?;
            Ok(ms(begun.elapsed()))
        };
        let (switched, same) = (timed()?, timed()?);
        longer.push(switched - same);
    }
    Ok(median(longer))
}

fn ratios(
    bare: &mut TextGenerator,
    whole: &mut TextGenerator,
    name: &str,
    args: &Args,
) -> Result<Vec<Ratio>, ModelError> {
    let (prompt, write) = (usize::from(args.prompt), usize::from(args.write));
    let mut times: [Vec<[Duration; 2]>; 3] = Default::default();
    // The first round only warms up; then each way goes first in a third of the rounds.
    for round in 0..=usize::from(args.pairs) {
        for turn in 0..3 {
            let way = (round + turn) % 3;
            let taken = match way {
                0 => speed_with(bare, prompt, write, None)?,
                1 => speed_with(whole, prompt, write, None)?,
                _ => speed_with(whole, prompt, write, Some(name))?,
            };
            if round > 0 {
                times[way].push(taken);
            }
        }
    }
    let [bare, none, active] = &times;
    Ok(vec![
        ratio("no adapter, to a graph without inputs: read", none, bare, 0),
        ratio(
            "no adapter, to a graph without inputs: write",
            none,
            bare,
            1,
        ),
        ratio("with the adapter, to none: read", active, none, 0),
        ratio("with the adapter, to none: write", active, none, 1),
    ])
}

/// How much longer the `part`th of `own` took than that of `other`.
fn ratio(what: &'static str, own: &[[Duration; 2]], other: &[[Duration; 2]], part: usize) -> Ratio {
    let ratios: Vec<f64> = own
        .iter()
        .zip(other)
        .map(|(own, other)| own[part].as_secs_f64() / other[part].as_secs_f64().max(f64::EPSILON))
        .collect();
    let draws = Draws::new(ratios.len(), DRAWS, SEED);
    let of = |drawn: &[usize]| Some(median(drawn.iter().map(|at| ratios[*at]).collect()));
    let none = Interval {
        low: f64::NAN,
        high: f64::NAN,
    };
    let Interval { low, high } = draws.interval(&of).unwrap_or(none);
    Ratio {
        what,
        pairs: ratios.len(),
        ratio: median(ratios),
        low,
        high,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Found {
    fn lines(&self, args: &Args) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{COMPARED} tokens without an adapter and by a graph without inputs for one: logits {}",
                if self.equal {
                    "equal to the bit"
                } else {
                    "DIFFER"
                }
            ),
            format!(
                "the adapter is loaded in {:.1} ms; the first step after a switch takes {:+.2} ms longer ({SWITCHED} tokens)",
                self.load_ms, self.switch_ms
            ),
            format!(
                "times of {} tokens read and {} written, in turns; medians of ratios, 95 % of pairs drawn anew:",
                args.prompt, args.write
            ),
        ];
        lines.extend(self.ratios.iter().map(|one| {
            format!(
                "  {:<46} {:.3} ({:.3} to {:.3}, {} pairs)",
                one.what, one.ratio, one.low, one.high, one.pairs
            )
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_compared_one_by_one_and_outliers_do_not_count() {
        let pair = |own: u64| [Duration::from_millis(own), Duration::from_millis(2 * own)];
        let other: Vec<_> = (1..=41).map(|at| pair(100 * at)).collect();
        let mut own: Vec<_> = (1..=41).map(|at| pair(110 * at)).collect();
        own[7] = pair(1_000_000);
        for part in [0, 1] {
            let found = ratio("read", &own, &other, part);
            assert!((found.ratio - 1.1).abs() < 1e-9, "{found:?}");
            assert!(found.low <= found.ratio && found.high < 1.2, "{found:?}");
            assert_eq!(found.pairs, 41);
        }
    }
}
