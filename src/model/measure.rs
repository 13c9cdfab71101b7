//! How well a decoder predicts a text, and how fast it reads and writes.

mod apart;

use std::time::{Duration, Instant};

pub use apart::joint_difference;

use super::decoder::{Logits, argmax};
use super::slots::Part;
use super::text_generator::CHUNK;
use super::{ModelError, TextGenerator, Together};

/// Times of reading a prompt and of writing after it; one entry a repetition.
#[derive(Clone, Debug, Default)]
pub struct Speed {
    /// Reading the whole prompt.
    pub prompt: Vec<Duration>,
    /// Writing all new tokens.
    pub decode: Vec<Duration>,
}

/// Reads `prompt_tokens` arbitrary tokens and writes `new_tokens` more, `repetitions` times; blocking.
///
/// # Errors
/// The runtime failed, or the tokens do not fit the context.
pub fn speed(
    generator: &mut TextGenerator,
    prompt_tokens: usize,
    new_tokens: usize,
    repetitions: usize,
) -> Result<Speed, ModelError> {
    let mut speed = Speed::default();
    for _ in 0..repetitions {
        let [prompt, decode] = speed_with(generator, prompt_tokens, new_tokens, None)?;
        speed.prompt.push(prompt);
        speed.decode.push(decode);
    }
    Ok(speed)
}

/// Reads `prompt_tokens` arbitrary tokens and writes `new_tokens` more, once, with the adapter of a name; blocking. The
/// times of both.
///
/// # Errors
/// As [`speed`], or there is no such adapter.
pub fn speed_with(
    generator: &mut TextGenerator,
    prompt_tokens: usize,
    new_tokens: usize,
    adapter: Option<&str>,
) -> Result<[Duration; 2], ModelError> {
    let prompt = arbitrary(prompt_tokens);
    let begun = Instant::now();
    generator.read_prompt(&prompt, adapter)?;
    let read = begun.elapsed();
    let begun = Instant::now();
    for at in 0..new_tokens as i64 {
        generator.read(&[1_000 + at], adapter)?;
    }
    Ok([read, begun.elapsed()])
}

/// Writes `new_tokens` to as many texts as `together` has slots at once, each after `prompt_tokens` of its own; times of writing,
/// one entry a repetition. Blocking.
///
/// # Errors
/// The runtime failed, the tokens do not fit the context, or a seat is taken.
pub fn speed_together(
    together: &mut Together,
    prompt_tokens: usize,
    new_tokens: usize,
    repetitions: usize,
) -> Result<Vec<Duration>, ModelError> {
    let slots = together.bare_slots()?;
    let prompt = arbitrary(prompt_tokens + slots.len());
    let mut times = Vec::new();
    for _ in 0..repetitions {
        for slot in 0..slots.len() {
            slots.truncate(slot, 0);
            for tokens in prompt[slot..slot + prompt_tokens].chunks(CHUNK) {
                let rows = Logits::Last;
                slots.step(&[Part { slot, tokens, rows }], None)?;
            }
        }
        let begun = Instant::now();
        for at in 0..new_tokens as i64 {
            let tokens: Vec<i64> = (0..slots.len() as i64)
                .map(|slot| 1_000 + at + slot)
                .collect();
            let parts = tokens.iter().enumerate().map(|(slot, token)| Part {
                slot,
                tokens: std::slice::from_ref(token),
                rows: Logits::All,
            });
            slots.step(&parts.collect::<Vec<_>>(), None)?;
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Largest difference between the logits of `length` arbitrary tokens read at once and read in steps of 2 to 9; blocking.
///
/// Zero on a processor whose kernels keep each row apart, which guesses and kept prefixes rely on
/// (`Decoder::step` says why).
///
/// # Errors
/// The runtime failed, or the tokens do not fit the context.
pub fn cut_difference(generator: &mut TextGenerator, length: usize) -> Result<f32, ModelError> {
    let tokens = arbitrary(length);
    let whole = generator.logits(&tokens, Logits::All, None)?;
    let width = whole.len() / length.max(1);
    let mut difference = 0f32;
    let mut at = 0;
    generator.forget();
    for rows in (2..=9).cycle() {
        let step = &tokens[at..length.min(at + rows)];
        if step.is_empty() {
            break;
        }
        let logits = generator.read(step, None)?;
        let expected = &whole[at * width..];
        for (found, expected) in logits.iter().zip(expected) {
            difference = difference.max((found - expected).abs());
        }
        at += step.len();
    }
    Ok(difference)
}

/// Tokens spread over the vocabulary, so that no cache of equal rows flatters a figure.
pub fn arbitrary(length: usize) -> Vec<i64> {
    (0..length as i64)
        .map(|at| 1_000 + at * 37 % 4_000)
        .collect()
}

/// A sum over scored tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Likelihood {
    /// Negative log-likelihood, in nats.
    pub nll: f64,
    /// Tokens scored: all but the first of each window.
    pub scored: usize,
}

impl Likelihood {
    /// exp of the mean negative log-likelihood.
    pub fn perplexity(&self) -> f64 {
        (self.nll / self.scored as f64).exp()
    }
}

/// What a decoder thought of one token before it read it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Negative log-likelihood, in nats.
    pub nll: f64,
    /// The token that it held most likely.
    pub choice: i64,
}

/// Scores `tokens` in separate windows of `window` tokens; blocking. The first of each window has no score.
///
/// # Errors
/// The runtime failed, or the window does not fit the context.
pub fn scores(
    generator: &mut TextGenerator,
    tokens: &[i64],
    window: usize,
    adapter: Option<&str>,
) -> Result<Vec<Option<Score>>, ModelError> {
    let mut scores = Vec::with_capacity(tokens.len());
    for part in tokens.chunks(window) {
        scores.push(None);
        if part.len() < 2 {
            continue;
        }
        let logits = generator.logits(part, Logits::All, adapter)?;
        let width = logits.len() / part.len();
        for (row, next) in logits.chunks_exact(width).zip(&part[1..]) {
            scores.push(Some(Score {
                nll: -log_probability(row, *next as usize),
                choice: argmax(row) as i64,
            }));
        }
    }
    Ok(scores)
}

/// The sum of `scores`.
pub fn likelihood(scores: &[Option<Score>]) -> Likelihood {
    let mut likelihood = Likelihood::default();
    for score in scores.iter().flatten() {
        likelihood.nll += score.nll;
        likelihood.scored += 1;
    }
    likelihood
}

/// As [`scores`], summed.
///
/// # Errors
/// As [`scores`].
pub fn perplexity(
    generator: &mut TextGenerator,
    tokens: &[i64],
    window: usize,
    adapter: Option<&str>,
) -> Result<Likelihood, ModelError> {
    Ok(likelihood(&scores(generator, tokens, window, adapter)?))
}

/// The token with the largest of `logits`; the first of equals.
pub fn choice(logits: &[f32]) -> usize {
    argmax(logits)
}

/// `ln softmax(logits)[at]`, in double precision; `at` must be below the number of logits.
pub fn log_probability(logits: &[f32], at: usize) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits
        .iter()
        .map(|logit| (f64::from(*logit) - largest).exp())
        .sum();
    f64::from(logits[at]) - largest - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_give_the_vocabulary_size_as_perplexity() {
        let nll = -log_probability(&[3.0; 8], 5);
        let likelihood = Likelihood {
            nll: 10.0 * nll,
            scored: 10,
        };
        assert!((likelihood.perplexity() - 8.0).abs() < 1e-9);
    }
}
