//! The field and the journal with a real Mosquitto: what the contract promises at the box's edge.

mod support;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use almanac::clock::SystemClock;
use almanac::config::MqttConfig;
use almanac::field::{
    BoxReport, BoxState, Field, FieldEvent, FieldHandle, FieldOptions, IncomingAsk, Publication,
};
use almanac::types::AskLimits;
use rumqttc::v5::mqttbytes::v5::PublishProperties;
use support::Broker;
use support::client::{Client4, Client5, PATIENCE};
use tokio::sync::mpsc;

struct Box1 {
    handle: FieldHandle,
    events: mpsc::Receiver<FieldEvent>,
    /// What came before the connection was confirmed: the broker sends what waited at once.
    early: VecDeque<FieldEvent>,
}

impl Box1 {
    fn start(broker: &Broker, state: &Path, share_group: Option<&str>) -> Self {
        Self::named("b1", broker, state, share_group)
    }

    fn named(box_name: &str, broker: &Broker, state: &Path, share_group: Option<&str>) -> Self {
        let config = MqttConfig {
            host: "127.0.0.1".into(),
            port: broker.port(),
            user: None,
            password_file: None,
            keep_alive: Duration::from_secs(5),
            max_payload_bytes: 256 * 1024,
            share_group: share_group.map(str::to_owned),
        };
        let options = FieldOptions {
            site: "farm".into(),
            box_name: box_name.into(),
            state: state.to_owned(),
            version: "0.0.0".into(),
            limits: AskLimits::default(),
        };
        let started = Field::start(&config, options, Arc::new(SystemClock));
        let (handle, events) = started.expect("legal names");
        Box1 {
            handle,
            events,
            early: VecDeque::new(),
        }
    }

    async fn connected(broker: &Broker, state: &Path) -> Self {
        let mut this = Self::start(broker, state, None);
        this.is_connected().await;
        this
    }

    async fn next(&mut self) -> FieldEvent {
        match self.early.pop_front() {
            Some(event) => event,
            None => self.new_event().await,
        }
    }

    async fn new_event(&mut self) -> FieldEvent {
        let waited = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        waited.expect("an event in time").expect("a running field")
    }

    async fn is_connected(&mut self) {
        loop {
            match self.new_event().await {
                FieldEvent::Connected => return,
                early => self.early.push_back(early),
            }
        }
    }

    /// The next question, acknowledged.
    async fn ask(&mut self) -> IncomingAsk {
        loop {
            if let FieldEvent::Ask { ask, ack } = self.next().await {
                self.handle.ack(ack).await;
                return *ask;
            }
        }
    }

    async fn reply(&self, ask: &IncomingAsk, payload: &str) {
        let outcome = Publication::outcome(
            &ask.respond_to,
            ask.correlation.clone(),
            payload.as_bytes().to_owned(),
        );
        let delivered = self.handle.publish(outcome).await.expect("a running field");
        let waited = tokio::time::timeout(PATIENCE, delivered).await;
        waited
            .expect("in time")
            .expect("an answer")
            .expect("delivered");
    }
}

fn question(ask: &IncomingAsk) -> &str {
    &ask.asked.as_ref().expect("a valid ask").question.text
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test]
async fn a_version_5_ask_is_answered_on_its_response_topic_with_its_correlation() {
    let (broker, state) = (Broker::start(), folder());
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1/#").await;
    let properties = PublishProperties {
        response_topic: Some("almanac/farm/answer/c1/tab-7".into()),
        correlation_data: Some(vec![0, 255, 7].into()),
        message_expiry_interval: Some(60),
        ..PublishProperties::default()
    };
    client
        .publish("almanac/farm/ask/c1", "When do I sow maize?", properties)
        .await;
    let ask = this.ask().await;
    assert_eq!(question(&ask), "When do I sow maize?");
    assert_eq!(ask.expires_in, Some(Duration::from_secs(60)));
    this.reply(&ask, "{\"answer\":\"in May\"}").await;
    let answer = client.next().await;
    assert_eq!(answer.topic, "almanac/farm/answer/c1/tab-7");
    assert_eq!(answer.correlation, Some(vec![0, 255, 7]));
    assert_eq!(answer.json()["answer"], "in May");
    this.handle.stop().await;
}

