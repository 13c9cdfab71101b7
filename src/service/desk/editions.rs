//! Questions handed over from one edition to the next.

use std::time::Instant;

use super::super::reports::HandoverReport;
use super::super::update::handover::Handover;
use super::Desk;

impl Desk {
    /// Notes whether editions are being changed.
    pub fn set_updating(&mut self, is_updating: bool) {
        self.is_updating = is_updating;
    }

    /// The edition `serial` gets the next questions, whose threads are told to begin now; those that are
    /// worked on stay with the old edition.
    pub fn switch_to(&mut self, serial: u64, now: Instant) {
        let from = std::mem::replace(&mut self.terms.edition, serial);
        let (last, is_at_work) = (self.last_outcome, !self.working.is_empty());
        self.leaving.append(&mut self.working);
        self.handover = Some(Handover::begin((from, serial), now, last, is_at_work));
    }

    /// How the last switch went, where more is known of it than when this was last asked.
    pub fn handover(&mut self) -> Option<HandoverReport> {
        let is_news = std::mem::take(&mut self.is_handover_news);
        self.handover
            .as_ref()
            .filter(|_| is_news)
            .map(Handover::report)
    }

    /// Whoever was at `ticket` is free; true where that is an edition that was switched from.
    pub(super) fn comes_back(&mut self, ticket: u64) -> bool {
        let place = self.leaving.iter().position(|at_work| *at_work == ticket);
        match place {
            Some(place) => {
                self.leaving.swap_remove(place);
            }
            None => self.working.retain(|at_work| *at_work != ticket),
        }
        place.is_some()
    }

    pub(super) fn note_outcome(&mut self, is_old: bool, now: Instant) {
        self.last_outcome = Some(now);
        match &mut self.handover {
            Some(handover) if is_old => handover.last(now, !self.leaving.is_empty()),
            Some(handover) => self.is_handover_news |= handover.first(now),
            None => {}
        }
    }
}
