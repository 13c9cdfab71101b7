//! How long to wait before connecting again.

use std::time::Duration;

/// First and longest wait.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Waits that double up to a ceiling, less a random part.
#[derive(Debug)]
pub(in crate::field) struct BackOff {
    tries: u32,
    random: u64,
}

impl BackOff {
    /// Waits spread by `seed`, so that many boxes do not come back together.
    pub fn new(seed: u64) -> Self {
        BackOff {
            tries: 0,
            random: seed | 1,
        }
    }

    /// The next wait is the first again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait: between half of the doubled value and all of it.
    pub fn next(&mut self) -> Duration {
        let (first, longest) = WAITS;
        let full = first.saturating_mul(1 << self.tries.min(16)).min(longest);
        self.tries = self.tries.saturating_add(1);
        // xorshift64: spreading needs no better.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        #[allow(clippy::cast_precision_loss)]
        let part = (self.random >> 40) as f64 / (1_u64 << 24) as f64;
        full.mul_f64(1.0 - part / 2.0)
    }
}
