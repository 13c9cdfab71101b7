//! The box's side of a push: an offer is examined, its contents are fetched over MQTT, and then it is handed to
//! whoever installs editions.
//!
//! All of it happens on a thread of its own: chunks are synced to disk one by one, and answering must not wait for
//! that. What is remembered lies on disk (the record of editions, the parts of contents, the name of the push), so
//! that a restart goes on as soon as the broker brings its retained offer again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::editions::{Again, Editions, host, now, trusted_keys};
use super::error::ServiceError;
use super::pushed::Pushed;
use super::update::{Done, Nothing, Order, Updater};
use crate::config::Config;
use crate::edition::push::{Envelope, Parts};
use crate::edition::{
    Driver, Edition, EditionError, Manifest, Offer, Phase, Record, Setting, Told,
};
use crate::field::{EditionInbox, FieldHandle, Publication};
use crate::types::Digest;

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

    fn taken_back(&mut self) {
        if let At::Fetching(envelope, _) = &self.at {
            let why = "the offer was taken back; what is here is kept for the next";
            self.tell(serial_of(&envelope.offer), Phase::Fetching, why.into());
        }
        if matches!(self.at, At::Fetching(..) | At::Later(..)) {
            self.at = At::Idle;
        }
    }

    fn offered(&mut self, bytes: &[u8]) {
        self.tries = 0;
        let envelope = match Envelope::parse(bytes) {
            Ok(envelope) => envelope,
            Err(lie) => {
                tracing::warn!(%lie, "an offer was passed over");
                return;
            }
        };
        match &mut self.at {
            At::Fetching(under_way, parts) if under_way.offer == envelope.offer => {
                parts.fetch().follow(&envelope.push);
                parts.fetch().renew();
                under_way.push.clone_from(&envelope.push);
                self.pushed.note(&envelope);
                self.ask();
            }
            At::Installing(under_way, _) if under_way.offer == envelope.offer => {
                under_way.push.clone_from(&envelope.push);
                self.pushed.note(&envelope);
            }
            At::Installing(..) => {
                // The broker keeps it.
                tracing::warn!("an offer waits: another edition is being installed");
                self.overtaken = true;
            }
            _ => self.take_up(envelope),
        }
    }

    /// Takes the offer up later.
    fn waiting(&mut self, envelope: Envelope) {
        self.at = match self.later() {
            Some(due) => At::Later(Box::new(envelope), due),
            None => At::Idle,
        };
    }

    fn later(&mut self) -> Option<Instant> {
        self.tries += 1;
        let pause = LATER * 2_u32.pow(self.tries.min(7));
        if self.tries > TRIES {
            tracing::error!("an offered edition is given up until it is offered again");
        }
        (self.tries <= TRIES).then(|| Instant::now() + pause)
    }

    /// Takes an offer up that is not under way.
    fn take_up(&mut self, envelope: Envelope) {
        self.at = At::Idle;
        let digest = Digest::of(&envelope.offer.manifest);
        let known = self.known(&envelope, digest);
        self.pushed.note(&envelope);
        match known {
            Ok(None) => self.begin(envelope),
            Ok(Some((serial, phase, why))) => {
                self.tell(serial, phase, why);
                if !phase.is_over() {
                    self.give(Order::Resume, Box::new(envelope));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the record of editions cannot be used");
                self.waiting(envelope);
            }
        }
    }

    fn begin(&mut self, envelope: Envelope) {
        match self.accept(&envelope) {
            Ok(parts) => {
                self.at = At::Fetching(Box::new(envelope), Box::new(parts));
                self.told = None;
                self.tries = 0;
                self.proceed();
            }
            Err(ServiceError::Edition(EditionError::Refused(why))) => {
                tracing::warn!(why, "an offered edition is refused");
                self.rejected(&envelope.offer, why);
            }
            Err(error) => {
                tracing::warn!(%error, "an offered edition waits");
                self.waiting(envelope);
            }
        }
    }

    /// What is to be said of an offer that came to its end here before, or that is past its fetching.
    fn known(
        &self,
        envelope: &Envelope,
        digest: Digest,
    ) -> Result<Option<(u64, Phase, String)>, EditionError> {
        let state = &self.config.state;
        if let Ok(Some(current)) = Edition::current(state)
            && manifest_of(&current).is_some_and(|found| found == digest)
        {
            return Ok(Some((
                current.manifest.serial,
                Phase::Current,
                String::new(),
            )));
        }
        let run = Record::read(state)?.run;
        let Some(run) = run.filter(|run| run.manifest == Some(digest)) else {
            return Ok(None);
        };
        let is_told = match run.phase {
            Phase::Offered | Phase::Fetching => false,
            // Once a push: the next may find more room, or a mended box.
            Phase::Rejected | Phase::RolledBack => self.pushed.is_of(envelope),
            Phase::Current => false,
            Phase::Verified | Phase::Staged | Phase::Trial => true,
        };
        Ok(is_told.then_some((run.serial, run.phase, run.why)))
    }

    fn accept(&self, envelope: &Envelope) -> Result<Parts, ServiceError> {
        let config = &self.config;
        let setting = Setting {
            keys: trusted_keys(&config.trusted)?,
            host: host(),
            now: now(),
            allow_downgrade: false,
        };
        let mut editions = Editions::new(config, &self.again);
        let tell = &mut |told: &Told| self.publish_state(told.clone());
        let mut driver = Driver::open(&config.state, &mut editions, tell)?;
        let (accepted, missing) = driver.accept(envelope.offer.clone(), &setting)?;
        let serial = accepted.manifest.serial;
        if accepted.stale {
            tracing::warn!(
                serial,
                "the offered edition expired; it is taken all the same"
            );
        }
        Ok(Parts::open(
            &config.state,
            (serial, &envelope.push),
            &missing,
        )?)
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

    /// Tells how far the fetch is, not too often.
    fn report(&mut self) {
        let now = Instant::now();
        if self.told.is_some_and(|told| now < told + PACE) {
            return;
        }
        self.told = Some(now);
        let At::Fetching(_, parts) = &mut self.at else {
            return;
        };
        let fetch = parts.fetch();
        let ((bytes, total), resumed) = (fetch.bytes(), fetch.resumed());
        let serial = fetch.serial();
        let why = match fetch.is_stalled() {
            true => "nobody sends it; waiting for the offer to come again".into(),
            false => String::new(),
        };
        self.publish_state(Told {
            serial,
            phase: Phase::Fetching,
            why,
            bytes: Some((bytes, total)),
            resumed: Some(resumed),
        });
    }

    fn rejected(&self, offer: &Offer, why: String) {
        self.tell(serial_of(offer), Phase::Rejected, why);
    }

    fn tell(&self, serial: u64, phase: Phase, why: String) {
        self.publish_state(Told {
            serial,
            phase,
            why,
            bytes: None,
            resumed: None,
        });
    }

    fn publish_state(&self, told: Told) {
        self.runtime.block_on(self.updater.tell(told));
    }

    fn publish(&self, publication: Publication) {
        // Stopped: the daemon ends. What the broker makes of it need not be known.
        drop(self.runtime.block_on(self.handle.publish(publication)));
    }
}

/// What an offer calls itself, for people; it may be unsigned.
fn serial_of(offer: &Offer) -> u64 {
    Manifest::parse(&offer.manifest).map_or(0, |manifest| manifest.serial)
}

fn manifest_of(edition: &Edition) -> Option<Digest> {
    let path: PathBuf = edition.folder.join("edition.toml");
    std::fs::read(path).ok().map(|bytes| Digest::of(&bytes))
}
