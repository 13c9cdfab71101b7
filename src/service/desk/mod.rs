//! The daemon's state: which questions are open, who is answered next, how the box is.
//!
//! Events go in (a question, the model's words, the time), and what follows from them goes out over
//! bounded channels: jobs to the answering threads, messages to the post, replies to the socket,
//! errands that write the journal. Nothing here waits.

mod editions;
mod outcomes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::golden;
use super::health::{Health, Part};
use super::intake::{Admitted, Intake, Note};
use super::queue::{Popped, Queue};
use super::status::{Rhythm, StatusPace};
use super::update::handover::Handover;
use super::worker::{Job, expired};
use crate::clock::Clock;
use crate::control::Reply;
use crate::edition::Golden;
use crate::field::{AckToken, BoxReport, BoxState, IncomingAsk};
use crate::journal::Accepted;
use crate::types::{Answer, Ask, AskKey, AskLimits, Question, Reading, Status};
use outcomes::reply;

/// Asks that are being taken in at a time; the client library holds no more unacknowledged ones.
pub const ERRANDS: usize = 256;
/// The golden question's ticket; others begin at 1.
const GOLDEN: u64 = 0;

/// What the desk needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The box's name.
    pub box_name: String,
    /// Serial of the edition that answers.
    pub edition: u64,
    /// Questions that may wait.
    pub bound: usize,
    /// Deadline of a question that names none.
    pub deadline: Duration,
    /// Questions that are worked on at once.
    pub at_once: usize,
}

/// An open question.
#[derive(Debug)]
struct Open {
    origin: Origin,
    question: Question,
    arrived: Instant,
    seq: u32,
    /// The edition that works on it; none yet while it waits.
    edition: Option<u64>,
    /// Given back when the question leaves the queue.
    place: Option<OwnedSemaphorePermit>,
}

/// Who asked, and how to reach them.
#[derive(Debug)]
enum Origin {
    Field {
        key: AskKey,
        accepted: Box<Accepted>,
        token: Option<AckToken>,
    },
    Socket {
        id: Option<String>,
        stream: bool,
        replies: mpsc::Sender<Reply>,
    },
}

/// How far the daemon is.
#[derive(Debug)]
enum Stage {
    /// The golden questions, the next one first, and what came of those before.
    Starting(Vec<Golden>, Vec<String>),
    Ready,
    Stopping,
}

/// What the loop should know after an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Goes,
    /// A golden question was answered: the box is ready.
    Ready,
    /// It cannot become ready.
    Fatal(String),
}

/// The daemon's state.
pub struct Desk {
    terms: Terms,
    intake: Intake,
    clock: Arc<dyn Clock>,
    queue: Queue<u64>,
    open: HashMap<u64, Open>,
    working: Vec<u64>,
    /// Questions that editions are at which were switched from.
    leaving: Vec<u64>,
    is_updating: bool,
    handover: Option<Handover>,
    is_handover_news: bool,
    last_outcome: Option<Instant>,
    next: u64,
    stage: Stage,
    rhythm: Rhythm,
    pace: StatusPace,
    told: u64,
    errands: JoinSet<()>,
    /// Parts of the daemon that are unwell.
    pub health: Health,
}

impl Desk {
    /// A desk that will ask `golden`, in turn, before it is ready. Must be used within a tokio runtime.
    pub fn new(terms: Terms, intake: Intake, clock: Arc<dyn Clock>, golden: Vec<Golden>) -> Self {
        Desk {
            queue: Queue::new(terms.bound),
            terms,
            intake,
            clock,
            open: HashMap::new(),
            working: Vec::new(),
            leaving: Vec::new(),
            is_updating: false,
            handover: None,
            is_handover_news: false,
            last_outcome: None,
            next: GOLDEN,
            stage: Stage::Starting(golden, Vec::new()),
            rhythm: Rhythm::default(),
            pace: StatusPace::default(),
            told: 0,
            errands: JoinSet::new(),
            health: Health::default(),
        }
    }

