//! The only writer of our own files: what it wrote survives a power cut, whole or not at all.
//!
//! The order is the one that file systems promise to keep: write a temporary file in the same folder,
//! fsync it, rename it over the name, fsync the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let mut temporary = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)
        .map_err(FileError::at("create a file in", folder))?;
    let mut buffered = io::BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
    write(&mut buffered)
        .and_then(|()| buffered.flush())
        .map_err(FileError::at("write", path))?;
    drop(buffered);
    let file = temporary.as_file();
    set_readable(file).map_err(FileError::at("set the mode of", path))?;
    file.sync_all().map_err(FileError::at("sync", path))?;
    temporary
        .persist(path)
        .map_err(|error| FileError::at("rename into place", path)(error.error))?;
    sync_folder(folder)
}

/// Appends `bytes` to `path`, creating it when missing; blocking; durable when it returns.
///
/// A power cut may leave a part of `bytes`: readers must know a whole record from half a one.
///
/// # Errors
/// The path with what the system said.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let is_new = !path.exists();
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .map_err(FileError::at("open", path))?;
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
    std::os::unix::fs::symlink(target, &temporary).map_err(FileError::at("link", &temporary))?;
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
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_litter() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        replace(&path, b"old").expect("writable");
        let failed = replace_with(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("cut"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("readable"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn what_is_appended_stands_behind_what_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        append(&path, b"one\n").expect("writable");
        append(&path, b"two\n").expect("writable");
        assert_eq!(fs::read(&path).expect("readable"), b"one\ntwo\n");
    }

    #[test]
    fn a_link_is_repointed_in_one_step() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("current");
        replace_link(&link, Path::new("editions/1")).expect("linkable");
        replace_link(&link, Path::new("editions/2")).expect("linkable");
        assert_eq!(
            fs::read_link(&link).expect("a link"),
            Path::new("editions/2")
        );
    }
}
