//! The journal's files: sled, with the fsync that sled leaves out.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::record::Record;
use super::{Damage, JournalError};
use crate::durable::{self, FileError};

/// sled's cache, bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Under this name sled keeps the highest number given out.
const NUMBER: &str = "number";
/// Damaged journals kept beside the good one.
const KEPT_ASIDE: usize = 3;

/// Commits between two writings of the witness: at most so many can be lost to damage unseen.
const WITNESS_EVERY: u32 = 64;

/// A record as found at open: its number, itself, and whether its outcome was delivered.
pub(super) type Loaded = (u64, Record, bool);

/// What one commit changes.
#[derive(Default)]
pub(super) struct Changes {
    records: sled::Batch,
    delivered: sled::Batch,
    durable: bool,
    any: bool,
}

impl Changes {
    /// Writes a record, durably.
    pub fn put(&mut self, seq: u64, bytes: Vec<u8>) {
        self.records.insert(&seq.to_be_bytes(), bytes);
        self.durable = true;
        self.any = true;
    }

    /// Removes a record; durable with the next record that is.
    pub fn remove(&mut self, seq: u64) {
        self.records.remove(&seq.to_be_bytes());
        self.delivered.remove(&seq.to_be_bytes());
        self.any = true;
    }

    /// Notes a delivery; durable with the next record that is.
    pub fn deliver(&mut self, seq: u64) {
        self.delivered.insert(&seq.to_be_bytes(), &[]);
        self.any = true;
    }
}

/// The open files.
pub(super) struct Store {
    path: PathBuf,
    db: sled::Db,
    records: sled::Tree,
    delivered: sled::Tree,
    meta: sled::Tree,
    file: File,
    folder: File,
    commits: u32,
    #[cfg(test)]
    pub before_sync: Option<Box<dyn FnMut() + Send>>,
}

/// Why the files cannot be opened as they are.
enum Unusable {
    /// They are damaged: move them aside.
    Damaged(String),
    /// Another reason: leave them.
    Other(JournalError),
}

/// Opens the journal at `path`, or moves a damaged one aside and begins a new one.
pub(super) fn open_or_set_aside(
    path: &Path,
) -> Result<(Store, Vec<Loaded>, Option<Damage>), JournalError> {
    match open(path) {
        Ok((store, records)) => {
            let (stored, witnessed) = store.last_numbers()?;
            let damage = (stored < witnessed).then_some(Damage::EndLost);
            if damage.is_some() {
                tracing::error!(
                    journal = %path.display(), stored, witnessed,
                    "the journal's end is lost: questions and outcomes that were synced are gone; check the disk"
                );
            }
            Ok((store, records, damage))
        }
        Err(Unusable::Other(error)) => Err(error),
        Err(Unusable::Damaged(reason)) => {
            let aside = set_aside(path)?;
            tracing::error!(
                journal = %path.display(), moved_to = %aside.display(), reason,
                "the journal is damaged; it was moved aside, and questions that were waiting are lost"
            );
            match open(path) {
                Ok((store, records)) => Ok((store, records, Some(Damage::MovedAside(aside)))),
                Err(Unusable::Other(error)) => Err(error),
                Err(Unusable::Damaged(reason)) => Err(failed(path, &reason)),
            }
        }
    }
}

fn open(path: &Path) -> Result<(Store, Vec<Loaded>), Unusable> {
    durable::create_folder(path).map_err(|error| Unusable::Other(error.into()))?;
    // sled panics on some damage; what it had open is dropped with the closure.
    catch_unwind(|| open_unguarded(path))
        .unwrap_or_else(|_| Err(Unusable::Damaged("sled panicked while opening it".into())))
}

fn open_unguarded(path: &Path) -> Result<(Store, Vec<Loaded>), Unusable> {
    let blame = |error| blame(path, error);
    let db = durable::open_tree(path, CACHE_BYTES).map_err(blame)?;
    let records = db.open_tree("records").map_err(blame)?;
    let delivered = db.open_tree("delivered").map_err(blame)?;
    let meta = db.open_tree("meta").map_err(blame)?;
    let open_file = |path: PathBuf| {
        File::open(&path)
            .map_err(|error| Unusable::Other(FileError::at("open", &path)(error).into()))
    };
    let mut store = Store {
        path: path.to_owned(),
        file: open_file(path.join("db"))?,
        folder: open_file(path.to_owned())?,
        db,
        records,
        delivered,
        meta,
        commits: 0,
        #[cfg(test)]
        before_sync: None,
    };
    let loaded = store.load().map_err(blame)?;
    store.sync().map_err(Unusable::Other)?;
    Ok((store, loaded))
}

