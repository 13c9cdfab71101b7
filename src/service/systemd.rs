//! What systemd is told: READY, STATUS, WATCHDOG, STOPPING; and whether the watchdog may be fed.
//!
//! Started by hand, without a notify socket, every call here does nothing.

use std::time::{Duration, Instant};

use systemd::daemon;

/// Says that start-up is finished: questions are answered from now on.
pub fn ready(status: &str) {
    notify(&[(daemon::STATE_READY, "1"), (daemon::STATE_STATUS, status)]);
}

/// Sets the line that `systemctl status` shows.
pub fn status(status: &str) {
    notify(&[(daemon::STATE_STATUS, status)]);
}

/// Says that the daemon is on its way down.
pub fn stopping(status: &str) {
    notify(&[
        (daemon::STATE_STOPPING, "1"),
        (daemon::STATE_STATUS, status),
    ]);
}

/// Feeds the watchdog.
pub fn feed_watchdog() {
    notify(&[(daemon::STATE_WATCHDOG, "1")]);
}

/// How often systemd wants to be fed; `None` without a watchdog. Unset or foreign variables count as none.
pub fn watchdog_interval() -> Option<Duration> {
    daemon::watchdog_enabled()
        .ok()
        .filter(|micros| *micros > 0)
        .map(Duration::from_micros)
}

fn notify(state: &[(&str, &str)]) {
    // libsystemd takes C strings: the crate panics on a NUL, and a newline would begin a new variable.
    let clean: Vec<(String, String)> = state
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.replace(['\0', '\n', '\r'], " ")))
        .collect();
    if let Err(error) = daemon::notify(clean.iter()) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// Decides whether the watchdog is fed: only while the answering thread shows progress. Pure.
///
/// The thread counts a step with every token, with every stage of a question, and once a second
/// while it waits for work; so a step means either progress or idle and responsive.
#[derive(Debug)]
pub struct Watchdog {
    patience: Duration,
    step: u64,
    moved_at: Instant,
}

impl Watchdog {
    /// A watchdog that takes a standstill of up to `patience` for work.
    pub fn new(patience: Duration, now: Instant) -> Self {
        Watchdog {
            patience,
            step: 0,
            moved_at: now,
        }
    }

    /// Whether to feed now, with the thread's counter at `step`.
    pub fn may_feed(&mut self, step: u64, now: Instant) -> bool {
        if step != self.step {
            self.step = step;
            self.moved_at = now;
        }
        now.duration_since(self.moved_at) < self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_stands_still_longer_than_the_patience_is_not_fed_until_it_moves() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(Duration::from_secs(30), start);
        assert!(watchdog.may_feed(1, after(10)));
        assert!(watchdog.may_feed(1, after(39)));
        assert!(!watchdog.may_feed(1, after(40)));
        assert!(watchdog.may_feed(2, after(50)));
    }

    #[test]
    fn a_status_with_a_nul_or_a_line_break_does_not_panic() {
        status("a\0b\nREADY=1");
    }
}
