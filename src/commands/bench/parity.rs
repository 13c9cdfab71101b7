//! `almanac bench logits` and `almanac bench parity`: whether another processor computes the same.

use std::fs::File;
use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::models::folder;
use crate::commands::Context;
use crate::durable;
use crate::model::folder::{Kind, Manifest};
use crate::model::measure;
use crate::model::{
    GenerateRequest, Generator as _, Logits, Message, Role, Runtime, TextGenerator,
};

/// Texts whose logits are kept, at every position.
const TEXTS: [&str; 3] = [
    "Plant maize 5 cm deep once the soil has been at 10 °C for three days, and wait where frost may follow.",
    "Nitrogen: 181 lb/acre, phosphorus: 40 lb/acre, potassium: 28 lb/acre; removed by 200 bushels of grain.",
    "The leaves turn yellow from the tip along the midrib when the plant is short of",
];

/// What is said and asked; the answer is kept.
const CHATS: [(&str, &str); 3] = [
    (
        "Answer from the passage in one sentence.",
        "Passage: Plant maize 2 inches (5 cm) deep in most soils, and 3 inches where the surface is dry.\n\n\
         Question: How deep should I plant maize?",
    ),
    ("You are a farm adviser.", "Why do farmers rotate crops?"),
    ("You are a farm adviser.", "Name three pests of wheat."),
];

/// Tokens of an answer.
const ANSWER: usize = 16;

/// Tokens that are read once at once and once in small steps.
const CUT: usize = 24;

/// Most bytes of a file of logits that is read.
const MAX_BYTES: u64 = 1 << 30;

/// Arguments of `almanac bench logits`.
#[derive(Debug, clap::Args)]
pub struct WriteArgs {
    /// Where the logits go
    file: PathBuf,
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// What the processor is called in comparisons [default: its architecture]
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// Arguments of `almanac bench parity`.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// What `almanac bench logits` wrote where the result is known to be right
    right: PathBuf,
    /// What it wrote elsewhere, or of another graph
    other: PathBuf,
}

/// What one graph computed on one processor.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Precision and processor.
    label: String,
    /// Tokens of each text.
    tokens: Vec<Vec<i64>>,
    /// Logits of each text, row by row.
    logits: Vec<Vec<f32>>,
    /// Greedy answers.
    answers: Vec<String>,
    /// How far the logits of one text are apart, read at once and in steps.
    cut_difference: f32,
}

/// Two records side by side.
#[derive(Debug, PartialEq, Serialize)]
struct Compared {
    right: String,
    other: String,
    positions: usize,
    /// Largest difference of two logits.
    largest: f32,
    /// Root of the mean square of the differences.
    rms: f64,
    /// Positions where both have the same token first.
    same_choice: usize,
    answers: usize,
    same_answers: usize,
    /// Perplexity of the texts.
    perplexity: [f64; 2],
    cut_difference: f32,
}

/// Writes logits and answers to a file; blocking, for seconds, or minutes under emulation.
pub fn write(context: &Context, args: &WriteArgs) -> anyhow::Result<()> {
    let config = &context.config;
    let runtime = Runtime::load(&config.model.runtime, config.model.threads)?;
    let folder = folder(config, Kind::Decoder, args.model.as_deref())?;
    let precision = Manifest::open(&folder)?.precision;
    let processor = args.label.as_deref().unwrap_or(std::env::consts::ARCH);
    let mut generator = TextGenerator::open(&runtime, &folder, 512)?;
    let mut record = Record {
        label: format!("{precision:?} on {processor}").to_lowercase(),
        tokens: Vec::new(),
        logits: Vec::new(),
        answers: Vec::new(),
        cut_difference: measure::cut_difference(&mut generator, CUT)?,
    };
    for text in TEXTS {
        let tokens = generator.vocabulary().encode(text, false)?;
        let logits = generator.logits(&tokens, Logits::All, None)?;
        record.logits.push(logits);
        record.tokens.push(tokens);
    }
    for (said, asked) in CHATS {
        let messages = vec![
            Message::new(Role::System, said),
            Message::new(Role::User, asked),
        ];
        let request = GenerateRequest::new(messages, ANSWER);
        let answer = generator.generate(&request, &mut |_| ControlFlow::Continue(()))?;
        record.answers.push(answer.text);
    }
    durable::replace_with(&args.file, |file| {
        ciborium::into_writer(&record, file).map_err(io::Error::other)
    })?;
    Ok(context.output.line(&format!(
        "{}: logits of {} tokens, {} answers; read at once and in steps they differ by {}",
        record.label,
        record.tokens.iter().map(Vec::len).sum::<usize>(),
        record.answers.len(),
        record.cut_difference,
    ))?)
}

