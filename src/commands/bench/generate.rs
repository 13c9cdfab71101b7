//! How fast the decoder reads, writes and answers.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::at_once::{AtOnce, Both};
use super::figure::{Figure, ms};
use super::models::folder;
use crate::commands::Context;
use crate::model::folder::Kind;
use crate::model::measure::{self, Speed};
use crate::model::{
    GenerateRequest, Generator as _, MOST_SLOTS, Message, Role, Runtime, TextGenerator, Together,
};

/// Tokens that are read once at once and once in small steps.
const CUT: usize = 96;

/// What is timed of a decoder.
#[derive(Debug, clap::Args)]
// Flattened into other `Args`, whose group would bear the same name.
#[group(skip)]
pub struct Decoding {
    /// The decoder, by its name under `models` in the state folder [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    prompt: u16,
    /// Tokens written after it
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    write: u16,
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub repeat: u16,
}

/// Arguments of `almanac bench generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    decoding: Decoding,
    /// Threads of the model [default: that of the config]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Chats to answer, in the form of `almanac study lessons`: a JSON object a line with `messages`
    #[arg(long, value_name = "FILE")]
    chats: Option<PathBuf>,
    /// Chats of the file that are passed over
    #[arg(long, default_value_t = 0, requires = "chats")]
    skip: usize,
    /// Chats that are answered at most
    #[arg(long, default_value_t = 20, requires = "chats")]
    count: usize,
    /// Most tokens of an answer
    #[arg(long, default_value_t = 96, requires = "chats")]
    answer: usize,
    /// Tokens guessed a step at most [default: as the daemon does]
    #[arg(long, requires = "chats")]
    guesses: Option<usize>,
    /// Also writes so many texts at once, beside one after another; with `--chats` answers so many chats
    #[arg(long, value_name = "TEXTS", value_parser = clap::value_parser!(u8).range(1..=MOST_SLOTS as i64))]
    at_once: Option<u8>,
}

/// Measures and prints; blocking, for some seconds.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = &context.config;
    let threads = args.threads.map_or(config.model.threads, usize::from);
    let runtime = Runtime::load(&config.model.runtime, threads)?;
    let folder = folder(config, Kind::Decoder, args.decoding.model.as_deref())?;
    let mut generator = TextGenerator::open(&runtime, &folder, config.model.context_tokens)?;
    let figures = args.decoding.figures(&mut generator)?;
    let difference = measure::cut_difference(&mut generator, CUT)?;
    let chats = match &args.chats {
        Some(path) => requests(args, read_chats(path)?)?,
        None => Vec::new(),
    };
    let at_once = match args.at_once {
        Some(texts) => {
            let context = config.model.context_tokens;
            let mut together = Together::open(&runtime, &folder, context, usize::from(texts))?;
            if let Some(guesses) = args.guesses {
                together.set_guesses(guesses);
            }
            let sizes = args.decoding.sizes();
            let mut both = Both {
                generator: &mut generator,
                together: &mut together,
            };
            Some(both.measure(sizes, &chats)?)
        }
        None => None,
    };
    let answers = answers(&mut generator, args, chats)?;
    if context.output.is_json() {
        let figures: Vec<_> = figures.iter().map(Figure::json).collect();
        let told = json!({"model": generator.name(), "threads": threads, "figures": figures,
            "cut_difference": difference, "answers": answers,
            "at_once": at_once.as_ref().map(AtOnce::json)});
        return Ok(context.output.json(&told)?);
    }
    context.output.line(&format!(
        "{}, {threads} threads, median of {} (least to most)",
        generator.name(),
        args.decoding.repeat
    ))?;
    for figure in &figures {
        context.output.line(&figure.line())?;
    }
    context.output.line(&format!(
        "  {CUT} tokens in one step and in steps of 2 to 9: logits differ by {difference} at most"
    ))?;
    let at_once = at_once.iter().flat_map(AtOnce::lines);
    for line in at_once.chain(summary(&answers)) {
        context.output.line(&line)?;
    }
    Ok(())
}

impl Decoding {
    /// Tokens of the prompt, tokens written after it, and how often.
    fn sizes(&self) -> (usize, usize, usize) {
        let usizes = [self.prompt, self.write, self.repeat].map(usize::from);
        usizes.into()
    }

    /// Reads and writes as often as was asked for, after once unmeasured.
    pub fn figures(&self, generator: &mut TextGenerator) -> anyhow::Result<Vec<Figure>> {
        let (prompt, write, repeat) = self.sizes();
        measure::speed(generator, prompt, 1, 1)?;
        let Speed {
            prompt: read,
            decode,
        } = measure::speed(generator, prompt, write, repeat)?;
        Ok(vec![
            Figure::new("read", prompt, "tokens", read),
            Figure::new("write", write, "tokens", decode),
        ])
    }
}

/// A line of the file of chats.
#[derive(Deserialize)]
struct Chat {
    messages: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    role: String,
    content: String,
}

