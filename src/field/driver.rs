//! The task that carries out what the session decides: it joins the connection, the callers and the service.
//!
//! It never waits for one of them alone: a service that is slow to take events holds back acknowledgements (and so
//! the broker, by the receive maximum), never the connection's keep-alive.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use super::client::{Broker, Connection, Ear, LinkEvent, Numbered};
use super::messages::{BoxState, BoxStatus, Incoming, Reader};
use super::publication::{NotDelivered, Publication, encode};
use super::session::{Action, Input, Session};
use super::{AckToken, FieldEvent};
use crate::clock::Clock;
use crate::durable;

/// Events that wait for the service. The receive maximum bounds asks far lower, where the broker keeps to it. Beyond
/// this bound readings are dropped, and asks are left to the broker, which sends them again with the next connection.
const BACKLOG: usize = 512;

/// What comes of editions, for whoever fetches them.
pub(super) struct EditionPost {
    /// The last offer; what it overtook counts no more.
    pub offer: watch::Sender<Option<Arc<[u8]>>>,
    /// Full where nobody keeps up: what finds no room is asked for again.
    pub chunks: mpsc::Sender<Vec<u8>>,
}

/// A caller's wish to publish.
pub(super) struct PublishCommand {
    pub publication: Publication,
    pub delivered: oneshot::Sender<Result<(), NotDelivered>>,
}

/// The receiving ends of what callers send.
pub(super) struct Inbox {
    pub publish: mpsc::Receiver<PublishCommand>,
    pub acks: mpsc::Receiver<AckToken>,
    pub status: watch::Receiver<BoxStatus>,
    pub stop: watch::Receiver<bool>,
}

/// What the driver is made of.
pub(super) struct Driver {
    pub session: Session,
    pub broker: Broker,
    pub reader: Reader,
    pub clock: Arc<dyn Clock>,
    /// Where the number of the last connection stands.
    pub number_file: PathBuf,
    pub inbox: Inbox,
    pub events: mpsc::Sender<FieldEvent>,
    pub editions: EditionPost,
    pub link: (mpsc::Sender<Numbered>, mpsc::Receiver<Numbered>),
    pub state: Running,
}

/// What changes while it runs.
#[derive(Default)]
pub(super) struct Running {
    connection: Option<Connection>,
    backlog: VecDeque<FieldEvent>,
    deliveries: HashMap<u64, oneshot::Sender<Result<(), NotDelivered>>>,
    published: u64,
    stopping: bool,
    /// Whether nobody is left to serve: their ends of the channels are then no longer asked.
    deserted: bool,
    /// Whether asks were left to the broker since the connection began.
    missed: bool,
}

impl Driver {
    /// Runs until stopped, or until the service no longer listens.
    pub async fn run(mut self) {
        let mut finished = self.put(Input::Tick).await;
        while !finished {
            for input in self.next().await {
                finished |= self.put(input).await;
            }
        }
    }

    /// Waits for whatever comes first; gives what the session is to be told of it.
    async fn next(&mut self) -> Vec<Input> {
        let due = self.session.due();
        let tick = async move {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let current = self.session.number();
        let (inbox, state) = (&mut self.inbox, &mut self.state);
        let (stop, stopping, deserted) = (&mut inbox.stop, state.stopping, state.deserted);
        let stopped = async move { stop.wait_for(|stop| *stop).await.map(drop) };
        tokio::select! {
            // The driver holds a sender itself, so this never ends.
            Some((number, event)) = self.link.1.recv() => {
                if number == current {
                    state.hear(number, event, &self.editions)
                } else {
                    Vec::new()
                }
            }
            ack = inbox.acks.recv(), if !deserted => match ack {
                Some(AckToken(Some((number, packet)))) => vec![Input::Ack(number, packet)],
                Some(AckToken(None)) => Vec::new(),
                None => state.desert(),
            },
            command = inbox.publish.recv(), if !deserted && self.session.has_room() => match command {
                Some(command) => vec![state.enter(command)],
                None => state.desert(),
            },
            changed = inbox.status.changed(), if !deserted => match changed {
                Ok(()) => vec![Input::Status(inbox.status.borrow_and_update().clone())],
                Err(_) => state.desert(),
            },
            _ = stopped, if !stopping => {
                state.stopping = true;
                vec![Input::Stop]
            }
            permit = self.events.reserve(), if !deserted && !state.backlog.is_empty() => {
                match (permit, state.backlog.pop_front()) {
                    (Ok(permit), Some(event)) => {
                        permit.send(event);
                        state.renew()
                    }
                    _ => state.desert(),
                }
            }
            () = tick => vec![Input::Tick],
        }
    }

    /// Tells the session and does what it says; whether all is over.
    async fn put(&mut self, input: Input) -> bool {
        let mut finished = false;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.session.handle(input, Instant::now()) {
                finished |= action == Action::Finished;
                inputs.extend(self.act(action).await);
            }
        }
        finished
    }

