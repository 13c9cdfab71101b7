//! The next edition brought up beside the one that answers: loaded, asked a golden question, and then kept ready.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::super::crew;
use super::super::error::ServiceError;
use super::super::golden;
use super::super::rooms::Rooms;
use super::super::worker::{Answering, Make};
use crate::edition::Edition;

/// An edition that is loaded and has answered a golden question.
pub struct Relief {
    /// Its rooms.
    pub rooms: Arc<Rooms>,
    answering: Box<dyn Answering>,
}

impl Relief {
    /// Serial of the edition.
    pub fn serial(&self) -> u64 {
        self.rooms.serial()
    }

    /// For `threads` answering threads. The first begins with what is loaded already; later (after a panic) it loads the
    /// edition anew.
    pub fn into_makes(self, threads: usize) -> Vec<Make> {
        let Relief { rooms, answering } = self;
        let mut ready = Some(answering);
        let mut makes = crew::makes(&rooms, threads.saturating_sub(1));
        makes.insert(
            0,
            Box::new(move || match ready.take() {
                Some(answering) => Ok(answering),
                None => rooms.answering(),
            }),
        );
        makes
    }
}

/// What an answering daemon lends to whoever changes its editions.
pub struct Beside {
    /// The rooms of the edition that answers.
    pub serving: Arc<Rooms>,
    changes: Arc<RwLock<()>>,
    runtime: Handle,
    hold: Option<OwnedRwLockWriteGuard<()>>,
    relief: Option<Relief>,
}

impl Beside {
    /// Beside `serving`; whoever changes its documents holds `changes` for reading.
    pub fn new(serving: Arc<Rooms>, changes: Arc<RwLock<()>>, runtime: Handle) -> Self {
        Beside {
            serving,
            changes,
            runtime,
            hold: None,
            relief: None,
        }
    }

    /// Waits for whoever changes documents, and keeps the library as it is until this is dropped: what came in
    /// between the taking over and the switch would be lost. Blocking; not to be called within the runtime.
    pub fn hold_library(&mut self) {
        if self.hold.is_none() {
            let changes = Arc::clone(&self.changes);
            self.hold = Some(self.runtime.block_on(changes.write_owned()));
        }
    }

    /// Loads `edition` and asks it golden questions, in turn, until one is answered rightly; then it stands
    /// ready. Blocking, for seconds.
    ///
    /// # Errors
    /// It cannot be loaded, or answers none rightly.
    pub fn bring_up(&mut self, edition: &Edition) -> Result<(), ServiceError> {
        let rooms = Arc::new(self.serving.beside(edition.clone()));
        rooms.check()?;
        rooms.complete(&mut |_| {})?;
        let mut answering = rooms.answering()?;
        ask_golden(&rooms, answering.as_mut())?;
        self.relief = Some(Relief { rooms, answering });
        Ok(())
    }

    /// The rooms that are open: those that answer, and those that stand ready.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Rooms>> {
        let ready = self.relief.as_ref().map(|relief| &relief.rooms);
        std::iter::once(&self.serving).chain(ready)
    }

    /// The edition `serial`, where it stands ready; any other is dropped.
    pub fn take_relief(&mut self, serial: u64) -> Option<Relief> {
        self.relief
            .take()
            .filter(|relief| relief.serial() == serial)
    }
}

/// As a daemon does before it is ready.
fn ask_golden(rooms: &Rooms, answering: &mut dyn Answering) -> Result<(), ServiceError> {
    let mut failures = Vec::new();
    let end = Instant::now() + golden::LONGEST;
    for golden in rooms.golden() {
        let job = golden::job(&golden, 0, Instant::now());
        let answer = answering.answer(&job, &mut |_| match Instant::now() < end {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        });
        match golden::judge(&golden, &answer) {
            Ok(()) => return Ok(()),
            Err(reason) => failures.push(format!("{:?}: {reason}", golden.question)),
        }
    }
    Err(ServiceError::Unhealthy {
        serial: rooms.serial(),
        reason: failures.join("; "),
    })
}
