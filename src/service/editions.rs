//! How editions come in on this box: the library built, the golden questions asked in a process of its
//! own, and a bad edition left behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ServiceError;
use super::rooms::Rooms;
use super::trial;
use super::update::{Beside, carry_back, fill};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::durable::FileError;
use crate::edition::{
    Accepted, Blobs, Driver, Edition, EditionError, Host, Moment, Offer, PublicKey, Record, Run,
    STARTS, Setting, Source, Swept, Told, Verdict, Workshop, build,
};
use crate::library::Library;

/// This program with the arguments that give a child the same configuration.
#[derive(Clone, Debug)]
pub struct Again {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the subcommand.
    pub arguments: Vec<OsString>,
}

/// Changes the editions of a box.
pub struct Editions<'a> {
    config: &'a Config,
    again: &'a Again,
    /// What the daemon lends that answers meanwhile.
    beside: Option<&'a mut Beside>,
}

impl Workshop for Editions<'_> {
    fn stage(&mut self, edition: &Edition, before: Option<&Edition>) -> Result<(), String> {
        if let Some(beside) = &mut self.beside {
            beside.hold_library();
        }
        let before = before.map(|before| self.rooms_of(before));
        let rooms = Rooms::of(self.config, edition.clone());
        fill(&rooms, before.as_deref()).map_err(|error| error.to_string())
    }

    fn probe(&mut self, edition: &Edition) -> Verdict {
        if let Some(beside) = &mut self.beside {
            beside.hold_library();
        }
        let verdict = trial::watch(self.again, &edition.manifest);
        match (&mut self.beside, &verdict) {
            // Before it is current: what does not come up beside the one that answers never will be.
            (Some(beside), Verdict::Passed) => match beside.bring_up(edition) {
                Ok(()) => verdict,
                Err(error) => Verdict::Failed(format!("the daemon cannot use it: {error}")),
            },
            _ => verdict,
        }
    }
}

/// The offer in `folder`, or in the folder of the manifest that it names, and where its contents are. Blocking.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn offer_at(folder: &Path) -> Result<(Offer, Blobs), ServiceError> {
    let folder = match folder.is_file() {
        true => folder.parent().unwrap_or(Path::new(".")),
        false => folder,
    };
    let offer = build::read_offer(folder)?;
    Ok((offer, Blobs::new(&build::contents_of(folder))))
}

impl<'a> Editions<'a> {
    /// The editions of the configured state folder, which no daemon serves; opens nothing.
    pub fn new(config: &'a Config, again: &'a Again) -> Self {
        Editions {
            config,
            again,
            beside: None,
        }
    }

    /// As [`Editions::new`], in the daemon that serves them: an edition that passes its trial is brought up
    /// beside the one that answers, and stands ready there, before it is current.
    pub fn beside(config: &'a Config, again: &'a Again, beside: &'a mut Beside) -> Self {
        Editions {
            config,
            again,
            beside: Some(beside),
        }
    }

    /// Takes the edition of `offer` all the way to current or gives it up, telling every step; blocking, for
    /// minutes.
    ///
    /// # Errors
    /// It is not accepted (then nothing changed), or source or disk failed on the way (then the same call
    /// goes on from there).
    pub fn take(
        &mut self,
        offer: Offer,
        contents: &mut dyn Source,
        allow_downgrade: bool,
        tell: &mut dyn FnMut(&Told),
    ) -> Result<(Accepted, Run), ServiceError> {
        let setting = Setting {
            keys: trusted_keys(&self.config.trusted)?,
            host: host(),
            now: now(),
            allow_downgrade,
        };
        let state = self.config.state.clone();
        let mut driver = Driver::open(&state, self, tell)?;
        let accepted = driver.install(offer, contents, &setting)?;
        match driver.run() {
            Some(run) => Ok((accepted, run.clone())),
            None => Err(ServiceError::Machine("the edition left no trace".into())),
        }
    }

    /// Goes on with an edition that was cut, as far as it goes without its source; how far it is then, where
    /// one was under way. Blocking, for minutes.
    ///
    /// # Errors
    /// The record cannot be read, or the disk failed.
    pub fn resume(&mut self, tell: &mut dyn FnMut(&Told)) -> Result<Option<Run>, ServiceError> {
        let state = self.config.state.clone();
        let run = Record::read(&state)?.run;
        if run.is_none_or(|run| run.phase.is_over()) {
            return Ok(None);
        }
        let mut driver = Driver::open(&state, self, tell)?;
        driver.resume()?;
        Ok(driver.run().cloned())
    }

    /// Goes back to the edition before; its serial. Blocking.
    ///
    /// # Errors
    /// There is none, or the disk failed.
    pub fn roll_back(
        &mut self,
        why: &str,
        tell: &mut dyn FnMut(&Told),
    ) -> Result<u64, ServiceError> {
        if let Err(error) = self.bring_documents_back() {
            // Better an edition that answers than one more document.
            tracing::warn!(%error, "documents that came in since the update may be lost: ingest them again");
        }
        let state = self.config.state.clone();
        Ok(Driver::open(&state, self, tell)?.roll_back(why)?)
    }