    /// Puts the questions of an earlier life first in line.
    pub fn restore(&mut self, pending: Vec<(AskKey, Accepted)>, now: Instant) {
        for (key, accepted) in pending {
            let ticket = self.ticket();
            let deadline = now + self.left(&accepted);
            let place = Arc::clone(&self.intake.places).try_acquire_owned().ok();
            self.queue.restore(deadline, ticket);
            let question = accepted.question.clone();
            let accepted = Box::new(accepted);
            let open = Open {
                origin: Origin::Field {
                    key,
                    accepted,
                    token: None,
                },
                question,
                arrived: now,
                seq: 0,
                edition: None,
                place,
            };
            self.open.insert(ticket, open);
        }
    }

    /// Takes a question of the broker in; its place is decided on an errand.
    pub fn take(&mut self, ask: IncomingAsk, token: AckToken) {
        if matches!(self.stage, Stage::Stopping) {
            return; // Not acknowledged: the broker brings it again.
        }
        let errand = self.intake.clone();
        let wait_s = self.wait_s();
        let edition = self.terms.edition;
        self.errands.spawn(errand.take(ask, token, edition, wait_s));
    }

    /// Whether another ask may be taken in now.
    pub fn has_hands(&mut self) -> bool {
        while self.errands.try_join_next().is_some() {}
        self.errands.len() < ERRANDS
    }

    /// Hears what an errand says.
    pub fn hear(&mut self, note: Note) {
        match note {
            Note::Admitted(admitted) => self.line_up(*admitted),
            Note::Journal(Ok(())) => self.health.is_well(Part::Journal),
            Note::Journal(Err(reason)) => {
                tracing::error!(reason, "the journal failed");
                self.health.is_unwell(Part::Journal, reason);
            }
            Note::Told(status) => {
                self.told += 1;
                tracing::debug!(?status, "told at once");
            }
        }
    }

    fn line_up(&mut self, admitted: Admitted) {
        let Admitted {
            key,
            accepted,
            arrived,
            place,
            token,
        } = admitted;
        let ticket = self.ticket();
        let deadline = arrived + self.left(&accepted);
        tracing::info!(key = %key, queue = self.waiting(), "accepted");
        tracing::debug!(key = %key, question = accepted.question.text, "asks");
        // The permit is the place: the queue itself is as long.
        if self.queue.push(&key.client, deadline, ticket).is_err() {
            self.queue.restore(deadline, ticket);
        }
        let question = accepted.question.clone();
        let accepted = Box::new(accepted);
        let origin = Origin::Field {
            key,
            accepted,
            token,
        };
        let open = Open {
            origin,
            question,
            arrived,
            seq: 0,
            edition: None,
            place: Some(place),
        };
        self.open.insert(ticket, open);
    }

    /// Takes a question of the socket in, or answers it at once.
    pub fn take_local(&mut self, ask: Ask, replies: mpsc::Sender<Reply>, now: Instant) {
        let question = match ask.validate(&AskLimits::default(), self.clock.now()) {
            Ok(question) => question,
            Err(invalid) => {
                return reply(&replies, &self.at_once(&ask, Status::Invalid, &invalid.0));
            }
        };
        let Ok(place) = Arc::clone(&self.intake.places).try_acquire_owned() else {
            let mut answer = self.at_once(&ask, Status::Busy, "the queue is full");
            answer.wait_s = Some(self.wait_s().max(1));
            return reply(&replies, &answer);
        };
        let deadline = ask
            .deadline_s
            .map_or(self.terms.deadline, Duration::from_secs_f64);
        let ticket = self.ticket();
        if self.queue.push("", now + deadline, ticket).is_err() {
            return reply(
                &replies,
                &self.at_once(&ask, Status::Busy, "the queue is full"),
            );
        }
        let origin = Origin::Socket {
            id: ask.id,
            stream: ask.stream,
            replies,
        };
        let open = Open {
            origin,
            question,
            arrived: now,
            seq: 0,
            edition: None,
            place: Some(place),
        };
        self.open.insert(ticket, open);
    }

    fn at_once(&self, ask: &Ask, status: Status, reason: &str) -> Answer {
        let (name, edition) = (&self.terms.box_name, self.terms.edition);
        Answer::without_text(ask.id.clone(), status, reason, name, edition)
    }

