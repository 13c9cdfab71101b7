//! What becomes of an offer: known already, taken up now or later, or refused.

use std::path::PathBuf;
use std::time::Instant;

use super::super::editions::{Editions, host, now, trusted_keys};
use super::super::error::ServiceError;
use super::super::update::Order;
use super::{At, Fetcher, LATER, TRIES};
use crate::edition::push::{Envelope, Parts};
use crate::edition::{
    Driver, Edition, EditionError, Manifest, Offer, Phase, Record, Setting, Told,
};
use crate::types::Digest;

impl Fetcher {
    pub(super) fn taken_back(&mut self) {
        if let At::Fetching(envelope, _) = &self.at {
            let why = "the offer was taken back; what is here is kept for the next";
            self.tell(serial_of(&envelope.offer), Phase::Fetching, why.into());
        }
        if matches!(self.at, At::Fetching(..) | At::Later(..)) {
            self.at = At::Idle;
        }
    }

    pub(super) fn offered(&mut self, bytes: &[u8]) {
        self.tries = 0;
        let envelope = match Envelope::parse(bytes) {
            Ok(envelope) => envelope,
            Err(lie) => {
                tracing::warn!(%lie, "an offer was passed over");
                return;
            }
        };
        match &mut self.at {
            At::Fetching(under_way, parts) if under_way.offer == envelope.offer => {
                parts.fetch().follow(&envelope.push);
                parts.fetch().renew();
                under_way.push.clone_from(&envelope.push);
                self.pushed.note(&envelope);
                self.ask();
            }
            At::Installing(under_way, _) if under_way.offer == envelope.offer => {
                under_way.push.clone_from(&envelope.push);
                self.pushed.note(&envelope);
            }
            At::Installing(..) => {
                // The broker keeps it.
                tracing::warn!("an offer waits: another edition is being installed");
                self.overtaken = true;
            }
            _ => self.take_up(envelope),
        }
    }

    /// Takes the offer up later.
    pub(super) fn waiting(&mut self, envelope: Envelope) {
        self.at = match self.later() {
            Some(due) => At::Later(Box::new(envelope), due),
            None => At::Idle,
        };
    }

    pub(super) fn later(&mut self) -> Option<Instant> {
        self.tries += 1;
        let pause = LATER * 2_u32.pow(self.tries.min(7));
        if self.tries > TRIES {
            tracing::error!("an offered edition is given up until it is offered again");
        }
        (self.tries <= TRIES).then(|| Instant::now() + pause)
    }

    /// Takes an offer up that is not under way.
    pub(super) fn take_up(&mut self, envelope: Envelope) {
        self.at = At::Idle;
        let digest = Digest::of(&envelope.offer.manifest);
        let known = self.known(&envelope, digest);
        self.pushed.note(&envelope);
        match known {
            Ok(None) => self.begin(envelope),
            Ok(Some((serial, phase, why))) => {
                self.tell(serial, phase, why);
                if !phase.is_over() {
                    self.give(Order::Resume, Box::new(envelope));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the record of editions cannot be used");
                self.waiting(envelope);
            }
        }
    }

    fn begin(&mut self, envelope: Envelope) {
        match self.accept(&envelope) {
            Ok(parts) => {
                self.at = At::Fetching(Box::new(envelope), Box::new(parts));
                self.told = None;
                self.tries = 0;
                self.proceed();
            }
            Err(ServiceError::Edition(EditionError::Refused(why))) => {
                tracing::warn!(why, "an offered edition is refused");
                self.rejected(&envelope.offer, why);
            }
            Err(error) => {
                tracing::warn!(%error, "an offered edition waits");
                self.waiting(envelope);
            }
        }
    }

    /// What is to be said of an offer that came to its end here before, or that is past its fetching.
    fn known(
        &self,
        envelope: &Envelope,
        digest: Digest,
    ) -> Result<Option<(u64, Phase, String)>, EditionError> {
        let state = &self.config.state;
        if let Ok(Some(current)) = Edition::current(state)
            && manifest_of(&current).is_some_and(|found| found == digest)
        {
            return Ok(Some((
                current.manifest.serial,
                Phase::Current,
                String::new(),
            )));
        }
        let run = Record::read(state)?.run;
        let Some(run) = run.filter(|run| run.manifest == Some(digest)) else {
            return Ok(None);
        };
        let is_told = match run.phase {
            Phase::Offered | Phase::Fetching => false,
            // Once a push: the next may find more room, or a mended box.
            Phase::Rejected | Phase::RolledBack => self.pushed.is_of(envelope),
            Phase::Current => false,
            Phase::Verified | Phase::Staged | Phase::Trial => true,
        };
        Ok(is_told.then_some((run.serial, run.phase, run.why)))
    }

    fn accept(&self, envelope: &Envelope) -> Result<Parts, ServiceError> {
        let config = &self.config;
        let setting = Setting {
            keys: trusted_keys(&config.trusted)?,
            host: host(),
            now: now(),
            allow_downgrade: false,
        };
        let mut editions = Editions::new(config, &self.again);
        let tell = &mut |told: &Told| self.publish_state(told.clone());
        let mut driver = Driver::open(&config.state, &mut editions, tell)?;
        let (accepted, missing) = driver.accept(envelope.offer.clone(), &setting)?;
        let serial = accepted.manifest.serial;
        if accepted.stale {
            tracing::warn!(
                serial,
                "the offered edition expired; it is taken all the same"
            );
        }
        Ok(Parts::open(
            &config.state,
            (serial, &envelope.push),
            &missing,
        )?)
    }
}

/// What an offer calls itself, for people; it may be unsigned.
pub(super) fn serial_of(offer: &Offer) -> u64 {
    Manifest::parse(&offer.manifest).map_or(0, |manifest| manifest.serial)
}

fn manifest_of(edition: &Edition) -> Option<Digest> {
    let path: PathBuf = edition.folder.join("edition.toml");
    std::fs::read(path).ok().map(|bytes| Digest::of(&bytes))
}
