//! MQTT: what arrives becomes questions and readings, what the box says becomes messages.
//!
//! The contract is `docs/mqtt.md`. [`Topics`] and [`Reader`] are pure, so is the session (connecting, waiting, what
//! is under way); one file uses the client library. What does not belong here: the journal, the queue, answering.
//! [`Field::start`] gives the service a handle and a bounded stream of events.

mod client;
mod driver;
mod messages;
mod operator;
mod publication;
mod sensors;
mod session;
mod topics;

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::MqttConfig;
use crate::types::{AskLimits, Reading};
use client::{Broker, Filters};
use driver::{Driver, EditionPost, Inbox, PublishCommand, Running};
use session::Session;

pub use messages::{
    Asked, BoxState, BoxStatus, Incoming, IncomingAsk, MAX_ASK_BYTES, Packet, Reader,
};
pub use operator::{Operator, OperatorEvent, OperatorOptions, Sent};
pub use publication::{NotDelivered, Publication, encode};
pub use sensors::{MAX_READINGS, Sensors};
pub use topics::{Name, Topic, Topics};

/// Events, publications and acknowledgements that may wait on their way between service and connection.
const EVENTS: usize = 16;
const PUBLISHES: usize = 16;
const ACKS: usize = 64;
const LINK_EVENTS: usize = 64;
/// Pieces of an edition that wait for whoever fetches it: twice what is ever asked for at a time.
const CHUNKS: usize = 16;

/// What the field tells the service.
#[derive(Debug)]
pub enum FieldEvent {
    /// Connected and subscribed. What waited was sent by the field itself.
    Connected,
    /// Not connected; the field goes on trying by itself.
    Disconnected {
        /// What happened and, where something helps, what to check.
        why: String,
    },
    /// A question came.
    Ask {
        /// The question and how to reply.
        ask: Box<IncomingAsk>,
        /// To be given to [`FieldHandle::ack`] once the question is in the journal (or told `busy`).
        ack: AckToken,
    },
    /// Readings came.
    Sense {
        /// The device.
        device: String,
        /// Its readings.
        readings: Vec<Reading>,
    },
}

/// The right to acknowledge one packet, once.
///
/// Packets are acknowledged in the order in which they came, so one that never is holds back the later ones until
/// the next connection, with which it comes again.
#[derive(Debug)]
#[must_use = "a packet that is never acknowledged holds back the later ones"]
pub struct AckToken(Option<(u64, u16)>);

/// Who this box is, and what it needs to talk.
#[derive(Clone, Debug)]
pub struct FieldOptions {
    /// `[box] site`
    pub site: String,
    /// `[box] name`
    pub box_name: String,
    /// The state folder: holds the number of the last connection.
    pub state: PathBuf,
    /// Version of the program, for the status.
    pub version: String,
    /// What an ask may hold.
    pub limits: AskLimits,
}

/// What the service reports of the box; the rest of [`BoxStatus`] is the field's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxReport {
    /// The box's state.
    pub state: BoxState,
    /// Serial of the edition in use.
    pub edition: u64,
    /// Questions waiting.
    pub queue: usize,
    /// Seconds that a question asked now would wait.
    pub wait_s: u64,
}

/// A field that cannot start or no longer runs.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// A name that is no topic level.
    #[error("{key} is {found:?}; write 1 to 64 letters, digits, `_` or `-`")]
    Name {
        /// The configuration's key.
        key: &'static str,
        /// What stands there.
        found: String,
    },
    /// It was stopped.
    #[error("the connection to the broker was stopped")]
    Stopped,
}

/// What comes of editions: nothing of it has been looked at.
#[derive(Debug)]
pub struct EditionInbox {
    /// The last offer on `edition/offer/<box>`, told with every connection and every message again; nothing where
    /// it was taken back.
    pub offer: watch::Receiver<Option<Arc<[u8]>>>,
    /// The messages on `edition/chunk/<box>`, at most 256 KiB each; some may be lost.
    pub chunks: mpsc::Receiver<Vec<u8>>,
}

/// The connection to the broker.
pub struct Field;

/// The service's hold on the connection; may be cloned. When all are dropped, the connection stops.
#[derive(Clone)]
pub struct FieldHandle {
    publish: mpsc::Sender<PublishCommand>,
    acks: mpsc::Sender<AckToken>,
    status: watch::Sender<BoxStatus>,
    stop: watch::Sender<bool>,
    topics: Topics,
    editions: Arc<Mutex<Option<EditionInbox>>>,
}

