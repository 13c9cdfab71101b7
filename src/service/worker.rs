//! A thread that answers, with a language model of its own or a place at one.
//!
//! Jobs come in over a channel of one, events go out over a bounded channel, so that a slow taker
//! slows the thread and nothing grows. A panic while answering costs that question its answer and
//! the thread its model, which is made anew; it never costs the daemon.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::error::ServiceError;
use crate::answer::Progress;
use crate::types::{Answer, Question, Reading, Status};

/// How often an idle thread shows that it is responsive.
const PULSE: Duration = Duration::from_secs(1);
/// Events that may wait for the daemon's loop; a few seconds of streamed words.
pub const EVENTS: usize = 256;

/// What answers: the answer room in the daemon, a script in tests.
pub trait Answering: Send {
    /// Answers the job's question; `on_progress` breaks off when the answer is no longer wanted.
    /// Blocking. Failures are outcomes; id, box and edition are filled in elsewhere.
    fn answer(
        &mut self,
        job: &Job,
        on_progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Answer;
}

/// Makes what answers; called in the thread, again after a panic.
pub type Make = Box<dyn FnMut() -> Result<Box<dyn Answering>, ServiceError> + Send>;

/// A question on its way to the model.
#[derive(Clone, Debug)]
pub struct Job {
    /// Handed back with every event.
    pub ticket: u64,
    /// The question.
    pub question: Question,
    /// Kept readings of its device, none too old.
    pub readings: Vec<Reading>,
    /// After this moment nobody wants the answer.
    pub deadline: Instant,
    /// When it arrived.
    pub arrived: Instant,
}

/// What the thread says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The model is loaded, or could not be (then the reason).
    Made(Result<(), String>),
    /// The next words of an answer.
    Part {
        /// The job's.
        ticket: u64,
        /// Whole characters.
        text: String,
    },
    /// The outcome.
    Done {
        /// The job's.
        ticket: u64,
        /// Without id and box, which the thread does not know.
        outcome: Box<Answer>,
        /// What the panic said, where answering panicked.
        panic: Option<String>,
    },
    /// The job was broken off by [`Worker::stop`]: it has no outcome and stays in the journal.
    Abandoned {
        /// The job's.
        ticket: u64,
    },
}

/// The handle of a thread.
#[derive(Debug)]
pub struct Worker {
    jobs: Option<SyncSender<Job>>,
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and its handle share.
#[derive(Debug, Default)]
struct Pulse {
    step: AtomicU64,
    stop: AtomicBool,
}

impl Pulse {
    fn beat(&self) {
        self.step.fetch_add(1, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Worker {
    /// Starts the thread; its first event is [`Event::Made`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(make: Make, events: mpsc::Sender<Event>) -> std::io::Result<Worker> {
        let (jobs, incoming) = sync_channel(1);
        let pulse = Arc::new(Pulse::default());
        let mut thread = Thread {
            make,
            events,
            pulse: Arc::clone(&pulse),
            answering: None,
        };
        let thread = std::thread::Builder::new()
            .name("answer".into())
            .spawn(move || thread.run(&incoming))?;
        Ok(Worker {
            jobs: Some(jobs),
            pulse,
            thread: Some(thread),
        })
    }

    /// Hands a job over; back when the thread is not free or has ended.
    pub fn give(&self, job: Job) -> Result<(), Box<Job>> {
        let Some(jobs) = &self.jobs else {
            return Err(Box::new(job));
        };
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => Box::new(job),
        })
    }

    /// Grows with every sign of life; feeds the watchdog.
    pub fn step(&self) -> u64 {
        self.pulse.step.load(Ordering::Relaxed)
    }

    /// Whether the thread has ended, which it does only when stopped or out of its mind.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Gives it no more work: the thread ends when it is done with what it has.
    pub fn retire(&mut self) {
        self.jobs = None;
    }

    /// Breaks the current job off at its next word and ends the thread after it.
    pub fn stop(&mut self) {
        self.pulse.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
    }

    /// Waits until the thread has ended, at most `patience`; blocking. False when it has not.
    pub fn join(&mut self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while !self.is_dead() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        match self.thread.take() {
            Some(thread) if thread.is_finished() => {
                let _ = thread.join();
                true
            }
            Some(_) => false,
            None => true,
        }
    }
}

struct Thread {
    make: Make,
    events: mpsc::Sender<Event>,
    pulse: Arc<Pulse>,
    answering: Option<Box<dyn Answering>>,
}

impl Thread {
    fn run(&mut self, jobs: &Receiver<Job>) {
        self.make();
        loop {
            self.pulse.beat();
            match jobs.recv_timeout(PULSE) {
                Ok(job) => {
                    let event = self.work(&job);
                    if self.events.blocking_send(event).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn make(&mut self) {
        let made = catch_unwind(AssertUnwindSafe(|| (self.make)()));
        let said = match made {
            Ok(Ok(answering)) => {
                self.answering = Some(answering);
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => Err(format!("loading panicked: {}", words_of(&*panic))),
        };
        // Nobody listens any more only when the daemon is going down.
        let _ = self.events.blocking_send(Event::Made(said));
    }

    fn work(&mut self, job: &Job) -> Event {
        let ticket = job.ticket;
        if self.pulse.is_stopping() {
            return Event::Abandoned { ticket };
        }
        if self.answering.is_none() {
            self.make();
        }
        let Some(mut answering) = self.answering.take() else {
            return done(
                ticket,
                failed("the model cannot be loaded; see the box's log"),
            );
        };
        let began = Instant::now();
        let mut on_progress = |progress: Progress<'_>| self.on_progress(job, progress);
        let answered = catch_unwind(AssertUnwindSafe(|| answering.answer(job, &mut on_progress)));
        let mut outcome = match answered {
            Ok(outcome) => outcome,
            Err(panic) => {
                // What answered is dropped: a panic may have left it half changed.
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(answering)));
                let mut words = words_of(&*panic);
                if dropped.is_err() {
                    words.push_str(" (and again when it was dropped)");
                }
                return Event::Done {
                    ticket,
                    outcome: Box::new(failed("answering failed; see the box's log")),
                    panic: Some(words),
                };
            }
        };
        self.answering = Some(answering);
        if self.pulse.is_stopping() && Instant::now() < job.deadline {
            return Event::Abandoned { ticket };
        }
        outcome.timing_ms.queue = millis(began.duration_since(job.arrived));
        outcome.timing_ms.total = millis(job.arrived.elapsed());
        if Instant::now() >= job.deadline {
            outcome = expired();
        }
        done(ticket, outcome)
    }

    fn on_progress(&self, job: &Job, progress: Progress<'_>) -> ControlFlow<()> {
        self.pulse.beat();
        if self.pulse.is_stopping() || Instant::now() >= job.deadline {
            return ControlFlow::Break(());
        }
        let Progress::Text(text) = progress else {
            return ControlFlow::Continue(());
        };
        let part = Event::Part {
            ticket: job.ticket,
            text: text.to_owned(),
        };
        match self.events.blocking_send(part) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// The outcome of a question whose deadline passed.
pub fn expired() -> Answer {
    let reason = "the deadline passed before an answer was ready";
    Answer::without_text(None, Status::Expired, reason, "", 0)
}

/// The outcome of a question that the box could not work on.
pub fn failed(reason: &str) -> Answer {
    Answer::without_text(None, Status::Failed, reason, "", 0)
}

fn done(ticket: u64, outcome: Answer) -> Event {
    Event::Done {
        ticket,
        outcome: Box::new(outcome),
        panic: None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
