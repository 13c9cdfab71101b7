//! What systemd is told: READY, STATUS, WATCHDOG, STOPPING; and whether the watchdog may be fed.
//!
//! Started by hand, without a notify socket, every call here does nothing.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use systemd::daemon;

/// Notices that may wait for systemd; one more is dropped, as the next one says more.
const NOTICES: usize = 32;

/// The way to systemd.
///
/// libsystemd waits for room in systemd's socket; a thread of its own does that, so that a stalled
/// service manager never stalls an answer.
#[derive(Clone, Debug)]
pub struct Systemd(SyncSender<Vec<(String, String)>>);

impl Systemd {
    /// Starts the thread; it ends with the last clone of this.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start() -> std::io::Result<Systemd> {
        let (sender, notices) = sync_channel::<Vec<(String, String)>>(NOTICES);
        std::thread::Builder::new()
            .name("systemd".into())
            .spawn(move || notices.iter().for_each(|notice| notify(&notice)))?;
        Ok(Systemd(sender))
    }

    /// Says that start-up is finished: questions are answered from now on.
    pub fn ready(&self, status: &str) {
        self.tell(&[(daemon::STATE_READY, "1"), (daemon::STATE_STATUS, status)]);
    }

    /// Sets the line that `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.tell(&[(daemon::STATE_STATUS, status)]);
    }

    /// Sets the line that `systemctl status` shows, and asks for `more` time to start.
    pub fn starting(&self, status: &str, more: Duration) {
        let micros = more.as_micros().to_string();
        self.tell(&[
            (daemon::STATE_STATUS, status),
            ("EXTEND_TIMEOUT_USEC", &micros),
        ]);
    }

    /// Says that the daemon is on its way down.
    pub fn stopping(&self, status: &str) {
        self.tell(&[
            (daemon::STATE_STOPPING, "1"),
            (daemon::STATE_STATUS, status),
        ]);
    }

    /// Feeds the watchdog.
    pub fn feed_watchdog(&self) {
        self.tell(&[(daemon::STATE_WATCHDOG, "1")]);
    }

    fn tell(&self, state: &[(&str, &str)]) {
        let notice = state.iter().map(|(key, value)| clean(key, value));
        let _ = self.0.try_send(notice.collect());
    }
}

/// libsystemd takes C strings: the crate panics on a NUL, and a newline would begin a new variable.
fn clean(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.replace(['\0', '\n', '\r'], " "))
}

fn notify(notice: &[(String, String)]) {
    if let Err(error) = daemon::notify(notice.iter()) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// How often systemd wants to be fed; `None` without a watchdog. Unset or foreign variables count as none.
pub fn watchdog_interval() -> Option<Duration> {
    daemon::watchdog_enabled()
        .ok()
        .filter(|micros| *micros > 0)
        .map(Duration::from_micros)
}

/// Decides when the watchdog is fed: only while every answering thread shows progress. Pure.
///
/// A thread counts a step with every token, with every stage of a question, and once a second
/// while it waits for work; so a step means either progress or idle and responsive.
#[derive(Debug)]
pub struct Watchdog {
    interval: Duration,
    /// What each thread's counter stood at, and since when.
    threads: Vec<(u64, Instant)>,
    started: Instant,
    fed_at: Option<Instant>,
}

impl Watchdog {
    /// A watchdog that wants food every `interval`, and takes a standstill of as long for work.
    pub fn new(interval: Duration, now: Instant) -> Self {
        Watchdog {
            interval,
            threads: Vec::new(),
            started: now,
            fed_at: None,
        }
    }

    /// Whether to feed now, with the threads' counters at `steps`; four times an interval at most.
    pub fn is_due(&mut self, steps: &[u64], now: Instant) -> bool {
        self.threads.resize(steps.len(), (0, self.started));
        for (thread, step) in self.threads.iter_mut().zip(steps) {
            if thread.0 != *step {
                *thread = (*step, now);
            }
        }
        let moves = |(_, since): &(u64, Instant)| now.duration_since(*since) < self.interval;
        let is_alive = self.threads.iter().all(moves);
        let is_fed = self
            .fed_at
            .is_some_and(|fed| now.duration_since(fed) < self.interval / 4);
        if is_alive && !is_fed {
            self.fed_at = Some(now);
        }
        is_alive && !is_fed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_stands_still_for_an_interval_is_not_fed_until_it_moves() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(Duration::from_secs(40), start);
        assert!(watchdog.is_due(&[1], after(0)));
        assert!(!watchdog.is_due(&[2], after(9)), "fed a moment ago");
        assert!(watchdog.is_due(&[2], after(10)));
        assert!(watchdog.is_due(&[2], after(48)));
        assert!(!watchdog.is_due(&[2], after(49)), "stands still");
        assert!(!watchdog.is_due(&[2], after(90)), "stands still");
        assert!(watchdog.is_due(&[3], after(91)));
    }

    #[test]
    fn one_of_several_threads_that_stands_still_is_enough() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(Duration::from_secs(40), start);
        assert!(watchdog.is_due(&[1, 1], after(0)));
        assert!(watchdog.is_due(&[2, 1], after(30)));
        assert!(!watchdog.is_due(&[3, 1], after(41)));
        assert!(watchdog.is_due(&[3, 2], after(42)));
    }

    #[test]
    fn a_status_with_a_nul_or_a_line_break_stays_one_variable() {
        let (_, value) = clean("STATUS", "a\0b\nREADY=1");
        assert_eq!(value, "a b READY=1");
    }
}
