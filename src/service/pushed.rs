//! The push that the edition under way came with: what the box tells of that edition carries its name, so that
//! whoever pushes knows it from what was told before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::edition::Manifest;
use crate::edition::push::Envelope;
use crate::types::Digest;

/// The last push; clones share it.
#[derive(Clone, Debug)]
pub struct Pushed {
    path: PathBuf,
    last: Arc<Mutex<Option<Last>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    manifest: Digest,
    serial: u64,
    push: String,
}

impl Pushed {
    /// What the state folder remembers; nothing where it cannot be read. Blocking.
    pub fn new(state: &Path) -> Pushed {
        let path = state.join("push.json");
        let last = std::fs::read(&path).ok();
        let last = last.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Pushed {
            path,
            last: Arc::new(Mutex::new(last)),
        }
    }

    /// Remembers the push of `envelope`. Blocking; durable where the disk allows.
    pub fn note(&self, envelope: &Envelope) {
        if self.is_of(envelope) {
            return;
        }
        let offered = &envelope.offer.manifest;
        let last = Last {
            manifest: Digest::of(offered),
            serial: Manifest::parse(offered).map_or(0, |manifest| manifest.serial),
            push: envelope.push.clone(),
        };
        let written = serde_json::to_vec(&last).map(|bytes| durable::replace(&self.path, &bytes));
        if !matches!(written, Ok(Ok(()))) {
            // Without it a repeated offer is tried once more.
            tracing::warn!(path = %self.path.display(), "the name of the push is not kept");
        }
        *self.lock() = Some(last);
    }

    /// Whether `envelope` is of the last push.
    pub fn is_of(&self, envelope: &Envelope) -> bool {
        let manifest = Digest::of(&envelope.offer.manifest);
        let last = self.lock();
        last.as_ref()
            .is_some_and(|last| last.manifest == manifest && last.push == envelope.push)
    }

    /// The push that edition `serial` came with.
    pub fn name_of(&self, serial: u64) -> Option<String> {
        let last = self.lock();
        let last = last.as_ref().filter(|last| last.serial == serial)?;
        (!last.push.is_empty()).then(|| last.push.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::Offer;

    fn envelope(serial: u64, push: &str) -> Envelope {
        let manifest = Manifest::new(serial, "n").to_text().expect("plain data");
        Envelope {
            offer: Offer {
                manifest: manifest.into_bytes(),
                signature: Vec::new(),
            },
            push: push.into(),
        }
    }

    #[test]
    fn the_last_push_is_known_after_a_restart_and_a_second_one_is_another() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let pushed = Pushed::new(state.path());
        assert!(!pushed.is_of(&envelope(3, "a")));
        pushed.note(&envelope(3, "a"));
        let again = Pushed::new(state.path());
        assert!(again.is_of(&envelope(3, "a")));
        assert!(!again.is_of(&envelope(3, "b")));
        assert_eq!(again.name_of(3).as_deref(), Some("a"));
        assert_eq!(again.name_of(4), None);
    }
}
