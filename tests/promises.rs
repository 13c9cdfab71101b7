//! What the box promises whoever asks it: one outcome a question, whatever happens meanwhile.
//!
//! The real binary with real models, a real Mosquitto, clients of both protocol versions. The quick
//! form kills three times; `ALMANAC_KILLS=20` is the long one.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::{Value, json};
use support::Broker;
use support::client::{Client4, Client5, Message};
use support::daemon::TestBox;

/// Questions that are answered, each in another way: drafted, quoted, refused.
const QUESTIONS: [&str; 4] = [
    "How deep should I sow maize seed?",
    "When should I plant maize?",
    "How do I repair the gearbox of a tractor?",
    "At what grain moisture should maize be harvested?",
];

/// Outcomes by id; a repetition must be the same byte for byte.
#[derive(Default)]
struct Outcomes(BTreeMap<String, Message>);

impl Outcomes {
    fn take(&mut self, message: Message) {
        let json = message.json();
        assert_eq!(json["final"], true, "{json}");
        let id = json["id"].as_str().expect("an id").to_owned();
        if let Some(before) = self.0.get(&id) {
            assert_eq!(
                String::from_utf8_lossy(&before.payload),
                String::from_utf8_lossy(&message.payload),
                "{id} has two different outcomes"
            );
        }
        self.0.insert(id, message);
    }

    fn statuses(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for message in self.0.values() {
            let status = message.json()["status"].to_string();
            *counts.entry(status).or_default() += 1;
        }
        counts
    }

    fn has_all(&self, ids: &BTreeSet<String>) -> bool {
        ids.iter().all(|id| self.0.contains_key(id))
    }
}

fn ask(id: &str, question: &str) -> Vec<u8> {
    json!({"id": id, "question": question, "deadline_s": 3600})
        .to_string()
        .into_bytes()
}

