//! What the state machine asks for, done on disk.
//!
//! The record is written before each action, so every action may be cut anywhere and is done again: each
//! of them is safe to repeat. Here stands what others ask of a driver; the actions stand in `steps`.

mod steps;
mod sweep;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::blobs::Source;
use super::limits;
use super::machine::{Event, Offered};
use super::manifest::{FILE_NAME, SIGNATURE_NAME, read_bounded};
use super::moment::Moment;
use super::offer::{self, Accepted, Host, Offer, Terms};
use super::record::{Record, Run};
use super::signature::PublicKey;
use super::{Edition, EditionError};
use crate::durable;
use crate::types::{Digest, Phase};

/// What the rooms above do for an edition.
pub trait Workshop {
    /// Builds the index of `edition`, in its folder, and takes over what the farm itself put into the
    /// library of `before`. Called again after a cut, in a folder made anew. Blocking.
    ///
    /// # Errors
    /// Why the edition cannot be used.
    fn stage(&mut self, edition: &Edition, before: Option<&Edition>) -> Result<(), String>;

    /// Asks `edition` its golden questions in a session of its own, within its budgets. Blocking.
    fn probe(&mut self, edition: &Edition) -> Verdict;
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every golden question was answered well.
    Passed,
    /// It is not good enough; another trial would say the same.
    Failed(String),
    /// It ended without a verdict.
    Crashed(String),
}

/// What is told of an edition on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its serial.
    pub serial: u64,
    /// How far it is.
    pub phase: Phase,
    /// The reason of an end.
    pub why: String,
    /// Bytes fetched, and bytes in all, while fetching.
    pub bytes: Option<(u64, u64)>,
    /// Of those bytes, the ones from before the last start, where that is known.
    pub resumed: Option<u64>,
}

/// What offers are held against on this box.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Keys of the configuration.
    pub keys: Vec<PublicKey>,
    /// The machine.
    pub host: Host,
    /// The wall clock, where it can be believed.
    pub now: Option<Moment>,
    /// A local operator wants an older edition.
    pub allow_downgrade: bool,
}

/// The one that changes which edition is current; one process at a time.
pub struct Driver<'a> {
    state: PathBuf,
    record: Record,
    offer: Offer,
    workshop: &'a mut dyn Workshop,
    tell: &'a mut dyn FnMut(&Told),
    /// Contents come from elsewhere: it stops where they are needed.
    waits: bool,
    _lock: File,
}

