//! The box's side of a push: an offer is examined, its contents are fetched over MQTT, and then it is handed to
//! whoever installs editions.
//!
//! All of it happens on a thread of its own: chunks are synced to disk one by one, and answering must not wait for
//! that. What is remembered lies on disk (the record of editions, the parts of contents, the name of the push), so
//! that a restart goes on as soon as the broker brings its retained offer again.

mod offers;
mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::editions::{Again, Editions};
use super::error::ServiceError;
use super::pushed::Pushed;
use super::update::{Done, Nothing, Order, Updater};
use crate::config::Config;
use crate::edition::push::{Envelope, Parts};
use crate::edition::{Driver, EditionError, Told};
use crate::field::{EditionInbox, FieldHandle, Publication};

/// Least time between two messages that differ in bytes only.
const PACE: Duration = Duration::from_secs(1);
/// When what failed on this box (another edition under way, a disk that cannot be read) is tried again; doubled
/// up to 128 times that.
const LATER: Duration = Duration::from_secs(1);
/// Tries in a row; then the box waits for the offer to come again.
const TRIES: u32 = 30;

/// What came of an installation.
type Installed = Result<Done, ServiceError>;

/// Fetches what is offered.
pub struct Fetcher {
    config: Config,
    again: Again,
    handle: FieldHandle,
    inbox: EditionInbox,
    runtime: Handle,
    updater: Updater,
    at: At,
    pushed: Pushed,
    told: Option<Instant>,
    tries: u32,
    /// Another offer came while one was being installed.
    overtaken: bool,
}

/// Where it is.
enum At {
    Idle,
    /// The offer is taken up at that moment.
    Later(Box<Envelope>, Instant),
    Fetching(Box<Envelope>, Box<Parts>),
    Installing(Box<Envelope>, oneshot::Receiver<Installed>),
}

/// What comes next.
enum Next {
    Offer(Option<Arc<[u8]>>),
    Chunk(Vec<u8>),
    Installed(Installed),
    Tick,
    /// The daemon ends.
    Over,
}

