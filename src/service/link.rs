//! The MQTT room as the daemon uses it; on a box without a broker it is silent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};

use super::error::ServiceError;
use super::post::Outgoing;
use crate::clock::Clock;
use crate::config::Config;
use crate::field::{
    BoxReport, EditionInbox, Field, FieldError, FieldEvent, FieldHandle, FieldOptions, Publication,
    Sensors,
};
use crate::journal::{Journal, Outcome};
use crate::types::{AskKey, AskLimits, EditionState, Reading};

/// Outcomes handed over and not yet taken by the broker; more than the MQTT room holds.
const DELIVERIES: u32 = 512;

/// States of editions that wait for the broker; beyond that the oldest gives way.
const STATES: usize = 32;

/// The connection to the broker and what came over it.
pub struct Link {
    handle: Option<FieldHandle>,
    events: mpsc::Receiver<FieldEvent>,
    /// Keeps the channel open where there is no broker.
    _silence: Option<mpsc::Sender<FieldEvent>>,
    sensors: Sensors,
    clock: Arc<dyn Clock>,
    deliveries: Arc<Semaphore>,
    states: Arc<States>,
}

impl Link {
    /// Starts the connection, and the task that drains `outgoing` into it; within a tokio runtime.
    ///
    /// # Errors
    /// A name of the configuration is no topic level.
    pub fn start(
        config: &Config,
        journal: Arc<Journal>,
        outgoing: mpsc::Receiver<Outgoing>,
        clock: Arc<dyn Clock>,
    ) -> Result<Link, ServiceError> {
        let options = FieldOptions {
            site: config.site.clone(),
            box_name: config.box_name.clone(),
            state: config.state.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            limits: AskLimits::default(),
        };
        let (handle, events, silence) = match &config.mqtt {
            Some(mqtt) => {
                let started = Field::start(mqtt, options, Arc::clone(&clock));
                let (handle, events) = started.map_err(operator)?;
                (Some(handle), events, None)
            }
            None => {
                tracing::info!("no broker is configured: the box answers on its socket only");
                let (silence, events) = mpsc::channel(1);
                (None, events, Some(silence))
            }
        };
        let deliveries = Arc::new(Semaphore::new(DELIVERIES as usize));
        let carrier = Carrier {
            handle: handle.clone(),
            journal,
            deliveries: Arc::clone(&deliveries),
        };
        tokio::spawn(carrier.run(outgoing));
        let states = Arc::new(States::default());
        if let Some(handle) = &handle {
            tokio::spawn(Arc::clone(&states).run(handle.clone()));
        }
        let sensors = &config.sensors;
        Ok(Link {
            handle,
            events,
            _silence: silence,
            sensors: Sensors::new(sensors.max_age, sensors.max_devices),
            clock,
            deliveries,
            states,
        })
    }

    /// What comes next; none only when the MQTT room has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<FieldEvent> {
        self.events.recv().await
    }

    /// Keeps `readings` of `device`.
    pub fn keep(&mut self, device: &str, readings: Vec<Reading>) {
        self.sensors.put(device, readings, self.clock.now());
    }

    /// The kept readings of `device`, none too old.
    pub fn readings_of(&self, device: &str) -> Vec<Reading> {
        self.sensors.of(device, self.clock.now())
    }

    /// Publishes how the box is, where that is news.
    pub fn report(&self, report: BoxReport) {
        if let Some(handle) = &self.handle {
            handle.set_status(report);
        }
    }

    /// What comes of editions, and the connection to answer it by; to one caller, where there is a broker.
    pub fn editions(&self) -> Option<(FieldHandle, EditionInbox)> {
        let handle = self.handle.as_ref()?;
        Some((handle.clone(), handle.take_editions()?))
    }

    /// Publishes how an edition fares: every step while the broker takes them, else the newest [`STATES`].
    pub fn tell(&self, state: EditionState) {
        if self.handle.is_some() {
            self.states.put(state);
        }
    }

    /// Sends what waits, says `gone`, and waits until the journal knows what was delivered; gives up
    /// after `patience`: the next start publishes again what may be missing.
    pub async fn stop(&self, patience: Duration) {
        let stopped = async {
            if let Some(handle) = &self.handle {
                handle.stop().await;
            }
            let _ = self.deliveries.acquire_many(DELIVERIES).await;
        };
        if tokio::time::timeout(patience, stopped).await.is_err() {
            tracing::warn!(
                "the broker did not take everything in time; the next start sends it again"
            );
        }
    }
}

