//! The one thread that writes: many calls, one sync.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::index::{Done, Entry, Index};
use super::record::{Accepted, Outcome, Record, Stage};
use super::store::{self, Changes, Loaded, Store};
use super::{Acceptance, JournalError, JournalLimits};
use crate::clock::Clock;
use crate::types::AskKey;

/// Calls that share one sync at most: bounds how long the first of them waits.
const GROUP: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// A call of [`super::Journal`].
pub(super) enum Command {
    Known {
        key: AskKey,
        received_at: i64,
        redelivered: bool,
        reply: Reply<Option<Acceptance>>,
    },
    Accept {
        key: AskKey,
        accepted: Box<Accepted>,
        reply: Reply<Acceptance>,
    },
    Conclude {
        key: AskKey,
        received_at: i64,
        redelivered: bool,
        outcome: Outcome,
        reply: Reply<Acceptance>,
    },
    Finish {
        key: AskKey,
        outcome: Outcome,
        reply: Reply<Outcome>,
    },
    Delivered {
        key: AskKey,
        reply: Reply<()>,
    },
    Pending {
        reply: Reply<Vec<(AskKey, Accepted)>>,
    },
    Undelivered {
        reply: Reply<Vec<AskKey>>,
    },
    Outcome {
        key: AskKey,
        reply: Reply<Option<Outcome>>,
    },
}

/// A reply that is due once the group is synced.
type Due = Box<dyn FnOnce(Result<&Open, JournalError>)>;

/// The open store and its index: thrown away together when the store fails.
pub(super) struct Open {
    store: Store,
    index: Index,
}

pub(super) struct Writer {
    open: Option<Open>,
    path: PathBuf,
    limits: JournalLimits,
    clock: Arc<dyn Clock>,
}

/// What is gathered for one sync.
#[derive(Default)]
struct Group {
    changes: Changes,
    due: Vec<Due>,
}

impl Writer {
    pub fn new(
        store: Store,
        loaded: Vec<Loaded>,
        limits: JournalLimits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Writer {
            path: store.path().to_owned(),
            open: Some(Open::new(store, loaded)),
            limits,
            clock,
        }
    }

    /// Serves calls until every caller is gone.
    pub fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.blocking_recv() {
            let mut commands = vec![first];
            while commands.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                commands.push(next);
            }
            self.serve(commands);
        }
        if let Some(mut open) = self.open.take() {
            let mut changes = Changes::default();
            for seq in open.index.prune(&self.limits, self.clock.now()) {
                changes.remove(seq);
            }
            let number = open.index.last_number();
            let closed = open.store.commit(changes, number);
            if let Err(error) = closed.and_then(|()| open.store.write_witness(number)) {
                tracing::warn!(%error, "the journal was not closed tidily");
            }
        }
    }

    fn serve(&mut self, commands: Vec<Command>) {
        let mut open = match self.take_open() {
            Ok(open) => open,
            Err(error) => return commands.into_iter().for_each(|one| one.fail(&error)),
        };
        let mut group = Group::default();
        // Before the calls, so that no outcome goes that one of them is about to be told.
        for seq in open.index.prune(&self.limits, self.clock.now()) {
            group.changes.remove(seq);
        }
        for command in commands {
            open.take(command, &mut group, &self.limits, self.clock.now());
        }
        match open.store.commit(group.changes, open.index.last_number()) {
            Ok(()) => {
                group.due.into_iter().for_each(|reply| reply(Ok(&open)));
                self.open = Some(open);
            }
            Err(error) => {
                // The index may now be ahead of the disk: both are read afresh with the next call.
                tracing::error!(%error, "the journal failed");
                drop(open);
                group
                    .due
                    .into_iter()
                    .for_each(|reply| reply(Err(error.clone())));
            }
        }
    }

    fn take_open(&mut self) -> Result<Open, JournalError> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let (store, loaded, _) = store::open_or_set_aside(&self.path)?;
        tracing::warn!(journal = %self.path.display(), "the journal is open again");
        Ok(Open::new(store, loaded))
    }
}

impl Open {
    fn new(store: Store, loaded: Vec<Loaded>) -> Self {
        // Numbers are never given out twice, even when damage took the records that had them.
        let (stored, witnessed) = store.last_numbers().unwrap_or_default();
        let mut index = Index::after(stored.max(witnessed));
        for (seq, record, delivered) in &loaded {
            index.load(*seq, record, *delivered);
        }
        Open { store, index }
    }

    /// Does what `command` asks in memory; its reply falls due when `group` is synced.
    fn take(&mut self, command: Command, group: &mut Group, limits: &JournalLimits, now: i64) {
        match command {
            Command::Known {
                key,
                received_at,
                redelivered,
                reply,
            } => {
                let found = self.index.find(&key, received_at, redelivered);
                group.reply(reply, move |open| {
                    found.map(|entry| open.acceptance(entry, &key)).transpose()
                });
            }
            Command::Accept {
                key,
                accepted,
                reply,
            } => {
                let done = self.accept(&key, accepted, group, limits);
                group.reply(reply, move |open| open.settle(done?, &key));
            }
            Command::Conclude {
                key,
                received_at,
                redelivered,
                outcome,
                reply,
            } => {
                let done = match self.index.find(&key, received_at, redelivered) {
                    Some(entry) => Ok(Some(entry)),
                    None => {
                        let seq = self.index.number();
                        self.write_outcome(&key, (seq, received_at), outcome, (group, now))
                            .map(|()| None)
                    }
                };
                group.reply(reply, move |open| open.settle(done?, &key));
            }
            Command::Finish {
                key,
                outcome,
                reply,
            } => {
                let done = self.finish(&key, outcome, group, now);
                group.reply(reply, move |open| open.outcome(done?, &key));
            }
            Command::Delivered { key, reply } => {
                if let Some(seq) = self.index.deliver(&key) {
                    group.changes.deliver(seq);
                }
                group.reply(reply, |_| Ok(()));
            }
            Command::Pending { reply } => group.reply(reply, Open::pending),
            Command::Undelivered { reply } => {
                group.reply(reply, |open| {
                    Ok(open.index.undelivered().cloned().collect())
                });
            }
            Command::Outcome { key, reply } => {
                let entry = self
                    .index
                    .find(&key, now, true)
                    .filter(|entry| entry.done.is_some());
                group.reply(reply, move |open| {
                    entry.map(|entry| open.outcome(entry.seq, &key)).transpose()
                });
            }
        }
    }

