//! The life of the connection to the broker: pure. Events and a time go in, actions come out.
//!
//! One connection of the client library lives from connect to loss and is then thrown away: what must outlive it
//! (publications without an acknowledgement, the state of the box) is held here and sent again. The library's own
//! memory of earlier connections is where its known faults lie.

mod backoff;
mod delivery;
mod events;
mod intake;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::messages::{BoxState, BoxStatus};
use super::publication::NotDelivered;
pub(super) use backoff::BackOff;
use delivery::Held;
pub(super) use events::{Acknowledgement, Action, Input};
use intake::Intake;
pub(super) use intake::UNACKNOWLEDGED;

/// Packets that the broker may send before the box acknowledges one: bounds what a flood costs in memory.
pub(super) const RECEIVE_MAX: u16 = 32;
/// Publications sent and not yet acknowledged.
const WINDOW: usize = 16;
/// Publications waiting to be sent; beyond, [`Session::has_room`] is false.
const OUTBOX: usize = 256;
/// A connection that lasted this long was good: the next wait is the first again.
const STABLE: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm the subscription.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(10);
/// Connections in a row that a packet above the limit may end before the broker's session is given up.
const OVERSIZE_LIMIT: u8 = 3;
/// How long stopping may take: sending what waits, then the last state.
const DRAIN_WITHIN: Duration = Duration::from_secs(4);
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Until then nothing is tried.
    Waiting(Instant),
    Connecting,
    /// Connected since; the subscription is confirmed or not.
    Connected {
        since: Instant,
        subscribed: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining(Instant),
    Goodbye(Instant),
    Over,
}

/// The state of the connection and all that outlives it.
#[derive(Debug)]
pub(super) struct Session {
    status_topic: String,
    status: BoxStatus,
    status_is_news: bool,
    max_packet: usize,
    number: u64,
    link: Link,
    phase: Phase,
    oversize: u8,
    back_off: BackOff,
    window: usize,
    peer_max_packet: usize,
    outbox: VecDeque<Held>,
    flying: VecDeque<Held>,
    intake: Intake,
    actions: Vec<Action>,
}

impl Session {
    /// A session whose last connection had `status.session`; `seed` spreads the waits of many boxes.
    pub fn new(
        status_topic: String,
        status: BoxStatus,
        max_packet: usize,
        seed: u64,
        now: Instant,
    ) -> Self {
        Session {
            status_topic,
            number: status.session,
            status,
            status_is_news: true,
            max_packet,
            link: Link::Waiting(now),
            phase: Phase::Running,
            oversize: 0,
            back_off: BackOff::new(seed),
            window: WINDOW,
            peer_max_packet: usize::MAX,
            outbox: VecDeque::new(),
            flying: VecDeque::new(),
            intake: Intake::default(),
            actions: Vec::new(),
        }
    }

    /// The number of the present connection.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether another publication may be handed in.
    pub fn has_room(&self) -> bool {
        self.outbox.len() < OUTBOX
    }

    /// When [`Input::Tick`] is due.
    pub fn due(&self) -> Option<Instant> {
        let link = match self.link {
            Link::Waiting(until) => Some(until),
            Link::Connected {
                since,
                subscribed: false,
            } => Some(since + SUBSCRIBE_WITHIN),
            _ => None,
        };
        let phase = match self.phase {
            Phase::Draining(until) | Phase::Goodbye(until) => Some(until),
            Phase::Running => None,
            Phase::Over => return None,
        };
        match (link, phase) {
            (Some(link), Some(phase)) => Some(link.min(phase)),
            (link, phase) => link.or(phase),
        }
    }

