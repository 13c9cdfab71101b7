//! MQTT: what arrives becomes questions and readings, what the box says becomes messages.

mod messages;
mod sensors;
mod topics;

pub use messages::{
    Asked, BoxState, BoxStatus, Incoming, IncomingAsk, MAX_ASK_BYTES, Packet, Reader,
};
pub use sensors::{MAX_READINGS, Sensors};
pub use topics::{Name, Topic, Topics};
