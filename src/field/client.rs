//! The only user of rumqttc: one connection, from connect to loss, and never a second with the same event loop.
//!
//! rumqttc 0.25 keeps publications and packet ids of earlier connections in ways that lose, repeat or collide, and
//! polls again at once after a failure. So each connection gets a new event loop, polled by a task of its own that
//! never waits for whoever publishes: requests go in with `try_`, and there is room for all that may be under way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::Error as WireError;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, Filter, LastWill, Packet as WirePacket, PubAck,
    PubAckReason, Publish, PublishProperties, RetainForwardRule, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::messages::{Incoming, Packet, Reader};
use super::publication::Publication;
use super::session::{Acknowledgement, RECEIVE_MAX, UNACKNOWLEDGED};
use crate::clock::Clock;

/// Largest packet taken from the wire whatever the configuration: an ask of 1 MiB can then be told that it is
/// too large. A broker that keeps to MQTT 5 does not send larger ones; one that does ends the connection.
pub(super) const WIRE_LIMIT: u32 = 2 * 1024 * 1024;
/// Time in which the broker keeps our session, and what is asked meanwhile, while we are away; seconds.
const SESSION_EXPIRY_S: u32 = 86_400;
/// Publications that rumqttc may have under way; above the session's window, so that it never decides.
const INFLIGHT: u16 = 64;
/// Requests that may wait for the polling task: all acknowledgements, the window, the subscription, the leave.
const REQUESTS: usize = UNACKNOWLEDGED + INFLIGHT as usize + 8;
/// Time for TCP and the broker's answer, seconds.
const CONNECT_WITHIN_S: u64 = 10;
/// Time for the last packets to leave after the leave was taken.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// How to reach the broker and what to ask of it.
pub(super) struct Broker {
    pub host: String,
    pub port: u16,
    pub client_id: String,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub keep_alive: Duration,
    pub max_payload: u32,
    pub filters: Filters,
    pub status_topic: String,
}

/// What to subscribe to.
#[derive(Clone)]
pub(super) struct Filters {
    pub asks: String,
    pub senses: String,
    pub own_status: String,
    pub edition_offer: String,
    pub edition_chunk: String,
}

/// What the connection tells.
pub(super) enum LinkEvent {
    Connected {
        session_present: bool,
        receive_max: u16,
        max_packet: Option<u32>,
    },
    Subscribed(Result<(), String>),
    Sent(u16),
    Acknowledged(u16, Acknowledgement),
    /// A packet, and the id to acknowledge it by (QoS 1).
    Packet(Incoming, Option<u16>),
    Lost {
        why: String,
        oversize: bool,
    },
}

/// An event with the number of its connection: those of an earlier one no longer count.
pub(super) type Numbered = (u64, LinkEvent);

/// One connection; dropping it closes the socket, upon which the broker publishes the will.
pub(super) struct Connection {
    client: AsyncClient,
    polling: JoinHandle<()>,
    filters: Filters,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

/// Where the polling task reads and tells.
pub(super) struct Ear {
    pub reader: Reader,
    pub clock: Arc<dyn Clock>,
    pub events: mpsc::Sender<Numbered>,
}

impl Connection {
    /// Begins to connect as connection `number`; what comes of it is told to `ear`.
    ///
    /// # Errors
    /// The password file cannot be read.
    pub fn open(
        broker: &Broker,
        number: u64,
        fresh: bool,
        will: Vec<u8>,
        ear: Ear,
    ) -> Result<Connection, String> {
        let options = broker.options(fresh, will)?;
        let (client, event_loop) = AsyncClient::new(options, REQUESTS);
        Ok(Connection {
            client,
            polling: tokio::spawn(poll(event_loop, number, ear)),
            filters: broker.filters.clone(),
        })
    }

