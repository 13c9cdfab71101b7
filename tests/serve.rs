//! The daemon from its start to its end, and the commands beside it.

mod support;

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::{Value, json};
use support::Broker;
use support::client::Client5;
use support::daemon::{TestBox, said};

const QUESTION: &str = "How deep should I sow maize seed?";

/// What of an answer is the same however often it is given.
fn lasting(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("timing_ms");
    }
    answer
}

#[test]
fn commands_give_the_same_results_with_and_without_a_daemon() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "");
    let commands: [&[&str]; 5] = [
        &["ask", QUESTION],
        &["search", "--top-k", "5", QUESTION],
        &["library", "list"],
        &["library", "show", "us-iowa/maize-planting.md"],
        &["edition", "list"],
    ];
    let run = |almanac: &TestBox| -> Vec<Vec<Value>> {
        let lines = |command: &&[&str]| almanac.json(command).iter().map(lasting).collect();
        commands.iter().map(lines).collect()
    };
    let without = run(&almanac);
    assert_eq!(without[0][0]["status"], "answered", "{}", without[0][0]);
    almanac.start_ready();
    assert_eq!(run(&almanac), without);
    assert_eq!(almanac.json(&["status"])[0]["state"], "ready");
}

#[test]
fn a_document_ingested_beside_the_daemon_is_answered_from_at_once() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "");
    almanac.start_ready();
    let question = "How far apart do I plant hazelnut trees?";
    let before = almanac.json(&["ask", question]);
    assert_eq!(before[0]["status"], "refused", "{}", before[0]);
    let path = almanac.folder().join("hazelnut.md");
    let text = "---\ntitle: Hazelnut trees\ncrop: hazelnut\n---\n# Hazelnut trees\n\n## Spacing\n\n\
                Plant hazelnut trees 5 m apart in the row. Leave 6 m between rows of hazelnut trees.\n";
    std::fs::write(&path, text).expect("writable");
    let report = almanac.json(&["ingest", &path.display().to_string()]);
    assert_eq!(report[0]["added"], 1);
    let after = almanac.json(&["ask", question]);
    assert_eq!(after[0]["status"], "answered", "{}", after[0]);
    assert!(
        after[0]["answer"]
            .as_str()
            .is_some_and(|text| text.contains("5 m"))
    );
}

#[test]
fn an_empty_library_is_ready_and_refuses() {
    let mut almanac = TestBox::new("");
    almanac.start_ready();
    let answer = almanac.json(&["ask", QUESTION]);
    assert_eq!(answer[0]["status"], "refused", "{}", answer[0]);
    let (status, _) = almanac.terminate();
    assert!(status.success(), "{status}");
}

#[test]
fn a_second_daemon_and_a_command_on_a_locked_state_are_told_to_come_back() {
    let mut almanac = TestBox::new("");
    almanac.start_ready();
    let second = almanac.command(&["serve"]);
    assert_eq!(second.status.code(), Some(75), "{}", said(&second));
    // Another run folder: the daemon is not found, but its state is locked.
    let text = "[paths]\nstate = \"state\"\nrun = \"other\"\n";
    std::fs::write(almanac.folder().join("elsewhere.toml"), text).expect("writable");
    let locked = almanac.command_with("elsewhere.toml", &["library", "stats"]);
    assert_eq!(locked.status.code(), Some(75), "{}", said(&locked));
}

#[test]
fn a_wrong_configuration_and_missing_models_keep_systemd_from_restarting() {
    let mut broken = TestBox::new("[search]\ntop_k = 99");
    let output = broken.command(&["serve"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(
        said(&output).contains("search.top_k is 99"),
        "{}",
        said(&output)
    );
    let mut bare = TestBox::new("");
    std::fs::remove_file(bare.state().join("current")).expect("removable");
    std::fs::remove_dir_all(bare.state().join("editions")).expect("removable");
    bare.start();
    assert_eq!(bare.ended().code(), Some(78), "{}", bare.log());
    assert!(
        bare.log().contains("hint: run `almanac models fetch`"),
        "{}",
        bare.log()
    );
    broken.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_repeats_the_whole_answer_and_readings_of_the_device_are_used() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "");
    let mut asker = Client5::connect(broker.port(), "h5", "almanac/farm/answer/h5/#").await;
    almanac.start_ready();
    let plain = PublishProperties::default();
    let reading = json!([{"bn": "probe-3", "n": "soil-temperature", "u": "Cel", "v": 11.5}]);
    let sense = "almanac/farm/sense/probe-3";
    asker
        .publish(sense, reading.to_string(), plain.clone())
        .await;
    let ask = json!({"id": "s1", "question": QUESTION, "device": "probe-3", "stream": true});
    let properties = PublishProperties {
        response_topic: Some("almanac/farm/answer/h5/tab".into()),
        correlation_data: Some(vec![1, 2, 3].into()),
        ..plain
    };
    asker
        .publish("almanac/farm/ask/h5", ask.to_string(), properties)
        .await;
    let mut parts = String::new();
    let whole = loop {
        let message = asker.next().await;
        assert_eq!(message.topic, "almanac/farm/answer/h5/tab");
        assert_eq!(message.correlation.as_deref(), Some(&[1, 2, 3][..]));
        let json = message.json();
        if json["final"] == true {
            break json;
        }
        parts.push_str(json["answer"].as_str().expect("words"));
    };
    assert_eq!(whole["status"], "answered", "{whole}");
    assert_eq!(whole["answer"].as_str(), Some(parts.as_str()));
    assert_eq!(whole["readings"][0]["value"], 11.5, "{whole}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_no_question_behind_and_says_that_the_box_is_gone() {
    let broker = Broker::start();
    let mut almanac = TestBox::with_farm(broker.port(), "");
    let mut asker = Client5::connect(broker.port(), "h5", "almanac/farm/answer/h5").await;
    let mut watcher = Client5::connect(broker.port(), "w5", "almanac/farm/status/b1").await;
    almanac.start_ready();
    for id in ["t1", "t2", "t3"] {
        let ask = json!({"id": id, "question": QUESTION}).to_string();
        let plain = PublishProperties::default();
        asker.publish("almanac/farm/ask/h5", ask, plain).await;
    }
    let (status, took) = almanac.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    while watcher.next().await.json()["state"] != "gone" {}
    almanac.start_ready();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 3 {
        let outcome = asker.next().await.json();
        assert_eq!(outcome["status"], "answered", "{outcome}");
        seen.insert(outcome["id"].as_str().expect("an id").to_owned());
    }
}