    /// Takes in what happened at `now`; gives what is to be done.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Action> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match input {
            Input::Tick => {}
            Input::Connected {
                session_present,
                receive_max,
                max_packet,
            } => self.connected((session_present, receive_max, max_packet), now),
            Input::Lost { why, oversize } => self.lost(why, oversize, now),
            Input::Subscribed(Ok(())) => self.subscribed(),
            Input::Subscribed(Err(why)) => self.break_off(why, now),
            Input::Publish(id, publication) => self.publish(id, publication),
            Input::Sent(packet) => {
                if let Some(held) = self.flying.iter_mut().find(|held| held.packet.is_none()) {
                    held.packet = Some(packet);
                }
            }
            Input::Acknowledged(packet, answer) => self.acknowledged(packet, answer),
            Input::Received(packet) => self.received(packet, now),
            Input::Ack(connection, packet) => self.ack(connection, packet),
            Input::Renew => {
                self.break_off("to have passed-over packets sent again".into(), now);
                self.back_off.reset();
            }
            Input::Status(status) => {
                self.status = status;
                self.status_is_news = true;
            }
            Input::OwnStatus(held) => {
                // The will of an earlier connection came late and overwrote what this one said.
                self.status_is_news |= held.state == BoxState::Gone && held.session < self.number;
            }
            Input::Stop => {
                if self.phase == Phase::Running {
                    self.phase = Phase::Draining(now + DRAIN_WITHIN);
                }
            }
        }
        self.go_on(now);
        std::mem::take(&mut self.actions)
    }

    fn is_connected(&self) -> bool {
        matches!(self.link, Link::Connected { .. })
    }

    /// What time and the new state allow.
    fn go_on(&mut self, now: Instant) {
        match self.link {
            Link::Waiting(until) if now >= until && self.phase == Phase::Running => {
                self.number += 1;
                self.link = Link::Connecting;
                self.actions.push(Action::Connect {
                    session: self.number,
                    fresh: self.oversize >= OVERSIZE_LIMIT,
                });
            }
            Link::Connected {
                since,
                subscribed: false,
            } if now >= since + SUBSCRIBE_WITHIN => {
                self.break_off("the broker did not confirm the subscription".into(), now);
            }
            _ => {}
        }
        self.wind_down(now);
        self.pump();
    }

    fn connected(
        &mut self,
        (session_present, receive_max, max_packet): (bool, u16, Option<u32>),
        now: Instant,
    ) {
        self.link = Link::Connected {
            since: now,
            subscribed: false,
        };
        self.window = WINDOW.min(usize::from(receive_max).max(1));
        self.peer_max_packet = max_packet.map_or(usize::MAX, |bytes| bytes as usize);
        self.status_is_news = true;
        if session_present {
            self.actions.push(Action::ForgetUnseen);
        }
        self.actions.push(Action::Subscribe);
    }

    fn subscribed(&mut self) {
        if let Link::Connected { subscribed, .. } = &mut self.link
            && !*subscribed
        {
            *subscribed = true;
            self.actions.push(Action::Up);
        }
    }

    /// Ends a connection that is of no use.
    fn break_off(&mut self, why: String, now: Instant) {
        if self.link == Link::Connecting || self.is_connected() {
            self.actions.push(Action::Drop);
            self.lost(why, false, now);
        }
    }

    fn lost(&mut self, why: String, oversize: bool, now: Instant) {
        if matches!(self.link, Link::Waiting(_)) {
            return;
        }
        if let Link::Connected { since, .. } = self.link
            && now.saturating_duration_since(since) >= STABLE
        {
            self.back_off.reset();
        }
        // Only an unbroken row of them shows a packet that the broker sends again and again.
        self.oversize = if oversize {
            self.oversize.saturating_add(1)
        } else {
            0
        };
        self.link = Link::Waiting(now + self.back_off.next());
        self.intake.clear();
        self.take_back_flying();
        self.actions.push(Action::Down(why));
    }

    fn received(&mut self, packet: u16, now: Instant) {
        if !self.intake.receive(packet) {
            self.break_off("the broker keeps to no receive maximum".into(), now);
        }
    }

    fn ack(&mut self, connection: u64, packet: u16) {
        if connection == self.number {
            let due = self.intake.release(packet);
            self.actions
                .extend(due.into_iter().map(Action::Acknowledge));
        }
    }

    fn wind_down(&mut self, now: Instant) {
        if let Phase::Draining(until) = self.phase {
            let drained = self.outbox.is_empty() && self.flying.is_empty();
            if !self.is_connected() {
                self.end();
            } else if drained || now >= until {
                self.phase = Phase::Goodbye(now + GOODBYE_WITHIN);
                self.status.state = BoxState::Gone;
                self.status_is_news = true;
                self.give_up_waiting();
                return;
            }
        }
        if let Phase::Goodbye(until) = self.phase {
            let said = !self.status_is_news && self.flying.is_empty();
            if !self.is_connected() {
                self.end();
            } else if said {
                self.actions.push(Action::Disconnect);
                self.end();
            } else if now >= until {
                // Without a leave the broker publishes the will, which says the same.
                self.actions.push(Action::Drop);
                self.end();
            }
        }
    }

    fn give_up_waiting(&mut self) {
        for held in std::mem::take(&mut self.outbox) {
            self.fail(&held, NotDelivered::Stopped);
        }
    }

    fn end(&mut self) {
        self.give_up_waiting();
        for held in std::mem::take(&mut self.flying) {
            self.fail(&held, NotDelivered::Stopped);
        }
        if self.link == Link::Connecting {
            self.actions.push(Action::Drop);
        }
        self.phase = Phase::Over;
        self.actions.push(Action::Finished);
    }
}

#[cfg(test)]
mod tests;
