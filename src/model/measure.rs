//! How well a decoder predicts a text, and how fast it reads and writes.

use std::time::{Duration, Instant};

use super::decoder::Logits;
use super::{ModelError, TextGenerator};

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
    // Spread over the vocabulary, so that no cache of equal rows flatters the figure.
    let prompt: Vec<i64> = (0..prompt_tokens as i64)
        .map(|at| 1_000 + at * 37 % 4_000)
        .collect();
    let mut speed = Speed::default();
    for _ in 0..repetitions {
        let begun = Instant::now();
        generator.read_prompt(&prompt)?;
        speed.prompt.push(begun.elapsed());
        let begun = Instant::now();
        for at in 0..new_tokens as i64 {
            generator.read_token(1_000 + at)?;
        }
        speed.decode.push(begun.elapsed());
    }
    Ok(speed)
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
