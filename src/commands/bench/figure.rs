//! Something done several times, and how long it took.

use std::time::Duration;

use serde_json::json;

/// One thing done several times.
pub struct Figure {
    what: String,
    /// Tokens, or texts, each time.
    amount: usize,
    unit: &'static str,
    times: Vec<Duration>,
}

impl Figure {
    /// `what` was done to `amount` of `unit`, once in each of `times`.
    pub fn new(what: &str, amount: usize, unit: &'static str, mut times: Vec<Duration>) -> Figure {
        times.sort_unstable();
        Figure {
            what: format!("{what}, {amount} {unit}"),
            amount,
            unit,
            times,
        }
    }

    /// The middle time; zero of none.
    pub fn median(&self) -> Duration {
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

    /// A line for people.
    pub fn line(&self) -> String {
        let (least, most) = self.range();
        format!(
            "  {:<28} {:>9.1} ms ({least:.1} to {most:.1}), {:.0} {} a second",
            self.what,
            ms(self.median()),
            self.per_second(),
            self.unit
        )
    }

    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        let (least, most) = self.range();
        json!({"what": self.what, "median_ms": ms(self.median()), "least_ms": least, "most_ms": most,
            "per_second": self.per_second()})
    }
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
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
