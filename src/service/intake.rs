//! From a packet to a journalled question: known, admitted, written down, acknowledged. In that order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::post::{Outgoing, Post};
use crate::field::{AckToken, Asked, IncomingAsk, encode};
use crate::journal::{Acceptance, Accepted, Journal, Outcome};
use crate::types::{Answer, AskKey, InvalidAsk, Status};

/// A question that stands in the journal and waits for its turn.
#[derive(Debug)]
pub struct Admitted {
    /// Client and id.
    pub key: AskKey,
    /// All that answering it needs.
    pub accepted: Accepted,
    /// When its packet came.
    pub arrived: Instant,
    /// Its place in the queue; given back when it leaves.
    pub place: OwnedSemaphorePermit,
    /// The packet, where it is acknowledged only with the outcome (boxes that share their questions).
    pub token: Option<AckToken>,
}

/// What errands tell the loop.
#[derive(Debug)]
pub enum Note {
    /// A question is in.
    Admitted(Box<Admitted>),
    /// The journal works, or why it does not.
    Journal(Result<(), String>),
    /// A question got its outcome without the loop: `busy`, `invalid`, or an old one again.
    Told(Status),
}

/// Takes asks in, each on its own task, so that those that come together share one sync of the journal.
#[derive(Clone)]
pub struct Intake {
    /// Questions and outcomes.
    pub journal: Arc<Journal>,
    /// The way to the broker.
    pub post: Post,
    /// Places in the queue.
    pub places: Arc<Semaphore>,
    /// The way to the loop.
    pub notes: mpsc::Sender<Note>,
    /// The box's name, in answers.
    pub box_name: String,
    /// Whether packets are acknowledged only with their outcome.
    pub shares: bool,
    /// Deadline of a question that names none.
    pub deadline: Duration,
}

impl Intake {
    /// Takes `ask` in; `wait_s` is what an asker is told when there is no place.
    pub async fn take(self, ask: IncomingAsk, token: AckToken, edition: u64, wait_s: u64) {
        match &ask.asked {
            Ok(asked) => {
                let accepted = self.accepted(&ask, asked);
                let key = ask.key.clone();
                self.admit(key, accepted, token, (edition, wait_s)).await;
            }
            Err(InvalidAsk(reason)) => {
                let (id, name) = (ask.id.clone(), &self.box_name);
                let answer = Answer::without_text(id, Status::Invalid, reason, name, edition);
                self.conclude(ask, answer, token).await;
            }
        }
    }

    fn accepted(&self, ask: &IncomingAsk, asked: &Asked) -> Accepted {
        let left = ask.expires_in.unwrap_or(self.deadline);
        // Whole seconds are kept: a deadline under one is not rounded down to none.
        let left = i64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
        Accepted {
            id: ask.id.clone(),
            question: asked.question.clone(),
            stream: asked.stream,
            respond_to: ask.respond_to.clone(),
            correlation: ask.correlation.clone(),
            received_at: ask.received_at,
            expires_at: ask.received_at.saturating_add(left),
            redelivered: ask.redelivered,
        }
    }

    async fn admit(
        &self,
        key: AskKey,
        accepted: Accepted,
        token: AckToken,
        (edition, wait_s): (u64, u64),
    ) {
        let arrived = Instant::now();
        let known = self
            .journal
            .known(&key, accepted.received_at, accepted.redelivered)
            .await;
        let refused = |reason: &str| {
            let mut answer = Answer::without_text(
                accepted.id.clone(),
                Status::Busy,
                reason,
                &self.box_name,
                edition,
            );
            answer.wait_s = Some(wait_s.max(1));
            message(&answer, &accepted.respond_to, accepted.correlation.clone())
        };
        let place = match known {
            Ok(Some(acceptance)) => return self.repeat(key, acceptance, token).await,
            Err(error) => {
                self.note(Note::Journal(Err(error.to_string()))).await;
                return self
                    .busy(refused("the box cannot write its journal"), token)
                    .await;
            }
            Ok(None) => Arc::clone(&self.places).try_acquire_owned(),
        };
        let Ok(place) = place else {
            return self.busy(refused("the queue is full"), token).await;
        };
        match self.journal.accept(&key, &accepted).await {
            Ok(Acceptance::New) => {
                let token = if self.shares {
                    Some(token)
                } else {
                    self.post.send(Outgoing::Acknowledge(token)).await;
                    None
                };
                self.note(Note::Admitted(Box::new(Admitted {
                    key,
                    accepted,
                    arrived,
                    place,
                    token,
                })))
                .await;
            }
            Ok(acceptance) => self.repeat(key, acceptance, token).await,
            Err(error) => {
                // Nothing is written down: the question is forgotten, as `busy` says.
                self.note(Note::Journal(Err(error.to_string()))).await;
                self.busy(refused("the box cannot write its journal"), token)
                    .await;
            }
        }
    }

    async fn conclude(&self, ask: IncomingAsk, answer: Answer, token: AckToken) {
        let key = ask.key;
        let outcome = message(&answer, &ask.respond_to, ask.correlation);
        let concluded =
            self.journal
                .conclude(&key, ask.received_at, ask.redelivered, outcome.clone());
        match concluded.await {
            Ok(Acceptance::New) => {
                let (key, told) = (Some(key), Status::Invalid);
                self.post.send(Outgoing::Outcome { key, outcome }).await;
                self.post.send(Outgoing::Acknowledge(token)).await;
                self.note(Note::Told(told)).await;
            }
            Ok(acceptance) => self.repeat(key, acceptance, token).await,
            Err(error) => {
                self.note(Note::Journal(Err(error.to_string()))).await;
                // The same payload gets the same outcome without a journal, too.
                self.busy(outcome, token).await;
            }
        }
    }

    /// A known question: its outcome again, or patience.
    async fn repeat(&self, key: AskKey, acceptance: Acceptance, token: AckToken) {
        if let Acceptance::Done(outcome) = acceptance {
            let key = Some(key);
            self.post.send(Outgoing::Outcome { key, outcome }).await;
        }
        self.post.send(Outgoing::Acknowledge(token)).await;
    }

    async fn busy(&self, outcome: Outcome, token: AckToken) {
        self.post
            .send(Outgoing::Outcome { key: None, outcome })
            .await;
        self.post.send(Outgoing::Acknowledge(token)).await;
        self.note(Note::Told(Status::Busy)).await;
    }

    async fn note(&self, note: Note) {
        // The loop is gone only when the daemon is going down.
        let _ = self.notes.send(note).await;
    }
}

/// `answer` as it goes out.
pub fn message(answer: &Answer, topic: &str, correlation: Option<Vec<u8>>) -> Outcome {
    Outcome {
        topic: topic.to_owned(),
        payload: encode(answer),
        correlation,
    }
}
