//! What leaves the daemon's loop for the broker: one bounded queue, so that the parts of an answer and
//! its outcome keep their order.

use tokio::sync::{mpsc, oneshot};

use crate::field::{AckToken, Publication};
use crate::journal::Outcome;
use crate::types::AskKey;

/// Messages that may wait for the broker; one more makes the sender of an outcome wait, which the
/// journal bears, and loses a streamed part, which the final message repeats.
const WAITING: usize = 256;

/// One thing to hand to the broker.
#[derive(Debug)]
pub enum Outgoing {
    /// Publish an outcome.
    Outcome {
        /// The question, where the journal is to learn of the delivery; none for `busy`.
        key: Option<AskKey>,
        /// The message.
        outcome: Outcome,
    },
    /// Publish a part of an answer; it may be lost.
    Part(Publication),
    /// Acknowledge an ask.
    Acknowledge(AckToken),
    /// Say when everything before this was handed over.
    Flush(oneshot::Sender<()>),
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

    /// Hands `outgoing` over, waiting for room.
    pub async fn send(&self, outgoing: Outgoing) {
        // The draining task ends with the runtime only.
        let _ = self.0.send(outgoing).await;
    }

    /// Hands a part over if there is room.
    pub fn part(&self, part: Publication) {
        let _ = self.0.try_send(Outgoing::Part(part));
    }

    /// Waits until all that was sent before has been handed to the broker's connection.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.send(Outgoing::Flush(done)).await;
        let _ = flushed.await;
    }
}
