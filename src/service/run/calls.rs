//! Requests of the control socket.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedRwLockReadGuard, TryLockError, mpsc};

use super::Daemon;
use super::switching::library_stands_still;
use crate::control::{Call, EditionOp, Fault, FaultCode, LibraryOp, Reply, Request};
use crate::service::error::ServiceError;

impl Daemon {
    pub(super) fn on_call(&mut self, call: Call) {
        let Call { request, replies } = call;
        match request {
            Request::Ask { ask } => self.desk.take_local(ask, replies, Instant::now()),
            Request::Status => {
                let report = self.rooms.report().map(|mut report| {
                    let status = self.desk.status();
                    report.state = status.state;
                    report.queue = status.queue;
                    report.wait_s = status.wait_s;
                    report.health = self.desk.health.summary();
                    report.answered = self.desk.told();
                    serde_json::to_value(&report).unwrap_or_default()
                });
                let _ = replies.try_send(last_line(report));
            }
            Request::Edition { what } if what != EditionOp::Look => self.on_edition(what, replies),
            request => self.on_side_call(request, replies),
        }
    }

    /// What `request` must hold as long as it runs, where it changes documents.
    fn hold_for(
        &self,
        request: &Request,
    ) -> Result<Option<OwnedRwLockReadGuard<()>>, TryLockError> {
        match changes_documents(request) {
            true => Arc::clone(&self.changes).try_read_owned().map(Some),
            false => Ok(None),
        }
    }

    /// What does not need the language model runs beside it, on a thread of its own.
    fn on_side_call(&mut self, request: Request, replies: mpsc::Sender<Reply>) {
        let permit = match &request {
            request if changes_much(request) => match Arc::clone(&self.ingesting)
                .try_acquire_owned()
            {
                Ok(permit) => Some(permit),
                Err(_) => {
                    let fault = Fault::new(FaultCode::Busy, "another ingest or rebuild is running");
                    let _ = replies.try_send(Reply::Error(fault));
                    return;
                }
            },
            _ => None,
        };
        let Ok(held) = self.hold_for(&request) else {
            let _ = replies.try_send(library_stands_still());
            return;
        };
        let rooms = Arc::clone(&self.rooms);
        // Bounded by the socket's connections: each waits for its reply.
        tokio::task::spawn_blocking(move || {
            let result = rooms.handle(&request, &mut |progress| {
                let _ = replies.try_send(Reply::Progress(progress.clone()));
            });
            drop((permit, held));
            let _ = replies.blocking_send(last_line(result));
        });
    }
}

/// The last line of a request.
pub(super) fn last_line(result: Result<serde_json::Value, ServiceError>) -> Reply {
    match result {
        Ok(value) => Reply::Result(value),
        Err(error) => Reply::Error(error.into()),
    }
}

/// Whether only one such request may run at a time.
fn changes_much(request: &Request) -> bool {
    match request {
        Request::Ingest { .. } => true,
        Request::Library { what } => matches!(
            what,
            LibraryOp::Rebuild | LibraryOp::Upload { .. } | LibraryOp::Restore { .. }
        ),
        _ => false,
    }
}

/// Whether the request may change the library's documents or their tags.
fn changes_documents(request: &Request) -> bool {
    match request {
        Request::Library { what } => matches!(
            what,
            LibraryOp::Remove(_)
                | LibraryOp::Tags {
                    change: Some(_),
                    ..
                }
                | LibraryOp::Rebuild
                | LibraryOp::Restore { .. }
        ),
        request => matches!(request, Request::Ingest { .. }),
    }
}
