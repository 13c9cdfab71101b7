//! Errors, printed once, and what they exit with.

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::control::{ControlError, Fault, FaultCode};
use crate::service::ServiceError;

/// It was done.
const OK: u8 = 0;
/// It failed.
const FAILED: u8 = 1;
/// The command line cannot be understood (clap's own).
const USAGE: u8 = 2;
/// Try again later: another process has the state, or the daemon is full (EX_TEMPFAIL).
const TEMPORARY: u8 = 75;
/// The configuration or the models must be mended first; systemd must not restart (EX_CONFIG).
const CONFIGURATION: u8 = 78;

/// Prints an error with its chain and a hint, and gives the exit code. A reader that closed the pipe
/// early has seen what it wanted: that is success.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::from(OK),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(OK),
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            if let Some(hint) = hint(&error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(number(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
    };
    // Only what we print goes to a pipe; a broken socket is wrapped in a `ControlError`.
    error.downcast_ref::<ControlError>().is_none() && error.chain().any(io)
}

/// Each cause once: many messages already end in the text of their cause.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn fault(error: &anyhow::Error) -> Option<(FaultCode, Option<String>)> {
    error.chain().find_map(|cause| {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            return Some((fault.code, fault.hint.clone()));
        }
        let service = cause.downcast_ref::<ServiceError>()?;
        Some((service.code(), service.hint()))
    })
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if error.downcast_ref::<ConfigError>().is_some() {
        return Some("every key with its range stands in the sample almanac.toml".into());
    }
    fault(error)?.1
}

fn number(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ConfigError>().is_some() {
        return CONFIGURATION;
    }
    if let Some(ControlError::Running { .. }) = error.downcast_ref() {
        return TEMPORARY;
    }
    match fault(error).map(|(code, _)| code) {
        Some(FaultCode::Config) => CONFIGURATION,
        Some(FaultCode::Busy) => TEMPORARY,
        Some(FaultCode::Invalid) => USAGE,
        Some(FaultCode::Missing | FaultCode::Failed) | None => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_message_names_is_not_repeated() {
        let inner = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(inner).context("cannot write: disk on fire");
        assert_eq!(chain(&error), "cannot write: disk on fire");
        let inner = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(inner).context("ingest");
        assert_eq!(chain(&error), "ingest: disk on fire");
    }

    #[test]
    fn who_is_to_blame_decides_the_exit_code() {
        let fault = |code| anyhow::Error::new(Fault::new(code, "x"));
        assert_eq!(number(&fault(FaultCode::Config)), CONFIGURATION);
        assert_eq!(number(&fault(FaultCode::Busy)), TEMPORARY);
        assert_eq!(number(&fault(FaultCode::Failed)), FAILED);
        let locked = ServiceError::StateInUse { path: "s".into() };
        assert_eq!(number(&anyhow::Error::new(locked)), TEMPORARY);
    }

    #[test]
    fn a_closed_pipe_is_success_and_a_broken_socket_is_not() {
        let pipe = || std::io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&anyhow::Error::new(pipe())));
        let socket = ControlError::Io {
            action: "write to",
            path: "s".into(),
            source: pipe(),
        };
        assert!(!is_broken_pipe(&anyhow::Error::new(socket)));
    }
}
