//! The contents of editions on disk, each under its digest: `blobs/sha256/<hex>`. What two editions share
//! is there once. A content that is still coming is `<hex>.part`.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::EditionError;
use super::manifest::open_regular;
use crate::durable;
use crate::types::Digest;

/// Bytes that are asked for and made durable at a time; a cut loses at most so many.
pub const CHUNK: usize = 1024 * 1024;

/// Where contents come from.
pub trait Source {
    /// Puts bytes of `content` from `offset` on into `buffer`; 0 at its end. Blocking.
    ///
    /// # Errors
    /// The source cannot be read now; it may be tried again later.
    fn read(
        &mut self,
        content: &Digest,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, EditionError>;
}

/// The folder of contents.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Those under `root`, a state folder or what `almanac edition build` wrote; opens nothing.
    pub fn new(root: &Path) -> Self {
        Blobs {
            folder: root.join("blobs/sha256"),
        }
    }

    /// Where `content` lies, or would.
    pub fn path(&self, content: &Digest) -> PathBuf {
        self.folder.join(content.to_string())
    }

    /// Whether `content` is here, as far as its name and length tell.
    pub fn has(&self, content: &Digest, length: u64) -> bool {
        let found = std::fs::symlink_metadata(self.path(content));
        found.is_ok_and(|found| found.is_file() && found.len() == length)
    }

    /// Reads `content` from disk and compares it with its name. Blocking.
    ///
    /// # Errors
    /// It cannot be read, or is something else ([`EditionError::Refused`]).
    pub fn verify(&self, content: &Digest, length: u64) -> Result<(), EditionError> {
        verify_file(&self.path(content), content, length)
    }