    /// Subscribes to everything; whether the request was taken.
    pub fn subscribe(&self) -> bool {
        let filter = |path: &str, qos, rule, preserve| Filter {
            preserve_retain: preserve,
            retain_forward_rule: rule,
            ..Filter::new(path, qos)
        };
        let filters = [
            // Retained asks are passed over, those that come while we are connected too: hence `preserve`.
            filter(
                &self.filters.asks,
                QoS::AtLeastOnce,
                RetainForwardRule::Never,
                true,
            ),
            // Readings without a time are dated on arrival: they must not wait for us in the broker (QoS 0).
            filter(
                &self.filters.senses,
                QoS::AtMostOnce,
                RetainForwardRule::OnEverySubscribe,
                false,
            ),
            filter(
                &self.filters.own_status,
                QoS::AtMostOnce,
                RetainForwardRule::OnEverySubscribe,
                false,
            ),
            // With every connection again: that is when a fetch goes on.
            filter(
                &self.filters.edition_offer,
                QoS::AtLeastOnce,
                RetainForwardRule::OnEverySubscribe,
                false,
            ),
            // A lost piece is asked for again. With QoS 1 the broker would keep pieces for an absent box, and
            // their acknowledgements would wait behind those of questions.
            filter(
                &self.filters.edition_chunk,
                QoS::AtMostOnce,
                RetainForwardRule::Never,
                true,
            ),
        ];
        self.client.try_subscribe_many(filters).is_ok()
    }

    /// Hands over a publication; whether it was taken.
    pub fn send(&self, publication: &Publication) -> bool {
        let properties = PublishProperties {
            payload_format_indicator: Some(1),
            correlation_data: publication.correlation.clone().map(Into::into),
            content_type: Some("application/json".into()),
            ..PublishProperties::default()
        };
        let (topic, payload) = (publication.topic.clone(), publication.payload.clone());
        self.client
            .try_publish_with_properties(
                topic,
                QoS::AtLeastOnce,
                publication.retain,
                payload,
                properties,
            )
            .is_ok()
    }

    /// Acknowledges the packet; whether the request was taken.
    pub fn acknowledge(&self, packet: u16) -> bool {
        let mut publish = Publish::new("", QoS::AtLeastOnce, "", None);
        publish.pkid = packet;
        self.client.try_ack(&publish).is_ok()
    }

    /// Whether it is over, and has told so.
    pub fn is_ended(&self) -> bool {
        self.polling.is_finished()
    }

    /// Takes leave: the broker does not publish the will.
    pub async fn leave(mut self) {
        if self.client.try_disconnect().is_ok() {
            let _ = tokio::time::timeout(LEAVE_WITHIN, &mut self.polling).await;
        }
    }
}

impl Broker {
    fn options(&self, fresh: bool, will: Vec<u8>) -> Result<MqttOptions, String> {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options
            // Below 5 s rumqttc panics.
            .set_keep_alive(self.keep_alive.max(Duration::from_secs(5)))
            .set_clean_start(fresh)
            .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
            .set_receive_maximum(Some(RECEIVE_MAX))
            .set_max_packet_size(Some(self.max_payload.max(WIRE_LIMIT)))
            .set_outgoing_inflight_upper_limit(INFLIGHT)
            .set_connection_timeout(CONNECT_WITHIN_S)
            .set_manual_acks(true)
            .set_last_will(LastWill::new(
                &self.status_topic,
                will,
                QoS::AtLeastOnce,
                true,
                None,
            ));
        if let Some(user) = &self.user {
            options.set_credentials(user, self.password()?);
        }
        Ok(options)
    }

    /// Read with every connection, so that a changed password needs no restart.
    fn password(&self) -> Result<String, String> {
        let Some(path) = &self.password_file else {
            return Ok(String::new());
        };
        std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| {
                format!(
                    "{}: cannot read the broker's password: {error}",
                    path.display()
                )
            })
    }
}

