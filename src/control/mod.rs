//! The local socket that the command line talks to while the daemon runs.
//!
//! sled gives its folder to one process, so a command beside a running daemon asks the daemon. The
//! protocol is one JSON object a line: a [`Request`] up, then any number of `progress` lines and
//! one `result` or `error` line down; a connection may carry any number of requests, one after the
//! other. What the requests mean is not known here: `service` answers them.

mod client;
mod error;
mod server;
mod words;

pub use client::Client;
pub use error::ControlError;
pub use server::{Call, Server};
pub use words::{
    EditionOp, Fault, FaultCode, LibraryOp, Progress, Reply, Request, SearchQuery, TagChange,
    TagKind,
};

use std::path::{Path, PathBuf};

/// Longest line either way, in bytes: an ask is under 256 KiB, a whole library listing stays under it.
pub const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// Most bytes of a piece of a file: as hexadecimal digits it fits into a request.
pub const PIECE_BYTES: usize = 384 * 1024;

/// The socket's path in the run folder.
pub fn socket_path(run: &Path) -> PathBuf {
    run.join("control.sock")
}
