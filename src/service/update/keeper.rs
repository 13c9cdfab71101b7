//! The thread that changes editions: driver, trial, bringing up, and the word to switch.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use tokio::runtime::Handle;
use tokio::sync::{RwLock, mpsc};

use super::super::editions::{Again, Editions};
use super::super::error::ServiceError;
use super::super::reports::InstallReport;
use super::super::rooms::Rooms;
use super::{Beside, Done, Errand, News, OnStep, Order};
use crate::config::Config;
use crate::edition::{Edition, EditionError, Record, Told};

/// Carries orders out, one at a time.
pub struct Keeper {
    config: Config,
    again: Again,
    serving: Arc<Rooms>,
    changes: Arc<RwLock<()>>,
    runtime: Handle,
    news: mpsc::Sender<News>,
}

impl Keeper {
    /// A keeper beside the daemon that answers from `serving`; call within a tokio runtime. Whoever changes
    /// documents holds `changes` for reading.
    pub fn new(
        (config, again): (&Config, &Again),
        serving: Arc<Rooms>,
        changes: Arc<RwLock<()>>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Keeper {
            config: config.clone(),
            again: again.clone(),
            serving,
            changes,
            runtime: Handle::current(),
            news,
        }
    }

    /// Starts the thread; it ends when no [`super::Updater`] is left. A process that ends in the middle of an
    /// order goes on at its next start: every step is written down before it is done.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut self, mut errands: mpsc::Receiver<Errand>) -> std::io::Result<()> {
        std::thread::Builder::new()
            .name("editions".into())
            .spawn(move || {
                while let Some(errand) = errands.blocking_recv() {
                    self.work(errand);
                }
            })
            .map(drop)
    }

    fn work(&mut self, errand: Errand) {
        let Errand {
            order,
            on_step,
            done,
            turn,
        } = errand;
        self.say(News::Busy(true));
        let result = self.carry_out(order, on_step);
        self.say(News::Busy(false));
        if let Err(error) = &result {
            tracing::warn!(%error, "editions");
        }
        // First: whoever hears of the end may give the next order.
        drop(turn);
        let _ = done.send(result);
    }

    fn carry_out(&mut self, order: Order, mut on_step: OnStep) -> Result<Done, ServiceError> {
        let news = self.news.clone();
        let mut tell = |told: &Told| {
            log(told);
            on_step(told);
            let _ = news.blocking_send(News::Told(told.clone()));
        };
        let (serving, changes) = (Arc::clone(&self.serving), Arc::clone(&self.changes));
        let mut beside = Beside::new(serving, changes, self.runtime.clone());
        let driven = self.drive(order, &mut beside, &mut tell);
        // Whatever came after the link was renamed: what it names is current.
        let followed = self.follow(&mut beside);
        let done = driven?;
        followed.map(|()| done)
    }

    fn drive(
        &self,
        order: Order,
        beside: &mut Beside,
        tell: &mut dyn FnMut(&Told),
    ) -> Result<Done, ServiceError> {
        if let Order::RollBack { .. } = order {
            self.prepare_previous(beside)?;
        }
        let mut editions = Editions::beside(&self.config, &self.again, beside);
        match order {
            Order::Install {
                offer,
                mut source,
                allow_downgrade,
            } => {
                let taken = editions.take(offer, source.as_mut(), allow_downgrade, tell)?;
                Ok(Done::Installed(InstallReport::new(&taken.0, taken.1)))
            }
            Order::Resume => editions.resume(tell).map(|_| Done::Resumed),
            Order::RollBack { why } => editions.roll_back(&why, tell).map(Done::RolledBack),
            Order::Sweep => editions.sweep().map(Done::Swept),
        }
    }

    /// Loads the edition before while the one that answers is whole still: where it cannot be, nothing has
    /// changed. Where there is none, the driver says so.
    fn prepare_previous(&self, beside: &mut Beside) -> Result<(), ServiceError> {
        beside.hold_library();
        let previous = Record::read(&self.config.state)?.previous;
        match previous.filter(|previous| *previous != self.serving.serial()) {
            Some(previous) => beside.bring_up(&Edition::numbered(&self.config.state, previous)?),
            None => Ok(()),
        }
    }

    /// Switches to the edition that the link names, where that is not the one that answers.
    fn follow(&mut self, beside: &mut Beside) -> Result<(), ServiceError> {
        match Edition::current_serial(&self.config.state)? {
            Some(current) if current != self.serving.serial() => self.switch_to(current, beside),
            _ => Ok(()),
        }
    }

    /// Has the loop switch to the edition `serial`, which is current; returns when it has.
    fn switch_to(&mut self, serial: u64, beside: &mut Beside) -> Result<(), ServiceError> {
        let relief = match beside.take_relief(serial) {
            Some(relief) => relief,
            None => {
                beside.bring_up(&Edition::numbered(&self.config.state, serial)?)?;
                let relief = beside.take_relief(serial);
                relief
                    .ok_or_else(|| ServiceError::Machine(format!("edition {serial} is not up")))?
            }
        };
        let rooms = Arc::clone(&relief.rooms);
        let (taken, switched) = sync_channel(1);
        // It is current: a daemon that is going down takes it with its next start.
        let stopping =
            || ServiceError::Edition(EditionError::Busy("the daemon is stopping".into()));
        let switch = News::Switch { relief, taken };
        self.news.blocking_send(switch).map_err(|_| stopping())?;
        switched.recv().map_err(|_| stopping())?;
        self.serving = rooms;
        Editions::new(&self.config, &self.again).after_start()
    }

    fn say(&self, news: News) {
        // The loop is gone only when the daemon is going down.
        let _ = self.news.blocking_send(news);
    }
}

fn log(told: &Told) {
    let (edition, why) = (told.serial, told.why.as_str());
    if told.bytes.is_none() {
        tracing::info!(edition, phase = %told.phase, why, "edition");
    }
}
