//! Chooses the relevance under which the box refuses, on the training and development parts of a set.

use serde::Serialize;

use super::questions::{Kind, Split};

/// Of the answerable questions that it is chosen on at most this share may be refused.
const MOST_REFUSED: f64 = 0.1;

/// A question with the relevance that was found for it.
#[derive(Clone, Copy, Debug)]
pub struct Scored {
    /// Its part of the set.
    pub split: Split,
    /// Whether it can be answered.
    pub kind: Kind,
    /// 0 to 1.
    pub relevance: f32,
}

/// A threshold and how well it parts the questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Relevance under which to refuse: `answer.refuse_below`.
    pub refuse_below: f32,
    /// Mean of the shares of answerable questions answered and of others refused, where it was chosen.
    pub balanced_accuracy: f64,
    /// Share of answerable questions refused, where it was chosen.
    pub answerable_refused: f64,
    /// Share of the other questions refused, where it was chosen.
    pub others_refused: f64,
}

/// The threshold with the best balanced accuracy on the training and development parts, with at most a
/// tenth of their answerable questions refused; of equal ones the middle of the widest gap. `None` when
/// they lack questions of either sort. The test part has no say.
pub fn calibrate(scored: &[Scored]) -> Option<Calibration> {
    let of = |answerable: bool| -> Vec<f32> {
        scored
            .iter()
            .filter(|one| one.split != Split::Test)
            .filter(|one| (one.kind == Kind::Answerable) == answerable)
            .map(|one| one.relevance)
            .collect()
    };
    let (answerable, others) = (of(true), of(false));
    if answerable.is_empty() || others.is_empty() {
        return None;
    }
    let mut values: Vec<f32> = answerable.iter().chain(&others).copied().collect();
    values.sort_by(f32::total_cmp);
    values.insert(0, 0.0);
    values.push(1.0);
    values
        .windows(2)
        .filter(|pair| pair[1] > pair[0])
        .map(|pair| {
            (
                pair[1] - pair[0],
                measure(f32::midpoint(pair[0], pair[1]), &answerable, &others),
            )
        })
        .filter(|(_, found)| found.answerable_refused <= MOST_REFUSED)
        .max_by(|(gap, a), (other_gap, b)| {
            a.balanced_accuracy
                .total_cmp(&b.balanced_accuracy)
                .then(gap.total_cmp(other_gap))
        })
        .map(|(_, found)| found)
}

fn measure(refuse_below: f32, answerable: &[f32], others: &[f32]) -> Calibration {
    let refused = |values: &[f32]| {
        let count = values.iter().filter(|value| **value < refuse_below).count();
        count as f64 / values.len() as f64
    };
    let (answerable_refused, others_refused) = (refused(answerable), refused(others));
    Calibration {
        refuse_below,
        balanced_accuracy: f64::midpoint(1.0 - answerable_refused, others_refused),
        answerable_refused,
        others_refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(split: Split, kind: Kind, relevances: &[f32]) -> Vec<Scored> {
        relevances
            .iter()
            .map(|relevance| Scored {
                split,
                kind,
                relevance: *relevance,
            })
            .collect()
    }

    #[test]
    fn a_clean_gap_is_cut_in_its_middle() {
        let mut all = scored(Split::Dev, Kind::Answerable, &[0.8, 0.9]);
        all.extend(scored(Split::Dev, Kind::Absent, &[0.2, 0.4]));
        let found = calibrate(&all).expect("both sorts");
        assert!((found.refuse_below - 0.6).abs() < 1e-6);
        assert_eq!(found.balanced_accuracy, 1.0);
    }

    #[test]
    fn the_test_part_has_no_say() {
        let mut all = scored(Split::Dev, Kind::Answerable, &[0.8]);
        all.extend(scored(Split::Dev, Kind::NearMissFact, &[0.4]));
        let alone = calibrate(&all);
        all.extend(scored(Split::Test, Kind::Answerable, &[0.1, 0.2]));
        all.extend(scored(Split::Test, Kind::Absent, &[0.9]));
        assert_eq!(calibrate(&all), alone);
    }

    #[test]
    fn at_most_a_tenth_of_the_answerable_is_given_up() {
        // Refusing all three low ones would part better, but gives up 3 of 10.
        let mut all = scored(
            Split::Dev,
            Kind::Answerable,
            &[0.1, 0.2, 0.3, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9],
        );
        all.extend(scored(Split::Dev, Kind::Absent, &[0.5, 0.5, 0.5]));
        let found = calibrate(&all).expect("both sorts");
        assert!(found.answerable_refused <= 0.1);
    }

    #[test]
    fn nothing_to_part_gives_no_threshold() {
        assert_eq!(calibrate(&[]), None);
        assert_eq!(
            calibrate(&scored(Split::Dev, Kind::Answerable, &[0.5])),
            None
        );
    }
}
