//! The only writer of our own files: what it wrote survives a power cut, whole or not at all.
//!
//! The order is the one that file systems promise to keep: write a temporary file in the same folder,
//! fsync it, rename it over the name, fsync the folder.

#[cfg(test)]
pub mod faults;
mod tree;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use tree::{is_locked, open_tree};

/// How the name of every unfinished file begins.
const TEMPORARY: &str = ".new-";

/// A failed read or write, with the path it was about.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot {action}: {source}")]
pub struct FileError {
    /// What was tried, for example `write`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Names the path and the action behind an I/O error; for `map_err`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |source| FileError {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Replaces `path` by `bytes`; blocking; durable when it returns.
///
/// # Errors
/// The path with what the system said; `path` then still holds its old content.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_with(path, |file| file.write_all(bytes))
}

/// Replaces `path` by what `write` writes; blocking; durable when it returns.
///
/// # Errors
/// As [`replace`].
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = parent(path);
    step("create a file in", folder)?;
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(FileError::at("create a file in", folder))?;
    #[cfg(test)]
    temporary.disable_cleanup(faults::is_cut_next());
    step("write", path)?;
    let mut buffered = io::BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
    write(&mut buffered)
        .and_then(|()| buffered.flush())
        .map_err(FileError::at("write", path))?;
    drop(buffered);
    let file = temporary.as_file();
    set_readable(file).map_err(FileError::at("set the mode of", path))?;
    #[cfg(test)]
    temporary.disable_cleanup(faults::is_cut_next());
    step("sync", path)?;
    let file = temporary.as_file();
    file.sync_all().map_err(FileError::at("sync", path))?;
    #[cfg(test)]
    temporary.disable_cleanup(faults::is_cut_next());
    step("rename into place", path)?;
    temporary
        .persist(path)
        .map_err(|error| FileError::at("rename into place", path)(error.error))?;
    sync_folder(folder)
}

/// Writes `bytes` to the new file `path`, which only its owner may read; durable when it returns.
///
/// # Errors
/// The path with what the system said; there must be no such file yet.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    use std::os::unix::fs::OpenOptionsExt;
    step("create", path)?;
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(FileError::at("create", path))?;
    sync_folder(parent(path))
}

/// Appends `bytes` to `path`, creating it when missing; blocking; durable when it returns.
///
/// A power cut may leave a part of `bytes`: readers must know a whole record from half a one.
///
/// # Errors
/// The path with what the system said.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let is_new = !path.exists();
    step("open", path)?;
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .map_err(FileError::at("open", path))?;
    #[cfg(test)]
    if faults::is_fault_next() {
        // Half of it arrives.
        let _ = file.write_all(&bytes[..bytes.len() / 2]);
    }
    step("append to", path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_data())
        .map_err(FileError::at("append to", path))?;
    if is_new {
        sync_folder(parent(path))?;
    }
    Ok(())
}

/// Cuts the file at `path` off after `length` bytes; blocking; durable when it returns.
///
/// # Errors
/// The path with what the system said.
pub fn cut(path: &Path, length: u64) -> Result<(), FileError> {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| {
            file.set_len(length)?;
            file.sync_all()
        })
        .map_err(FileError::at("cut", path))
}

/// Points the symbolic link `link` at `target`, in one step; durable when it returns.
///
/// # Errors
/// The path with what the system said; the link then still points where it did.
pub fn replace_link(link: &Path, target: &Path) -> Result<(), FileError> {
    let folder = parent(link);
    let temporary = link.with_extension("new-link");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::at("remove", &temporary)(error));
        }
        _ => {}
    }
    step("link", &temporary)?;
    std::os::unix::fs::symlink(target, &temporary).map_err(FileError::at("link", &temporary))?;
    step("rename into place", link)?;
    fs::rename(&temporary, link).map_err(FileError::at("rename into place", link))?;
    sync_folder(folder)
}

/// Creates `folder` and its missing parents; durable when it returns.
///
/// # Errors
/// The folder with what the system said.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    create_folder(above)?;
    step("create the folder", folder)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FileError::at("create the folder", folder)(error))
        }
        _ => sync_folder(above),
    }
}

/// Makes the names in `folder` durable; blocking.
///
/// # Errors
/// The folder with what the system said.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    step("sync", folder)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::at("sync", folder))
}

/// Makes the content of the file at `path` durable; blocking.
///
/// # Errors
/// The path with what the system said.
pub fn sync_file(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(FileError::at("sync", path))
}

/// Renames `from` to `to` in the same folder; durable when it returns.
///
/// # Errors
/// The path with what the system said; both names then still are what they were.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    step("rename into place", to)?;
    fs::rename(from, to).map_err(FileError::at("rename into place", to))?;
    sync_folder(parent(to))
}

/// Gives the file `from` the second name `to`, on one file system; durable once the folder of `to` is
/// synced ([`sync_folder`]): many links need one.
///
/// # Errors
/// The path with what the system said.
pub fn hard_link(from: &Path, to: &Path) -> Result<(), FileError> {
    step("link", to)?;
    fs::hard_link(from, to).map_err(FileError::at("link", to))
}

/// Shortens `path` to `length` bytes; durable when it returns.
///
/// # Errors
/// The path with what the system said.
pub fn truncate(path: &Path, length: u64) -> Result<(), FileError> {
    step("shorten", path)?;
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(length).and_then(|()| file.sync_all()))
        .map_err(FileError::at("shorten", path))
}

/// Removes the file or link `path`; one that is not there is no error; durable when it returns.
///
/// # Errors
/// The path with what the system said.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    step("remove", path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at("remove", path)(error)),
        Ok(()) => sync_folder(parent(path)),
    }
}

/// Removes `folder` with all below it; one that is not there is no error; durable when it returns.
///
/// A cut may leave a part of it under its name: who looks must know a whole folder from half a one.
///
/// # Errors
/// The path with what the system said.
pub fn remove_folder(folder: &Path) -> Result<(), FileError> {
    step("remove", folder)?;
    #[cfg(test)]
    if faults::is_cut_next() {
        faults::remove_half_of(folder);
    }
    step("remove the rest of", folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at("remove", folder)(error)),
        Ok(()) => sync_folder(parent(folder)),
    }
}

/// Bytes that may still be written to the file system of `path`.
///
/// # Errors
/// The path with what the system said.
pub fn free_bytes(path: &Path) -> Result<u64, FileError> {
    let found = rustix::fs::statvfs(path)
        .map_err(io::Error::from)
        .map_err(FileError::at("look at the free space of", path))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether a file of this name is what a cut left of an unfinished write.
pub fn is_litter(name: &str) -> bool {
    name.starts_with(TEMPORARY) || name.ends_with(".new-link")
}

/// How long a held lock is waited for: half a second in all.
const LOCK_TRIES: usize = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Locks `path` against every other process, making the file when missing; `None` when another has it and keeps it
/// for half a second. The lock goes with the file that is returned, also when the process is killed.
///
/// The wait is for a lock that was let go: a process that another thread is starting meanwhile holds a copy of it
/// until it runs its own program.
///
/// # Errors
/// The path with what the system said.
pub fn try_lock(path: &Path) -> Result<Option<File>, FileError> {
    let file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .map_err(FileError::at("open", path))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(fs::TryLockError::Error(error)) => return Err(FileError::at("lock", path)(error)),
        }
    }
    Ok(None)
}

/// Before every step that changes the disk; a test may let it fail here and from here on.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "the one of the tests fails")]
fn step(_action: &'static str, _path: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg(test)]
use faults::step;

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
