//! Asks the questions of a run, arm by arm, and keeps every answer as it comes.

use super::arms::{Arm, Asker};
use super::meters::Meters;
use super::questions::{Split, StudyQuestion};
use super::rows::{Rows, RowsError};
use crate::types::Digest;

/// What is asked: which questions, of which arms.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// One after another: memory and warmth of the caches are then each arm's own.
    pub arms: Vec<Arm>,
    /// In the order of the set.
    pub questions: Vec<&'a StudyQuestion>,
}

/// The questions of `split` (all: `None`), or `sample` of them, the same ones in every run: those whose
/// ids' digests come first, so that a smaller sample is part of a larger one.
pub fn select(
    set: &[StudyQuestion],
    split: Option<Split>,
    sample: Option<usize>,
) -> Vec<&StudyQuestion> {
    let of_split = |one: &&StudyQuestion| split.is_none_or(|split| one.split == split);
    let all: Vec<&StudyQuestion> = set.iter().filter(of_split).collect();
    let Some(sample) = sample.filter(|sample| *sample < all.len()) else {
        return all;
    };
    let mut order: Vec<(Digest, usize)> = all
        .iter()
        .enumerate()
        .map(|(at, one)| (Digest::of(one.id.as_bytes()), at))
        .collect();
    order.sort_unstable();
    let mut chosen: Vec<usize> = order.into_iter().take(sample).map(|(_, at)| at).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| all[at]).collect()
}

/// Asks what `rows` does not hold yet; `on_row` hears the answers done, of how many, and what was asked.
/// Blocking, for seconds a question.
///
/// # Errors
/// The disk fails; the answers so far are kept.
pub fn generate(
    asker: &mut Asker,
    plan: &Plan<'_>,
    meters: &Meters,
    rows: &mut Rows,
    on_row: &mut dyn FnMut(usize, usize, &str),
) -> Result<(), RowsError> {
    let total = plan.arms.len() * plan.questions.len();
    let mut done = 0;
    for arm in &plan.arms {
        meters.reset_peak();
        for question in &plan.questions {
            if !rows.has(*arm, &question.id) {
                let mark = meters.mark();
                let mut row = asker.ask(*arm, question);
                row.energy_j = mark.and_then(|mark| meters.joules_since(&mark));
                row.peak_bytes = meters.peak_bytes();
                rows.push(row)?;
            }
            done += 1;
            on_row(done, total, &format!("{arm}: {}", question.question));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(count: usize) -> Vec<StudyQuestion> {
        let line = |at: usize| {
            let split = if at.is_multiple_of(3) { "dev" } else { "test" };
            format!(r#"{{"id":"q{at}","split":"{split}","kind":"absent","question":"x?"}}"#)
        };
        let text: Vec<String> = (0..count).map(line).collect();
        super::super::read_text(&text.join("\n"), std::path::Path::new("set")).expect("sound")
    }

    #[test]
    fn a_sample_is_of_its_split_and_holds_the_smaller_ones() {
        let set = set(60);
        let ids = |sample| -> Vec<&str> {
            let chosen = select(&set, Some(Split::Test), sample);
            chosen.iter().map(|one| one.id.as_str()).collect()
        };
        assert_eq!(ids(None).len(), 40);
        assert_eq!(ids(Some(99)).len(), 40);
        let (small, large) = (ids(Some(5)), ids(Some(20)));
        assert_eq!((small.len(), large.len()), (5, 20));
        assert!(small.iter().all(|id| large.contains(id)));
        assert_eq!(select(&set, None, None).len(), 60);
    }
}
