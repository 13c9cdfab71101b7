//! `almanac serve`

use super::Context;
use crate::service;

/// Runs the daemon until it is told to stop.
pub fn run(context: &Context) -> anyhow::Result<()> {
    service::logging::start();
    Ok(service::serve(&context.config, &context.again)?)
}
