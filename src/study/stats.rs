//! Intervals and tests: what a difference between two arms is worth.

use crate::types::Random;

/// Draws of a bootstrap.
pub const DRAWS: usize = 2_000;
/// Seed of every bootstrap, so that two reports of the same rows are equal.
pub const SEED: u64 = 20_240_130;

/// Questions drawn with replacement, the same for every measure and arm: comparisons are then paired.
#[derive(Clone, Debug)]
pub struct Draws {
    draws: Vec<Vec<usize>>,
}

/// The middle 95 % of a statistic's bootstrap distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

impl Draws {
    /// `draws` draws of as many of `questions` questions.
    pub fn new(questions: usize, draws: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut draw = || (0..questions).map(|_| random.below(questions)).collect();
        Draws {
            draws: (0..draws).map(|_| draw()).collect(),
        }
    }

    /// The 95 % percentile interval of `statistic` over the draws (Efron 1979); `None` where it never has a value.
    pub fn interval(&self, statistic: &dyn Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
        let values = self.values(statistic);
        let at = |share: f64| {
            let last = values.len().checked_sub(1)?;
            values.get((share * last as f64).round() as usize).copied()
        };
        Some(Interval {
            low: at(0.025)?,
            high: at(0.975)?,
        })
    }

    /// Two-sided probability of a difference as far from 0 on either side, were there none: twice the
    /// smaller share of draws on one side of 0, one draw added to both so that it is never 0.
    pub fn p_value(&self, difference: &dyn Fn(&[usize]) -> Option<f64>) -> Option<f64> {
        let values = self.values(difference);
        if values.is_empty() {
            return None;
        }
        let share = |count: usize| (count + 1) as f64 / (values.len() + 1) as f64;
        let below = share(values.iter().filter(|value| **value <= 0.0).count());
        let above = share(values.iter().filter(|value| **value >= 0.0).count());
        Some((2.0 * below.min(above)).min(1.0))
    }

    fn values(&self, statistic: &dyn Fn(&[usize]) -> Option<f64>) -> Vec<f64> {
        let mut values: Vec<f64> = self
            .draws
            .iter()
            .filter_map(|draw| statistic(draw))
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// McNemar's exact test: of the questions that only one of two arms has right, `first` by the one and
/// `second` by the other; the two-sided binomial probability of so uneven a split, 0 to 1.
pub fn mcnemar(first: usize, second: usize) -> f64 {
    let n = first + second;
    if n == 0 {
        return 1.0;
    }
    // ln of n over k, times 2^-n, term by term: factorials would overflow.
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = ln_term.exp();
    for k in 1..=first.min(second) {
        ln_term += ((n - k + 1) as f64).ln() - (k as f64).ln();
        sum += ln_term.exp();
    }
    (2.0 * sum).min(1.0)
}

/// The middle value, the mean of both in the middle of an even number; `None` of none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = values.get((values.len() / 2).checked_sub(1)?)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_near_the_binomial_one() {
        // 40 right of 100: standard error 0.049, so about 0.304 to 0.496.
        let right = |at: &usize| f64::from(u8::from(*at < 40));
        let draws = Draws::new(100, DRAWS, SEED);
        let share =
            |drawn: &[usize]| Some(drawn.iter().map(right).sum::<f64>() / drawn.len() as f64);
        let found = draws.interval(&share).expect("values");
        assert!(
            (found.low - 0.304).abs() < 0.02 && (found.high - 0.496).abs() < 0.02,
            "{found:?}"
        );
        assert_eq!(Draws::new(100, DRAWS, SEED).interval(&share), Some(found));
    }

    #[test]
    fn a_sure_difference_has_a_small_p_and_none_a_large_one() {
        let draws = Draws::new(100, DRAWS, SEED);
        let mean = |of: &'static dyn Fn(usize) -> f64| {
            move |drawn: &[usize]| {
                Some(drawn.iter().map(|at| of(*at)).sum::<f64>() / drawn.len() as f64)
            }
        };
        let sure = draws.p_value(&mean(&|at| if at % 10 == 0 { -0.1 } else { 0.5 }));
        assert!(sure.expect("values") < 0.002);
        let none = draws.p_value(&mean(&|at| if at % 2 == 0 { 0.5 } else { -0.5 }));
        assert!(none.expect("values") > 0.5);
        assert_eq!(draws.p_value(&|_| None), None);
        assert_eq!(draws.interval(&|_| None), None);
    }

    #[test]
    fn mcnemar_is_the_binomial_test() {
        // 1 against 5: 2 * (1 + 6) / 64.
        assert!((mcnemar(1, 5) - 0.21875).abs() < 1e-12);
        assert!((mcnemar(5, 1) - 0.21875).abs() < 1e-12);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(3, 3), 1.0);
        assert!(mcnemar(0, 200) < 1e-50);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
