//! The life of the connection to the broker: pure. Events and a time go in, actions come out.
//!
//! One connection of the client library lives from connect to loss and is then thrown away: what must outlive it
//! (publications without an acknowledgement, the state of the box) is held here and sent again. The library's own
//! memory of earlier connections is where its known faults lie.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::messages::{BoxState, BoxStatus};
use super::publication::{NotDelivered, Publication};

/// Packets that the broker may send before the box acknowledges one: bounds what a flood costs in memory.
pub(super) const RECEIVE_MAX: u16 = 32;
/// Packets not acknowledged at which a connection is given up. Far above the receive maximum, because Mosquitto 2.0
/// forgets that with `max_queued_messages 0`.
pub(super) const UNACKNOWLEDGED: usize = 2_048;
/// Publications sent and not yet acknowledged.
const WINDOW: usize = 16;
/// Publications waiting to be sent; beyond, [`Session::has_room`] is false.
const OUTBOX: usize = 256;
/// How often a publication that the broker refuses for a passing reason is sent.
const ATTEMPTS: u8 = 3;
/// First and longest wait before connecting again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// A connection that lasted this long was good: the next wait is the first again.
const STABLE: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm the subscription.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(10);
/// Connections in a row that a packet above the limit may end before the broker's session is given up.
const OVERSIZE_LIMIT: u8 = 3;
/// How long stopping may take: sending what waits, then the last state.
const DRAIN_WITHIN: Duration = Duration::from_secs(4);
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);
/// Room for header and properties beside topic, payload and correlation data, bytes.
const OVERHEAD: usize = 96;

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    /// Only time passed.
    Tick,
    /// The broker took the connection.
    Connected {
        session_present: bool,
        receive_max: u16,
        max_packet: Option<u32>,
    },
    /// The attempt failed, or the connection ended.
    Lost { why: String, oversize: bool },
    /// The broker answered the subscription to the asks.
    Subscribed(Result<(), String>),
    /// A publication is to be sent.
    Publish(u64, Arc<Publication>),
    /// The oldest publication handed over has this packet id.
    Sent(u16),
    /// The broker's answer to it.
    Acknowledged(u16, Acknowledgement),
    /// A packet came that must be acknowledged.
    Received(u16),
    /// The packet may be acknowledged; the number is that of its connection.
    Ack(u64, u16),
    /// Packets were passed over for want of room, and there is room again: a new connection brings them again.
    Renew,
    /// The box has a new state.
    Status(BoxStatus),
    /// The broker holds this state of the box.
    OwnStatus(BoxStatus),
    /// Send what waits, say goodbye, end.
    Stop,
}

/// The broker's answer to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    Taken,
    /// Refused; sending it again may help.
    RefusedForNow(String),
    /// Refused for good.
    Refused(String),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Connect as connection `session`; `fresh` gives up what the broker kept for this box.
    Connect { session: u64, fresh: bool },
    /// Subscribe to everything.
    Subscribe,
    /// Forget packets received earlier and not looked at: the broker sends them again.
    ForgetUnseen,
    /// Send this.
    Send(Arc<Publication>),
    /// Acknowledge this packet.
    Acknowledge(u16),
    /// The broker has this publication.
    Delivered(u64),
    /// It never will.
    NotDelivered(u64, NotDelivered),
    /// Connected and subscribed.
    Up,
    /// Not connected, and why.
    Down(String),
    /// Drop the connection as it is.
    Drop,
    /// Take leave of the broker, so that it does not publish the will.
    Disconnect,
    /// It is over.
    Finished,
}

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

#[derive(Clone, Debug)]
enum Id {
    Status,
    Message(u64),
}

#[derive(Clone, Debug)]
struct Held {
    id: Id,
    publication: Arc<Publication>,
    attempts: u8,
    /// Set once the library has given it one.
    packet: Option<u16>,
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
    tries: u32,
    oversize: u8,
    random: u64,
    window: usize,
    peer_max_packet: usize,
    outbox: VecDeque<Held>,
    flying: VecDeque<Held>,
    /// Packets to be acknowledged in the order in which they came (MQTT 5, section 4.6), and whether they may.
    unacknowledged: VecDeque<(u16, bool)>,
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
            tries: 0,
            oversize: 0,
            random: seed | 1,
            window: WINDOW,
            peer_max_packet: usize::MAX,
            outbox: VecDeque::new(),
            flying: VecDeque::new(),
            unacknowledged: VecDeque::new(),
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
                self.tries = 0;
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
        if let Link::Connected { since, .. } = self.link
            && now.saturating_duration_since(since) >= STABLE
        {
            self.tries = 0;
        }
        // Only an unbroken row of them shows a packet that the broker sends again and again.
        self.oversize = if oversize {
            self.oversize.saturating_add(1)
        } else {
            0
        };
        let wait = self.wait();
        self.link = Link::Waiting(now + wait);
        self.tries = self.tries.saturating_add(1);
        self.unacknowledged.clear();
        self.take_back_flying();
        self.actions.push(Action::Down(why));
    }

    /// Doubles with every try up to the ceiling, less a random part of up to one half.
    fn wait(&mut self) -> Duration {
        let (first, longest) = BACK_OFF;
        let full = first.saturating_mul(1 << self.tries.min(16)).min(longest);
        // xorshift64: spreading needs no better.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        #[allow(clippy::cast_precision_loss)]
        let part = (self.random >> 40) as f64 / (1_u64 << 24) as f64;
        full.mul_f64(1.0 - part / 2.0)
    }

    /// Puts what was sent and not acknowledged back in front, in its order; parts that only matter now are dropped.
    fn take_back_flying(&mut self) {
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

    fn publish(&mut self, id: u64, publication: Arc<Publication>) {
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
    fn pump(&mut self) {
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
    fn phase_allows_status(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Goodbye(_))
    }

    fn status_publication(&self) -> Held {
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

    fn acknowledged(&mut self, packet: u16, answer: Acknowledgement) {
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

    fn fail(&mut self, held: &Held, why: NotDelivered) {
        match held.id {
            Id::Message(id) => self.actions.push(Action::NotDelivered(id, why)),
            Id::Status => {
                tracing::warn!(topic = %held.publication.topic, %why, "the state was not published")
            }
        }
    }

    fn received(&mut self, packet: u16, now: Instant) {
        if self.unacknowledged.len() >= UNACKNOWLEDGED {
            self.break_off("the broker keeps to no receive maximum".into(), now);
        } else {
            self.unacknowledged.push_back((packet, false));
        }
    }

    fn ack(&mut self, connection: u64, packet: u16) {
        if connection != self.number {
            return;
        }
        if let Some(found) = self
            .unacknowledged
            .iter_mut()
            .find(|(id, may)| *id == packet && !may)
        {
            found.1 = true;
        }
        while let Some((packet, true)) = self.unacknowledged.front().copied() {
            self.unacknowledged.pop_front();
            self.actions.push(Action::Acknowledge(packet));
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