impl Field {
    /// Starts the tasks that connect, stay connected and reconnect; call within a tokio runtime.
    ///
    /// Returns at once: [`FieldEvent::Connected`] tells of the connection. The first state is `starting`.
    ///
    /// # Errors
    /// A name of `options` is no topic level.
    pub fn start(
        config: &MqttConfig,
        options: FieldOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<(FieldHandle, mpsc::Receiver<FieldEvent>), FieldError> {
        let topics = Topics::new(
            name("box.site", &options.site)?,
            name("box.name", &options.box_name)?,
        );
        let number_file = options.state.join("session");
        let status = BoxStatus {
            box_name: options.box_name,
            state: BoxState::Starting,
            edition: 0,
            queue: 0,
            wait_s: 0,
            session: last_number(&number_file, clock.as_ref()),
            version: options.version,
        };
        let reader = Reader {
            topics: topics.clone(),
            limits: options.limits,
            max_payload: config.max_payload_bytes as usize,
        };
        let (handle, inbox, editions) = ends(status.clone(), topics);
        let (events, told) = mpsc::channel(EVENTS);
        let driver = Driver {
            session: Session::new(
                handle.topics.status(),
                status,
                config.max_payload_bytes as usize,
                random_seed(),
                Instant::now(),
            ),
            broker: broker(config, &handle.topics),
            reader,
            clock,
            number_file,
            inbox,
            events,
            editions,
            link: mpsc::channel(LINK_EVENTS),
            state: Running::default(),
        };
        tokio::spawn(driver.run());
        Ok((handle, told))
    }
}

impl FieldHandle {
    /// Publishes with QoS 1; waits for room while too much waits for the broker.
    ///
    /// What comes back tells when the broker has it: `Ok(())`, or why it never will. It may be dropped.
    ///
    /// # Errors
    /// The field was stopped.
    pub async fn publish(
        &self,
        publication: Publication,
    ) -> Result<oneshot::Receiver<Result<(), NotDelivered>>, FieldError> {
        let (delivered, told) = oneshot::channel();
        let command = PublishCommand {
            publication,
            delivered,
        };
        let sent = self.publish.send(command).await;
        sent.map(|()| told).map_err(|_| FieldError::Stopped)
    }

    /// Acknowledges a packet to the broker; without effect when its connection is gone: it then comes again.
    pub async fn ack(&self, token: AckToken) {
        // A stopped field acknowledges nothing more, and the broker keeps the packet.
        let _ = self.acks.send(token).await;
    }

    /// Publishes the box's state when it differs from the last; never blocks, only the newest counts.
    pub fn set_status(&self, report: BoxReport) {
        self.status.send_if_modified(|status| {
            let new = BoxStatus {
                state: report.state,
                edition: report.edition,
                queue: report.queue,
                wait_s: report.wait_s,
                ..status.clone()
            };
            let differs = *status != new;
            *status = new;
            differs
        });
    }

    /// What comes of editions; to one caller only.
    pub fn take_editions(&self) -> Option<EditionInbox> {
        let mut editions = self.editions.lock().unwrap_or_else(PoisonError::into_inner);
        editions.take()
    }

    /// The topics of this box.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Sends what waits, then the state `gone`, takes leave and ends; within about 7 s whatever the broker does.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.publish.closed().await;
    }
}

fn ends(status: BoxStatus, topics: Topics) -> (FieldHandle, Inbox, EditionPost) {
    let (publish, publish_inbox) = mpsc::channel(PUBLISHES);
    let (acks, acks_inbox) = mpsc::channel(ACKS);
    let (status, status_inbox) = watch::channel(status);
    let (stop, stop_inbox) = watch::channel(false);
    let (offer, offer_inbox) = watch::channel(None);
    let (chunks, chunks_inbox) = mpsc::channel(CHUNKS);
    let handle = FieldHandle {
        publish,
        acks,
        status,
        stop,
        topics,
        editions: Arc::new(Mutex::new(Some(EditionInbox {
            offer: offer_inbox,
            chunks: chunks_inbox,
        }))),
    };
    let inbox = Inbox {
        publish: publish_inbox,
        acks: acks_inbox,
        status: status_inbox,
        stop: stop_inbox,
    };
    (handle, inbox, EditionPost { offer, chunks })
}

fn broker(config: &MqttConfig, topics: &Topics) -> Broker {
    Broker {
        host: config.host.clone(),
        port: config.port,
        client_id: topics.client_id(),
        user: config.user.clone(),
        password_file: config.password_file.clone(),
        keep_alive: config.keep_alive,
        max_payload: config.max_payload_bytes,
        filters: Filters {
            asks: topics.ask_filter(config.share_group.as_deref()),
            senses: topics.sense_filter(),
            own_status: topics.status(),
            edition_offer: topics.edition_offer(),
            edition_chunk: topics.edition_chunk(),
        },
        status_topic: topics.status(),
    }
}

fn name(key: &'static str, text: &str) -> Result<Name, FieldError> {
    Name::new(text).ok_or_else(|| FieldError::Name {
        key,
        found: text.to_owned(),
    })
}

/// The number of the last connection; where it is lost, the time serves: it lies above any number counted from 1.
fn last_number(path: &Path, clock: &dyn Clock) -> u64 {
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let kept = kept.trim().parse().ok();
    kept.unwrap_or_else(|| u64::try_from(clock.now()).unwrap_or(0))
}

/// So that boxes that lose one broker together do not come back together.
fn random_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
