//! What can go wrong on the socket.

use std::path::{Path, PathBuf};

/// The socket cannot be made, reached or understood.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon answers there.
    #[error(
        "{path}: another daemon is answering on this socket; stop it first, or set `paths.run`"
    )]
    Running {
        /// The socket.
        path: PathBuf,
    },
    /// Unix socket paths are short.
    #[error(
        "{path}: a socket's path has at most 107 bytes, this one has {length}; set a shorter `paths.run`"
    )]
    PathTooLong {
        /// The socket.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// The system refused.
    #[error("{path}: cannot {action} the control socket: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The other side does not speak the protocol, or ended in the middle.
    #[error("{path}: {reason}")]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
}

impl ControlError {
    /// Names the path and the action behind an I/O error; for `map_err`.
    pub(super) fn at(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> ControlError {
        move |source| ControlError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
