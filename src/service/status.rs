//! The retained status message: what it says and when it is published anew. Pure.

use std::time::{Duration, Instant};

use crate::field::BoxStatus;

/// Least time between two messages that differ in figures only; a changed state is told at once.
const PACE: Duration = Duration::from_secs(2);

/// Decides when the status is published.
#[derive(Debug, Default)]
pub struct StatusPace {
    last: Option<(BoxStatus, Instant)>,
}

impl StatusPace {
    /// The message to publish now, where `current` differs enough from the last one.
    pub fn due(&mut self, current: &BoxStatus, now: Instant) -> Option<BoxStatus> {
        if let Some((last, at)) = &self.last {
            let same_state = (last.state, last.session) == (current.state, current.session);
            if last == current || (same_state && now.duration_since(*at) < PACE) {
                return None;
            }
        }
        self.last = Some((current.clone(), now));
        Some(current.clone())
    }

    /// Makes the next [`StatusPace::due`] publish: the broker may have put the will in its place.
    pub fn forget(&mut self) {
        self.last = None;
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

    fn message(state: BoxState, queue: usize) -> BoxStatus {
        BoxStatus {
            box_name: "b1".into(),
            state,
            edition: 0,
            queue,
            wait_s: 0,
            session: 1,
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn figures_are_paced_and_a_changed_state_is_told_at_once() {
        let (mut pace, start) = (StatusPace::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert!(pace.due(&message(BoxState::Ready, 0), start).is_some());
        assert!(pace.due(&message(BoxState::Ready, 1), after(10)).is_none());
        assert!(pace.due(&message(BoxState::Degraded, 1), after(20)).is_some());
        assert!(pace.due(&message(BoxState::Degraded, 2), after(30)).is_none());
        assert!(
            pace.due(&message(BoxState::Degraded, 2), after(2_100))
                .is_some()
        );
        assert!(
            pace.due(&message(BoxState::Degraded, 2), after(9_000))
                .is_none()
        );
        pace.forget();
        assert!(
            pace.due(&message(BoxState::Degraded, 2), after(9_001))
                .is_some()
        );
    }

    #[test]
    fn the_message_is_what_the_contract_says() {
        assert_eq!(
            serde_json::to_string(&message(BoxState::Ready, 3)).expect("plain data"),
            r#"{"box":"b1","state":"ready","edition":0,"queue":3,"wait_s":0,"session":1,"version":"0.1.0"}"#
        );
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
