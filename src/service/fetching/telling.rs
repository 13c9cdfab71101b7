//! What is told of a fetch on its way.

use std::time::Instant;

use super::offers::serial_of;
use super::{At, Fetcher, PACE};
use crate::edition::{Offer, Phase, Told};
use crate::field::Publication;

impl Fetcher {
    /// Tells how far the fetch is, not too often.
    pub(super) fn report(&mut self) {
        let now = Instant::now();
        if self.told.is_some_and(|told| now < told + PACE) {
            return;
        }
        self.told = Some(now);
        let At::Fetching(_, parts) = &mut self.at else {
            return;
        };
        let fetch = parts.fetch();
        let ((bytes, total), resumed) = (fetch.bytes(), fetch.resumed());
        let serial = fetch.serial();
        let why = match fetch.is_stalled() {
            true => "nobody sends it; waiting for the offer to come again".into(),
            false => String::new(),
        };
        self.publish_state(Told {
            serial,
            phase: Phase::Fetching,
            why,
            bytes: Some((bytes, total)),
            resumed: Some(resumed),
        });
    }

    pub(super) fn rejected(&self, offer: &Offer, why: String) {
        self.tell(serial_of(offer), Phase::Rejected, why);
    }

    pub(super) fn tell(&self, serial: u64, phase: Phase, why: String) {
        self.publish_state(Told {
            serial,
            phase,
            why,
            bytes: None,
            resumed: None,
        });
    }

    pub(super) fn publish_state(&self, told: Told) {
        self.runtime.block_on(self.updater.tell(told));
    }

    pub(super) fn publish(&self, publication: Publication) {
        // Stopped: the daemon ends. What the broker makes of it need not be known.
        drop(self.runtime.block_on(self.handle.publish(publication)));
    }
}
