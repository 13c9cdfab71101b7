//! Editions changed beside the answering daemon.
//!
//! ```text
//! socket, MQTT --Order--> Updater --> Keeper (a thread: driver, trial, bringing up) --News--> the daemon's loop
//! ```
//!
//! The keeper takes one order at a time and blocks as long as that takes; the loop goes on answering on the
//! edition that it has. What the keeper has to say comes as [`News`]: steps, which are told on
//! `edition/state/<box>`, and at the end an edition that is loaded and has answered a golden question, to which
//! the loop switches between two questions.
//!
//! Memory: the trial's process loads the new edition while the old one answers, so a box that cannot hold both
//! gives the edition up there (the kernel ends the trial first). Only then does the daemon load it, sharing
//! with the old one whatever is the same file for file; so the switch needs no more than the trial did.

mod calls;
pub mod handover;
mod keeper;
mod relief;
mod staging;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::error::ServiceError;
use super::reports::InstallReport;
use crate::edition::{EditionError, Offer, Source, Swept, Told};

pub use calls::{progress, serve};
pub use keeper::Keeper;
pub use relief::{Beside, Relief};
pub(super) use staging::{carry_back, fill};

/// News that may wait for the loop; the keeper waits where there are more.
pub const NEWS: usize = 64;

/// Something to be done about the editions of the box.
pub enum Order {
    /// Take an offered edition all the way to current, or give it up. Contents that the state folder has
    /// already are not asked of `source`: once all are there, any source will do ([`Nothing`]).
    Install {
        /// Manifest and signature, as they came: they are checked here.
        offer: Offer,
        /// Where contents come from; read on the keeper's thread, may block.
        source: Box<dyn Source + Send>,
        /// Take it though a newer one was current before: for a local operator only.
        allow_downgrade: bool,
    },
    /// Go on with what was cut, as far as it goes without a source.
    Resume,
    /// Go back to the edition before.
    RollBack {
        /// The reason, for the record.
        why: String,
    },
    /// Remove what no edition needs.
    Sweep,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// The edition came to its end: current, or given up. Where it is current, it answers.
    Installed(InstallReport),
    /// Nothing was under way, or it waits for its contents.
    Resumed,
    /// The serial that is current, and answers.
    RolledBack(u64),
    /// What was removed.
    Swept(Swept),
}

/// A source without contents: for an edition whose contents lie in the state folder.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Source for Nothing {
    fn read(
        &mut self,
        content: &crate::types::Digest,
        _offset: u64,
        _buffer: &mut [u8],
    ) -> Result<usize, EditionError> {
        Err(EditionError::Busy(format!(
            "{content} is not in the state folder yet"
        )))
    }
}

/// Hears of each step of an order, on the keeper's thread.
pub type OnStep = Box<dyn FnMut(&Told) + Send>;

/// What the keeper tells the loop.
pub enum News {
    /// An edition is a step further; published on `edition/state/<box>`.
    Told(Told),
    /// An order is worked on, or no longer is.
    Busy(bool),
    /// This one answers from now on; `taken` hears when the next questions go to it.
    Switch {
        /// Loaded, and fit.
        relief: Relief,
        /// Dropped without a word only where the daemon is going down.
        taken: std::sync::mpsc::SyncSender<()>,
    },
}

/// An order on its way to the keeper.
pub struct Errand {
    order: Order,
    on_step: OnStep,
    done: oneshot::Sender<Result<Done, ServiceError>>,
    /// Given back when the order is done.
    turn: OwnedSemaphorePermit,
}

/// The hold of socket and MQTT on the keeper; may be cloned.
///
/// For the code that fetches editions over MQTT: give it [`Order::Install`] with the offer as it came and either
/// a [`Source`] that waits for chunks, or [`Nothing`] once every content of the manifest lies in the state
/// folder's blobs. Every step from `offered` on is then published for you; an offer that is refused publishes
/// nothing by itself ([`Updater::tell`] does).
#[derive(Clone)]
pub struct Updater {
    errands: mpsc::Sender<Errand>,
    turn: Arc<Semaphore>,
    news: mpsc::Sender<News>,
}

impl Updater {
    /// An updater that is closed still, and the end that the keeper works from.
    pub fn new(news: mpsc::Sender<News>) -> (Updater, mpsc::Receiver<Errand>) {
        let (errands, incoming) = mpsc::channel(1);
        let updater = Updater {
            errands,
            turn: Arc::new(Semaphore::new(0)),
            news,
        };
        (updater, incoming)
    }

    /// Takes orders from now on: the daemon is ready, and its own business with the editions is done.
    pub fn open(&self) {
        self.turn.add_permits(1);
    }

    /// Has `order` done; `on_step` hears of its steps. Never waits; what comes of it is in the receiver, which
    /// may be dropped: the order is carried out all the same.
    ///
    /// # Errors
    /// Another order is under way, or the daemon is starting or stopping.
    pub fn give(
        &self,
        order: Order,
        on_step: OnStep,
    ) -> Result<oneshot::Receiver<Result<Done, ServiceError>>, ServiceError> {
        let busy = |reason: &str| ServiceError::Edition(EditionError::Busy(reason.to_owned()));
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else {
            return Err(busy(
                "the daemon is starting or changes editions already; `almanac edition status` tells",
            ));
        };
        let (done, result) = oneshot::channel();
        let errand = Errand {
            order,
            on_step,
            done,
            turn,
        };
        match self.errands.try_send(errand) {
            Ok(()) => Ok(result),
            Err(_) => Err(busy("the daemon is stopping")),
        }
    }

    /// Publishes `told` on `edition/state/<box>`: for what no order has told, as an offer that was refused.
    pub async fn tell(&self, told: Told) {
        // The loop is gone only when the daemon is going down.
        let _ = self.news.send(News::Told(told)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn orders_are_taken_one_at_a_time_and_none_before_the_daemon_is_ready() {
        let (news, _heard) = mpsc::channel(NEWS);
        let (updater, mut errands) = Updater::new(news);
        let give = || updater.give(Order::Sweep, Box::new(|_| {}));
        assert!(give().is_err(), "not open yet");
        updater.open();
        let result = give().expect("free");
        assert!(give().is_err(), "one at a time");
        let errand = errands.recv().await.expect("an errand");
        drop(errand.turn);
        errand.done.send(Ok(Done::Resumed)).expect("awaited");
        assert!(matches!(result.await, Ok(Ok(Done::Resumed))));
        assert!(give().is_ok());
    }

    #[test]
    fn contents_that_must_be_here_already_come_from_nowhere() {
        let mut buffer = [0; 4];
        let content = crate::types::Digest::of(b"x");
        assert!(Nothing.read(&content, 0, &mut buffer).is_err());
    }
}
