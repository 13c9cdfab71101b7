//! What can go wrong when the rooms are joined, and the one map to exit codes and wire codes.

use std::path::PathBuf;

use crate::control::{ControlError, Fault, FaultCode};
use crate::durable::FileError;
use crate::edition::EditionError;
use crate::library::LibraryError;
use crate::model::ModelError;

/// The daemon, or a command that opened the state itself, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The asker's request is out of range.
    #[error("{0}")]
    Invalid(String),
    /// What the asker named is not there.
    #[error("{0}")]
    Missing(String),
    /// Another process has the state open.
    #[error("{path}: another almanac process has this state open")]
    StateInUse {
        /// The locked folder.
        path: PathBuf,
    },
    /// The operator has something to mend before a start can succeed.
    #[error("{message}")]
    Operator {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No golden question of the edition was answered.
    #[error("edition {serial} is not healthy: {reason}")]
    Unhealthy {
        /// The edition.
        serial: u64,
        /// Each golden question with what came of it.
        reason: String,
    },
    /// The current edition was not fit to serve; the one before is current again.
    #[error("edition {serial} was rolled back to edition {previous}: {reason}")]
    RolledBack {
        /// The edition that did not serve.
        serial: u64,
        /// The one that will, with the next start.
        previous: u64,
        /// What was wrong.
        reason: String,
    },
    /// The models cannot be opened or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The edition cannot be used.
    #[error(transparent)]
    Edition(#[from] EditionError),
    /// The library cannot be opened, filled or searched.
    #[error(transparent)]
    Library(LibraryError),
    /// The socket cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The machine failed.
    #[error("{0}")]
    Machine(String),
}

impl ServiceError {
    /// Who can mend it.
    pub fn code(&self) -> FaultCode {
        match self {
            ServiceError::Invalid(_) => FaultCode::Invalid,
            ServiceError::Missing(_) => FaultCode::Missing,
            ServiceError::StateInUse { .. }
            | ServiceError::Library(LibraryError::Busy { .. })
            | ServiceError::Edition(EditionError::Busy(_))
            | ServiceError::Control(ControlError::Running { .. }) => FaultCode::Busy,
            ServiceError::Edition(EditionError::Impossible(_)) => FaultCode::Missing,
            ServiceError::Operator { .. }
            | ServiceError::Edition(EditionError::Manifest { .. })
            | ServiceError::Control(ControlError::PathTooLong { .. })
            | ServiceError::Library(
                LibraryError::OtherEmbedder { .. } | LibraryError::OtherSchema { .. },
            )
            | ServiceError::Model(ModelError::Runtime { .. } | ModelError::File { .. }) => {
                FaultCode::Config
            }
            _ => FaultCode::Failed,
        }
    }

    /// What to do, where there is more to say than the message does.
    pub fn hint(&self) -> Option<String> {
        match self {
            ServiceError::StateInUse { .. } => Some(
                "if the daemon runs, give this command the same --config, so that it finds the control socket".into(),
            ),
            ServiceError::Operator { hint, .. } => Some(hint.clone()),
            ServiceError::RolledBack { .. } => {
                Some("start again; systemd does so by itself after some seconds".into())
            }
            ServiceError::Edition(EditionError::Refused(_)) => {
                Some("nothing changed: the box answers on the edition that it had".into())
            }
            ServiceError::Unhealthy { .. } => Some(
                "`almanac ingest` chooses golden questions anew; `almanac models verify` checks the models".into(),
            ),
            _ => None,
        }
    }
}

impl From<LibraryError> for ServiceError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Locked { path } => ServiceError::StateInUse { path },
            LibraryError::NoSuchPath { .. } | LibraryError::Original { .. } => {
                ServiceError::Missing(error.to_string())
            }
            other => ServiceError::Library(other),
        }
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Fault {
        Fault {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}
