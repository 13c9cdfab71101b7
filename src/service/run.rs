//! The daemon's loop: every event goes to the desk, and what follows from it goes out.

mod calls;
mod switching;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{RwLock, Semaphore, mpsc};

use super::crew::{self, Crew};
use super::desk::{Desk, ERRANDS, Terms, Turn};
use super::editions::{Again, Editions};
use super::error::ServiceError;
use super::health::Part;
use super::intake::{Intake, Note};
use super::link::Link;
use super::post::Post;
use super::pushed::Pushed;
use super::rooms::Rooms;
use super::shutdown::Signals;
use super::systemd::{Systemd, Watchdog, watchdog_interval};
use super::update::{Keeper, NEWS, News, Updater};
use super::worker::{EVENTS, Event};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::control::{Call, Server};
use crate::durable;
use crate::field::{BoxReport, FieldEvent};
use crate::journal::{Journal, JournalError, JournalLimits};
use switching::LastTold;

/// How often deadlines, status and watchdog are looked at.
const TICK: Duration = Duration::from_millis(250);
/// The current question may still be finished for so long after a signal.
const FINISH: Duration = Duration::from_secs(5);
/// Everything is over so long after a signal; systemd is told to wait longer.
const DRAIN: Duration = Duration::from_secs(9);
/// The watchdog's interval where there is none: nobody listens then.
const UNWATCHED: Duration = Duration::from_secs(60);
/// Requests of the socket that may wait for the loop.
const CALLS: usize = 32;

/// Runs the daemon until it is told to stop; blocking.
///
/// # Errors
/// It cannot start: the configuration, the models, the state or the socket cannot be used, or no
/// golden question was answered; where that is the current edition's fault and there is one before it,
/// [`ServiceError::RolledBack`]. Later: an answering thread is gone.
pub fn serve(config: &Config, again: &Again) -> Result<(), ServiceError> {
    let mut editions = Editions::new(config, again);
    durable::create_folder(&config.state)?;
    if let Err(error) = editions.before_start() {
        // The link is whole whatever the record is: better an answer than none.
        tracing::error!(%error, "the record of editions cannot be used");
    }
    let mut was_ready = false;
    let served = run(config, again, &mut || {
        was_ready = true;
        if let Err(error) = editions.after_start() {
            tracing::error!(%error, "the healthy start is not noted");
        }
    });
    if was_ready {
        return served;
    }
    match served {
        Err(error) => Err(editions.leave_behind(error)),
        // Broken off by hand: that says nothing about the edition.
        Ok(()) => editions.after_stop(),
    }
}

fn run(config: &Config, again: &Again, on_ready: &mut dyn FnMut()) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(machine("start the runtime"))?;
    let served = runtime.block_on(async {
        let mut daemon = Daemon::start(config, again).await?;
        let served = daemon.serve(on_ready).await;
        daemon.drain().await;
        served
    });
    // A thread that hangs in the runtime library must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    served
}

fn machine(action: &'static str) -> impl FnOnce(std::io::Error) -> ServiceError {
    move |error| ServiceError::Machine(format!("cannot {action}: {error}"))
}

/// How long one group of documents of a damaged library may take while starting.
const REBUILT_PACE: Duration = Duration::from_secs(120);

/// The running daemon.
struct Daemon {
    desk: Desk,
    rooms: Arc<Rooms>,
    crew: Crew,
    /// Those of editions that were switched from, until they are done with their last questions.
    retired: Vec<Crew>,
    said_by_workers: mpsc::Sender<Event>,
    post: Post,
    link: Link,
    signals: Signals,
    systemd: Systemd,
    events: mpsc::Receiver<Event>,
    notes: mpsc::Receiver<Note>,
    calls: mpsc::Receiver<Call>,
    watchdog: Watchdog,
    ingesting: Arc<Semaphore>,
    /// Held by whoever changes documents for reading, and for writing from the moment when a new edition
    /// takes them over until it answers.
    changes: Arc<RwLock<()>>,
    updater: Updater,
    news: mpsc::Receiver<News>,
    last_told: LastTold,
    pushed: Pushed,
    fetches_as: (Config, Again),
    said: String,
    serial: u64,
}