    /// Does `action`; gives what went wrong with it.
    async fn act(&mut self, action: Action) -> Option<Input> {
        let state = &mut self.state;
        match action {
            Action::Connect { session, fresh } => return self.connect(session, fresh).await,
            Action::Subscribe => return state.request(Connection::subscribe),
            Action::Send(publication) => return state.request(|link| link.send(&publication)),
            Action::Acknowledge(packet) => return state.request(|link| link.acknowledge(packet)),
            Action::ForgetUnseen => state
                .backlog
                .retain(|event| !matches!(event, FieldEvent::Ask { ack, .. } if ack.0.is_some())),
            Action::Delivered(id) => state.settle(id, Ok(())),
            Action::NotDelivered(id, why) => state.settle(id, Err(why)),
            Action::Up => state.tell_link(FieldEvent::Connected),
            Action::Down(why) => {
                state.connection = None;
                tracing::warn!(why, "no connection to the broker");
                state.tell_link(FieldEvent::Disconnected { why });
            }
            Action::Drop => state.connection = None,
            Action::Disconnect => {
                if let Some(connection) = state.connection.take() {
                    connection.leave().await;
                }
            }
            Action::Finished => tracing::info!("the connection to the broker is closed"),
        }
        None
    }

    async fn connect(&mut self, number: u64, fresh: bool) -> Option<Input> {
        self.keep_number(number).await;
        if fresh {
            tracing::error!(
                "packets above the limit ended several connections: the broker's session is given up"
            );
        }
        let mut will = self.inbox.status.borrow().clone();
        will.state = BoxState::Gone;
        will.session = number;
        let ear = Ear {
            reader: self.reader.clone(),
            clock: self.clock.clone(),
            events: self.link.0.clone(),
        };
        match Connection::open(&self.broker, number, fresh, encode(&will), ear) {
            Ok(connection) => {
                self.state.connection = Some(connection);
                self.state.missed = false;
                None
            }
            Err(why) => Some(Input::Lost {
                why,
                oversize: false,
            }),
        }
    }

    /// Durable before the connection is opened: its will carries the number.
    async fn keep_number(&self, number: u64) {
        let path = self.number_file.clone();
        let text = format!("{number}\n");
        let kept =
            tokio::task::spawn_blocking(move || durable::replace(&path, text.as_bytes())).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the connection's number is not kept"),
            Err(error) => tracing::warn!(%error, "the connection's number is not kept"),
        }
    }
}

impl Running {
    fn desert(&mut self) -> Vec<Input> {
        self.deserted = true;
        vec![Input::Stop]
    }

    fn enter(&mut self, command: PublishCommand) -> Input {
        self.published += 1;
        self.deliveries.insert(self.published, command.delivered);
        Input::Publish(self.published, Arc::new(command.publication))
    }

