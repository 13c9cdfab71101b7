//! From an outcome to the broker: written down, synced, published. In that order, and until it is done.

use std::time::Duration;

use super::intake::{Intake, Note, message};
use super::post::Outgoing;
use crate::field::AckToken;
use crate::journal::{JournalError, Outcome};
use crate::types::{Answer, AskKey};

/// First pause before a failed write is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A full disk is looked at again no less often than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A question of the journal with its outcome.
#[derive(Debug)]
pub struct Settled {
    /// Client and id.
    pub key: AskKey,
    /// The outcome, complete.
    pub answer: Answer,
    /// The topic that it goes to.
    pub respond_to: String,
    /// MQTT 5 correlation data, to be repeated.
    pub correlation: Option<Vec<u8>>,
    /// The packet, where it is acknowledged only now.
    pub token: Option<AckToken>,
}

impl Intake {
    /// Writes the outcome down and publishes what the journal then holds. As long as the journal
    /// fails it is tried again; until then, and over a restart, the question stays accepted.
    pub async fn settle(self, settled: Settled) {
        let (key, answer) = (&settled.key, &settled.answer);
        let mut outcome = message(answer, &settled.respond_to, settled.correlation.clone());
        let (mut pause, mut is_trimmed) = (FIRST_PAUSE, false);
        loop {
            match self.journal.finish(key, outcome.clone()).await {
                Ok(stored) => return self.publish(settled, stored).await,
                Err(JournalError::Unknown(_)) => {
                    // Its record was lost with a damaged journal: the asker is told all the same.
                    tracing::error!(key = %key, "an outcome without a question in the journal");
                    return self.publish(settled, outcome).await;
                }
                Err(JournalError::TooLarge { .. }) if !is_trimmed => {
                    is_trimmed = true;
                    let mut answer = answer.clone();
                    answer.citations.clear();
                    answer.readings.clear();
                    outcome = message(&answer, &settled.respond_to, settled.correlation.clone());
                }
                Err(JournalError::Closed) => return,
                Err(error) => {
                    let _ = self.notes.send(Note::Journal(Err(error.to_string()))).await;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn publish(&self, settled: Settled, outcome: Outcome) {
        let _ = self.notes.send(Note::Journal(Ok(()))).await;
        let key = Some(settled.key);
        self.post.send(Outgoing::Outcome { key, outcome }).await;
        if let Some(token) = settled.token {
            self.post.send(Outgoing::Acknowledge(token)).await;
        }
    }
}
