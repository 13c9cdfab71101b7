//! How well a decoder predicts a text.

use super::decoder::Logits;
use super::{ModelError, TextGenerator};

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

/// ln softmax(logits)[at], in double precision.
fn log_probability(logits: &[f32], at: usize) -> f64 {
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
