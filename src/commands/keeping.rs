//! `almanac library backup|restore|rebuild`

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::Context;
use super::channel::Channel;
use super::progress::Meter;
use crate::control::{LibraryOp, PIECE_BYTES, Request};
use crate::durable;
use crate::library::RebuildReport;
use crate::service::BackupPiece;
use crate::types::Digest;

/// Writes the whole library into `path`.
pub fn back_up(context: &Context, path: &Path) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    let mut piece_at = |offset| -> anyhow::Result<(BackupPiece, Vec<u8>)> {
        let what = LibraryOp::Backup { offset };
        let piece: BackupPiece = channel.call_as(&Request::Library { what }, &mut |_| {})?;
        let bytes = hex::decode(&piece.bytes).context("a piece is not hexadecimal")?;
        Ok((piece, bytes))
    };
    let (whole, mut bytes) = piece_at(0)?;
    let mut hasher = Sha256::new();
    durable::replace_with(path, |out| {
        let mut offset = 0;
        loop {
            hasher.update(&bytes);
            out.write_all(&bytes)?;
            offset += bytes.len() as u64;
            if bytes.is_empty() || offset >= whole.report.bytes {
                break;
            }
            bytes = piece_at(offset).map_err(io::Error::other)?.1;
        }
        match Digest(std::mem::take(&mut hasher).finalize().into()) == whole.sha256 {
            true => Ok(()),
            false => Err(io::Error::other(
                "another backup was made meanwhile; try again",
            )),
        }
    })?;
    let report = &whole.report;
    if context.output.is_json() {
        context.output.json(report)?;
    } else {
        let (documents, bytes) = (report.documents, report.bytes);
        let path = path.display();
        context
            .output
            .line(&format!("{documents} documents, {bytes} bytes in {path}"))?;
    }
    warn_of(&report.left_out, "is not in it")
}

/// Puts the backup in `path` in the place of the whole library.
pub fn restore(context: &Context, path: &Path) -> anyhow::Result<()> {
    let name = || format!("{}: cannot be read", path.display());
    let mut file = File::open(path).with_context(name)?;
    let mut channel = Channel::open(&context.config)?;
    let mut hasher = Sha256::new();
    let mut offset = 0;
    loop {
        let mut bytes = Vec::new();
        let mut piece = Read::by_ref(&mut file).take(PIECE_BYTES as u64);
        piece.read_to_end(&mut bytes).with_context(name)?;
        if bytes.is_empty() && offset > 0 {
            break;
        }
        hasher.update(&bytes);
        let what = LibraryOp::Upload {
            offset,
            bytes: hex::encode(&bytes),
        };
        channel.call(&Request::Library { what }, &mut |_| {})?;
        offset += bytes.len() as u64;
        if bytes.is_empty() {
            break;
        }
    }
    let sha256 = Digest(hasher.finalize().into());
    make_anew(context, &mut channel, LibraryOp::Restore { sha256 })
}

/// Makes the whole index anew.
pub fn rebuild(context: &Context) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    make_anew(context, &mut channel, LibraryOp::Rebuild)
}

fn make_anew(context: &Context, channel: &mut Channel, what: LibraryOp) -> anyhow::Result<()> {
    let mut meter = Meter::new();
    let request = Request::Library { what };
    let report = channel.call_as(&request, &mut |progress| meter.show(progress));
    meter.finish();
    let report: RebuildReport = report?;
    if context.output.is_json() {
        context.output.json(&report)?;
    } else {
        let (documents, passages) = (report.documents, report.passages);
        context
            .output
            .line(&format!("{documents} documents, {passages} passages"))?;
    }
    warn_of(&report.lost, "is lost")
}

/// Names the documents that are missing; then the command has failed.
fn warn_of(missing: &[String], what: &str) -> anyhow::Result<()> {
    for id in missing {
        eprintln!("warning: {id} {what}: what was read of it is damaged");
    }
    match missing.len() {
        0 => Ok(()),
        count => bail!("{count} documents are damaged\nhint: ingest them again"),
    }
}
