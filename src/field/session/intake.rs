//! Packets received and not yet acknowledged.

use std::collections::VecDeque;

/// Packets not acknowledged at which a connection is given up. Far above the receive maximum, because Mosquitto 2.0
/// forgets that with `max_queued_messages 0`.
pub(in crate::field) const UNACKNOWLEDGED: usize = 2_048;

/// Packets of one connection, acknowledged in the order in which they came (MQTT 5, section 4.6).
#[derive(Debug, Default)]
pub(super) struct Intake(VecDeque<(u16, bool)>);

impl Intake {
    /// Notes a packet; whether there is room for it.
    pub fn receive(&mut self, packet: u16) -> bool {
        let room = self.0.len() < UNACKNOWLEDGED;
        if room {
            self.0.push_back((packet, false));
        }
        room
    }

    /// Lets `packet` be acknowledged; gives the packets whose turn it now is.
    pub fn release(&mut self, packet: u16) -> Vec<u16> {
        if let Some(found) = self.0.iter_mut().find(|(id, may)| *id == packet && !may) {
            found.1 = true;
        }
        let mut due = Vec::new();
        while let Some((packet, true)) = self.0.front().copied() {
            self.0.pop_front();
            due.push(packet);
        }
        due
    }

    /// Forgets all: the connection is over.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
