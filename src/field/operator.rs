//! The operator's connection: what a push of editions needs of a broker.
//!
//! It promises less than a box does. What was sent and not acknowledged when a connection ended is lost;
//! [`OperatorEvent::Up`] says so, and whoever pushes then says again what must stand (offers, and which are taken
//! back). Pieces are asked for again by the boxes themselves. As in `client.rs`, each connection has an event loop
//! of its own, polled by a task of its own.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, Packet as WirePacket, PubAckReason, Publish, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::FieldError;
use super::messages::BoxStatus;
use super::session::BackOff;
use super::topics::{Name, PREFIX};

/// Publications without an acknowledgement: 4 MiB of pieces.
const WINDOW: usize = 16;
/// Events that wait for whoever pushes.
const EVENTS: usize = 64;
/// Largest packet taken from the wire: states and wants are small.
const WIRE_LIMIT: u32 = 128 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const CONNECT_WITHIN_S: u64 = 10;
/// How long the last publications may take when it ends.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name, where the broker wants one.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// The site whose boxes are meant.
    pub site: String,
}

/// What the connection tells.
#[derive(Debug)]
pub enum OperatorEvent {
    /// Connected and subscribed: what the broker keeps of states and statuses follows. What was under way before
    /// is lost.
    Up,
    /// Not connected; it goes on trying by itself.
    Down {
        /// What happened.
        why: String,
    },
    /// The broker did not take a publication.
    Refused {
        /// Its reason.
        why: String,
    },
    /// How a box is; nothing where that was taken back or cannot be read.
    Status {
        /// The box.
        box_name: String,
        /// What it says.
        status: Option<BoxStatus>,
    },
    /// A message on `edition/state/<box>`.
    State {
        /// The box.
        box_name: String,
        /// The message.
        payload: Vec<u8>,
    },
    /// A message on `edition/want/<box>`.
    Want {
        /// The box.
        box_name: String,
        /// The message.
        payload: Vec<u8>,
    },
}

/// A message to a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// An offer, kept by the broker; an empty one takes it back.
    Offer {
        /// The box.
        to: String,
        /// The message.
        payload: Vec<u8>,
    },
    /// A piece of a file.
    Chunk {
        /// The box.
        to: String,
        /// The message.
        payload: Vec<u8>,
    },
}

/// The hold on the connection; when it is dropped, the connection ends.
pub struct Operator {
    requests: mpsc::Sender<Sent>,
    running: JoinHandle<()>,
}

impl Operator {
    /// Starts to connect; call within a tokio runtime. Returns at once.
    ///
    /// # Errors
    /// The site is no topic level.
    pub fn start(
        options: OperatorOptions,
    ) -> Result<(Operator, mpsc::Receiver<OperatorEvent>), FieldError> {
        let site = super::name("--site", &options.site)?;
        // One at a time: what is sent is chosen as late as possible.
        let (requests, inbox) = mpsc::channel(1);
        let (events, told) = mpsc::channel(EVENTS);
        let running = tokio::spawn(run(options, site, inbox, events));
        Ok((Operator { requests, running }, told))
    }

    /// Waits until there is room for another message. Whoever waits here must go on taking events: the connection
    /// waits for that. Cancel-safe.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn room(&self) -> Result<mpsc::Permit<'_, Sent>, FieldError> {
        let permit = self.requests.reserve().await;
        permit.map_err(|_| FieldError::Stopped)
    }

    /// Sends what waits, takes leave and ends; within about 6 s.
    pub async fn stop(self) {
        drop(self.requests);
        let _ = tokio::time::timeout(LEAVE_WITHIN + Duration::from_secs(1), self.running).await;
    }
}

/// What the polling task tells.
enum Heard {
    Connected,
    Subscribed(Result<(), String>),
    Acknowledged(Result<(), String>),
    Told(OperatorEvent),
    Lost(String),
}

/// How a connection ended.
enum Ended {
    Lost(String),
    /// Nobody is left to serve.
    Deserted,
}

async fn run(
    options: OperatorOptions,
    site: Name,
    mut requests: mpsc::Receiver<Sent>,
    events: mpsc::Sender<OperatorEvent>,
) {
    let seed = std::hash::RandomState::new().build_hasher().finish();
    let mut back_off = BackOff::new(seed);
    let client_id = format!("{PREFIX}-{site}-push-{seed:016x}");
    loop {
        let ended = match options.mqtt(&client_id) {
            Ok(mqtt) => {
                let link = Link::open(mqtt, site.clone());
                link.serve(&mut requests, &events, &mut back_off).await
            }
            Err(why) => Ended::Lost(why),
        };
        let Ended::Lost(why) = ended else {
            return;
        };
        if events.send(OperatorEvent::Down { why }).await.is_err() || requests.is_closed() {
            return;
        }
        tokio::time::sleep(back_off.next()).await;
    }
}

