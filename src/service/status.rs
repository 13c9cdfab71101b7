//! The retained status message: what it says and when it is published anew. Pure.

use std::time::{Duration, Instant};

use crate::field::BoxReport;

/// Least time between two messages that differ in figures only; a changed state is told at once.
const PACE: Duration = Duration::from_secs(2);

/// Decides when the status is published.
#[derive(Debug, Default)]
pub struct StatusPace {
    last: Option<(BoxReport, Instant)>,
}

impl StatusPace {
    /// The status to publish now, where `current` differs enough from the last one.
    pub fn due(&mut self, current: BoxReport, now: Instant) -> Option<BoxReport> {
        if let Some((last, at)) = &self.last {
            let is_paced = last.state == current.state && now.duration_since(*at) < PACE;
            if *last == current || is_paced {
                return None;
            }
        }
        self.last = Some((current, now));
        Some(current)
    }
}

/// How long an answer takes, averaged over the last few; for `wait_s`.
#[derive(Debug, Default)]
pub struct Rhythm {
    seconds: Option<f64>,
}

impl Rhythm {
    /// Notes that an answer took `took`.
    pub fn note(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.seconds = Some(self.seconds.map_or(took, |mean| 0.8 * mean + 0.2 * took));
    }

    /// Seconds until a question that comes when `ahead` others wait would be answered; at least 1
    /// where any wait. A box that has answered nothing yet reckons with 5 s an answer.
    pub fn wait_s(&self, ahead: usize) -> u64 {
        if ahead == 0 {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "seconds of waiting are small and positive"
        )]
        let seconds = (ahead as f64 * self.seconds.unwrap_or(5.0)).ceil() as u64;
        seconds.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::BoxState;

    fn report(state: BoxState, queue: usize) -> BoxReport {
        BoxReport {
            state,
            edition: 0,
            queue,
            wait_s: 0,
        }
    }

    #[test]
    fn figures_are_paced_and_a_changed_state_is_told_at_once() {
        let (mut pace, start) = (StatusPace::default(), Instant::now());
        let mut due = |state, queue, millis| {
            pace.due(report(state, queue), start + Duration::from_millis(millis))
        };
        assert!(due(BoxState::Ready, 0, 0).is_some());
        assert!(due(BoxState::Ready, 1, 10).is_none());
        assert!(due(BoxState::Degraded, 1, 20).is_some());
        assert!(due(BoxState::Degraded, 2, 30).is_none());
        assert!(due(BoxState::Degraded, 2, 2_100).is_some());
        assert!(due(BoxState::Degraded, 2, 9_000).is_none());
    }

    #[test]
    fn the_wait_grows_with_the_queue_and_the_time_of_an_answer() {
        let mut rhythm = Rhythm::default();
        assert_eq!((rhythm.wait_s(0), rhythm.wait_s(2)), (0, 10));
        rhythm.note(Duration::from_millis(1_500));
        assert_eq!(
            (rhythm.wait_s(0), rhythm.wait_s(1), rhythm.wait_s(4)),
            (0, 2, 6)
        );
    }
}
