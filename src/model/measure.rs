//! How well a decoder predicts a text, and how fast it reads and writes.

mod apart;

use std::time::{Duration, Instant};

pub use apart::joint_difference;

use super::decoder::Logits;
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
    let prompt = arbitrary(prompt_tokens);
    let mut speed = Speed::default();
    for _ in 0..repetitions {
        let begun = Instant::now();
        generator.read_prompt(&prompt)?;
        speed.prompt.push(begun.elapsed());
        let begun = Instant::now();
        for at in 0..new_tokens as i64 {
            generator.read(&[1_000 + at])?;
        }
        speed.decode.push(begun.elapsed());
    }
    Ok(speed)
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
        let logits = generator.read(step)?;
        let expected = &whole[at * width..];
        for (found, expected) in logits.iter().zip(expected) {
            difference = difference.max((found - expected).abs());
        }
        at += step.len();
    }
    Ok(difference)
}

/// Spread over the vocabulary, so that no cache of equal rows flatters a figure.
fn arbitrary(length: usize) -> Vec<i64> {
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

/// Scores `tokens` in separate windows of `window` tokens; blocking.
///
/// # Errors
/// The runtime failed, or the window does not fit the context.
pub fn perplexity(
    generator: &mut TextGenerator,
    tokens: &[i64],
    window: usize,
    adapter: Option<&str>,
) -> Result<Likelihood, ModelError> {
    let mut likelihood = Likelihood::default();
    for part in tokens.chunks(window).filter(|part| part.len() > 1) {
        let logits = generator.logits(part, Logits::All, adapter)?;
        let width = logits.len() / part.len();
        for (row, next) in logits.chunks_exact(width).zip(&part[1..]) {
            likelihood.nll -= log_probability(row, *next as usize);
            likelihood.scored += 1;
        }
    }
    Ok(likelihood)
}

/// `ln softmax(logits)[at]`, in double precision.
pub(super) fn log_probability(logits: &[f32], at: usize) -> f64 {
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
