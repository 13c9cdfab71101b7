//! The daemon's loop.

use super::error::ServiceError;
use super::shutdown::Signals;
use super::systemd;
use crate::config::Config;

/// Runs the daemon until it is told to stop; blocking.
///
/// # Errors
/// It cannot start: the configuration, the models, the state or the socket cannot be used.
pub fn serve(_config: &Config) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| ServiceError::Machine(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::take_over()
            .map_err(|error| ServiceError::Machine(format!("no signals: {error}")))?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        systemd::stopping("stopping");
        Ok(())
    })
}
