//! Which token comes next: the likeliest one, or one that is drawn.
//!
//! The steps and their order are those of Hugging Face's transformers: repetition penalty, temperature, top-k, top-p, draw.
//! A draw is a function of the seed, the position in the text and the logits alone. So the text is the same whether
//! guesses were verified, a prefix was read already, or other texts were written in the same steps.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use super::ModelError;
use super::decoder::argmax;
use crate::types::random::{GAMMA, mix};

/// How tokens are chosen; greedy by default.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it: below 1 likely tokens gain, above 1 unlikely ones do. 0: always the likeliest, the first
    /// of equals; then `top_k`, `top_p` and `seed` have no say.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from, 1 or more; none: all of them.
    pub top_k: Option<usize>,
    /// Only the fewest likeliest tokens are drawn from whose probabilities sum to this, above 0 to 1.
    pub top_p: f64,
    /// Logits of tokens that stand in prompt or text are divided by it where they are positive, else multiplied
    /// (CTRL, arXiv:1909.05858, section 4.1), once however often they stand there; above 0, 1: none. It also moves what
    /// is likeliest at temperature 0.
    pub repetition_penalty: f64,
    /// Another one gives another text.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 0.0,
            top_k: None,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Whether nothing is drawn.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Whether it can be followed.
    ///
    /// # Errors
    /// A value is out of its range; the error names it.
    pub fn check(&self) -> Result<(), ModelError> {
        let wrong = |what: &str, found: &dyn fmt::Display, wanted: &str| {
            Err(ModelError::Request(format!(
                "{what} is {found}, and must be {wanted}"
            )))
        };
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return wrong(
                "temperature",
                &self.temperature,
                "a number from 0 (greedy) up",
            );
        }
        if self.top_k == Some(0) {
            return wrong("top-k", &0, "1 or more");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top-p", &self.top_p, "above 0 and at most 1");
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            return wrong(
                "repetition penalty",
                &self.repetition_penalty,
                "a number above 0",
            );
        }
        Ok(())
    }
}

/// What differs from greedy choice, for names and provenance.
impl fmt::Display for Sampling {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.is_greedy() {
            parts.push(format!("temperature {}", self.temperature));
            parts.extend(self.top_k.map(|most| format!("top-k {most}")));
            if self.top_p < 1.0 {
                parts.push(format!("top-p {}", self.top_p));
            }
        }
        if self.repetition_penalty != 1.0 {
            parts.push(format!("repetition penalty {}", self.repetition_penalty));
        }
        if !self.is_greedy() {
            parts.push(format!("seed {}", self.seed));
        }
        match parts.is_empty() {
            true => to.write_str("greedy"),
            false => to.write_str(&parts.join(", ")),
        }
    }
}

/// Chooses the tokens of one text.
pub(super) struct Sampler {
    sampling: Sampling,
    /// Which tokens stand before the next position, of the first `counted` ones; only where they are penalised.
    seen: BTreeSet<i64>,
    counted: usize,
    /// Room for tokens that may be drawn, kept from one to the next.
    room: Vec<Ranked>,
}

/// A token's logit and its number.
type Ranked = (f32, u32);

impl Sampler {
    /// Chooses as `sampling`, which was checked, says.
    pub fn new(sampling: Sampling) -> Self {
        Sampler {
            sampling,
            seen: BTreeSet::new(),
            counted: 0,
            room: Vec::new(),
        }
    }

    /// The token at position `at` of the text, where `before` are the tokens of prompt and text up to there.
    ///
    /// A logit that is no number is never drawn. Where none can be drawn from (all are minus infinity, or one is
    /// infinite), the choice is greedy.
    pub fn choose(&mut self, logits: &mut [f32], before: &[i64], at: usize) -> u32 {
        self.penalise(logits, before);
        if self.sampling.is_greedy() || self.sampling.top_k == Some(1) {
            return argmax(logits) as u32;
        }
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !best.is_finite() {
            return argmax(logits) as u32;
        }
        let chance = chance(self.sampling.seed, at as u64);
        let weight = Weight {
            best: f64::from(best),
            temperature: self.sampling.temperature,
        };
        if self.sampling.top_k.is_none() && self.sampling.top_p >= 1.0 {
            let all = logits.iter().copied().zip(0..);
            return drawn(all, weight, chance);
        }
        self.room.clear();
        let numbers = logits.iter().copied().zip(0..);
        self.room
            .extend(numbers.filter(|(logit, _)| !logit.is_nan()));
        let ranked = self.ranked(weight);
        drawn(ranked.iter().copied(), weight, chance)
    }