    fn hear(&mut self, number: u64, event: LinkEvent, editions: &EditionPost) -> Vec<Input> {
        vec![match event {
            LinkEvent::Connected {
                session_present,
                receive_max,
                max_packet,
            } => Input::Connected {
                session_present,
                receive_max,
                max_packet,
            },
            LinkEvent::Subscribed(result) => Input::Subscribed(result),
            LinkEvent::Sent(packet) => Input::Sent(packet),
            LinkEvent::Acknowledged(packet, answer) => Input::Acknowledged(packet, answer),
            LinkEvent::Lost { why, oversize } => Input::Lost { why, oversize },
            LinkEvent::Packet(Incoming::EditionOffer(bytes), packet) => {
                let offer = (!bytes.is_empty()).then(|| bytes.into());
                editions.offer.send_replace(offer);
                return done(number, packet);
            }
            LinkEvent::Packet(Incoming::EditionChunk(bytes), packet) => {
                // No room: it is asked for again.
                let _ = editions.chunks.try_send(bytes);
                return done(number, packet);
            }
            LinkEvent::Packet(incoming, packet) => return self.take_in(number, incoming, packet),
        }]
    }

    /// Puts a packet into the backlog; what needs no answer may be acknowledged at once.
    fn take_in(&mut self, number: u64, incoming: Incoming, packet: Option<u16>) -> Vec<Input> {
        let backlog = &mut self.backlog;
        let room = backlog.len() < BACKLOG;
        let mut inputs: Vec<Input> = packet.map(Input::Received).into_iter().collect();
        let mut done = packet.map(|packet| Input::Ack(number, packet));
        match incoming {
            Incoming::Ask(ask) if room => {
                done = None;
                let ack = AckToken(packet.map(|packet| (number, packet)));
                backlog.push_back(FieldEvent::Ask { ask, ack });
            }
            Incoming::Ask(_) => {
                tracing::warn!("a question was left to the broker: the box is far behind");
                self.missed |= packet.is_some();
                return Vec::new();
            }
            Incoming::Sense { device, readings } if room && !readings.is_empty() => {
                backlog.push_back(FieldEvent::Sense { device, readings });
            }
            Incoming::Sense { device, .. } => tracing::debug!(device, "readings were passed over"),
            Incoming::OwnStatus(status) => inputs.push(Input::OwnStatus(status)),
            Incoming::Ignored(why) => tracing::info!(why, "a packet was passed over"),
            // They go another way; see `hear`.
            Incoming::EditionOffer(_) | Incoming::EditionChunk(_) => {}
        }
        inputs.extend(done);
        inputs
    }

    /// Fetches what was left to the broker once everything else was taken.
    fn renew(&mut self) -> Vec<Input> {
        if self.missed && self.backlog.is_empty() {
            vec![Input::Renew]
        } else {
            Vec::new()
        }
    }

    fn settle(&mut self, id: u64, result: Result<(), NotDelivered>) {
        // The caller may not care to know.
        if let Some(delivered) = self.deliveries.remove(&id) {
            let _ = delivered.send(result);
        }
    }

    /// Makes a request of the connection; gives its loss when it takes none.
    fn request(&mut self, request: impl FnOnce(&Connection) -> bool) -> Option<Input> {
        let connection = self.connection.as_ref()?;
        // There is room for all that may be under way, so only an ended connection refuses; it has told of its end.
        if request(connection) || connection.is_ended() {
            return None;
        }
        self.connection = None;
        Some(Input::Lost {
            why: "the client library takes no more requests".into(),
            oversize: false,
        })
    }

    /// Puts news of the connection into the backlog, in place of such news not yet taken: bounded by that.
    fn tell_link(&mut self, news: FieldEvent) {
        if let Some(FieldEvent::Connected | FieldEvent::Disconnected { .. }) = self.backlog.back() {
            self.backlog.pop_back();
        }
        self.backlog.push_back(news);
    }
}

/// A packet that needs no more than its acknowledgement.
fn done(number: u64, packet: Option<u16>) -> Vec<Input> {
    let inputs = packet.map(|packet| [Input::Received(packet), Input::Ack(number, packet)]);
    inputs.into_iter().flatten().collect()
}
