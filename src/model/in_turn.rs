//! A lock that threads get in turn.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A session that several threads run, each as often as the other: whoever has just given it back stands
/// behind whoever waits. With a plain lock a long answer would hold off another one to its end.
#[derive(Debug, Default)]
pub(super) struct InTurn<T> {
    turn: Mutex<()>,
    value: Mutex<T>,
}

impl<T> InTurn<T> {
    pub fn new(value: T) -> Self {
        InTurn {
            turn: Mutex::new(()),
            value: Mutex::new(value),
        }
    }

    /// Waits for the turn; blocking. A panic under the lock leaves a session as it was: it has no state
    /// between runs.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // Held while waiting for the value, by one at a time.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn whoever_waits_is_before_whoever_has_just_had_it() {
        let shared = Arc::new(InTurn::new(0));
        let had = shared.lock();
        let waiting = Arc::clone(&shared);
        let waiter = std::thread::spawn(move || *waiting.lock() = 1);
        while shared.turn.try_lock().is_ok() {
            std::thread::yield_now();
        }
        drop(had);
        assert_eq!(*shared.lock(), 1);
        waiter.join().expect("no panic");
    }
}