async fn poll(mut event_loop: EventLoop, number: u64, ear: Ear) {
    loop {
        let event = event_loop.poll().await;
        let lost = event.is_err();
        let left = matches!(event, Ok(Event::Outgoing(Outgoing::Disconnect)));
        let taken = match ear.hear(event) {
            Some(told) => ear.events.send((number, told)).await.is_ok(),
            None => true,
        };
        if lost || left || !taken {
            return;
        }
    }
}

impl Ear {
    fn hear(&self, event: Result<Event, ConnectionError>) -> Option<LinkEvent> {
        match event {
            Err(error) => Some(LinkEvent::Lost {
                oversize: is_oversize(&error),
                why: explain(&error),
            }),
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => Some(LinkEvent::Sent(packet)),
            Ok(Event::Outgoing(_)) => None,
            Ok(Event::Incoming(packet)) => self.hear_packet(packet),
        }
    }

    fn hear_packet(&self, packet: WirePacket) -> Option<LinkEvent> {
        match packet {
            WirePacket::ConnAck(connack) => {
                let properties = connack.properties;
                let receive_max = properties.as_ref().and_then(|all| all.receive_max);
                Some(LinkEvent::Connected {
                    session_present: connack.session_present,
                    receive_max: receive_max.unwrap_or(u16::MAX),
                    max_packet: properties.and_then(|all| all.max_packet_size),
                })
            }
            WirePacket::SubAck(suback) => {
                Some(LinkEvent::Subscribed(subscribed(&suback.return_codes)))
            }
            WirePacket::PubAck(puback) => Some(LinkEvent::Acknowledged(
                puback.pkid,
                acknowledgement(&puback),
            )),
            WirePacket::Publish(publish) => {
                let packet = (publish.qos != QoS::AtMostOnce).then_some(publish.pkid);
                let incoming = self.reader.read(&as_packet(&publish), self.clock.now());
                Some(LinkEvent::Packet(incoming, packet))
            }
            _ => None,
        }
    }
}

fn as_packet(publish: &Publish) -> Packet<'_> {
    let properties = publish.properties.as_ref();
    Packet {
        topic: &publish.topic,
        payload: &publish.payload,
        retain: publish.retain,
        redelivered: publish.dup,
        response_topic: properties.and_then(|all| all.response_topic.as_deref()),
        correlation: properties.and_then(|all| all.correlation_data.as_deref()),
        expiry_s: properties.and_then(|all| all.message_expiry_interval),
    }
}

/// Without the asks the box is of no use; without readings or its own state it still answers.
fn subscribed(codes: &[SubscribeReasonCode]) -> Result<(), String> {
    let is_taken = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
    match codes.first() {
        Some(code) if !is_taken(code) => Err(format!(
            "the broker refuses the subscription to the asks ({code:?}); check its access rules"
        )),
        _ => {
            if let Some(code) = codes.iter().find(|code| !is_taken(code)) {
                tracing::warn!(
                    ?code,
                    "the broker refuses a subscription to readings, to the own status or to editions"
                );
            }
            Ok(())
        }
    }
}

fn acknowledgement(puback: &PubAck) -> Acknowledgement {
    match puback.reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Acknowledgement::Taken,
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::QuotaExceeded => {
            Acknowledgement::RefusedForNow(format!("{:?}", puback.reason))
        }
        PubAckReason::NotAuthorized
        | PubAckReason::TopicNameInvalid
        | PubAckReason::PayloadFormatInvalid => {
            Acknowledgement::Refused(format!("{:?}", puback.reason))
        }
    }
}

fn is_oversize(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::MqttState(
            StateError::Deserialization(WireError::PayloadSizeLimitExceeded { .. })
                | StateError::IncomingPacketTooLarge { .. }
        )
    )
}

fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
        ) => {
            format!("the broker refuses us ({code:?}); check mqtt.user and mqtt.password_file")
        }
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        }) => "another client connected under this box's name; two boxes must not share box.name"
            .into(),
        error => error.to_string(),
    }
}
