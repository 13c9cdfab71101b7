//! Orders that come over the control socket.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::editions::offer_at;
use super::super::error::ServiceError;
use super::super::rooms::to_value;
use super::{Done, Order, Updater};
use crate::control::{EditionOp, Progress, Reply};
use crate::edition::Told;

/// A step as it is shown to people.
pub fn progress(told: &Told) -> Progress {
    let (done, total) = told.bytes.unwrap_or_default();
    let why = match told.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    Progress {
        text: format!("edition {}: {}{why}", told.serial, told.phase),
        done,
        total,
    }
}

/// Has `what` done, telling its steps to `replies`; the order is carried out also where nobody listens any more.
///
/// # Errors
/// There is no edition, the keeper is busy, or the order failed.
pub async fn serve(
    updater: Updater,
    what: EditionOp,
    replies: mpsc::Sender<Reply>,
) -> Result<Value, ServiceError> {
    let order = match what {
        EditionOp::Install {
            path,
            allow_downgrade,
        } => {
            let read = tokio::task::spawn_blocking(move || offer_at(&path)).await;
            let stopped = |error| ServiceError::Machine(format!("reading the edition: {error}"));
            let (offer, contents) = read.map_err(stopped)??;
            Order::Install {
                offer,
                source: Box::new(contents),
                allow_downgrade,
            }
        }
        EditionOp::Rollback { why } => Order::RollBack { why },
        EditionOp::Gc => Order::Sweep,
        EditionOp::Look => return Err(ServiceError::Invalid("to look is no order".into())),
    };
    let on_step = Box::new(move |told: &Told| {
        // Who does not read is told the end only.
        let _ = replies.try_send(Reply::Progress(progress(told)));
    });
    let stopping = |_| ServiceError::Machine("the daemon is stopping".into());
    match updater.give(order, on_step)?.await.map_err(stopping)?? {
        Done::Installed(report) => to_value(&report),
        Done::Resumed => to_value(&json!({})),
        Done::RolledBack(serial) => to_value(&json!({ "current": serial })),
        Done::Swept(swept) => to_value(&json!({ "removed": swept.files, "bytes": swept.bytes })),
    }
}
