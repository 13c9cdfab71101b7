//! What goes into the session and what comes out.

use std::sync::Arc;

use crate::field::messages::BoxStatus;
use crate::field::publication::{NotDelivered, Publication};

/// What happened.
#[derive(Debug)]
pub(in crate::field) enum Input {
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
pub(in crate::field) enum Acknowledgement {
    Taken,
    /// Refused; sending it again may help.
    RefusedForNow(String),
    /// Refused for good.
    Refused(String),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::field) enum Action {
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