/// Compares two files and prints; blocking, for a second.
pub fn compare(context: &Context, args: &CompareArgs) -> anyhow::Result<()> {
    let (right, other) = (read(&args.right)?, read(&args.other)?);
    ensure!(
        right.tokens == other.tokens && right.logits.len() == other.logits.len(),
        "the two files are of other texts\nhint: write both with the same version and vocabulary"
    );
    let compared = compared(&right, &other)?;
    match context.output.is_json() {
        true => context.output.json(&compared)?,
        false => context.output.line(&compared.line())?,
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Record> {
    let file = File::open(path).with_context(|| format!("{}: cannot open", path.display()))?;
    let length = file.metadata()?.len();
    ensure!(
        length <= MAX_BYTES,
        "{}: {length} bytes; such a file has at most {MAX_BYTES}",
        path.display()
    );
    ciborium::from_reader(BufReader::new(file))
        .with_context(|| format!("{}: not what `almanac bench logits` writes", path.display()))
}

fn compared(right: &Record, other: &Record) -> anyhow::Result<Compared> {
    let (mut positions, mut same_choice, mut values) = (0, 0, 0usize);
    let (mut largest, mut squares) = (0f32, 0f64);
    for (tokens, (one, two)) in right
        .tokens
        .iter()
        .zip(right.logits.iter().zip(&other.logits))
    {
        ensure!(
            one.len() == two.len()
                && one.len().is_multiple_of(tokens.len().max(1))
                && !one.is_empty(),
            "the two files have {} and {} logits for {} tokens",
            one.len(),
            two.len(),
            tokens.len()
        );
        let width = one.len() / tokens.len();
        for (one, two) in one.chunks_exact(width).zip(two.chunks_exact(width)) {
            positions += 1;
            same_choice += usize::from(measure::choice(one) == measure::choice(two));
            for (one, two) in one.iter().zip(two) {
                let apart = (one - two).abs();
                // A logit that is no number is as far off as can be.
                largest = largest.max(if apart.is_nan() { f32::INFINITY } else { apart });
                squares += f64::from(apart) * f64::from(apart);
                values += 1;
            }
        }
    }
    let pairs = right.answers.iter().zip(&other.answers);
    Ok(Compared {
        right: right.label.clone(),
        other: other.label.clone(),
        positions,
        largest,
        rms: (squares / values.max(1) as f64).sqrt(),
        same_choice,
        answers: right.answers.len().max(other.answers.len()),
        same_answers: pairs.filter(|(one, two)| one == two).count(),
        perplexity: [right.perplexity(), other.perplexity()],
        cut_difference: other.cut_difference,
    })
}

impl Record {
    /// That of its texts.
    fn perplexity(&self) -> f64 {
        let (mut nll, mut scored) = (0.0, 0usize);
        for (tokens, logits) in self.tokens.iter().zip(&self.logits) {
            let width = (logits.len() / tokens.len().max(1)).max(1);
            for (row, next) in logits.chunks_exact(width).zip(tokens.iter().skip(1)) {
                nll -= measure::log_probability(row, *next as usize);
                scored += 1;
            }
        }
        (nll / scored.max(1) as f64).exp()
    }
}

impl Compared {
    fn line(&self) -> String {
        format!(
            "{:<26} {:<26} {:>9.2e} {:>9.2e} {:>9} {:>7} {:>11} {:>9}",
            self.other,
            self.right,
            self.largest,
            self.rms,
            format!("{}/{}", self.same_choice, self.positions),
            format!("{}/{}", self.same_answers, self.answers),
            format!("{:.3} {:.3}", self.perplexity[1], self.perplexity[0]),
            self.cut_difference,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(logits: Vec<f32>, answer: &str) -> Record {
        Record {
            label: answer.to_owned(),
            tokens: vec![vec![0, 1]],
            logits: vec![logits],
            answers: vec![answer.to_owned()],
            cut_difference: 0.0,
        }
    }

    #[test]
    fn the_largest_difference_and_every_other_choice_are_told() {
        let right = record(vec![1.0, 2.0, 3.0, 4.0], "deep");
        let same = compared(&right, &right).expect("fits");
        assert_eq!((same.largest, same.rms), (0.0, 0.0));
        assert_eq!((same.same_choice, same.same_answers), (2, 1));
        let other = record(vec![1.0, 2.0, 4.5, 4.0], "shallow");
        let found = compared(&right, &other).expect("fits");
        assert_eq!(found.largest, 1.5);
        assert!((found.rms - 0.75).abs() < 1e-9);
        assert_eq!((found.positions, found.same_choice), (2, 1));
        assert_eq!((found.answers, found.same_answers), (1, 0));
        // The first row alone is scored: the second token has e of e + 1 / e.
        let expected = 1.0 + (1f64 - 2.0).exp();
        assert!((found.perplexity[0] - expected).abs() < 1e-6);
    }

    #[test]
    fn no_number_is_never_near() {
        let right = record(vec![1.0, 2.0, 3.0, 4.0], "deep");
        let other = record(vec![1.0, f32::NAN, 3.0, 4.0], "deep");
        let found = compared(&right, &other).expect("fits");
        assert_eq!(found.largest, f32::INFINITY);
        assert!(compared(&right, &record(vec![1.0], "deep")).is_err());
    }
}
