//! Questions in, outcomes out: what makes "one outcome per question" true across restarts and power cuts.
//!
//! A question is written down and synced before its packet is acknowledged; its outcome is written down and
//! synced before it is published. One thread writes; calls that wait at the same time share one sync (group
//! commit). What does not belong here: deciding whether there is room for a question, and publishing.
//!
//! The files are sled's, in a folder of their own. sled's `flush` is no fsync on Linux, so every commit ends
//! with an fsync of sled's file and folder by us.

mod index;
mod record;
mod store;
mod writer;

#[cfg(test)]
mod kill;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::durable::FileError;
use crate::types::AskKey;

pub use record::{Accepted, Outcome};
use writer::{Command, Writer};

/// Calls that may wait for the writer; one more waits for room.
const QUEUE: usize = 512;

/// What the journal holds at most.
#[derive(Clone, Copy, Debug)]
pub struct JournalLimits {
    /// Questions without an outcome.
    pub pending: usize,
    /// Outcomes kept; the oldest goes first.
    pub outcomes: usize,
    /// How long an outcome is kept.
    pub keep: Duration,
}

/// What the journal knows of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Acceptance {
    /// It was not known; it is now written down and synced.
    New,
    /// It is written down already and has no outcome yet.
    Pending,
    /// It has this outcome: publish it again, never another.
    Done(Outcome),
}

/// What was found wrong at open, and mended so that the box can answer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The files could not be read; they were moved here, and a new journal was begun.
    MovedAside(PathBuf),
    /// The end of the log is gone; what came before it is in use.
    EndLost,
}

/// A journal that cannot do what was asked; all are the machine's or the operator's to mend.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// A file cannot be read or written.
    #[error("journal: {0}; check the disk's space and health")]
    File(Arc<FileError>),
    /// sled gave up on its files.
    #[error("{path}: the journal failed: {reason}; it is opened again with the next question")]
    Store {
        /// The journal's folder.
        path: PathBuf,
        /// sled's words.
        reason: String,
    },
    /// Another process has the folder open.
    #[error("{path}: another process has the journal open; stop the other almanac first")]
    Locked {
        /// The journal's folder.
        path: PathBuf,
    },
    /// More questions without an outcome than the limit.
    #[error("the journal holds {0} questions without an outcome, its limit; answer busy")]
    Full(usize),
    /// A record larger than the journal takes.
    #[error(
        "a record of {bytes} bytes for {key}, at most {most} are kept; send a smaller question"
    )]
    TooLarge {
        /// Whose record.
        key: String,
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// An outcome for a question that is not in the journal.
    #[error("no question {0} in the journal; accept it before it is finished")]
    Unknown(String),
    /// The writing thread has ended.
    #[error("the journal is closed")]
    Closed,
}

impl From<FileError> for JournalError {
    fn from(error: FileError) -> Self {
        JournalError::File(Arc::new(error))
    }
}

/// The open journal; dropping it writes out what is left and joins its thread.
///
/// All calls are asynchronous and wait for the writing thread; what each makes durable is said there.
pub struct Journal {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    damage: Option<Damage>,
}

impl Journal {
    /// Opens the journal in the folder `path`, which it creates; blocking, reads all kept outcomes once.
    ///
    /// A damaged journal is mended or moved aside (see [`Journal::damage`]): the box must answer again, but what was
    /// lost must be seen.
    ///
    /// # Errors
    /// The folder cannot be made or written, or another process has it open.
    pub fn open(
        path: &Path,
        limits: JournalLimits,
        clock: Arc<dyn Clock>,
    ) -> Result<Journal, JournalError> {
        let (store, records, damage) = store::open_or_set_aside(path)?;
        Ok(Self::start(
            Writer::new(store, records, limits, clock),
            damage,
        ))
    }

    fn start(writer: Writer, damage: Option<Damage>) -> Journal {
        let (commands, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::spawn(move || writer.run(queue));
        Journal {
            commands: Some(commands),
            thread: Some(thread),
            damage,
        }
    }

    /// What was found wrong at open: questions are lost, tell the operator.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Whether the question is known, without writing anything: for deciding about room before [`Journal::accept`].
    ///
    /// `None` is a question to admit or to answer `busy`. `received_at` (seconds since 1970 UTC) and `redelivered`
    /// (the packet's DUP flag) matter for questions known by their payload only.
    ///
    /// # Errors
    /// The store failed.
    pub async fn known(
        &self,
        key: &AskKey,
        received_at: i64,
        redelivered: bool,
    ) -> Result<Option<Acceptance>, JournalError> {
        let key = key.clone();
        self.call(|reply| Command::Known {
            key,
            received_at,
            redelivered,
            reply,
        })
        .await
    }

    /// Writes the question down unless it is known; durable when it returns: the packet may be acknowledged.
    ///
    /// # Errors
    /// The store failed, is full, or the question is too large; nothing is then written.
    pub async fn accept(
        &self,
        key: &AskKey,
        accepted: &Accepted,
    ) -> Result<Acceptance, JournalError> {
        let (key, accepted) = (key.clone(), Box::new(accepted.clone()));
        self.call(|reply| Command::Accept {
            key,
            accepted,
            reply,
        })
        .await
    }

    /// Writes a question down together with its outcome, for outcomes that need no work (`invalid`); durable when it
    /// returns. A known question keeps what it has: publish what comes back.
    ///
    /// # Errors
    /// As [`Journal::accept`].
    pub async fn conclude(
        &self,
        key: &AskKey,
        received_at: i64,
        redelivered: bool,
        outcome: Outcome,
    ) -> Result<Acceptance, JournalError> {
        let key = key.clone();
        self.call(|reply| Command::Conclude {
            key,
            received_at,
            redelivered,
            outcome,
            reply,
        })
        .await
    }

    /// Writes the outcome down; durable when it returns. Publish what comes back: the stored outcome, which is an
    /// earlier one where there was one.
    ///
    /// # Errors
    /// The store failed, the outcome is too large, or the question is not known.
    pub async fn finish(&self, key: &AskKey, outcome: Outcome) -> Result<Outcome, JournalError> {
        let key = key.clone();
        self.call(|reply| Command::Finish {
            key,
            outcome,
            reply,
        })
        .await
    }

    /// Notes that the broker has the outcome. Not synced: after a power cut it may be published again, which is allowed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn mark_delivered(&self, key: &AskKey) -> Result<(), JournalError> {
        let key = key.clone();
        self.call(|reply| Command::Delivered { key, reply }).await
    }

    /// The questions without an outcome, in the order in which they were accepted; at most [`JournalLimits::pending`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn pending(&self) -> Result<Vec<(AskKey, Accepted)>, JournalError> {
        self.call(|reply| Command::Pending { reply }).await
    }

    /// The questions whose outcome the broker may not have, in the order of their outcomes.
    ///
    /// # Errors
    /// The store failed.
    pub async fn undelivered(&self) -> Result<Vec<AskKey>, JournalError> {
        self.call(|reply| Command::Undelivered { reply }).await
    }

    /// The stored outcome, where there is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn outcome(&self, key: &AskKey) -> Result<Option<Outcome>, JournalError> {
        let key = key.clone();
        self.call(|reply| Command::Outcome { key, reply }).await
    }

    async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Command,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(JournalError::Closed)?;
        commands
            .send(command(reply))
            .await
            .map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
    }
}