impl<'a> Driver<'a> {
    /// Opens the state folder's editions for changes; blocking.
    ///
    /// # Errors
    /// Another process has them open, or the record cannot be read.
    pub fn open(
        state: &Path,
        workshop: &'a mut dyn Workshop,
        tell: &'a mut dyn FnMut(&Told),
    ) -> Result<Driver<'a>, EditionError> {
        durable::create_folder(state)?;
        let path = state.join("edition.lock");
        let lock = durable::try_lock(&path)?.ok_or_else(|| {
            EditionError::Busy(format!(
                "{}: another process is changing editions",
                path.display()
            ))
        })?;
        Ok(Driver {
            state: state.to_owned(),
            record: Record::read(state)?,
            offer: Offer::default(),
            workshop,
            tell,
            waits: false,
            _lock: lock,
        })
    }

    /// How the last edition ended, or how far the one under way is.
    pub fn run(&self) -> Option<&Run> {
        self.record.run.as_ref()
    }

    /// Takes an offered edition all the way to current, or gives it up; blocking, for as long as
    /// fetching, indexing and trying take. [`Driver::run`] then tells which.
    ///
    /// # Errors
    /// [`EditionError::Refused`]: the offer was not accepted, and nothing changed. Otherwise source or
    /// disk failed on the way; the same call, or [`Driver::resume`], goes on from there.
    pub fn install(
        &mut self,
        offer: Offer,
        source: &mut dyn Source,
        setting: &Setting,
    ) -> Result<Accepted, EditionError> {
        let under_way = self.run().filter(|run| !run.phase.is_over());
        // One that was cut before it was kept cannot go on; it is offered anew.
        let same = under_way.is_some_and(|run| run.manifest == Some(Digest::of(&offer.manifest)))
            && self.is_kept();
        if under_way.is_some() {
            // The one that was cut first; it takes its files from this source where it is the same.
            self.restart(if same { Some(&mut *source) } else { None })?;
        }
        let accepted = match self.examine(&offer, setting) {
            Err(_) if same && self.is_current(&offer)? => {
                // Resuming it made it current just now.
                let fresh = Record::default();
                offer::examine(&offer, &self.terms(&fresh, None, setting))?
            }
            other => other?,
        };
        if same && self.run().is_some_and(|run| run.phase.is_over()) {
            return Ok(accepted); // It came to its end.
        }
        let event = self.offered(&accepted)?;
        self.offer = offer;
        self.drive(event, Some(source))?;
        match self.run() {
            Some(run) if run.manifest == Some(accepted.digest) => Ok(accepted),
            _ => Err(EditionError::Busy(
                "another edition is under way; `almanac edition status` tells which".into(),
            )),
        }
    }

    /// Takes an offer in, but not its contents: it is examined and kept, and what comes back with it are the
    /// contents that are missing here, with their lengths. Once they are in the folder of contents,
    /// [`Driver::install`] or [`Driver::resume`] go on. May be called again for the same offer. Blocking:
    /// what the current edition has of it is read.
    ///
    /// # Errors
    /// [`EditionError::Refused`]: the offer was not accepted, or there is no room for it.
    /// [`EditionError::Busy`]: another edition is past its fetching.
    pub fn accept(
        &mut self,
        offer: Offer,
        setting: &Setting,
    ) -> Result<(Accepted, BTreeMap<Digest, u64>), EditionError> {
        let waits = |run: &&Run| matches!(run.phase, Phase::Offered | Phase::Fetching);
        if self
            .run()
            .is_some_and(|run| !run.phase.is_over() && !waits(&run))
        {
            return Err(EditionError::Busy(
                "another edition is under way; `almanac edition status` tells which".into(),
            ));
        }
        let accepted = self.examine(&offer, setting)?;
        let event = self.offered(&accepted)?;
        self.offer = offer;
        self.waits = true;
        let driven = self.drive(event, None);
        self.waits = false;
        driven?;
        match self.run() {
            Some(run) if run.phase == Phase::Fetching => Ok((accepted, self.missing()?)),
            Some(run) => Err(EditionError::Refused(run.why.clone())),
            None => Err(EditionError::Impossible("the offer left no trace".into())),
        }
    }

    /// Rejects the edition that still waits for its contents; blocking.
    ///
    /// # Errors
    /// The disk failed.
    pub fn give_up(&mut self, why: &str) -> Result<(), EditionError> {
        match self.run().map(|run| run.phase) {
            Some(Phase::Offered | Phase::Fetching) => {
                self.drive(Event::Failed(why.to_owned()), None)
            }
            _ => Ok(()),
        }
    }

    /// Goes on with what was cut, as far as it goes without its source; blocking.
    ///
    /// # Errors
    /// The disk failed; a later call goes on.
    pub fn resume(&mut self) -> Result<(), EditionError> {
        self.restart(None)
    }

    /// Finishes a commit or a rollback that was cut; leaves alone what would take long. Blocking.
    ///
    /// # Errors
    /// The disk failed; a later call goes on.
    pub fn settle(&mut self) -> Result<(), EditionError> {
        let current = Edition::current_serial(&self.state)?;
        let is_short = self.run().is_some_and(|run| {
            run.phase.is_over() || (run.phase == Phase::Trial && current == Some(run.serial))
        });
        match is_short {
            true => self.restart(None),
            false => Ok(()),
        }
    }

    /// Goes back to the edition before; blocking.
    ///
    /// # Errors
    /// There is none, another edition is under way, or the disk failed.
    pub fn roll_back(&mut self, why: &str) -> Result<u64, EditionError> {
        if self.run().is_some_and(|run| !run.phase.is_over()) {
            self.restart(None)?;
        }
        let impossible = |reason: &str| Err(EditionError::Impossible(reason.to_owned()));
        let Some(current) = Edition::current_serial(&self.state)? else {
            return impossible("there is no edition yet");
        };
        let Some(previous) = self.record.previous.filter(|previous| *previous != current) else {
            return impossible("there is no edition before this one to go back to");
        };
        Edition::numbered(&self.state, previous)?;
        if self.run().is_some_and(|run| !run.phase.is_over()) {
            return Err(EditionError::Busy(
                "another edition is under way; wait for its end".into(),
            ));
        }
        let why = why.to_owned();
        self.drive(Event::RollBack { current, why }, None)?;
        Ok(previous)
    }

    /// Notes that the current edition is about to be loaded to serve; how many such starts were not
    /// followed by [`Driver::healthy`] before this one. Durable when it returns; blocking.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn starting(&mut self) -> Result<u32, EditionError> {
        let before = self.record.starts;
        let mut next = self.record.clone();
        next.starts = before.saturating_add(1);
        self.save(next)?;
        Ok(before)
    }

    /// Notes that the current edition serves, and the time where the clock is trusted; blocking.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn healthy(&mut self, now: Option<Moment>) -> Result<(), EditionError> {
        let mut next = self.record.clone();
        next.starts = 0;
        next.newest_time = next.newest_time.max(now.unwrap_or_default());
        self.save(next)
    }

    fn offered(&self, accepted: &Accepted) -> Result<Event, EditionError> {
        Ok(Event::Offered(Box::new(Offered {
            serial: accepted.manifest.serial,
            manifest: Some(accepted.digest),
            over: Edition::current_serial(&self.state)?,
            keys: accepted.manifest.keys.clone(),
            time: accepted.time,
        })))
    }

    fn examine(&self, offer: &Offer, setting: &Setting) -> Result<Accepted, EditionError> {
        let current = Edition::current_serial(&self.state)?;
        offer::examine(offer, &self.terms(&self.record, current, setting))
    }

    fn terms<'t>(
        &self,
        record: &'t Record,
        current: Option<u64>,
        setting: &'t Setting,
    ) -> Terms<'t> {
        Terms {
            keys: &setting.keys,
            record,
            current,
            host: &setting.host,
            now: setting.now,
            allow_downgrade: setting.allow_downgrade,
        }
    }

    fn is_current(&self, offer: &Offer) -> Result<bool, EditionError> {
        let digest = Digest::of(&offer.manifest);
        let serial = Edition::current_serial(&self.state)?;
        Ok(self
            .run()
            .is_some_and(|run| run.manifest == Some(digest) && Some(run.serial) == serial))
    }

    /// Whether the manifest under way, and its signature, lie whole in the incoming folder.
    fn is_kept(&self) -> bool {
        let wanted = self.run().and_then(|run| run.manifest);
        let incoming = self.incoming();
        let found = read_bounded(&incoming.join(FILE_NAME), limits::MANIFEST_BYTES);
        let is_signed = incoming.join(SIGNATURE_NAME).is_file();
        is_signed && found.is_ok_and(|bytes| Some(Digest::of(&bytes)) == wanted)
    }

    fn serial(&self) -> u64 {
        self.run().map_or(0, |run| run.serial)
    }

    fn incoming(&self) -> PathBuf {
        self.state.join("incoming")
    }
}
