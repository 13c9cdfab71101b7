//! The actions of the state machine, each safe to repeat, and the loop that runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::blobs::{Blobs, Source};
use super::super::limits;
use super::super::machine::{Action, Event, step};
use super::super::manifest::{FILE_NAME, Manifest, SIGNATURE_NAME, read_bounded};
use super::super::record::Record;
use super::super::signature::MAX_SIGNATURE_BYTES;
use super::super::{Edition, EditionError};
use super::{Driver, Told, Verdict};
use crate::durable;
use crate::types::{Digest, Phase};

/// Room that is left free beside an edition's contents: its index, the journal, the log.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;

impl Driver<'_> {
    /// Goes on with what was cut.
    pub(super) fn restart(&mut self, source: Option<&mut dyn Source>) -> Result<(), EditionError> {
        let event = Event::Restarted {
            current: Edition::current_serial(&self.state)?,
            kept: self.is_kept(),
        };
        self.drive(event, source)
    }

    /// Takes `event` in and does what follows from it, until nothing does.
    pub(super) fn drive(
        &mut self,
        mut event: Event,
        mut source: Option<&mut dyn Source>,
    ) -> Result<(), EditionError> {
        loop {
            let (next, action) = step(&self.record, event);
            self.save(next)?;
            let done = match source {
                Some(ref mut source) => self.perform(action, Some(&mut **source)),
                None => self.perform(action, None),
            };
            event = match done {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(EditionError::Refused(why)) => Event::Failed(why),
                Err(EditionError::Io(error))
                    if error.source.kind() == std::io::ErrorKind::StorageFull
                        && self.run().is_some_and(|run| !run.phase.is_over()) =>
                {
                    Event::Failed(format!("the disk is full: {error}"))
                }
                Err(error) => return Err(error),
            };
        }
    }

    /// Writes the record where it changed, and tells of a new phase.
    pub(super) fn save(&mut self, next: Record) -> Result<(), EditionError> {
        if next == self.record {
            return Ok(());
        }
        next.write(&self.state)?;
        let news = next.run != self.record.run;
        self.record = next;
        if let (true, Some(run)) = (news, &self.record.run) {
            (self.tell)(&Told {
                serial: run.serial,
                phase: run.phase,
                why: run.why.clone(),
                bytes: None,
                resumed: None,
            });
        }
        Ok(())
    }

    fn perform(
        &mut self,
        action: Action,
        source: Option<&mut dyn Source>,
    ) -> Result<Option<Event>, EditionError> {
        Ok(Some(match action {
            Action::Keep => self.keep()?,
            Action::Fetch => return self.fetch(source),
            Action::Verify => self.verify()?,
            Action::Stage => self.stage()?,
            Action::Begin => Event::Begun,
            Action::Try => self.probe(),
            Action::Commit => {
                self.point_at(self.serial())?;
                Event::Committed
            }
            Action::GoBack(serial) => {
                self.point_at(serial)?;
                Event::WentBack
            }
            Action::Clean => {
                self.sweep()?;
                Event::Cleaned
            }
            Action::Rest => return Ok(None),
        }))
    }

    fn keep(&mut self) -> Result<Event, EditionError> {
        let incoming = self.incoming();
        durable::create_folder(&incoming)?;
        let offer = std::mem::take(&mut self.offer);
        durable::replace(&incoming.join(SIGNATURE_NAME), &offer.signature)?;
        // Last: with it, and with the digest that the record has, the offer is whole.
        durable::replace(&incoming.join(FILE_NAME), &offer.manifest)?;
        Ok(Event::Kept)
    }

    fn fetch(&mut self, source: Option<&mut dyn Source>) -> Result<Option<Event>, EditionError> {
        let missing = self.missing()?;
        if self.waits {
            self.check_space(&missing)?;
            return Ok(None);
        }
        if missing.is_empty() {
            return Ok(Some(Event::Fetched));
        }
        let Some(source) = source else {
            return Ok(None);
        };
        let needed = self.check_space(&missing)?;
        let blobs = Blobs::new(&self.state);
        let (serial, phase) = (self.serial(), Phase::Fetching);
        let mut done = 0;
        for (content, length) in &missing {
            blobs.fetch(content, *length, source, &mut |bytes| {
                done += bytes;
                (self.tell)(&Told {
                    serial,
                    phase,
                    why: String::new(),
                    bytes: Some((done, needed)),
                    resumed: None,
                });
            })?;
        }
        Ok(Some(Event::Fetched))
    }

    /// Contents of the edition under way that are not here, after what the current edition has was taken.
    pub(super) fn missing(&self) -> Result<BTreeMap<Digest, u64>, EditionError> {
        let blobs = Blobs::new(&self.state);
        let mut missing = Manifest::read(&self.incoming())?.contents();
        missing.retain(|content, length| !blobs.has(content, *length));
        self.adopt(&blobs, &mut missing)?;
        Ok(missing)
    }

    /// Bytes of `missing`, where there is room for what is not here in part.
    fn check_space(&self, missing: &BTreeMap<Digest, u64>) -> Result<u64, EditionError> {
        let blobs = Blobs::new(&self.state);
        let left = missing.iter().map(|(content, length)| {
            let begun = blobs.begun(content).min(*length);
            length - begun
        });
        let needed: u64 = left.sum();
        let free = durable::free_bytes(&self.state)?;
        if needed > 0 && free < needed.saturating_add(SPARE_BYTES) {
            return Err(EditionError::Refused(format!(
                "it needs {} MiB and as a reserve {}, the disk has {} MiB free; \
                 `almanac edition gc` may make room",
                needed >> 20,
                SPARE_BYTES >> 20,
                free >> 20
            )));
        }
        Ok(missing.values().sum())
    }

    /// Takes what the current edition has and the contents lack: the files of the box's own edition.
    fn adopt(
        &self,
        blobs: &Blobs,
        missing: &mut BTreeMap<Digest, u64>,
    ) -> Result<(), EditionError> {
        let Ok(Some(current)) = Edition::current(&self.state) else {
            return Ok(());
        };
        let folder = current.files();
        for file in &current.manifest.files {
            if missing.get(&file.sha256) == Some(&file.length)
                && blobs.adopt(&folder.join(&file.path), &file.sha256, file.length)?
            {
                missing.remove(&file.sha256);
            }
        }
        Ok(())
    }

    fn verify(&self) -> Result<Event, EditionError> {
        let blobs = Blobs::new(&self.state);
        for (content, length) in Manifest::read(&self.incoming())?.contents() {
            if let Err(error) = blobs.verify(&content, length) {
                // Not even an edition that had it before can use it; it is fetched anew next time.
                durable::remove_file(&blobs.path(&content))?;
                return Err(error);
            }
        }
        Ok(Event::Verified)
    }

    fn stage(&mut self) -> Result<Event, EditionError> {
        let incoming = self.incoming();
        let manifest = Manifest::read(&incoming)?;
        let folder = Edition::folder_of(&self.state, manifest.serial);
        durable::remove_folder(&folder)?;
        durable::create_folder(&folder)?;
        let edition = Edition { folder, manifest };
        self.link_files(&edition)?;
        let before = Edition::current(&self.state)?;
        if let Err(why) = self.workshop.stage(&edition, before.as_ref()) {
            return Ok(Event::Failed(format!("its library cannot be built: {why}")));
        }
        let signature = read_bounded(&incoming.join(SIGNATURE_NAME), MAX_SIGNATURE_BYTES)?;
        durable::replace(&edition.folder.join(SIGNATURE_NAME), &signature)?;
        let manifest = read_bounded(&incoming.join(FILE_NAME), limits::MANIFEST_BYTES)?;
        durable::replace(&edition.folder.join(FILE_NAME), &manifest)?;
        Ok(Event::Staged)
    }

    /// Gives every content its name in the edition's folder.
    fn link_files(&self, edition: &Edition) -> Result<(), EditionError> {
        let blobs = Blobs::new(&self.state);
        let root = edition.files();
        let mut folders = BTreeSet::new();
        for file in &edition.manifest.files {
            let path = root.join(&file.path);
            let folder = path.parent().unwrap_or(&root).to_owned();
            durable::create_folder(&folder)?;
            durable::hard_link(&blobs.path(&file.sha256), &path)?;
            folders.insert(folder);
        }
        for folder in folders {
            durable::sync_folder(&folder)?;
        }
        Ok(())
    }

    fn probe(&mut self) -> Event {
        match Edition::numbered(&self.state, self.serial()) {
            Err(error) => Event::Failed(error.to_string()),
            Ok(edition) => match self.workshop.probe(&edition) {
                Verdict::Passed => Event::Passed,
                Verdict::Failed(why) => Event::Failed(why),
                Verdict::Crashed(why) => Event::Crashed(why),
            },
        }
    }

    fn point_at(&self, serial: u64) -> Result<(), EditionError> {
        let target = Path::new("editions").join(serial.to_string());
        Ok(durable::replace_link(&self.state.join("current"), &target)?)
    }
}