impl OperatorOptions {
    fn mqtt(&self, client_id: &str) -> Result<MqttOptions, String> {
        let mut options = MqttOptions::new(client_id, &self.host, self.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(true)
            .set_max_packet_size(Some(WIRE_LIMIT))
            .set_outgoing_inflight_upper_limit(64)
            .set_connection_timeout(CONNECT_WITHIN_S);
        if let Some(user) = &self.user {
            let password = match &self.password_file {
                None => String::new(),
                Some(path) => std::fs::read_to_string(path).map_err(|error| {
                    format!("{}: cannot read the password: {error}", path.display())
                })?,
            };
            options.set_credentials(user, password.trim_end_matches(['\r', '\n']));
        }
        Ok(options)
    }
}

/// One connection.
struct Link {
    client: AsyncClient,
    heard: mpsc::Receiver<Heard>,
    polling: JoinHandle<()>,
    site: Name,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl Link {
    fn open(options: MqttOptions, site: Name) -> Link {
        let (client, event_loop) = AsyncClient::new(options, WINDOW + 8);
        let (told, heard) = mpsc::channel(EVENTS);
        let polling = tokio::spawn(poll(event_loop, told, site.clone()));
        Link {
            client,
            heard,
            polling,
            site,
        }
    }

    async fn serve(
        mut self,
        requests: &mut mpsc::Receiver<Sent>,
        events: &mpsc::Sender<OperatorEvent>,
        back_off: &mut BackOff,
    ) -> Ended {
        let (mut is_up, mut under_way) = (false, 0_usize);
        loop {
            let told = tokio::select! {
                heard = self.heard.recv() => match heard {
                    None => return Ended::Lost("the connection ended".into()),
                    Some(Heard::Lost(why)) => return Ended::Lost(why),
                    Some(Heard::Connected) => {
                        if !self.subscribe() {
                            return Ended::Lost("the client library takes no subscription".into());
                        }
                        None
                    }
                    Some(Heard::Subscribed(Err(why))) => return Ended::Lost(why),
                    Some(Heard::Subscribed(Ok(()))) => {
                        is_up = true;
                        back_off.reset();
                        Some(OperatorEvent::Up)
                    }
                    Some(Heard::Acknowledged(result)) => {
                        under_way = under_way.saturating_sub(1);
                        result.err().map(|why| OperatorEvent::Refused { why })
                    }
                    Some(Heard::Told(event)) => Some(event),
                },
                request = requests.recv(), if is_up && under_way < WINDOW => match request {
                    None => {
                        self.leave(under_way).await;
                        return Ended::Deserted;
                    }
                    Some(sent) => {
                        under_way += 1;
                        if !self.send(sent) {
                            return Ended::Lost("the client library takes no more requests".into());
                        }
                        None
                    }
                },
            };
            if let Some(event) = told
                && events.send(event).await.is_err()
            {
                self.leave(under_way).await;
                return Ended::Deserted;
            }
        }
    }

    fn subscribe(&self) -> bool {
        let filters = ["status/+", "edition/state/+", "edition/want/+"].map(|below| {
            let path = format!("{PREFIX}/{}/{below}", self.site);
            Filter::new(path, QoS::AtLeastOnce)
        });
        self.client.try_subscribe_many(filters).is_ok()
    }

    fn send(&self, sent: Sent) -> bool {
        let (what, to, payload, retain) = match sent {
            Sent::Offer { to, payload } => ("offer", to, payload, true),
            Sent::Chunk { to, payload } => ("chunk", to, payload, false),
        };
        let topic = format!("{PREFIX}/{}/edition/{what}/{to}", self.site);
        let properties = PublishProperties::default();
        let sent = self.client.try_publish_with_properties(
            topic,
            QoS::AtLeastOnce,
            retain,
            payload,
            properties,
        );
        sent.is_ok()
    }

    /// Waits for the acknowledgements of what is under way, and takes leave.
    async fn leave(mut self, mut under_way: usize) {
        let drained = async {
            while under_way > 0 {
                match self.heard.recv().await {
                    Some(Heard::Acknowledged(_)) => under_way -= 1,
                    None | Some(Heard::Lost(_)) => return,
                    Some(_) => {}
                }
            }
            if self.client.try_disconnect().is_ok() {
                while self.heard.recv().await.is_some() {}
            }
        };
        let _ = tokio::time::timeout(LEAVE_WITHIN, drained).await;
    }
}

async fn poll(mut event_loop: EventLoop, told: mpsc::Sender<Heard>, site: Name) {
    loop {
        let heard = match event_loop.poll().await {
            Err(error) => Some(Heard::Lost(error.to_string())),
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(Event::Outgoing(_)) => None,
            Ok(Event::Incoming(packet)) => hear(packet, &site),
        };
        let Some(heard) = heard else {
            continue;
        };
        let is_lost = matches!(heard, Heard::Lost(_));
        if told.send(heard).await.is_err() || is_lost {
            return;
        }
    }
}

fn hear(packet: WirePacket, site: &Name) -> Option<Heard> {
    match packet {
        WirePacket::ConnAck(_) => Some(Heard::Connected),
        WirePacket::SubAck(suback) => {
            let is_refused =
                |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
            let refused = suback.return_codes.iter().find(is_refused);
            Some(Heard::Subscribed(match refused {
                None => Ok(()),
                Some(code) => Err(format!(
                    "the broker refuses a subscription ({code:?}); check its access rules"
                )),
            }))
        }
        WirePacket::PubAck(puback) => Some(Heard::Acknowledged(match puback.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            reason => Err(format!("{reason:?}")),
        })),
        WirePacket::Publish(publish) => told(&publish, site).map(Heard::Told),
        _ => None,
    }
}

fn told(publish: &Publish, site: &Name) -> Option<OperatorEvent> {
    let topic = std::str::from_utf8(&publish.topic).ok()?;
    let below = topic
        .strip_prefix(PREFIX)?
        .strip_prefix('/')?
        .strip_prefix(site.as_str())?
        .strip_prefix('/')?;
    let (what, name) = below.rsplit_once('/')?;
    let box_name = Name::new(name)?.to_string();
    let payload = publish.payload.to_vec();
    match what {
        "status" => {
            let status = serde_json::from_slice(&payload).ok();
            Some(OperatorEvent::Status { box_name, status })
        }
        // Empty: it was taken back.
        "edition/state" if !payload.is_empty() => Some(OperatorEvent::State { box_name, payload }),
        "edition/want" => Some(OperatorEvent::Want { box_name, payload }),
        _ => None,
    }
}