    /// Gives the file at `path` a second name among the contents, where it is on the same file system and
    /// is what it should be; false where not. Blocking: the file is read.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn adopt(&self, path: &Path, content: &Digest, length: u64) -> Result<bool, EditionError> {
        if verify_file(path, content, length).is_err() {
            return Ok(false);
        }
        durable::create_folder(&self.folder)?;
        match durable::hard_link(path, &self.path(content)) {
            Ok(()) => durable::sync_folder(&self.folder)?,
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) if error.source.kind() == std::io::ErrorKind::CrossesDevices => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// `length` bytes of `content` from `offset` on. Blocking.
    ///
    /// # Errors
    /// It cannot be read, or is shorter.
    pub fn piece(
        &self,
        content: &Digest,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, EditionError> {
        let mut bytes = vec![0; length];
        let got = fill(&mut self.clone(), content, offset, &mut bytes)?;
        if got < length {
            return Err(EditionError::Impossible(format!(
                "{}: it ends after {} bytes; it has changed since it was looked at",
                self.path(content).display(),
                offset + got as u64
            )));
        }
        Ok(bytes)
    }

    /// Brings `content` here, going on where an earlier fetch was cut; `on_bytes` hears of every chunk.
    /// Never asks for more than `length` bytes. Blocking; durable when it returns.
    ///
    /// # Errors
    /// [`EditionError::Refused`] when the source has other bytes or fewer; else source or disk failed,
    /// and a later fetch goes on.
    pub fn fetch(
        &self,
        content: &Digest,
        length: u64,
        source: &mut dyn Source,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<(), EditionError> {
        durable::create_folder(&self.folder)?;
        let part = self.part(content);
        let mut have = resume_at(&part, length, CHUNK as u64)?;
        on_bytes(have);
        let mut buffer = vec![0; CHUNK];
        while have < length {
            let wanted = usize::try_from(length - have).map_or(CHUNK, |left| left.min(CHUNK));
            let got = fill(source, content, have, &mut buffer[..wanted])?;
            if got < wanted {
                durable::remove_file(&part)?;
                return Err(EditionError::Refused(format!(
                    "{content}: the source ends after {} bytes, the manifest says {length}",
                    have + got as u64
                )));
            }
            durable::append(&part, &buffer[..wanted])?;
            have += wanted as u64;
            on_bytes(wanted as u64);
        }
        if length == 0 {
            durable::append(&part, b"")?;
        }
        self.complete(content, length)
    }

    /// Bytes of `content` that an earlier fetch left and that can be kept: whole pieces of `piece` bytes, of
    /// which the last is not the last of the content; the rest is cut off. Blocking.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn held(&self, content: &Digest, length: u64, piece: u64) -> Result<u64, EditionError> {
        resume_at(&self.part(content), length, piece)
    }

    /// Bytes of an unfinished `content` on disk, whole pieces or not.
    pub(super) fn begun(&self, content: &Digest) -> u64 {
        std::fs::symlink_metadata(self.part(content)).map_or(0, |found| found.len())
    }

    /// Adds `data`, the bytes of `content` from `offset` on, to what is here of it. Blocking; durable when it
    /// returns.
    ///
    /// # Errors
    /// There are not `offset` bytes of it here, or the disk failed.
    pub fn extend(&self, content: &Digest, offset: u64, data: &[u8]) -> Result<(), EditionError> {
        durable::create_folder(&self.folder)?;
        let part = self.part(content);
        let have = std::fs::symlink_metadata(&part).map_or(0, |found| found.len());
        if have != offset {
            return Err(EditionError::Impossible(format!(
                "{}: {have} bytes are there, expected {offset}; something else changed it",
                part.display()
            )));
        }
        Ok(durable::append(&part, data)?)
    }

    /// Reads what is here of `content`, all its `length` bytes, and gives it its name. Blocking; durable when
    /// it returns.
    ///
    /// # Errors
    /// [`EditionError::Refused`] when it is something else: then nothing of it is here any more. Otherwise the
    /// disk failed.
    pub fn complete(&self, content: &Digest, length: u64) -> Result<(), EditionError> {
        let part = self.part(content);
        if let Err(error) = verify_file(&part, content, length) {
            // Whatever it is, the next fetch begins anew.
            durable::remove_file(&part)?;
            return Err(error);
        }
        Ok(durable::rename(&part, &self.path(content))?)
    }

    fn part(&self, content: &Digest) -> PathBuf {
        self.folder.join(format!("{content}.part"))
    }

    /// Removes every content that is not in `kept`, every part, and what cuts left. Blocking.
    ///
    /// # Errors
    /// The folder cannot be listed or a file not removed.
    pub fn keep_only(&self, kept: &BTreeSet<Digest>) -> Result<Swept, EditionError> {
        let mut swept = Swept::default();
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(swept),
            other => other.map_err(EditionError::io("list", &self.folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(EditionError::io("list", &self.folder))?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.parse::<Digest>().ok());
            if digest.is_some_and(|digest| kept.contains(&digest)) {
                continue;
            }
            swept.files += 1;
            swept.bytes += entry.metadata().map_or(0, |found| found.len());
            durable::remove_file(&entry.path())?;
        }
        Ok(swept)
    }
}

/// Bytes of a part that can be kept: whole pieces, of which the last is not the last of the content.
fn resume_at(part: &Path, length: u64, piece: u64) -> Result<u64, EditionError> {
    let found = match std::fs::symlink_metadata(part) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        other => other.map_err(EditionError::io("look at", part))?,
    };
    let whole = found.len() / piece * piece;
    if found.is_file() && found.len() == whole && whole < length {
        return Ok(whole);
    }
    if found.is_file() && whole > 0 && whole < length {
        durable::truncate(part, whole)?;
        return Ok(whole);
    }
    durable::remove_file(part)?;
    Ok(0)
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files and folders.
    pub files: u64,
    /// Bytes of the contents among them.
    pub bytes: u64,
}

/// Fills `buffer` as far as the source goes.
fn fill(
    source: &mut dyn Source,
    content: &Digest,
    offset: u64,
    buffer: &mut [u8],
) -> Result<usize, EditionError> {
    let mut got = 0;
    while got < buffer.len() {
        let read = source.read(content, offset + got as u64, &mut buffer[got..])?;
        if read == 0 {
            break;
        }
        got += read.min(buffer.len() - got);
    }
    Ok(got)
}

fn verify_file(path: &Path, content: &Digest, length: u64) -> Result<(), EditionError> {
    let (file, found) = open_regular(path)?;
    if found != length {
        return Err(EditionError::Refused(format!(
            "{content}: {found} bytes are there, the manifest says {length}"
        )));
    }
    let (digest, _) =
        Digest::of_reader(&mut file.take(length + 1)).map_err(EditionError::io("read", path))?;
    if digest != *content {
        return Err(EditionError::Refused(format!(
            "{content}: the content is another one ({digest})"
        )));
    }
    Ok(())
}

/// Contents in the folder that `almanac edition build` wrote.
impl Source for Blobs {
    fn read(
        &mut self,
        content: &Digest,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, EditionError> {
        let path = self.path(content);
        let (mut file, _) = open_regular(&path)?;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read(buffer))
            .map_err(EditionError::io("read", &path))
    }
}
