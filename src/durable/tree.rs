//! The one way a sled database is opened: no timed flusher, and with patience for its lock.

use std::path::Path;

use super::{LOCK_PAUSE, LOCK_TRIES};

/// Opens the database in the folder `path`, which it creates; blocking.
///
/// Waits a little for its lock: sled's pool of threads holds the file shortly after a close, and a daemon
/// that is started again may meet the last of the one before. There is no timed flusher: each commit is flushed and
/// synced by its caller before it is reported. `cache_bytes` bounds sled's cache, whose default is 1 GiB.
///
/// # Errors
/// sled's; one that is the lock's is told by [`is_locked`].
pub fn open_tree(path: &Path, cache_bytes: u64) -> sled::Result<sled::Db> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None);
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(error) if is_locked(&error) => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    config.open()
}

/// Whether another has the lock; sled gives that no kind of its own.
pub fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_let_go_a_moment_later_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = open_tree(folder.path(), 1 << 20).expect("openable");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(3 * LOCK_PAUSE);
                drop(first);
            });
            open_tree(folder.path(), 1 << 20).expect("waits for the lock");
        });
    }

    #[test]
    fn a_lock_that_stays_is_told_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _first = open_tree(folder.path(), 1 << 20).expect("openable");
        let second = open_tree(folder.path(), 1 << 20).expect_err("locked");
        assert!(is_locked(&second), "{second}");
    }
}