fn operator(error: FieldError) -> ServiceError {
    ServiceError::Operator {
        message: error.to_string(),
        hint: "mend the name in the configuration".into(),
    }
}

/// States of editions on their way to the broker, one at a time.
#[derive(Default)]
struct States {
    waiting: Mutex<VecDeque<EditionState>>,
    news: Notify,
}

impl States {
    fn put(&self, state: EditionState) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.back() == Some(&state) {
            return;
        }
        if waiting.len() == STATES {
            waiting.pop_front();
        }
        waiting.push_back(state);
        drop(waiting);
        self.news.notify_one();
    }

    fn next(&self) -> Option<EditionState> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }

    async fn run(self: Arc<Self>, handle: FieldHandle) {
        let topic = handle.topics().edition_state();
        loop {
            let Some(state) = self.next() else {
                self.news.notified().await;
                continue;
            };
            let publication = Publication::edition_state(&topic, &state);
            let Ok(told) = handle.publish(publication).await else {
                return; // Stopped: the next start tells it again.
            };
            if let Ok(Err(reason)) = told.await {
                tracing::warn!(%reason, topic, "not delivered");
            }
        }
    }
}

/// Hands over what the post brings, in its order.
struct Carrier {
    handle: Option<FieldHandle>,
    journal: Arc<Journal>,
    deliveries: Arc<Semaphore>,
}

impl Carrier {
    async fn run(self, mut outgoing: mpsc::Receiver<Outgoing>) {
        self.send_undelivered().await;
        while let Some(next) = outgoing.recv().await {
            let Some(handle) = &self.handle else {
                // Only an earlier life with a broker can have left outcomes; they wait for the next one.
                continue;
            };
            match next {
                Outgoing::Outcome { key, outcome } => self.send(handle, key, outcome).await,
                // The parts of an answer are of no use later: what becomes of one is not looked at.
                Outgoing::Part(part) => drop(handle.publish(part).await),
                Outgoing::Acknowledge(token) => handle.ack(token).await,
                Outgoing::Flush(done) => drop(done.send(())),
            }
        }
    }

    /// Outcomes of an earlier life that the broker may not have: each again, byte for byte.
    async fn send_undelivered(&self) {
        let Some(handle) = &self.handle else {
            return;
        };
        let keys = match self.journal.undelivered().await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(%error, "outcomes of an earlier life cannot be read");
                return;
            }
        };
        if !keys.is_empty() {
            tracing::info!(outcomes = keys.len(), "published again");
        }
        for key in keys {
            match self.journal.outcome(&key).await {
                Ok(Some(outcome)) => self.send(handle, Some(key), outcome).await,
                Ok(None) => {}
                Err(error) => tracing::error!(%error, key = %key, "an outcome cannot be read"),
            }
        }
    }

    async fn send(&self, handle: &FieldHandle, key: Option<AskKey>, outcome: Outcome) {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.deliveries).acquire_owned().await else {
            return;
        };
        let Outcome {
            topic,
            payload,
            correlation,
        } = outcome;
        let publication = Publication::outcome(&topic, correlation, payload);
        let Ok(told) = handle.publish(publication).await else {
            return; // Stopped: the journal has it.
        };
        let journal = Arc::clone(&self.journal);
        tokio::spawn(async move {
            match (told.await, key) {
                (Ok(Ok(())), Some(key)) => {
                    if let Err(error) = journal.mark_delivered(&key).await {
                        tracing::debug!(%error, "a delivery was not noted; the outcome is sent again");
                    }
                }
                (Ok(Err(reason)), _) => tracing::warn!(%reason, topic, "not delivered"),
                _ => {}
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Phase;

    #[test]
    fn states_wait_in_their_order_each_once_and_the_oldest_gives_way() {
        let states = States::default();
        let state = |serial: usize| EditionState {
            box_name: "b1".into(),
            serial: serial as u64,
            state: Phase::Trial,
            reason: String::new(),
            answers: 0,
            bytes: None,
            total: None,
            resumed: None,
            push: String::new(),
        };
        for serial in [1, 1, 2] {
            states.put(state(serial));
        }
        assert_eq!(states.next(), Some(state(1)));
        assert_eq!(states.next(), Some(state(2)));
        assert_eq!(states.next(), None);
        for serial in 0..=STATES {
            states.put(state(serial));
        }
        assert_eq!(states.next(), Some(state(1)));
        assert_eq!(std::iter::from_fn(|| states.next()).count(), STATES - 1);
    }
}
