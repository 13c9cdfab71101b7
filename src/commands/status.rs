//! `almanac status`

use super::Context;
use super::channel::Channel;
use crate::control::Request;
use crate::service::BoxReport;

/// Prints how the box is; without a daemon, what the state holds.
pub fn run(context: &Context) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    let value = channel.call(&Request::Status, &mut |_| {})?;
    if context.output.is_json() {
        return Ok(context.output.json(&value)?);
    }
    let report: BoxReport = serde_json::from_value(value)?;
    Ok(context.output.line(&report.to_string())?)
}
