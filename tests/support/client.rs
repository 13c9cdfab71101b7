//! Clients of both protocol versions, as a handheld would use them.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS as QoS5;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, PublishProperties};
use tokio::sync::mpsc;

/// Longest that a test waits for a message before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
const LARGEST: u32 = 16 * 1024 * 1024;

/// A message as a client got it.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub correlation: Option<Vec<u8>>,
    pub retain: bool,
}

impl Message {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).expect("a JSON message")
    }
}

/// An MQTT 5 client with a session that outlives the connection.
pub struct Client5 {
    pub client: rumqttc::v5::AsyncClient,
    messages: mpsc::UnboundedReceiver<Message>,
    ready: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Client5 {
    /// Connects and subscribes to `filter`; returns when the broker has confirmed it.
    pub async fn connect(port: u16, id: &str, filter: &str) -> Self {
        let mut options = rumqttc::v5::MqttOptions::new(id, "127.0.0.1", port);
        options
            .set_clean_start(false)
            .set_connect_properties(ConnectProperties {
                session_expiry_interval: Some(3_600),
                max_packet_size: Some(LARGEST),
                ..ConnectProperties::new()
            });
        options.set_outgoing_inflight_upper_limit(100);
        let (client, mut event_loop) = rumqttc::v5::AsyncClient::new(options, 1_000);
        let (told, messages) = mpsc::unbounded_channel();
        let (confirmed, ready) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                match event_loop.poll().await {
                    Ok(rumqttc::v5::Event::Incoming(Packet::Publish(publish))) => {
                        let _ = told.send(Message {
                            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                            payload: publish.payload.to_vec(),
                            correlation: publish
                                .properties
                                .and_then(|all| all.correlation_data)
                                .map(|data| data.to_vec()),
                            retain: publish.retain,
                        });
                    }
                    Ok(rumqttc::v5::Event::Incoming(Packet::SubAck(_) | Packet::PubAck(_))) => {
                        let _ = confirmed.send(());
                    }
                    Ok(_) => {}
                    // The broker may be away for a part of the test.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        let mut this = Client5 {
            client,
            messages,
            ready,
            task,
        };
        this.client
            .subscribe(filter, QoS5::AtLeastOnce)
            .await
            .expect("a subscription");
        this.confirmed().await;
        this
    }

    /// Waits until the broker has confirmed one more publication or subscription.
    pub async fn confirmed(&mut self) {
        let waited = tokio::time::timeout(PATIENCE, self.ready.recv()).await;
        waited
            .expect("the broker confirms in time")
            .expect("a running client");
    }

    /// Publishes with QoS 1; returns when the broker has it.
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
        properties: PublishProperties,
    ) {
        self.publish_with(topic, payload, properties, false).await;
    }

    /// As [`Client5::publish`]; `retain` leaves it with the broker.
    pub async fn publish_with(
        &mut self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
        properties: PublishProperties,
        retain: bool,
    ) {
        self.client
            .publish_with_properties(topic, QoS5::AtLeastOnce, retain, payload.into(), properties)
            .await
            .expect("a publication");
        self.confirmed().await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Message {
        self.next_within(PATIENCE).await
    }

    /// The next message, which may take longer than others do.
    pub async fn next_within(&mut self, patience: Duration) -> Message {
        let waited = tokio::time::timeout(patience, self.messages.recv()).await;
        waited
            .expect("a message in time")
            .expect("a running client")
    }
}

impl Drop for Client5 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An MQTT 3.1.1 client.
pub struct Client4 {
    pub client: rumqttc::AsyncClient,
    messages: mpsc::UnboundedReceiver<Message>,
    task: tokio::task::JoinHandle<()>,
}

impl Client4 {
    /// Connects and subscribes to `filter`; returns when the broker has confirmed it.
    pub async fn connect(port: u16, id: &str, filter: &str) -> Self {
        let mut options = rumqttc::MqttOptions::new(id, "127.0.0.1", port);
        options.set_max_packet_size(LARGEST as usize, LARGEST as usize);
        let (client, mut event_loop) = rumqttc::AsyncClient::new(options, 1_000);
        let (told, messages) = mpsc::unbounded_channel();
        let (confirmed, mut ready) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                match event_loop.poll().await {
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish))) => {
                        let _ = told.send(Message {
                            topic: publish.topic,
                            payload: publish.payload.to_vec(),
                            correlation: None,
                            retain: publish.retain,
                        });
                    }
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => {
                        let _ = confirmed.send(());
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        client
            .subscribe(filter, rumqttc::QoS::AtLeastOnce)
            .await
            .expect("a subscription");
        let waited = tokio::time::timeout(PATIENCE, ready.recv()).await;
        waited
            .expect("the broker confirms in time")
            .expect("a running client");
        Client4 {
            client,
            messages,
            task,
        }
    }

    /// Publishes with QoS 1.
    pub async fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        let payload = payload.into();
        let sent = self
            .client
            .publish(topic, rumqttc::QoS::AtLeastOnce, false, payload);
        sent.await.expect("a publication");
    }

    /// The next message.
    pub async fn next(&mut self) -> Message {
        let waited = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
        waited
            .expect("a message in time")
            .expect("a running client")
    }
}

impl Drop for Client4 {
    fn drop(&mut self) {
        self.task.abort();
    }
}
