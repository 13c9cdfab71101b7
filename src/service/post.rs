//! What leaves the daemon's loop for the broker: a bounded queue that the MQTT task drains.

use tokio::sync::mpsc;

use crate::field::BoxStatus;
use crate::journal::Outcome;
use crate::types::AskKey;

/// Messages that may wait for the broker; one more makes the sender of an outcome wait, which the
/// journal bears, and loses a streamed part, which the final message repeats.
const WAITING: usize = 256;

/// A packet that is to be acknowledged, as the MQTT room names it.
pub type Receipt = u64;

/// One thing for the MQTT task to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// Publish an outcome; with a key it is repeated until the broker has it.
    Outcome {
        /// The question, for [`Outcome`]s that stand in the journal; none for `busy`.
        key: Option<AskKey>,
        /// The message.
        outcome: Outcome,
    },
    /// Publish a part of an answer; it may be lost.
    Part(Outcome),
    /// Acknowledge an ask.
    Acknowledge(Receipt),
    /// Publish the retained status.
    Status(BoxStatus),
}

/// The sending end.
#[derive(Clone, Debug)]
pub struct Post(mpsc::Sender<Outgoing>);

impl Post {
    /// A post and the end that drains it.
    pub fn new() -> (Post, mpsc::Receiver<Outgoing>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Post(sender), receiver)
    }

    /// Hands `outgoing` over, waiting for room. A box without a broker drops it.
    pub async fn send(&self, outgoing: Outgoing) {
        let _ = self.0.send(outgoing).await;
    }

    /// Hands `outgoing` over if there is room; false when there is none.
    pub fn try_send(&self, outgoing: Outgoing) -> bool {
        self.0.try_send(outgoing).is_ok()
    }
}