/// A moment between 0 and `most`, different with every run; the seed is printed, so that it can be set.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(1, |now| now.subsec_nanos().into());
        let set = std::env::var("ALMANAC_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = set.unwrap_or(now);
        eprintln!("ALMANAC_SEED={seed}");
        Dice(seed | 1)
    }

    fn moment(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most * u32::try_from(self.0 % 1_000).expect("below 1000") / 1_000
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_gets_exactly_one_outcome_over_kills_and_a_broker_restart() {
    let kills: usize = std::env::var("ALMANAC_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(3);
    let mut broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "[queue]\nlength = 1000");
    let mut asker = Client5::connect(broker.port(), "h5", "almanac/farm/answer/h5/#").await;
    let (mut dice, mut outcomes) = (Dice::new(), Outcomes::default());
    let mut asked = BTreeSet::new();
    // From its first connection on the broker keeps questions for the box.
    almanac.start_ready();
    almanac.kill();
    for round in 0..kills {
        almanac.start();
        for (number, question) in QUESTIONS.iter().enumerate() {
            let id = format!("r{round}q{number}");
            let question = ask(&id, question);
            let topic = "almanac/farm/ask/h5";
            asker
                .publish(topic, question, PublishProperties::default())
                .await;
            asked.insert(id);
        }
        // Half of the kills hit the start, half the answering.
        if round % 2 == 1 {
            almanac.is_told("READY=1");
        }
        tokio::time::sleep(dice.moment(Duration::from_secs(3))).await;
        if round == kills / 2 {
            broker.restart();
            tokio::time::sleep(dice.moment(Duration::from_secs(1))).await;
        }
        almanac.kill();
    }
    almanac.start_ready();
    while !outcomes.has_all(&asked) {
        outcomes.take(asker.next().await);
    }
    // Asked again, each gets its stored outcome again.
    for id in &asked {
        let question = ask(id, "Something else?");
        asker
            .publish(
                "almanac/farm/ask/h5",
                question,
                PublishProperties::default(),
            )
            .await;
    }
    for _ in &asked {
        outcomes.take(asker.next().await);
    }
    eprintln!(
        "{} questions, {kills} kills: {:?}",
        asked.len(),
        outcomes.statuses()
    );
    assert_eq!(outcomes.0.len(), asked.len());
    let (status, took) = almanac.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!almanac.log().contains("panicked"), "{}", almanac.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_300_questions_is_answered_or_told_to_wait_in_bounded_memory() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "[queue]\nlength = 8");
    let mut asker = Client4::connect(broker.port(), "h4", "almanac/farm/answer/h4").await;
    almanac.start_ready();
    asker
        .publish("almanac/farm/ask/h4", ask("warm", QUESTIONS[0]))
        .await;
    let mut outcomes = Outcomes::default();
    outcomes.take(asker.next().await);
    let before = almanac.private_mib();
    let mut asked = BTreeSet::from(["warm".to_owned()]);
    for number in 0..300 {
        let id = format!("f{number}");
        asker
            .publish("almanac/farm/ask/h4", ask(&id, QUESTIONS[2]))
            .await;
        asked.insert(id);
    }
    while !outcomes.has_all(&asked) {
        outcomes.take(asker.next().await);
    }
    let grown = almanac.private_mib().saturating_sub(before);
    eprintln!("{:?}, {grown} MiB more", outcomes.statuses());
    assert!(grown < 64, "{grown} MiB more");
    for message in outcomes.0.values() {
        let json = message.json();
        match json["status"].as_str() {
            Some("busy") => assert!(json["wait_s"].as_u64() >= Some(1), "{json}"),
            Some("answered" | "refused") => {}
            other => panic!("{other:?}: {json}"),
        }
    }
    assert!(!almanac.log().contains("panicked"), "{}", almanac.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_payloads_get_their_defined_outcome_and_the_next_question_its_answer() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "");
    let mut asker = Client5::connect(broker.port(), "h5", "almanac/farm/answer/#").await;
    let plain = PublishProperties::default();
    let topic = "almanac/farm/ask/h5";
    // Retained before the box is there: it must not be answered when it comes with the subscription.
    asker
        .publish_with(topic, ask("kept", QUESTIONS[0]), plain.clone(), true)
        .await;
    almanac.start_ready();
    let deep = format!(
        "{{\"id\":\"deep\",\"question\":\"x\",\"place\":{}",
        "[".repeat(50_000)
    );
    let invalid: [Vec<u8>; 7] = [
        b"{\"id\":\"open\",\"question\":".to_vec(),
        vec![0xff, 0xfe, b'?'],
        deep.into_bytes(),
        br#"{"id":"typed","question":["How deep?"],"stream":"yes"}"#.to_vec(),
        vec![b'a'; 100 * 1024],
        vec![b'a'; 1024 * 1024],
        b"   ".to_vec(),
    ];
    for payload in invalid {
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(40)]).into_owned();
        asker.publish(topic, payload, plain.clone()).await;
        let outcome = asker.next().await;
        assert_eq!(outcome.topic, "almanac/farm/answer/h5");
        assert_eq!(
            outcome.json()["status"],
            "invalid",
            "{shown}: {}",
            outcome.json()
        );
        assert!(outcome.json()["reason"].is_string());
    }
    let foreign = PublishProperties {
        response_topic: Some("almanac/farm/answer/another".into()),
        ..plain.clone()
    };
    asker
        .publish(topic, ask("foreign", QUESTIONS[0]), foreign)
        .await;
    let outcome = asker.next().await;
    assert_eq!(outcome.topic, "almanac/farm/answer/h5");
    assert_eq!(outcome.json()["status"], "invalid");
    asker.publish(topic, ask("good", QUESTIONS[0]), plain).await;
    let outcome = asker.next().await;
    assert_eq!(
        (&outcome.json()["id"], &outcome.json()["status"]),
        (&Value::from("good"), &Value::from("answered"))
    );
    assert!(!almanac.log().contains("panicked"), "{}", almanac.log());
}
