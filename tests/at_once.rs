//! Several questions answered at once are answered as one by one, and each gets its one outcome.
//!
//! The real binary with real models and a real Mosquitto.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::{Value, json};
use support::Broker;
use support::client::Client5;
use support::daemon::TestBox;

/// Answered in different ways: drafted, quoted, refused.
const QUESTIONS: [&str; 4] = [
    "How deep should I sow maize seed?",
    "When should I plant maize?",
    "How do I repair the gearbox of a tractor?",
    "At what grain moisture should maize be harvested?",
];

/// Asks every question of every asker, all at once.
async fn ask_all(askers: &mut [Client5], round: usize) {
    for (number, question) in QUESTIONS.iter().enumerate() {
        for (asker, client) in askers.iter_mut().enumerate() {
            let id = format!("r{round}a{asker}q{number}");
            let ask = json!({"id": id, "question": question, "deadline_s": 3600});
            let topic = format!("almanac/farm/ask/h{asker}");
            let properties = PublishProperties::default();
            let payload = ask.to_string().into_bytes();
            client.publish(&topic, payload, properties).await;
        }
    }
}

/// What of an answer is the same however often it is given.
fn lasting(answer: &Value) -> [Value; 4] {
    ["status", "reason", "answer", "citations"].map(|key| answer[key].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_at_once_get_the_answers_of_one_by_one_also_over_a_kill() {
    let broker = Broker::start();
    let mut one_by_one = TestBox::with_farm(broker.port(), "");
    one_by_one.start_ready();
    let expected = QUESTIONS.map(|question| lasting(&one_by_one.json(&["ask", question])[0]));
    one_by_one.kill();
    let mut at_once = TestBox::with_farm(broker.port(), "[model]\nat_once = 2");
    at_once.start_ready();
    let mut askers = Vec::new();
    for asker in 0..3 {
        let answers = format!("almanac/farm/answer/h{asker}/#");
        let name = format!("h{asker}");
        askers.push(Client5::connect(broker.port(), &name, &answers).await);
    }
    let mut outcomes = BTreeMap::new();
    for round in 0..2 {
        ask_all(&mut askers, round).await;
        if round == 1 {
            // While some are worked on and others wait.
            let first = askers[0].next().await.json();
            outcomes.insert(first["id"].to_string(), first);
            at_once.kill();
            at_once.start_ready();
        }
        for (asker, client) in askers.iter_mut().enumerate() {
            let own = format!("\"r{round}a{asker}q");
            let are_its = |id: &&String| id.starts_with(&own);
            while outcomes.keys().filter(are_its).count() < QUESTIONS.len() {
                let outcome = client.next().await.json();
                outcomes.insert(outcome["id"].to_string(), outcome);
            }
        }
    }
    assert_eq!(outcomes.len(), 2 * 3 * QUESTIONS.len());
    for (id, outcome) in &outcomes {
        let number: usize = id[id.len() - 2..id.len() - 1].parse().expect("a number");
        assert_eq!(lasting(outcome), expected[number], "{outcome}");
    }
    let (status, took) = at_once.terminate();
    assert!(
        status.success() && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert!(!at_once.log().contains("panicked"), "{}", at_once.log());
}
