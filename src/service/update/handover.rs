//! How long a switch of editions kept askers waiting. Pure: moments come in, durations go out.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::durable::{self, FileError};
use crate::service::reports::HandoverReport;

/// The report's name in the folder of the edition that was switched to.
const FILE_NAME: &str = "handover.json";

/// One switch, as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    from: u64,
    to: u64,
    began: Instant,
    opened: Option<Instant>,
    last: Option<Instant>,
    is_old_at_work: bool,
    is_answered: bool,
    between: Option<Duration>,
}

impl Handover {
    /// The old edition `from` gets no question from now on; `last` is its latest outcome, where it has given
    /// one, and `is_old_at_work` says whether one more is to come.
    pub fn begin(
        (from, to): (u64, u64),
        began: Instant,
        last: Option<Instant>,
        is_old_at_work: bool,
    ) -> Self {
        Handover {
            from,
            to,
            began,
            opened: None,
            last,
            is_old_at_work,
            is_answered: false,
            between: None,
        }
    }

    /// The new edition takes questions; true when that is news.
    pub fn open(&mut self, now: Instant) -> bool {
        let is_news = self.opened.is_none();
        self.opened.get_or_insert(now);
        is_news
    }

    /// The old edition gave an outcome, the last one unless `is_old_at_work` still.
    pub fn last(&mut self, now: Instant, is_old_at_work: bool) {
        self.is_old_at_work = is_old_at_work;
        self.last = Some(now);
    }

    /// The new edition gave an outcome; true when it is the first.
    pub fn first(&mut self, now: Instant) -> bool {
        if self.is_answered {
            return false;
        }
        self.is_answered = true;
        self.between = match self.is_old_at_work {
            // It was faster than the old one with its last question.
            true => Some(Duration::ZERO),
            false => self.last.map(|last| now.saturating_duration_since(last)),
        };
        true
    }

    /// What is known so far.
    pub fn report(&self) -> HandoverReport {
        let closed = self
            .opened
            .map(|opened| opened.saturating_duration_since(self.began));
        HandoverReport {
            from: self.from,
            to: self.to,
            closed_ms: closed.map(|closed| closed.as_secs_f64() * 1_000.0),
            between_ms: self.between.map(|between| between.as_secs_f64() * 1_000.0),
        }
    }
}

/// Keeps `report` in the edition's `folder`, for `almanac edition status`; blocking.
///
/// # Errors
/// The folder cannot be written.
pub fn keep(folder: &Path, report: &HandoverReport) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(report).unwrap_or_default();
    durable::replace(&folder.join(FILE_NAME), &bytes)
}

/// The report in the edition's `folder`; none where it was switched to by a start, or the file is unreadable:
/// it serves people only. Blocking.
pub fn kept(folder: &Path) -> Option<HandoverReport> {
    let bytes = std::fs::read(folder.join(FILE_NAME)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn the_time_between_runs_from_the_last_outcome_of_the_old_to_the_first_of_the_new() {
        let start = Instant::now();
        let mut this = Handover::begin((11, 12), after(start, 100), Some(start), true);
        assert!(this.open(after(start, 103)));
        assert!(!this.open(after(start, 900)));
        this.last(after(start, 300), true);
        this.last(after(start, 400), false);
        assert_eq!(this.report().between_ms, None);
        assert!(this.first(after(start, 650)));
        assert!(!this.first(after(start, 950)));
        let report = this.report();
        assert_eq!((report.from, report.to), (11, 12));
        assert_eq!(report.closed_ms, Some(3.0));
        assert_eq!(report.between_ms, Some(250.0));
    }

    #[test]
    fn there_is_no_time_between_where_the_new_one_answers_before_the_old_one_is_done() {
        let start = Instant::now();
        let mut this = Handover::begin((11, 12), start, Some(start), true);
        this.open(start);
        this.first(after(start, 50));
        assert_eq!(this.report().between_ms, Some(0.0));
        this.last(after(start, 80), false);
        assert_eq!(this.report().between_ms, Some(0.0));
    }

    #[test]
    fn where_nobody_asks_only_the_switch_itself_is_known() {
        let start = Instant::now();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut this = Handover::begin((0, 1), start, None, false);
        this.open(after(start, 2));
        this.first(after(start, 9_000));
        let report = this.report();
        assert_eq!((report.closed_ms, report.between_ms), (Some(2.0), None));
        assert_eq!(kept(folder.path()), None);
        keep(folder.path(), &report).expect("writable");
        assert_eq!(kept(folder.path()), Some(report));
    }
}
