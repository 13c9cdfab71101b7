//! The opened state: what answers every request but those that need the daemon.

use serde_json::Value;

use super::error::ServiceError;
use super::reports::{BoxReport, EditionReport};
use crate::config::Config;
use crate::control::{Progress, Request};
use crate::edition::Edition;
use crate::field::BoxState;

/// The rooms of one state folder, opened by this process.
#[derive(Debug)]
pub struct Rooms {
    config: Config,
}

impl Rooms {
    /// Opens the configured state; models are loaded when a request needs them. Blocking.
    ///
    /// # Errors
    /// Another process has it open, or it cannot be used.
    pub fn open(config: &Config) -> Result<Rooms, ServiceError> {
        Ok(Rooms {
            config: config.clone(),
        })
    }

    /// Has `request` done; blocking. The same for a command without a daemon and for the daemon,
    /// which adds only what concerns its queue.
    ///
    /// # Errors
    /// The request is out of range, or a room failed.
    pub fn handle(
        &mut self,
        request: &Request,
        _on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Value, ServiceError> {
        match request {
            Request::Status => to_value(&self.report()?),
            Request::Edition => to_value(&self.editions()?),
            _ => Err(ServiceError::Machine("this needs the library".into())),
        }
    }

    fn editions(&self) -> Result<EditionReport, ServiceError> {
        let state = &self.config.state;
        let editions = Edition::list(state)?;
        Ok(EditionReport {
            current: Edition::current(state)?.map(|current| current.manifest.serial),
            editions: editions
                .into_iter()
                .map(|edition| edition.manifest)
                .collect(),
        })
    }

    fn report(&self) -> Result<BoxReport, ServiceError> {
        let current = Edition::current(&self.config.state)?;
        Ok(BoxReport {
            box_name: self.config.box_name.clone(),
            state: BoxState::Gone,
            edition: current.map_or(0, |edition| edition.manifest.serial),
            queue: 0,
            wait_s: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            health: "ok".into(),
            answered: 0,
            documents: 0,
            passages: 0,
            state_folder: self.config.state.clone(),
        })
    }
}

fn to_value(result: &impl serde::Serialize) -> Result<Value, ServiceError> {
    serde_json::to_value(result)
        .map_err(|error| ServiceError::Machine(format!("a result cannot be written: {error}")))
}