    /// Takes over what the farm itself put into the current edition since it came.
    fn bring_documents_back(&self) -> Result<(), ServiceError> {
        let state = &self.config.state;
        let previous = Record::read(state)?.previous;
        let (Some(current), Some(previous)) = (Edition::current(state)?, previous) else {
            return Ok(()); // The driver says so.
        };
        if current.manifest.serial == previous || !Library::is_in(&current.folder) {
            return Ok(());
        }
        let (from, to) = (
            self.rooms_of(&current),
            self.rooms_of(&Edition::numbered(state, previous)?),
        );
        carry_back(&from, &to)
    }

    /// Removes what no edition needs; blocking.
    ///
    /// # Errors
    /// A manifest cannot be read, or the disk failed.
    pub fn sweep(&mut self) -> Result<Swept, ServiceError> {
        let state = self.config.state.clone();
        Ok(Driver::open(&state, self, &mut |_| {})?.sweep()?)
    }

    /// What a daemon does before it opens anything: finishes a commit or a rollback that was cut, counts
    /// this start, and leaves an edition behind that [`STARTS`] starts have not brought to health.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub fn before_start(&mut self) -> Result<(), ServiceError> {
        let state = self.config.state.clone();
        if Record::read(&state)?.run.is_none() {
            return Ok(()); // The box's own edition: there is nothing to go back to.
        }
        let mut tell = log;
        let mut driver = Driver::open(&state, self, &mut tell)?;
        driver.settle()?;
        if driver.starting()? < STARTS {
            return Ok(());
        }
        drop(driver);
        let why = format!("{STARTS} starts did not end in an answered golden question");
        match self.roll_back(&why, &mut log) {
            // An edition without one before it is tried for ever.
            Err(ServiceError::Edition(EditionError::Impossible(_) | EditionError::Busy(_))) => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// What a daemon does once a golden question was answered.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn after_start(&mut self) -> Result<(), ServiceError> {
        self.note_health(now())
    }

    /// What a daemon does that was told to stop before it was ready.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn after_stop(&mut self) -> Result<(), ServiceError> {
        self.note_health(None)
    }

    fn note_health(&mut self, now: Option<Moment>) -> Result<(), ServiceError> {
        let state = self.config.state.clone();
        if Record::read(&state)?.run.is_some() {
            Driver::open(&state, self, &mut |_| {})?.healthy(now)?;
        }
        Ok(())
    }

    /// Whether `error` is the fault of the current edition, and a rollback to the one before it was made:
    /// then what to report instead.
    pub fn leave_behind(&mut self, error: ServiceError) -> ServiceError {
        let is_the_editions = matches!(
            error,
            ServiceError::Unhealthy { .. }
                | ServiceError::Operator { .. }
                | ServiceError::Model(_)
                | ServiceError::Library(_)
        );
        if !is_the_editions {
            // Such a start does not count against it.
            if let Err(error) = self.note_health(None) {
                tracing::error!(%error, "the record of editions cannot be used");
            }
            return error;
        }
        let current = Edition::current_serial(&self.config.state);
        match (current, self.roll_back(&error.to_string(), &mut log)) {
            (Ok(Some(serial)), Ok(previous)) => ServiceError::RolledBack {
                serial,
                previous,
                reason: error.to_string(),
            },
            _ => error,
        }
    }

    /// The rooms of `edition`: those that the daemon has open, where it answers from it or is about to.
    fn rooms_of(&self, edition: &Edition) -> Arc<Rooms> {
        let beside = self.beside.as_deref();
        let open = beside.into_iter().flat_map(Beside::open);
        let mut open = open.filter(|rooms| rooms.serial() == edition.manifest.serial);
        match open.next() {
            Some(rooms) => Arc::clone(rooms),
            None => Arc::new(Rooms::of(self.config, edition.clone())),
        }
    }
}

fn log(told: &Told) {
    let (edition, why) = (told.serial, told.why.as_str());
    tracing::warn!(edition, phase = %told.phase, why, "edition");
}

/// The keys in `folder/*.pub`; none where there is no such folder. Blocking.
///
/// # Errors
/// A file cannot be read or is no key.
pub fn trusted_keys(folder: &Path) -> Result<Vec<PublicKey>, ServiceError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(FileError::at("list", folder))?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::at("list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            let text = std::fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
            let key = PublicKey::parse(&text).map_err(|error| ServiceError::Operator {
                message: format!("{}: {error}", path.display()),
                hint: "`almanac edition keygen` makes keys; a box gets the .pub file".into(),
            })?;
            keys.push(key);
        }
    }
    Ok(keys)
}

/// This machine and this program.
pub fn host() -> Host {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find(|line| line.starts_with("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Host {
        architecture: std::env::consts::ARCH.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        memory_mib: kib.unwrap_or(0) / 1024,
    }
}

/// The wall clock, where it can be believed.
pub(super) fn now() -> Option<Moment> {
    let clock = SystemClock;
    clock.is_trusted().then(|| Moment(clock.now()))
}
