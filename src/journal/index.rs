//! Which question is where: pure, in memory, rebuilt from the records at open.

use std::collections::{BTreeMap, HashMap};

use super::JournalLimits;
use super::record::{Record, Stage};
use crate::types::{AskId, AskKey};

/// Seconds within which the same payload of the same client is the same question (`docs/mqtt.md`).
const SAME_PAYLOAD_S: i64 = 30;

/// A question's place and stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number in the order of acceptance; the record's name on disk.
    pub seq: u64,
    pub received_at: i64,
    pub done: Option<Done>,
}

/// The outcome's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub order: u64,
    pub finished_at: i64,
    pub delivered: bool,
}

/// All questions by key, and the orders in which they are asked for.
#[derive(Default)]
pub(super) struct Index {
    entries: HashMap<AskKey, Entry>,
    pending: BTreeMap<u64, AskKey>,
    done: BTreeMap<u64, AskKey>,
    undelivered: BTreeMap<u64, AskKey>,
    next: u64,
}

impl Index {
    /// An empty index whose numbers begin after `number`.
    pub fn after(number: u64) -> Self {
        Index {
            next: number,
            ..Index::default()
        }
    }

    /// The highest number given out.
    pub fn last_number(&self) -> u64 {
        self.next
    }

    /// Takes in a record read at open.
    pub fn load(&mut self, seq: u64, record: &Record, delivered: bool) {
        let done = match &record.stage {
            Stage::Pending(_) => None,
            Stage::Done {
                order, finished_at, ..
            } => Some(Done {
                order: *order,
                finished_at: *finished_at,
                delivered,
            }),
        };
        self.put(
            record.key.clone(),
            Entry {
                seq,
                received_at: record.received_at,
                done,
            },
        );
    }

    /// The next number, of a question or an outcome.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The question's entry, where `key` still means the same question.
    pub fn find(&self, key: &AskKey, received_at: i64, redelivered: bool) -> Option<Entry> {
        let entry = *self.entries.get(key)?;
        let settled = entry.done.is_some_and(|done| done.delivered);
        let apart = received_at
            .saturating_sub(entry.received_at)
            .saturating_abs();
        let forgotten = matches!(key.id, AskId::Payload(_))
            && settled
            && !redelivered
            && apart >= SAME_PAYLOAD_S;
        (!forgotten).then_some(entry)
    }

    /// Sets the entry of `key`; gives the record number that it took the place of, where that is another.
    pub fn put(&mut self, key: AskKey, entry: Entry) -> Option<u64> {
        let before = self.remove(&key);
        self.next = self.next.max(entry.seq);
        match entry.done {
            None => {
                self.pending.insert(entry.seq, key.clone());
            }
            Some(done) => {
                self.next = self.next.max(done.order);
                self.done.insert(done.order, key.clone());
                if !done.delivered {
                    self.undelivered.insert(done.order, key.clone());
                }
            }
        }
        self.entries.insert(key, entry);
        before
            .map(|before| before.seq)
            .filter(|&seq| seq != entry.seq)
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &AskKey) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.pending.remove(&entry.seq);
        if let Some(done) = entry.done {
            self.done.remove(&done.order);
            self.undelivered.remove(&done.order);
        }
        Some(entry)
    }

    /// Notes that the outcome of `key` was delivered; gives its record number when that is news.
    pub fn deliver(&mut self, key: &AskKey) -> Option<u64> {
        let entry = self.entries.get_mut(key)?;
        let done = entry.done.as_mut().filter(|done| !done.delivered)?;
        done.delivered = true;
        self.undelivered.remove(&done.order);
        Some(entry.seq)
    }

    /// Forgets outcomes that are too old or too many, oldest first; gives their record numbers.
    pub fn prune(&mut self, limits: &JournalLimits, now: i64) -> Vec<u64> {
        let keep = i64::try_from(limits.keep.as_secs()).unwrap_or(i64::MAX);
        let mut gone = Vec::new();
        while let Some((_, key)) = self.done.first_key_value() {
            let key = key.clone();
            let old = self
                .entries
                .get(&key)
                .and_then(|entry| entry.done)
                .is_some_and(|done| now.saturating_sub(done.finished_at) > keep);
            if !old && self.done.len() <= limits.outcomes {
                break;
            }
            match self.remove(&key) {
                Some(entry) => gone.push(entry.seq),
                None => break,
            }
        }
        gone
    }

    /// How many questions have no outcome.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Questions without an outcome, in order of acceptance.
    pub fn pending(&self) -> impl Iterator<Item = (u64, &AskKey)> {
        self.pending.iter().map(|(seq, key)| (*seq, key))
    }

    /// Questions with an undelivered outcome, in order of outcome.
    pub fn undelivered(&self) -> impl Iterator<Item = &AskKey> {
        self.undelivered.values()
    }
}
