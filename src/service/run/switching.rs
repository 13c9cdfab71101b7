//! The daemon's part in changing editions: it tells of steps, and hands the questions over.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::calls::last_line;
use super::{Daemon, machine};
use crate::config::Config;
use crate::control::{EditionOp, Fault, FaultCode, Reply};
use crate::edition::{Phase, Record, Told};
use crate::service::crew::Crew;
use crate::service::error::ServiceError;
use crate::service::fetching::Fetcher;
use crate::service::update::{self, News, Order, Relief, handover};
use crate::types::EditionState;

/// Least time between two published figures of a fetch.
const PACE: Duration = Duration::from_secs(1);

/// What is known of the edition under way, or that was last.
#[derive(Default)]
pub(super) struct LastTold {
    told: Option<Told>,
    at: Option<Instant>,
    /// Whether an edition was cut that may go on.
    pub is_cut: bool,
}

impl LastTold {
    /// What the state folder's record says. Blocking.
    pub fn of(config: &Config) -> LastTold {
        // A record that cannot be read was told of before.
        let run = Record::read(&config.state)
            .ok()
            .and_then(|record| record.run);
        let is_cut = run.as_ref().is_some_and(|run| !run.phase.is_over());
        let told = run.map(|run| Told {
            serial: run.serial,
            phase: run.phase,
            why: run.why,
            bytes: None,
            resumed: None,
        });
        LastTold {
            told,
            at: None,
            is_cut,
        }
    }

    /// Notes `told`; whether it is to be published.
    fn note(&mut self, told: Told, now: Instant) -> bool {
        let is_paced = told.why.is_empty()
            && told.bytes.is_some_and(|(done, total)| done < total)
            && self.at.is_some_and(|at| now.duration_since(at) < PACE);
        self.told = Some(told);
        if !is_paced {
            self.at = Some(now);
        }
        !is_paced
    }
}

impl Daemon {
    pub(super) fn on_news(&mut self, news: News) -> Result<(), ServiceError> {
        match news {
            News::Told(told) => {
                // Whoever hears that it is current will ask it: that is told with the switch.
                let is_early = told.phase == Phase::Current && told.serial != self.serial;
                if self.last_told.note(told, Instant::now()) && !is_early {
                    self.tell_edition();
                }
                Ok(())
            }
            News::Busy(is_busy) => {
                self.desk.set_updating(is_busy);
                Ok(())
            }
            News::Switch { relief, taken } => self.switch_to(relief, &taken),
        }
    }

    /// Publishes how the edition under way, or the last one, fares.
    pub(super) fn tell_edition(&self) {
        let Some(told) = &self.last_told.told else {
            return; // A box that never was offered one.
        };
        self.link.tell(EditionState {
            box_name: self.desk.box_name().to_owned(),
            serial: told.serial,
            state: told.phase,
            reason: told.why.clone(),
            answers: self.serial,
            bytes: told.bytes.map(|(done, _)| done),
            total: told.bytes.map(|(_, total)| total),
            resumed: told.resumed,
            push: self.pushed.name_of(told.serial).unwrap_or_default(),
        });
    }

    /// From here on the edition of `relief` gets the questions; the old one finishes those that it is at.
    fn switch_to(&mut self, relief: Relief, taken: &SyncSender<()>) -> Result<(), ServiceError> {
        let now = Instant::now();
        let rooms = Arc::clone(&relief.rooms);
        let makes = relief.into_makes(self.fetches_as.0.model.at_once);
        let crew = Crew::start(makes, &self.said_by_workers);
        let crew = crew.map_err(machine("start the answering threads"))?;
        let mut old = std::mem::replace(&mut self.crew, crew);
        old.retire();
        self.retired.push(old);
        let from = std::mem::replace(&mut self.serial, rooms.serial());
        self.rooms = rooms;
        self.desk.switch_to(self.serial, now);
        tracing::info!(from, to = self.serial, "switched to another edition");
        self.tell_edition();
        // The keeper waits for it, or is gone.
        let _ = taken.send(());
        Ok(())
    }

    /// Lets go of editions that are done with their last question, and notes how the switch went.
    pub(super) fn after_switch(&mut self) {
        self.retired.retain_mut(|old| {
            let is_done = old.is_gone();
            if is_done {
                old.join(Duration::ZERO);
            }
            !is_done
        });
        let Some(report) = self.desk.handover() else {
            return;
        };
        tracing::info!(
            from = report.from,
            to = report.to,
            closed_ms = report.closed_ms,
            between_ms = report.between_ms,
            "the switch of editions: time without one that takes questions, and between their answers"
        );
        let folder = self.rooms.edition().folder.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = handover::keep(&folder, &report) {
                tracing::warn!(%error, "the switch is not noted");
            }
        });
    }

    /// Lets the keeper work from now on; an edition that was cut goes on.
    pub(super) fn open_updater(&mut self) {
        self.updater.open();
        if self.last_told.is_cut {
            // Its steps are told and logged; what comes of it stands in the record.
            let given = self.updater.give(Order::Resume, Box::new(|_| {}));
            drop(given);
        }
    }

    /// Fetches from now on what is offered over MQTT.
    pub(super) fn start_fetching(&mut self) -> Result<(), ServiceError> {
        let Some(editions) = self.link.editions() else {
            return Ok(()); // No broker, or it is fetching already.
        };
        let (updater, pushed) = (self.updater.clone(), self.pushed.clone());
        Fetcher::start(&self.fetches_as, editions, updater, pushed)
            .map_err(machine("start a thread"))
    }

    /// Has editions changed; the reply comes when that is done.
    pub(super) fn on_edition(&self, what: EditionOp, replies: mpsc::Sender<Reply>) {
        let updater = self.updater.clone();
        // Bounded by the socket's connections: each waits for its reply.
        tokio::spawn(async move {
            let result = update::serve(updater, what, replies.clone()).await;
            let _ = replies.send(last_line(result)).await;
        });
    }
}

/// What is told to who would change the library while an edition comes in.
pub(super) fn library_stands_still() -> Reply {
    let text = "an edition is coming in, which takes the library over as it is";
    let fault = Fault::new(FaultCode::Busy, text);
    Reply::Error(fault.hint("do it again when `almanac edition status` tells that it is current"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phase: Phase, bytes: Option<(u64, u64)>) -> Told {
        Told {
            serial: 12,
            phase,
            why: String::new(),
            bytes,
            resumed: None,
        }
    }

    #[test]
    fn every_state_is_published_and_figures_of_a_fetch_now_and_then() {
        let (mut last, start) = (LastTold::default(), Instant::now());
        let mut note = |told, millis| last.note(told, start + Duration::from_millis(millis));
        assert!(note(told(Phase::Offered, None), 0));
        assert!(note(told(Phase::Fetching, None), 1));
        assert!(!note(told(Phase::Fetching, Some((1, 9))), 500));
        assert!(note(told(Phase::Fetching, Some((5, 9))), 1_200));
        assert!(!note(told(Phase::Fetching, Some((6, 9))), 1_300));
        assert!(note(told(Phase::Fetching, Some((9, 9))), 1_400));
        assert!(note(told(Phase::Verified, None), 1_401));
    }
}