/// The chats up to where the assistant would speak.
fn read_chats(path: &Path) -> anyhow::Result<Vec<Vec<Message>>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot read the chats", path.display()))?;
    let mut chats = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let chat: Chat = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: no chat", path.display(), at + 1))?;
        let heard = chat.messages.into_iter().filter_map(|line| {
            let role = match line.role.as_str() {
                "system" => Role::System,
                "user" => Role::User,
                _ => return None,
            };
            Some(Message::new(role, line.content))
        });
        chats.push(heard.collect());
    }
    Ok(chats)
}

/// One chat, answered three times.
#[derive(Serialize)]
struct Answer {
    prompt_tokens: usize,
    tokens: usize,
    /// From an empty cache, one token a step.
    plain: Timing,
    /// From an empty cache, with guesses.
    lookup: Timing,
    /// With guesses, right after the chat before.
    warm: Timing,
    /// Whether all three wrote the same.
    identical: bool,
    /// Prompt tokens that the chat before began with, too.
    reused: usize,
    steps: usize,
    guessed: usize,
    right: usize,
    text: String,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Timing {
    first_token_ms: f64,
    /// From the first token to the end.
    rest_ms: f64,
}

/// What is asked.
fn requests(args: &Args, chats: Vec<Vec<Message>>) -> anyhow::Result<Vec<GenerateRequest>> {
    let chats = chats.into_iter().skip(args.skip).take(args.count);
    let requests: Vec<_> = chats
        .map(|messages| GenerateRequest::new(messages, args.answer))
        .collect();
    ensure!(
        !requests.is_empty(),
        "there is no such chat\nhint: --skip fewer"
    );
    Ok(requests)
}

fn answers(
    generator: &mut TextGenerator,
    args: &Args,
    requests: Vec<GenerateRequest>,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for request in requests {
        let guessing = args.guesses.unwrap_or(TextGenerator::GUESSES);
        generator.set_guesses(guessing);
        let (warm, warmly) = timed(generator, &request)?;
        generator.forget();
        generator.set_guesses(0);
        let (plain, plainly) = timed(generator, &request)?;
        generator.forget();
        generator.set_guesses(guessing);
        let (lookup, guessed) = timed(generator, &request)?;
        answers.push(Answer {
            prompt_tokens: plainly.prompt_tokens,
            tokens: plainly.tokens,
            plain,
            lookup,
            warm,
            identical: warmly.text == plainly.text && guessed.text == plainly.text,
            reused: warmly.work.reused,
            steps: guessed.work.steps,
            guessed: guessed.work.guessed,
            right: guessed.work.right,
            text: plainly.text,
        });
    }
    Ok(answers)
}

fn timed(
    generator: &mut TextGenerator,
    request: &GenerateRequest,
) -> anyhow::Result<(Timing, crate::model::Generated)> {
    let begun = Instant::now();
    let generated = generator.generate(request, &mut |_| ControlFlow::Continue(()))?;
    let all: Duration = begun.elapsed();
    let timing = Timing {
        first_token_ms: ms(generated.first_token),
        rest_ms: ms(all.saturating_sub(generated.first_token)),
    };
    Ok((timing, generated))
}

/// What the answers say together; nothing of none.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn summary(answers: &[Answer]) -> Vec<String> {
    if answers.is_empty() {
        return Vec::new();
    }
    let sum = |of: fn(&Answer) -> usize| answers.iter().map(of).sum::<usize>() as f64;
    let time = |of: fn(&Answer) -> f64| answers.iter().map(of).sum::<f64>();
    // The first token comes with the prompt.
    let written = sum(|one| one.tokens.saturating_sub(1));
    let (plain, lookup) = (
        time(|one| one.plain.rest_ms),
        time(|one| one.lookup.rest_ms),
    );
    let identical = answers.iter().filter(|one| one.identical).count();
    vec![
        format!(
            "{} answers, {:.0} prompt tokens and {:.0} tokens on average; the same text plain, with guesses and with a \
             warm prefix: {identical} of {}",
            answers.len(),
            sum(|one| one.prompt_tokens) / answers.len() as f64,
            sum(|one| one.tokens) / answers.len() as f64,
            answers.len(),
        ),
        format!(
            "  write: plain {:.1} tokens a second, with guesses {:.1}, {:.2} x; {:.2} tokens a step, {:.2} of the guesses right",
            written / plain * 1_000.0,
            written / lookup * 1_000.0,
            plain / lookup,
            written / sum(|one| one.steps).max(1.0),
            sum(|one| one.right) / sum(|one| one.guessed).max(1.0),
        ),
        format!(
            "  first token: {:.1} ms, with the {:.0} tokens of the last prompt's beginning kept {:.1} ms (medians)",
            median(answers.iter().map(|one| one.lookup.first_token_ms)),
            median(answers.iter().map(|one| one.reused as f64)),
            median(answers.iter().map(|one| one.warm.first_token_ms)),
        ),
    ]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