fn blame(path: &Path, error: sled::Error) -> Unusable {
    match error {
        error if durable::is_locked(&error) => Unusable::Other(JournalError::Locked {
            path: path.to_owned(),
        }),
        // A file cut short or of a wrong form is reported as an I/O error of these kinds.
        sled::Error::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
            ) =>
        {
            Unusable::Other(FileError::at("open the journal in", path)(error).into())
        }
        error => Unusable::Damaged(error.to_string()),
    }
}

fn failed(path: &Path, reason: &str) -> JournalError {
    JournalError::Store {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Moves the folder aside; the first two and the latest damaged one are kept.
fn set_aside(path: &Path) -> Result<PathBuf, JournalError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbered = |n: usize| path.with_file_name(format!("{name}.damaged-{n}"));
    let free = (1..KEPT_ASIDE).map(numbered).find(|aside| !aside.exists());
    let aside = free.unwrap_or_else(|| numbered(KEPT_ASIDE));
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(FileError::at("remove", &aside))?;
    }
    fs::rename(path, &aside).map_err(FileError::at("move aside", path))?;
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        durable::sync_folder(parent)?;
    }
    Ok(aside)
}

impl Store {
    /// The journal's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Vec<Loaded>, sled::Error> {
        let mut loaded = Vec::new();
        let mut unreadable = sled::Batch::default();
        let mut count = 0;
        for entry in &self.records {
            let (name, bytes) = entry?;
            let seq = <[u8; 8]>::try_from(name.as_ref()).map(u64::from_be_bytes);
            match (seq, Record::decode(&bytes)) {
                (Ok(seq), Some(record)) => {
                    loaded.push((seq, record, self.delivered.contains_key(&name)?));
                }
                _ => {
                    unreadable.remove(name);
                    count += 1;
                }
            }
        }
        if count > 0 {
            tracing::error!(journal = %self.path.display(), count, "records that cannot be read were dropped");
            self.records.apply_batch(unreadable)?;
        }
        Ok(loaded)
    }

    /// Writes `changes`; when one of them must be durable, all are when it returns. Blocking.
    ///
    /// `number` is the highest number given out so far.
    pub fn commit(&mut self, changes: Changes, number: u64) -> Result<(), JournalError> {
        if !changes.any {
            return Ok(());
        }
        let (records, delivered, meta) = (&self.records, &self.delivered, &self.meta);
        guarded(&self.path, || {
            records.apply_batch(changes.records)?;
            delivered.apply_batch(changes.delivered)?;
            meta.insert(NUMBER, &number.to_be_bytes())
        })?;
        if !changes.durable {
            return Ok(());
        }
        self.sync()?;
        self.commits += 1;
        if self.commits % WITNESS_EVERY == 1 {
            self.write_witness(number)?;
        }
        Ok(())
    }

    /// Notes beside sled's files how far they were written, so that [`Store::last_numbers`] can tell. Blocking.
    pub fn write_witness(&self, number: u64) -> Result<(), JournalError> {
        let text = format!("{number}\n");
        Ok(durable::replace(
            &self.path.join("witness"),
            text.as_bytes(),
        )?)
    }

    /// The highest number given out by sled's files and by the witness beside them.
    ///
    /// sled takes damage in the middle of its log for its end and says nothing: a witness that saw more shows it.
    pub fn last_numbers(&self) -> Result<(u64, u64), JournalError> {
        let stored = guarded(&self.path, || self.meta.get(NUMBER))?;
        let stored = stored.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_ref()).ok());
        let witness = fs::read_to_string(self.path.join("witness")).unwrap_or_default();
        Ok((
            stored.map_or(0, u64::from_be_bytes),
            witness.trim().parse().unwrap_or(0),
        ))
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        guarded(&self.path, || self.db.flush())?;
        #[cfg(test)]
        if let Some(hook) = &mut self.before_sync {
            hook();
        }
        // sled's flush stops at sync_file_range, which leaves the drive's cache and the file's length (sled#1452).
        self.file
            .sync_all()
            .map_err(FileError::at("sync", &self.path.join("db")))?;
        self.folder
            .sync_all()
            .map_err(FileError::at("sync", &self.path))?;
        Ok(())
    }

    /// The record numbered `seq`.
    pub fn read(&self, seq: u64) -> Result<Option<Record>, JournalError> {
        let bytes = guarded(&self.path, || self.records.get(seq.to_be_bytes()))?;
        Ok(bytes.and_then(|bytes| Record::decode(&bytes)))
    }
}

fn guarded<T>(path: &Path, action: impl FnOnce() -> sled::Result<T>) -> Result<T, JournalError> {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(path, &error.to_string())),
        Err(_) => Err(failed(path, "sled panicked")),
    }
}