#[tokio::test]
async fn a_version_3_ask_is_answered_on_the_clients_topic() {
    let (broker, state) = (Broker::start(), folder());
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client4::connect(broker.port(), "c4", "almanac/farm/answer/c4").await;
    client
        .publish("almanac/farm/ask/c4", r#"{"id":"q17","question":"when?"}"#)
        .await;
    let ask = this.ask().await;
    assert_eq!(ask.id.as_deref(), Some("q17"));
    this.reply(&ask, "{\"id\":\"q17\"}").await;
    assert_eq!(client.next().await.json()["id"], "q17");
}

#[tokio::test]
async fn retained_asks_are_passed_over_before_and_after_the_subscription() {
    let (broker, state) = (Broker::start(), folder());
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    let plain = PublishProperties::default;
    client
        .publish_with("almanac/farm/ask/c1", "kept before", plain(), true)
        .await;
    let mut this = Box1::connected(&broker, state.path()).await;
    client
        .publish_with("almanac/farm/ask/c1", "kept after", plain(), true)
        .await;
    client
        .publish("almanac/farm/ask/c1", "asked", plain())
        .await;
    assert_eq!(question(&this.ask().await), "asked");
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_no_question_and_no_outcome() {
    let (mut broker, state) = (Broker::start(), folder());
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    let plain = PublishProperties::default;
    client
        .publish("almanac/farm/ask/c1", "not acknowledged", plain())
        .await;
    let FieldEvent::Ask { ask, .. } = this.next().await else {
        panic!("no question");
    };
    assert!(!ask.redelivered);
    broker.stop();
    while !matches!(this.next().await, FieldEvent::Disconnected { .. }) {}
    let outcome = Publication::outcome(&ask.respond_to, None, b"\"while away\"".to_vec());
    let delivered = this.handle.publish(outcome).await.expect("a running field");
    broker.start_again();
    this.is_connected().await;
    delivered.await.expect("told").expect("delivered");
    assert_eq!(client.next().await.json(), "while away");
    let again = this.ask().await;
    assert_eq!(again.key, ask.key);
    assert!(again.redelivered, "the broker marks what it sends again");
    client
        .publish("almanac/farm/ask/c1", "subscribed again", plain())
        .await;
    assert_eq!(question(&this.ask().await), "subscribed again");
}

#[tokio::test]
async fn what_is_asked_while_the_box_is_away_waits_for_it() {
    let (broker, state) = (Broker::start(), folder());
    let this = Box1::connected(&broker, state.path()).await;
    this.handle.stop().await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    client
        .publish(
            "almanac/farm/ask/c1",
            "anybody?",
            PublishProperties::default(),
        )
        .await;
    let mut this = Box1::connected(&broker, state.path()).await;
    assert_eq!(question(&this.ask().await), "anybody?");
}

#[tokio::test]
async fn large_payloads_get_an_outcome_or_are_dropped_and_the_connection_lives() {
    let (broker, state) = (Broker::start(), folder());
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    let plain = PublishProperties::default;
    client
        .publish("almanac/farm/ask/c1", vec![b'x'; 1024 * 1024], plain())
        .await;
    let reason = this.ask().await.asked.expect_err("too large").0;
    assert!(reason.contains("1048576 bytes"), "{reason}");
    for retain in [false, true] {
        let huge = vec![b'x'; 5 * 1024 * 1024];
        client
            .publish_with("almanac/farm/ask/c1", huge.clone(), plain(), false)
            .await;
        client
            .publish_with("almanac/farm/sense/p1", huge, plain(), retain)
            .await;
    }
    client
        .publish("almanac/farm/ask/c1", "still there?", plain())
        .await;
    assert_eq!(question(&this.ask().await), "still there?");
    let own = this
        .handle
        .publish(Publication::outcome("t", None, vec![0; 1024 * 1024]));
    let refused = own.await.expect("a running field").await.expect("told");
    assert!(refused.is_err(), "larger than mqtt.max_payload_bytes");
    client
        .publish("almanac/farm/ask/c1", "and now?", plain())
        .await;
    assert_eq!(question(&this.ask().await), "and now?");
}

#[tokio::test]
async fn three_hundred_questions_wait_in_the_broker_while_the_service_is_busy() {
    let (broker, state) = (Broker::start(), folder());
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    for n in 0..300 {
        let text = format!("question {n}");
        client
            .publish("almanac/farm/ask/c1", text, PublishProperties::default())
            .await;
    }
    for n in 0..300 {
        assert_eq!(question(&this.ask().await), format!("question {n}"));
    }
}

#[tokio::test]
async fn a_broker_that_keeps_to_no_receive_maximum_loses_no_question() {
    // With this setting Mosquitto 2.0 sends everything at once.
    let broker = Broker::start_with("max_queued_messages 0");
    let state = folder();
    let mut this = Box1::connected(&broker, state.path()).await;
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    for n in 0..700 {
        let text = format!("question {n}");
        client
            .publish("almanac/farm/ask/c1", text, PublishProperties::default())
            .await;
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 700 {
        seen.insert(question(&this.ask().await).to_owned());
    }
}

#[tokio::test]
async fn readings_arrive_live_and_retained_ones_with_a_time_on_subscription() {
    let (broker, state) = (Broker::start(), folder());
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    let plain = PublishProperties::default;
    let kept = r#"[{"n":"dated","v":1,"t":1.79e9},{"n":"undated","v":2}]"#;
    client
        .publish_with("almanac/farm/sense/p1", kept, plain(), true)
        .await;
    let mut this = Box1::start(&broker, state.path(), None);
    let mut names = Vec::new();
    while names.len() < 2 {
        match this.next().await {
            FieldEvent::Sense { device, readings } => {
                names.extend(readings.into_iter().map(|one| format!("{device} {one}")));
            }
            FieldEvent::Connected => {
                client
                    .publish("almanac/farm/sense/p2", r#"{"rain": 2.5}"#, plain())
                    .await;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    names.sort();
    assert_eq!(names, ["p1 dated 1", "p2 rain 2.5"]);
}

#[tokio::test]
async fn the_status_is_retained_grows_its_session_and_ends_with_gone() {
    let (broker, state) = (Broker::start(), folder());
    let mut watcher = Client5::connect(broker.port(), "w", "almanac/farm/status/+").await;
    let this = Box1::connected(&broker, state.path()).await;
    let first = watcher.next().await.json();
    assert_eq!(first["state"], "starting");
    this.handle.set_status(BoxReport {
        state: BoxState::Ready,
        edition: 12,
        queue: 3,
        wait_s: 9,
    });
    let ready = watcher.next().await.json();
    assert_eq!(
        (&ready["state"], &ready["edition"]),
        (&"ready".into(), &12.into())
    );
    this.handle.stop().await;
    assert_eq!(watcher.next().await.json()["state"], "gone");
    drop(this);
    let _again = Box1::connected(&broker, state.path()).await;
    let second = watcher.next().await.json();
    assert!(second["session"].as_u64() > first["session"].as_u64());
    let mut late = Client5::connect(broker.port(), "late", "almanac/farm/status/+").await;
    let held = late.next().await;
    assert!(held.retain);
    assert_eq!(held.json()["session"], second["session"]);
}

#[tokio::test]
async fn a_field_that_nobody_holds_takes_leave() {
    let (broker, state) = (Broker::start(), folder());
    let mut watcher = Client5::connect(broker.port(), "w", "almanac/farm/status/+").await;
    let this = Box1::connected(&broker, state.path()).await;
    assert_eq!(watcher.next().await.json()["state"], "starting");
    drop(this);
    assert_eq!(watcher.next().await.json()["state"], "gone");
}

#[test]
fn a_box_that_dies_leaves_its_will() {
    let (broker, state) = (Broker::start(), folder());
    let outside = tokio::runtime::Runtime::new().expect("a runtime");
    let mut watcher = outside.block_on(Client5::connect(
        broker.port(),
        "w",
        "almanac/farm/status/+",
    ));
    let inside = tokio::runtime::Runtime::new().expect("a runtime");
    let this = inside.block_on(Box1::connected(&broker, state.path()));
    assert_eq!(outside.block_on(watcher.next()).json()["state"], "starting");
    // Its tasks end where they stand: nobody takes leave.
    inside.shutdown_background();
    let will = outside.block_on(watcher.next());
    assert_eq!(will.json()["state"], "gone");
    drop(this);
}

#[tokio::test]
async fn boxes_of_a_group_share_the_questions() {
    let (broker, states) = (Broker::start(), [folder(), folder()]);
    let mut boxes = Vec::new();
    for (name, state) in ["b1", "b2"].into_iter().zip(&states) {
        let mut this = Box1::named(name, &broker, state.path(), Some("kitchen"));
        this.is_connected().await;
        boxes.push(this);
    }
    let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
    for n in 0..10 {
        let text = format!("question {n}");
        client
            .publish("almanac/farm/ask/c1", text, PublishProperties::default())
            .await;
    }
    let mut asked = Vec::new();
    let (mut one, mut other) = (boxes.remove(0), boxes.remove(0));
    while asked.len() < 10 {
        tokio::select! {
            ask = one.ask() => asked.push(question(&ask).to_owned()),
            ask = other.ask() => asked.push(question(&ask).to_owned()),
        }
    }
    asked.sort();
    let expected: Vec<String> = (0..10).map(|n| format!("question {n}")).collect();
    assert_eq!(asked, expected, "each once");
}

#[test]
fn questions_that_a_dead_box_of_a_group_held_are_not_lost() {
    // Mosquitto 2.0 keeps them for the box itself; other brokers hand them to another member at once.
    let (broker, states) = (Broker::start(), [folder(), folder()]);
    let outside = tokio::runtime::Runtime::new().expect("a runtime");
    let inside = tokio::runtime::Runtime::new().expect("a runtime");
    let mut dying = inside.block_on(async {
        let mut this = Box1::named("b1", &broker, states[0].path(), Some("kitchen"));
        this.is_connected().await;
        this
    });
    outside.block_on(async {
        let mut living = Box1::named("b2", &broker, states[1].path(), Some("kitchen"));
        living.is_connected().await;
        let mut client = Client5::connect(broker.port(), "c1", "almanac/farm/answer/c1").await;
        for n in 0..6 {
            let text = format!("question {n}");
            client
                .publish("almanac/farm/ask/c1", text, PublishProperties::default())
                .await;
        }
        // It has its share, and acknowledges none of it.
        let held = dying.next().await;
        assert!(matches!(held, FieldEvent::Ask { .. }), "{held:?}");
        inside.shutdown_background();
        let mut back = Box1::named("b1", &broker, states[0].path(), Some("kitchen"));
        let mut asked = std::collections::BTreeSet::new();
        while asked.len() < 6 {
            let ask = tokio::select! {
                ask = living.ask() => ask,
                ask = back.ask() => ask,
            };
            asked.insert(question(&ask).to_owned());
        }
    });
}