    /// `None` for a question that is new and now written down; else where it stands.
    fn accept(
        &mut self,
        key: &AskKey,
        accepted: Box<Accepted>,
        group: &mut Group,
        limits: &JournalLimits,
    ) -> Result<Option<Entry>, JournalError> {
        let (received_at, redelivered) = (accepted.received_at, accepted.redelivered);
        if let Some(entry) = self.index.find(key, received_at, redelivered) {
            return Ok(Some(entry));
        }
        if self.index.pending_count() >= limits.pending {
            return Err(JournalError::Full(limits.pending));
        }
        let stage = Stage::Pending(accepted);
        let bytes = Record {
            key: key.clone(),
            received_at,
            stage,
        }
        .encode()?;
        let seq = self.index.number();
        let entry = Entry {
            seq,
            received_at,
            done: None,
        };
        if let Some(before) = self.index.put(key.clone(), entry) {
            group.changes.remove(before);
        }
        group.changes.put(seq, bytes);
        Ok(None)
    }

    /// The record number under which the outcome stands.
    fn finish(
        &mut self,
        key: &AskKey,
        outcome: Outcome,
        group: &mut Group,
        now: i64,
    ) -> Result<u64, JournalError> {
        let entry = self
            .index
            .find(key, now, true)
            .ok_or_else(|| JournalError::Unknown(key.to_string()))?;
        if entry.done.is_none() {
            self.write_outcome(key, (entry.seq, entry.received_at), outcome, (group, now))?;
        }
        Ok(entry.seq)
    }

    fn write_outcome(
        &mut self,
        key: &AskKey,
        (seq, received_at): (u64, i64),
        outcome: Outcome,
        (group, now): (&mut Group, i64),
    ) -> Result<(), JournalError> {
        let order = self.index.number();
        let stage = Stage::Done {
            order,
            finished_at: now,
            outcome,
        };
        let bytes = Record {
            key: key.clone(),
            received_at,
            stage,
        }
        .encode()?;
        let done = Some(Done {
            order,
            finished_at: now,
            delivered: false,
        });
        if let Some(before) = self.index.put(
            key.clone(),
            Entry {
                seq,
                received_at,
                done,
            },
        ) {
            group.changes.remove(before);
        }
        group.changes.put(seq, bytes);
        Ok(())
    }

    fn settle(&self, known: Option<Entry>, key: &AskKey) -> Result<Acceptance, JournalError> {
        known.map_or(Ok(Acceptance::New), |entry| self.acceptance(entry, key))
    }

    fn acceptance(&self, entry: Entry, key: &AskKey) -> Result<Acceptance, JournalError> {
        match entry.done {
            None => Ok(Acceptance::Pending),
            Some(_) => self.outcome(entry.seq, key).map(Acceptance::Done),
        }
    }

    fn outcome(&self, seq: u64, key: &AskKey) -> Result<Outcome, JournalError> {
        match self.store.read(seq)?.map(|record| record.stage) {
            Some(Stage::Done { outcome, .. }) => Ok(outcome),
            _ => Err(JournalError::Unknown(key.to_string())),
        }
    }

    fn pending(&self) -> Result<Vec<(AskKey, Accepted)>, JournalError> {
        let mut pending = Vec::with_capacity(self.index.pending_count());
        for (seq, key) in self.index.pending() {
            if let Some(Stage::Pending(accepted)) = self.store.read(seq)?.map(|record| record.stage)
            {
                pending.push((key.clone(), *accepted));
            }
        }
        Ok(pending)
    }
}

impl Group {
    fn reply<T: 'static>(
        &mut self,
        reply: Reply<T>,
        make: impl FnOnce(&Open) -> Result<T, JournalError> + 'static,
    ) {
        // A caller that no longer waits is no error: what was written stays written.
        self.due
            .push(Box::new(move |open| drop(reply.send(open.and_then(make)))));
    }
}

impl Command {
    fn fail(self, error: &JournalError) {
        let error = error.clone();
        match self {
            Command::Known { reply, .. } => drop(reply.send(Err(error))),
            Command::Accept { reply, .. } | Command::Conclude { reply, .. } => {
                drop(reply.send(Err(error)))
            }
            Command::Finish { reply, .. } => drop(reply.send(Err(error))),
            Command::Delivered { reply, .. } => drop(reply.send(Err(error))),
            Command::Pending { reply } => drop(reply.send(Err(error))),
            Command::Undelivered { reply } => drop(reply.send(Err(error))),
            Command::Outcome { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
