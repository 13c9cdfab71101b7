//! How editions come in on this box: the library built, the golden questions asked in a process of its
//! own, and a bad edition left behind.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::rooms::Rooms;
use super::trial;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::durable::{self, FileError};
use crate::edition::{
    Accepted, Driver, Edition, EditionError, Host, Moment, PublicKey, Record, Run, STARTS, Setting,
    Swept, Told, Verdict, Workshop, build,
};
use crate::library::{IngestOptions, Library};

/// Ids of the documents that came with an edition, in its folder: all others are the farm's own.
const CORPUS: &str = "corpus.json";
/// What somebody set right by hand, in an edition's folder.
const TAGS: &str = "tags.json";

/// This program with the arguments that give a child the same configuration.
#[derive(Clone, Debug)]
pub struct Again {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the subcommand.
    pub arguments: Vec<OsString>,
}

/// Changes the editions of a box that no daemon serves.
pub struct Editions<'a> {
    config: &'a Config,
    again: &'a Again,
}

impl Workshop for Editions<'_> {
    fn stage(&mut self, edition: &Edition, before: Option<&Edition>) -> Result<(), String> {
        self.fill(edition, before)
            .map_err(|error| error.to_string())
    }

    fn probe(&mut self, edition: &Edition) -> Verdict {
        trial::watch(self.again, &edition.manifest)
    }
}

impl<'a> Editions<'a> {
    /// The editions of the configured state folder; opens nothing.
    pub fn new(config: &'a Config, again: &'a Again) -> Self {
        Editions { config, again }
    }

    /// Takes the edition in `folder` (or the one whose manifest is named) all the way to current or gives
    /// it up, telling every step; blocking, for minutes.
    ///
    /// # Errors
    /// It is not accepted (then nothing changed), or folder or disk failed on the way (then the same call
    /// goes on from there).
    pub fn install(
        &mut self,
        folder: &Path,
        allow_downgrade: bool,
        tell: &mut dyn FnMut(&Told),
    ) -> Result<(Accepted, Run), ServiceError> {
        let folder = match folder.is_file() {
            true => folder.parent().unwrap_or(Path::new(".")),
            false => folder,
        };
        let offer = build::read_offer(folder)?;
        let mut contents = crate::edition::Blobs::new(&build::contents_of(folder));
        let setting = Setting {
            keys: trusted_keys(&self.config.trusted)?,
            host: host(),
            now: now(),
            allow_downgrade,
        };
        let state = self.config.state.clone();
        let mut driver = Driver::open(&state, self, tell)?;
        let accepted = driver.install(offer, &mut contents, &setting)?;
        match driver.run() {
            Some(run) => Ok((accepted, run.clone())),
            None => Err(ServiceError::Machine("the edition left no trace".into())),
        }
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
        let state = self.config.state.clone();
        Ok(Driver::open(&state, self, tell)?.roll_back(why)?)
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
        let why = format!("{STARTS} starts did not end in an answered golden question");
        match driver.roll_back(&why) {
            // An edition without one before it is tried for ever.
            Err(EditionError::Impossible(_) | EditionError::Busy(_)) => Ok(()),
            other => Ok(other.map(drop)?),
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

    fn fill(&self, edition: &Edition, before: Option<&Edition>) -> Result<(), ServiceError> {
        if let Some(before) = before {
            carry_tags(&before.folder, &edition.folder)?;
        }
        let rooms = Rooms::of(self.config, edition.clone());
        rooms.check()?;
        let library = rooms.library()?;
        let documents = edition.files().join("documents");
        if documents.is_dir() {
            let on_step = &mut |_: &crate::library::Progress<'_>| ControlFlow::Continue(());
            let report = library.ingest_paths(&[documents], IngestOptions::default(), on_step)?;
            if let Some(failure) = report.failed.first() {
                let (path, reason) = (failure.path.display(), &failure.reason);
                return Err(ServiceError::Machine(format!("{path}: {reason}")));
            }
        }
        let ids: Vec<String> = library
            .documents()
            .into_iter()
            .map(|entry| entry.id)
            .collect();
        let list =
            serde_json::to_vec(&ids).map_err(|error| ServiceError::Machine(error.to_string()))?;
        durable::replace(&edition.folder.join(CORPUS), &list)?;
        match before {
            Some(before) if before.index().is_dir() => self.carry_documents(before, &library),
            _ => Ok(()),
        }
    }

    /// Takes the farm's own documents over: those that did not come with the edition before. A document of
    /// the new edition with the same id goes before.
    fn carry_documents(&self, before: &Edition, into: &Library) -> Result<(), ServiceError> {
        let came = corpus_of(&before.folder)?;
        let library = Rooms::of(self.config, before.clone()).library()?;
        let own = library.documents().into_iter();
        for entry in own.filter(|entry| !came.contains(&entry.id)) {
            if into.document(&entry.id).is_some() {
                tracing::warn!(document = entry.id, "the edition brings its own");
            } else if let Some(document) = library.tree(&entry.id)? {
                into.ingest(&document)?;
            }
        }
        Ok(())
    }
}

fn log(told: &Told) {
    let (edition, why) = (told.serial, told.why.as_str());
    tracing::warn!(edition, phase = %told.phase, why, "edition");
}

fn carry_tags(from: &Path, to: &Path) -> Result<(), ServiceError> {
    let path = from.join(TAGS);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at("read", &path)(error).into()),
        Ok(bytes) => Ok(durable::replace(&to.join(TAGS), &bytes)?),
    }
}

fn corpus_of(folder: &Path) -> Result<BTreeSet<String>, ServiceError> {
    let path = folder.join(CORPUS);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(FileError::at("read", &path)(error).into()),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| ServiceError::Machine(format!("{}: {error}", path.display()))),
    }
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
