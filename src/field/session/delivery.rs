//! Publications on their way: what waits, what is under way, what the broker said.

use std::sync::Arc;

use super::{Acknowledgement, Action, Phase, Session};
use crate::field::messages::BoxStatus;
use crate::field::publication::{NotDelivered, Publication};

/// How often a publication that the broker refuses for a passing reason is sent.
const ATTEMPTS: u8 = 3;
/// Room for header and properties beside topic, payload and correlation data, bytes.
const OVERHEAD: usize = 96;

#[derive(Clone, Debug)]
pub(super) enum Id {
    Status,
    Message(u64),
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub id: Id,
    pub publication: Arc<Publication>,
    pub attempts: u8,
    /// Set once the library has given it one.
    pub packet: Option<u16>,
}

impl Session {
    /// Puts what was sent and not acknowledged back in front, in its order; parts that only matter now are dropped.
    pub(super) fn take_back_flying(&mut self) {
        while let Some(mut held) = self.flying.pop_back() {
            held.packet = None;
            if matches!(held.id, Id::Message(_)) {
                self.outbox.push_front(held);
            }
        }
        let (kept, dropped) = std::mem::take(&mut self.outbox)
            .into_iter()
            .partition(|held| held.publication.keep);
        self.outbox = kept;
        for held in dropped {
            self.fail(&held, NotDelivered::Dropped);
        }
    }

    pub(super) fn publish(&mut self, id: u64, publication: Arc<Publication>) {
        let held = Held {
            id: Id::Message(id),
            publication,
            attempts: 0,
            packet: None,
        };
        if !held.publication.keep && !self.is_connected() {
            self.fail(&held, NotDelivered::Dropped);
        } else {
            self.outbox.push_back(held);
        }
    }

    /// Sends what the window has room for, the state first.
    pub(super) fn pump(&mut self) {
        while self.is_connected() && self.flying.len() < self.window {
            let next = if self.status_is_news && self.phase_allows_status() {
                self.status_is_news = false;
                self.status_publication()
            } else if let Some(held) = self.outbox.pop_front() {
                held
            } else {
                return;
            };
            let size = next.publication.size() + OVERHEAD;
            let most = self.max_packet.min(self.peer_max_packet);
            if size > most {
                self.fail(&next, NotDelivered::TooLarge { bytes: size, most });
                continue;
            }
            self.actions.push(Action::Send(next.publication.clone()));
            self.flying.push_back(next);
        }
    }

    /// Once stopping, only the last state is sent, after everything else.
    pub(super) fn phase_allows_status(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Goodbye(_))
    }

    pub(super) fn status_publication(&self) -> Held {
        let status = BoxStatus {
            session: self.number,
            ..self.status.clone()
        };
        Held {
            id: Id::Status,
            publication: Arc::new(Publication::status(&self.status_topic, &status)),
            attempts: 0,
            packet: None,
        }
    }

    pub(super) fn acknowledged(&mut self, packet: u16, answer: Acknowledgement) {
        let found = self
            .flying
            .iter()
            .position(|held| held.packet == Some(packet));
        let Some(mut held) = found.and_then(|index| self.flying.remove(index)) else {
            return;
        };
        match (answer, &held.id) {
            (Acknowledgement::Taken, Id::Message(id)) => self.actions.push(Action::Delivered(*id)),
            (Acknowledgement::RefusedForNow(_), Id::Message(_)) if held.attempts + 1 < ATTEMPTS => {
                held.attempts += 1;
                held.packet = None;
                self.outbox.push_back(held);
            }
            (Acknowledgement::RefusedForNow(why) | Acknowledgement::Refused(why), _) => {
                self.fail(&held, NotDelivered::Refused(why));
            }
            (Acknowledgement::Taken, Id::Status) => {}
        }
    }

    pub(super) fn fail(&mut self, held: &Held, why: NotDelivered) {
        match held.id {
            Id::Message(id) => self.actions.push(Action::NotDelivered(id, why)),
            Id::Status => {
                tracing::warn!(topic = %held.publication.topic, %why, "the state was not published")
            }
        }
    }
}