impl Daemon {
    async fn start(config: &Config, again: &Again) -> Result<Daemon, ServiceError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let systemd = Systemd::start().map_err(machine("start a thread"))?;
        durable::create_folder(&config.run)?;
        durable::create_folder(&config.state)?;
        // The socket first: it says best that another daemon runs.
        let server = Server::bind(&config.run)?;
        let signals = Signals::take_over().map_err(machine("take signals over"))?;
        systemd.status("opening the library");
        let rooms = Arc::new(Rooms::open(config)?);
        rooms.check()?;
        rooms.complete(&mut |progress| {
            let (done, total) = (progress.done, progress.total);
            let status = format!("making a damaged library again: {done} of {total} documents");
            systemd.starting(&status, REBUILT_PACE);
        })?;
        let journal = Arc::new(open_journal(config, &clock)?);
        let (post, outgoing) = Post::new();
        let (notes, heard) = mpsc::channel(ERRANDS);
        let intake = Intake {
            journal: Arc::clone(&journal),
            post: post.clone(),
            places: Arc::new(Semaphore::new(config.queue.length)),
            notes,
            box_name: config.box_name.clone(),
            shares: config
                .mqtt
                .as_ref()
                .is_some_and(|mqtt| mqtt.share_group.is_some()),
            deadline: config.queue.deadline,
        };
        let serial = rooms.serial();
        let terms = Terms {
            box_name: config.box_name.clone(),
            edition: serial,
            bound: config.queue.length,
            deadline: config.queue.deadline,
            at_once: config.model.at_once,
        };
        let mut desk = Desk::new(terms, intake, Arc::clone(&clock), rooms.golden());
        let pending = journal.pending().await.map_err(journal_error)?;
        tracing::info!(pending = pending.len(), "questions of an earlier life");
        desk.restore(pending, Instant::now());
        systemd.status("loading the language model");
        let (events, said) = mpsc::channel(EVENTS);
        let crew = Crew::start(crew::makes(&rooms, config.model.at_once), &events)
            .map_err(machine("start the answering threads"))?;
        let link = Link::start(config, journal, outgoing, clock)?;
        let (calls, requests) = mpsc::channel(CALLS);
        tokio::spawn(server.serve(calls));
        let changes = Arc::new(RwLock::new(()));
        let (told, news) = mpsc::channel(NEWS);
        let (updater, errands) = Updater::new(told.clone());
        let held = Arc::clone(&changes);
        Keeper::new((config, again), Arc::clone(&rooms), held, told)
            .start(errands)
            .map_err(machine("start a thread"))?;
        Ok(Daemon {
            desk,
            rooms,
            crew,
            retired: Vec::new(),
            said_by_workers: events,
            post,
            link,
            signals,
            systemd,
            events: said,
            notes: heard,
            calls: requests,
            watchdog: Watchdog::new(watchdog_interval().unwrap_or(UNWATCHED), Instant::now()),
            ingesting: Arc::new(Semaphore::new(1)),
            changes,
            updater,
            news,
            last_told: LastTold::of(config),
            pushed: Pushed::new(&config.state),
            fetches_as: (config.clone(), again.clone()),
            said: String::new(),
            serial,
        })
    }

    /// Serves until a signal comes.
    async fn serve(&mut self, on_ready: &mut dyn FnMut()) -> Result<(), ServiceError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let has_hands = self.desk.has_hands();
            tokio::select! {
                signal = self.signals.next() => {
                    tracing::info!(signal, "stopping");
                    return Ok(());
                }
                Some(event) = self.events.recv() => self.on_event(event, on_ready)?,
                Some(note) = self.notes.recv() => self.desk.hear(note),
                Some(news) = self.news.recv() => self.on_news(news)?,
                Some(call) = self.calls.recv() => self.on_call(call),
                Some(event) = self.link.next(), if has_hands => self.on_field(event),
                _ = ticks.tick() => self.on_tick()?,
            }
            self.hand_out();
        }
    }

    fn on_event(&mut self, event: Event, on_ready: &mut dyn FnMut()) -> Result<(), ServiceError> {
        self.crew.hear(&event);
        match self.desk.on_event(event, Instant::now()) {
            Turn::Goes => Ok(()),
            Turn::Ready => {
                tracing::info!(
                    edition = self.serial,
                    "ready: a golden question was answered"
                );
                on_ready();
                self.open_updater();
                self.start_fetching()?;
                self.systemd.ready("ready");
                Ok(())
            }
            Turn::Fatal(reason) => Err(ServiceError::Unhealthy {
                serial: self.serial,
                reason,
            }),
        }
    }

    fn on_field(&mut self, event: FieldEvent) {
        match event {
            FieldEvent::Connected => {
                tracing::info!("connected to the broker");
                self.desk.health.is_well(Part::Broker);
                self.tell_edition();
            }
            FieldEvent::Disconnected { why } => {
                tracing::warn!(why, "not connected to the broker");
                self.desk.health.is_unwell(Part::Broker, why);
            }
            FieldEvent::Ask { ask, ack } => self.desk.take(*ask, ack),
            FieldEvent::Sense { device, readings } => self.link.keep(&device, readings),
        }
    }

    fn on_tick(&mut self) -> Result<(), ServiceError> {
        let now = Instant::now();
        if self.crew.has_lost_one() {
            return Err(ServiceError::Machine(
                "an answering thread has ended".into(),
            ));
        }
        if self.watchdog.is_due(&self.crew.steps(), now) {
            self.systemd.feed_watchdog();
        }
        self.after_switch();
        if let Some(status) = self.desk.tick(now) {
            self.say(&status);
            self.link.report(status);
        }
        Ok(())
    }

    fn say(&mut self, status: &BoxReport) {
        let state = format!("{:?}", status.state).to_lowercase();
        let text = format!(
            "{state}; edition {}, {} questions wait; {}",
            status.edition,
            status.queue,
            self.desk.health.summary()
        );
        if text != self.said {
            self.systemd.status(&text);
            self.said = text;
        }
    }

    /// Gives the answering threads that are free their next jobs.
    fn hand_out(&mut self) {
        let link = &self.link;
        let readings = |device: &str| link.readings_of(device);
        while let Some(job) = self.desk.next_job(Instant::now(), readings) {
            if self.crew.give(job).is_err() {
                // Only a thread that has ended refuses: the next tick sees it, and the journal has the question.
                tracing::error!("the answering thread takes no work");
            }
        }
    }

    fn stop_workers(&mut self) {
        self.crew.stop();
        self.retired.iter_mut().for_each(Crew::stop);
    }

    /// Finishes or leaves journalled what is open, within [`DRAIN`], and says good-bye.
    async fn drain(&mut self) {
        self.systemd.stopping("stopping");
        let end = Instant::now() + DRAIN;
        let finish = Instant::now() + FINISH;
        self.desk.stop();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !self.desk.is_quiet() && Instant::now() < end {
            if Instant::now() >= finish {
                self.stop_workers();
            }
            if self.watchdog.is_due(&self.crew.steps(), Instant::now()) {
                self.systemd.feed_watchdog();
            }
            tokio::select! {
                Some(event) = self.events.recv() => {
                    self.crew.hear(&event);
                    let _ = self.desk.on_event(event, Instant::now());
                }
                Some(note) = self.notes.recv() => self.desk.hear(note),
                _ = ticks.tick() => {}
            }
        }
        self.stop_workers();
        self.link.report(self.desk.status());
        let left = end.saturating_duration_since(Instant::now());
        let flushed = self.post.flush();
        if tokio::time::timeout(left, flushed).await.is_ok() {
            let left = end.saturating_duration_since(Instant::now());
            self.link.stop(left).await;
        }
        let left = end.saturating_duration_since(Instant::now());
        if !self.crew.join(left) {
            tracing::warn!(
                "an answering thread did not end in time; its question stays in the journal"
            );
        }
        tracing::info!("stopped");
    }
}

fn open_journal(config: &Config, clock: &Arc<dyn Clock>) -> Result<Journal, ServiceError> {
    let limits = JournalLimits {
        // Those that wait, those that are worked on, and those whose outcome is being written.
        pending: config.queue.length + config.model.at_once + ERRANDS,
        outcomes: config.queue.max_outcomes,
        keep: config.queue.keep_outcomes,
    };
    let path = config.state.join("journal");
    let journal = Journal::open(&path, limits, Arc::clone(clock)).map_err(journal_error)?;
    if let Some(damage) = journal.damage() {
        tracing::error!(?damage, "the journal was damaged");
    }
    Ok(journal)
}

fn journal_error(error: JournalError) -> ServiceError {
    match error {
        JournalError::Locked { path } => ServiceError::StateInUse { path },
        other => ServiceError::Machine(other.to_string()),
    }
}