impl Fetcher {
    /// Starts the thread; call within a tokio runtime, when the daemon's own business with its editions is done.
    /// It ends with the connection.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        (config, again): &(Config, Again),
        (handle, inbox): (FieldHandle, EditionInbox),
        updater: Updater,
        pushed: Pushed,
    ) -> std::io::Result<()> {
        let mut this = Fetcher {
            pushed,
            config: config.clone(),
            again: again.clone(),
            handle,
            inbox,
            runtime: Handle::current(),
            updater,
            at: At::Idle,
            told: None,
            tries: 0,
            overtaken: false,
        };
        // What came before this thread did counts as news.
        this.inbox.offer.mark_changed();
        std::thread::Builder::new()
            .name("fetch-editions".into())
            .spawn(move || this.run())
            .map(drop)
    }

    fn run(mut self) {
        loop {
            let runtime = self.runtime.clone();
            match runtime.block_on(self.next()) {
                Next::Over => return,
                Next::Offer(None) => self.taken_back(),
                Next::Offer(Some(bytes)) => self.offered(&bytes),
                Next::Chunk(bytes) => self.chunk(&bytes),
                Next::Installed(result) => self.installed(result),
                Next::Tick => self.tick(),
            }
        }
    }

    async fn next(&mut self) -> Next {
        let (at, inbox) = (&mut self.at, &mut self.inbox);
        let due = match at {
            At::Later(_, due) => Some(*due),
            At::Fetching(_, parts) => parts.fetch().due(),
            At::Idle | At::Installing(..) => None,
        };
        let tick = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let installed = async {
            match at {
                At::Installing(_, receiver) => receiver.await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            // An offer that was taken back goes before what is still coming of it.
            biased;
            changed = inbox.offer.changed() => match changed {
                Ok(()) => Next::Offer(inbox.offer.borrow_and_update().clone()),
                Err(_) => Next::Over,
            },
            result = installed => match result {
                Ok(result) => Next::Installed(result),
                Err(_) => Next::Over,
            },
            chunk = inbox.chunks.recv() => chunk.map_or(Next::Over, Next::Chunk),
            () = tick => Next::Tick,
        }
    }

    fn chunk(&mut self, bytes: &[u8]) {
        let At::Fetching(envelope, parts) = &mut self.at else {
            return;
        };
        match parts.receive(bytes, Instant::now()) {
            Ok(Ok(())) => self.proceed(),
            Ok(Err(lie)) => tracing::debug!(%lie, "a chunk was passed over"),
            Err(error) => {
                let envelope = std::mem::take(&mut **envelope);
                self.at = At::Idle;
                self.failed(envelope, error);
            }
        }
    }

    fn failed(&mut self, envelope: Envelope, error: EditionError) {
        let why = match error {
            EditionError::Refused(why) => why,
            EditionError::Io(error) if error.source.kind() == std::io::ErrorKind::StorageFull => {
                format!("the disk is full: {error}")
            }
            error => {
                tracing::error!(%error, "fetching stopped");
                return self.waiting(envelope);
            }
        };
        let mut editions = Editions::new(&self.config, &self.again);
        let tell = &mut |told: &Told| self.publish_state(told.clone());
        let given_up = Driver::open(&self.config.state, &mut editions, tell)
            .and_then(|mut driver| driver.give_up(&why));
        if let Err(error) = given_up {
            tracing::error!(%error, "the end of an edition is not noted");
            self.rejected(&envelope.offer, why);
        }
    }

    /// After something new is here.
    fn proceed(&mut self) {
        let At::Fetching(_, parts) = &mut self.at else {
            return;
        };
        if !parts.fetch().is_done() {
            self.report();
            return self.ask();
        }
        self.told = None;
        self.report();
        if let At::Fetching(envelope, _) = std::mem::replace(&mut self.at, At::Idle) {
            self.hand_over(envelope);
        }
    }

    fn hand_over(&mut self, envelope: Box<Envelope>) {
        let order = Order::Install {
            offer: envelope.offer.clone(),
            source: Box::new(Nothing),
            allow_downgrade: false,
        };
        self.give(order, envelope);
    }

    fn give(&mut self, order: Order, envelope: Box<Envelope>) {
        // Its steps are told by whoever carries it out.
        self.at = match self.updater.give(order, Box::new(|_| {})) {
            Ok(receiver) => At::Installing(envelope, receiver),
            Err(error) => {
                tracing::warn!(%error, "a fetched edition waits");
                match self.later() {
                    Some(due) => At::Later(envelope, due),
                    None => At::Idle,
                }
            }
        };
    }

    fn installed(&mut self, result: Installed) {
        let At::Installing(envelope, _) = std::mem::replace(&mut self.at, At::Idle) else {
            return;
        };
        match result {
            Ok(_) => self.tries = 0,
            Err(ServiceError::Edition(EditionError::Refused(why))) => {
                self.rejected(&envelope.offer, why);
            }
            Err(error) => {
                tracing::error!(%error, "a fetched edition was not installed");
                self.waiting(*envelope);
            }
        }
        if std::mem::take(&mut self.overtaken) {
            self.inbox.offer.mark_changed();
        }
    }

    fn tick(&mut self) {
        match std::mem::replace(&mut self.at, At::Idle) {
            At::Later(envelope, _) => self.take_up(*envelope),
            other => {
                self.at = other;
                self.ask();
            }
        }
    }

    fn ask(&mut self) {
        let At::Fetching(_, parts) = &mut self.at else {
            return;
        };
        let was_stalled = parts.fetch().is_stalled();
        let wants = parts.fetch().ask(Instant::now());
        let is_stalled = parts.fetch().is_stalled();
        let topic = self.handle.topics().edition_want();
        for want in wants {
            self.publish(Publication {
                topic: topic.clone(),
                payload: want.encode(),
                ..Publication::default()
            });
        }
        if is_stalled && !was_stalled {
            tracing::warn!("nobody sends the offered edition: waiting for the offer to come again");
            self.told = None;
            self.report();
        }
    }
}
