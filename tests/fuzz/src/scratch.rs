//! A folder for what is read from files; `TMPDIR` says where, in memory if `scripts/fuzz.sh` chose it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

/// This process's folder.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| tempfile::tempdir().expect("TMPDIR is writable"))
        .path()
}

/// Writes the file `name` of the folder.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).expect("TMPDIR is writable");
    }
    fs::write(&path, bytes).expect("TMPDIR is writable");
    path
}

/// The folder `name` of the folder, empty.
pub fn empty(name: &str) -> PathBuf {
    let path = folder().join(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("TMPDIR is writable");
    }
    fs::create_dir_all(&path).expect("TMPDIR is writable");
    path
}