    /// The next job for an answering thread, when one is free and something waits.
    pub fn next_job(
        &mut self,
        now: Instant,
        readings: impl Fn(&str) -> Vec<Reading>,
    ) -> Option<Job> {
        if self.working.len() >= self.terms.at_once {
            return None;
        }
        match &self.stage {
            Stage::Starting(..) if !self.working.is_empty() => None,
            Stage::Starting(golden, _) => {
                let job = golden::job(golden.first()?, GOLDEN, now);
                self.working.push(GOLDEN);
                Some(job)
            }
            Stage::Stopping => None,
            Stage::Ready => self.next_in_line(now, readings),
        }
    }

    fn next_in_line(
        &mut self,
        now: Instant,
        readings: impl Fn(&str) -> Vec<Reading>,
    ) -> Option<Job> {
        loop {
            // Who sends readings under the name it asks by is a sensor; people wait for their answers.
            let is_sensor = |asker: &str| !readings(asker).is_empty();
            let (ticket, deadline) = match self.queue.pop(now, is_sensor)? {
                Popped::Ready(ticket, deadline) => (ticket, deadline),
                Popped::Expired(ticket) => {
                    self.end(ticket, expired(), now);
                    continue;
                }
            };
            let Some(open) = self.open.get_mut(&ticket) else {
                continue;
            };
            open.place = None;
            open.edition = Some(self.terms.edition);
            if matches!(&open.origin, Origin::Socket { replies, .. } if replies.is_closed()) {
                self.open.remove(&ticket); // Nobody waits for it any more.
                continue;
            }
            self.working.push(ticket);
            let device = open.question.device.as_deref();
            return Some(Job {
                ticket,
                readings: device.map(&readings).unwrap_or_default(),
                question: open.question.clone(),
                deadline,
                arrived: open.arrived,
            });
        }
    }

    /// Tells those whose deadline has passed, and gives the status message when one is due.
    pub fn tick(&mut self, now: Instant) -> Option<BoxReport> {
        for ticket in self.queue.take_expired(now) {
            self.end(ticket, expired(), now);
        }
        while self.errands.try_join_next().is_some() {}
        self.pace.due(self.status(), now)
    }

    /// Stops taking questions in; those that wait stay in the journal.
    pub fn stop(&mut self) {
        self.stage = Stage::Stopping;
        self.open.retain(|ticket, open| {
            self.working.contains(ticket)
                || self.leaving.contains(ticket)
                || matches!(open.origin, Origin::Field { .. })
        });
    }

    /// Whether nothing is worked on and no errand runs.
    pub fn is_quiet(&mut self) -> bool {
        while self.errands.try_join_next().is_some() {}
        self.working.is_empty() && self.leaving.is_empty() && self.errands.is_empty()
    }

    /// How the box is.
    pub fn status(&self) -> BoxReport {
        BoxReport {
            state: match self.stage {
                Stage::Starting(..) => BoxState::Starting,
                Stage::Ready if self.health.is_degraded() => BoxState::Degraded,
                Stage::Ready if self.is_updating => BoxState::Updating,
                Stage::Ready => BoxState::Ready,
                Stage::Stopping => BoxState::Gone,
            },
            edition: self.terms.edition,
            queue: self.waiting(),
            wait_s: self.wait_s(),
        }
    }

    /// This box's name.
    pub fn box_name(&self) -> &str {
        &self.terms.box_name
    }

    /// Outcomes since the start.
    pub fn told(&self) -> u64 {
        self.told
    }

    fn waiting(&self) -> usize {
        self.queue.len() + self.working.len() + self.leaving.len()
    }

    fn wait_s(&self) -> u64 {
        self.rhythm.wait_s(self.waiting())
    }

    fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// How long the question may still take. A board without a clock battery may have started in the
    /// past: then, and never longer, a question has the time that it was given.
    fn left(&self, accepted: &Accepted) -> Duration {
        let given = accepted.expires_at.saturating_sub(accepted.received_at);
        let left = accepted.expires_at.saturating_sub(self.clock.now());
        Duration::from_secs(u64::try_from(left.min(given)).unwrap_or(0))
    }
}
