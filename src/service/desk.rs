//! The daemon's state: which questions are open, who is answered next, how the box is.
//!
//! Events go in (a question, the model's words, the time), and what follows from them goes out over
//! bounded channels: jobs to the answering thread, messages to the [`Post`], replies to the socket,
//! errands that write the journal. Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::golden;
use super::health::{Health, Part};
use super::intake::{Admitted, Intake, Note};
use super::queue::{Popped, Queue};
use super::settle::Settled;
use super::status::{Rhythm, StatusPace};
use super::worker::{Event, Job, expired};
use crate::clock::Clock;
use crate::control::{Progress, Reply};
use crate::edition::Golden;
use crate::field::{AckToken, BoxReport, BoxState, IncomingAsk, Publication};
use crate::journal::Accepted;
use crate::types::{Answer, Ask, AskKey, AskLimits, Question, Reading, Status};

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
}

/// An open question.
#[derive(Debug)]
struct Open {
    origin: Origin,
    question: Question,
    arrived: Instant,
    seq: u32,
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
    working: Option<u64>,
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
            working: None,
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
            place: Some(place),
        };
        self.open.insert(ticket, open);
    }

    fn at_once(&self, ask: &Ask, status: Status, reason: &str) -> Answer {
        let (name, edition) = (&self.terms.box_name, self.terms.edition);
        Answer::without_text(ask.id.clone(), status, reason, name, edition)
    }

    /// The next job for the answering thread, when it is free and something waits.
    pub fn next_job(
        &mut self,
        now: Instant,
        readings: impl Fn(&str) -> Vec<Reading>,
    ) -> Option<Job> {
        if self.working.is_some() {
            return None;
        }
        match &self.stage {
            Stage::Starting(golden, _) => {
                let golden = golden.first()?;
                self.working = Some(GOLDEN);
                return Some(golden_job(golden, now));
            }
            Stage::Stopping => return None,
            Stage::Ready => {}
        }
        loop {
            let (ticket, deadline) = match self.queue.pop(now)? {
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
            if matches!(&open.origin, Origin::Socket { replies, .. } if replies.is_closed()) {
                self.open.remove(&ticket); // Nobody waits for it any more.
                continue;
            }
            self.working = Some(ticket);
            let device = open.question.device.as_deref();
            return Some(Job {
                ticket,
                readings: device.map(readings).unwrap_or_default(),
                question: open.question.clone(),
                deadline,
                arrived: open.arrived,
            });
        }
    }

    /// Hears what the answering thread says.
    pub fn on_event(&mut self, event: Event, now: Instant) -> Turn {
        match event {
            Event::Made(Ok(())) => self.health.is_well(Part::Model),
            Event::Made(Err(reason)) => {
                tracing::error!(reason, "the model cannot be loaded");
                if matches!(self.stage, Stage::Starting(..)) {
                    return Turn::Fatal(reason);
                }
                self.health.is_unwell(Part::Model, reason);
            }
            Event::Part { ticket, text } => self.pass_on(ticket, text),
            Event::Abandoned { .. } => self.working = None,
            Event::Done {
                ticket,
                outcome,
                panic,
            } => {
                self.working = None;
                match panic {
                    Some(words) => {
                        tracing::error!(words, "answering panicked");
                        self.health
                            .is_unwell(Part::Model, format!("panicked: {words}"));
                    }
                    None if outcome.status == Status::Failed => {
                        let reason = outcome.reason.clone().unwrap_or_default();
                        self.health.is_unwell(Part::Model, reason);
                    }
                    None => self.health.is_well(Part::Model),
                }
                if ticket == GOLDEN {
                    return self.on_golden(&outcome);
                }
                let total = Duration::from_millis(outcome.timing_ms.total);
                let queued = Duration::from_millis(outcome.timing_ms.queue);
                self.rhythm.note(total.saturating_sub(queued));
                self.end(ticket, *outcome, now);
            }
        }
        Turn::Goes
    }

    fn on_golden(&mut self, outcome: &Answer) -> Turn {
        let Stage::Starting(golden, failures) = &mut self.stage else {
            return Turn::Goes;
        };
        let asked = golden.remove(0);
        match golden::judge(&asked, outcome) {
            Ok(()) => {
                self.stage = Stage::Ready;
                Turn::Ready
            }
            Err(reason) => {
                tracing::warn!(
                    question = asked.question,
                    reason,
                    "a golden question failed"
                );
                failures.push(format!("{:?}: {reason}", asked.question));
                if golden.is_empty() {
                    return Turn::Fatal(failures.join("; "));
                }
                Turn::Goes
            }
        }
    }

    fn pass_on(&mut self, ticket: u64, text: String) {
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        match &open.origin {
            Origin::Socket {
                stream: true,
                replies,
                ..
            } => {
                // A part that finds no room is in the whole answer.
                let (done, total) = (0, 0);
                let _ = replies.try_send(Reply::Progress(Progress { text, done, total }));
            }
            Origin::Field { accepted, .. } if accepted.stream => {
                let (name, edition) = (&self.terms.box_name, self.terms.edition);
                let id = accepted.id.clone();
                let mut part = Answer::without_text(id, Status::Answered, "", name, edition);
                (part.reason, part.answer) = (None, Some(text));
                (part.seq, part.is_final) = (open.seq, false);
                let correlation = accepted.correlation.clone();
                let part = Publication::part(&accepted.respond_to, correlation, &part);
                // A part that finds no room is lost, and its number with it: askers see the gap, and
                // the final message has the whole text.
                self.intake.post.part(part);
                open.seq += 1;
            }
            _ => {}
        }
    }

    /// Gives the question of `ticket` its outcome.
    fn end(&mut self, ticket: u64, mut answer: Answer, now: Instant) {
        let Some(open) = self.open.remove(&ticket) else {
            return;
        };
        self.told += 1;
        answer.box_name.clone_from(&self.terms.box_name);
        answer.edition = self.terms.edition;
        (answer.seq, answer.is_final) = (open.seq, true);
        if answer.timing_ms.total == 0 {
            let waited = now.saturating_duration_since(open.arrived).as_millis();
            answer.timing_ms.total = u64::try_from(waited).unwrap_or(u64::MAX);
            answer.timing_ms.queue = answer.timing_ms.total;
        }
        match open.origin {
            Origin::Socket { id, replies, .. } => {
                answer.id = id;
                reply(&replies, &answer);
            }
            Origin::Field {
                key,
                accepted,
                token,
            } => {
                let (status, millis) = (answer.status, answer.timing_ms.total);
                tracing::info!(key = %key, ?status, millis, "done");
                answer.id = accepted.id;
                let settled = Settled {
                    key,
                    answer,
                    respond_to: accepted.respond_to,
                    correlation: accepted.correlation,
                    token,
                };
                self.errands.spawn(self.intake.clone().settle(settled));
            }
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
            Some(*ticket) == self.working || matches!(open.origin, Origin::Field { .. })
        });
    }

    /// Whether nothing is worked on and no errand runs.
    pub fn is_quiet(&mut self) -> bool {
        while self.errands.try_join_next().is_some() {}
        self.working.is_none() && self.errands.is_empty()
    }

    /// How the box is.
    pub fn status(&self) -> BoxReport {
        BoxReport {
            state: match self.stage {
                Stage::Starting(..) => BoxState::Starting,
                Stage::Ready if self.health.is_degraded() => BoxState::Degraded,
                Stage::Ready => BoxState::Ready,
                Stage::Stopping => BoxState::Gone,
            },
            edition: self.terms.edition,
            queue: self.waiting(),
            wait_s: self.wait_s(),
        }
    }

    /// Outcomes since the start.
    pub fn told(&self) -> u64 {
        self.told
    }

    fn waiting(&self) -> usize {
        self.queue.len() + usize::from(self.working.is_some())
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

fn golden_job(golden: &Golden, now: Instant) -> Job {
    Job {
        ticket: GOLDEN,
        question: Question {
            text: golden.question.clone(),
            place: golden.place.clone(),
            crop: golden.crop.clone(),
            ..Question::default()
        },
        readings: Vec::new(),
        // Ten minutes: the slowest board, its files still on a cold disk.
        deadline: now + Duration::from_secs(600),
        arrived: now,
    }
}

fn reply(replies: &mpsc::Sender<Reply>, answer: &Answer) {
    // An answer is plain data: it always has a JSON form.
    let value = serde_json::to_value(answer).unwrap_or_default();
    // A full channel holds parts only: the reader stalls, and is told when it reads on.
    if let Err(mpsc::error::TrySendError::Full(last)) = replies.try_send(Reply::Result(value)) {
        let replies = replies.clone();
        tokio::spawn(async move { replies.send(last).await });
    }
}