    /// As transformers' `RepetitionPenaltyLogitsProcessor`.
    fn penalise(&mut self, logits: &mut [f32], before: &[i64]) {
        let penalty = self.sampling.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        self.seen.extend(&before[self.counted..]);
        self.counted = before.len();
        for token in &self.seen {
            let logit = usize::try_from(*token)
                .ok()
                .and_then(|at| logits.get_mut(at));
            if let Some(logit) = logit {
                let value = f64::from(*logit);
                *logit = match value < 0.0 {
                    true => value * penalty,
                    false => value / penalty,
                } as f32;
            }
        }
    }

    /// The tokens that top-k and top-p leave in the room, the likeliest first.
    fn ranked(&mut self, weight: Weight) -> &[Ranked] {
        let most = self.sampling.top_k.unwrap_or(usize::MAX);
        keep(&mut self.room, most);
        if self.sampling.top_p >= 1.0 {
            self.room.sort_unstable_by(likelier);
            return &self.room;
        }
        let sum: f64 = self.room.iter().map(|(logit, _)| weight.of(*logit)).sum();
        let wanted = sum * self.sampling.top_p;
        let (mut sorted, mut reached) = (0, 0.0);
        // Mostly a few tokens are enough, so more are sorted only as they are needed.
        while sorted < self.room.len() {
            let next = (self.room.len() - sorted).min(sorted.max(FEW));
            let rest = &mut self.room[sorted..];
            if next < rest.len() {
                rest.select_nth_unstable_by(next, likelier);
            }
            rest[..next].sort_unstable_by(likelier);
            for (logit, _) in &rest[..next] {
                reached += weight.of(*logit);
                sorted += 1;
                if reached >= wanted {
                    return &self.room[..sorted];
                }
            }
        }
        &self.room
    }
}

/// Tokens that are looked at first for top-p.
const FEW: usize = 64;

/// Keeps the `most` likeliest, in any order.
fn keep(room: &mut Vec<Ranked>, most: usize) {
    if most < room.len() {
        room.select_nth_unstable_by(most, likelier);
        room.truncate(most);
    }
}

/// The likelier one first, of equals the one with the lower number, as in a greedy choice; there is no NaN.
fn likelier(one: &Ranked, other: &Ranked) -> Ordering {
    let by_logit = other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal);
    by_logit.then(one.1.cmp(&other.1))
}

/// Turns logits into weights, of which the best is 1.
#[derive(Clone, Copy)]
struct Weight {
    best: f64,
    temperature: f64,
}

impl Weight {
    fn of(self, logit: f32) -> f64 {
        match logit.is_nan() {
            true => 0.0,
            false => ((f64::from(logit) - self.best) / self.temperature).exp(),
        }
    }
}

/// The token at which the weights, summed up in this order, pass `chance` of their sum.
fn drawn(tokens: impl Iterator<Item = Ranked> + Clone, weight: Weight, chance: f64) -> u32 {
    let sum: f64 = tokens.clone().map(|(logit, _)| weight.of(logit)).sum();
    let wanted = sum * chance;
    let (mut passed, mut last) = (0.0, 0);
    for (logit, token) in tokens {
        let own = weight.of(logit);
        if own > 0.0 {
            passed += own;
            last = token;
            if passed > wanted {
                break;
            }
        }
    }
    last
}

/// A number from 0 to below 1 that follows from a seed and a position: SplitMix64, whose numbers can be had in any
/// order.
fn chance(seed: u64, at: u64) -> f64 {
    // The seed is mixed by itself first: neighbouring seeds must not give the same numbers one position later.
    let start = mix(seed.wrapping_add(GAMMA));
    let bits = mix(start.wrapping_add(GAMMA.wrapping_mul(at.wrapping_add(1))));
    // As many bits as the fraction of a double has.
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
