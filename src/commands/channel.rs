//! Who does the work: the daemon where one runs, else this process with the state opened here.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;
use crate::control::{Client, Progress, Request};
use crate::service::Rooms;

/// A way to have requests answered; the same results either way.
pub enum Channel {
    /// A daemon runs.
    Daemon(Client),
    /// The state is open here.
    Here(Box<Rooms>),
}

impl Channel {
    /// Connects to the daemon of the configured run folder, else opens the configured state.
    ///
    /// # Errors
    /// Another process has the state open, or it cannot be used.
    pub fn open(config: &Config) -> anyhow::Result<Channel> {
        Ok(match Client::connect(&config.run)? {
            Some(client) => Channel::Daemon(client),
            None => Channel::Here(Box::new(Rooms::open(config)?)),
        })
    }

    /// Has `request` done; blocking.
    ///
    /// # Errors
    /// It was refused or failed.
    pub fn call(
        &mut self,
        request: &Request,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> anyhow::Result<Value> {
        match self {
            Channel::Daemon(client) => Ok(client.call(request, on_progress)??),
            Channel::Here(rooms) => Ok(rooms.handle(request, on_progress)?),
        }
    }

    /// As [`Channel::call`], with the result read as a `T`.
    ///
    /// # Errors
    /// As [`Channel::call`], or a daemon of another version has other results.
    pub fn call_as<T: DeserializeOwned>(
        &mut self,
        request: &Request,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> anyhow::Result<T> {
        let value = self.call(request, on_progress)?;
        serde_json::from_value(value).map_err(|error| {
            anyhow::anyhow!(
                "the daemon's result cannot be read ({error}); restart it after an upgrade"
            )
        })
    }
}
