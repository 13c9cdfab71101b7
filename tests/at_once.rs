//! Several questions answered at once are answered as one by one: the real binary with real models.

mod support;

use std::process::Stdio;

use serde_json::Value;
use support::Broker;
use support::daemon::TestBox;

/// Answered in different ways: drafted, quoted, refused.
const QUESTIONS: [&str; 3] = [
    "How deep should I sow maize seed?",
    "How do I repair the gearbox of a tractor?",
    "At what grain moisture should maize be harvested?",
];

/// What of an answer is the same however often it is given.
fn lasting(answer: &Value) -> [Value; 4] {
    ["status", "reason", "answer", "citations"].map(|key| answer[key].clone())
}

#[test]
fn questions_asked_at_once_get_the_answers_of_one_by_one() {
    let broker = Broker::start();
    let config = "[queue]\ndeadline_s = 3600\n[model]\nat_once = 2";
    let mut almanac = TestBox::with_farm(broker.port(), config);
    almanac.start_ready();
    let one_by_one = QUESTIONS.map(|question| lasting(&almanac.json(&["ask", question])[0]));
    assert_eq!(one_by_one[0][0], "answered", "{one_by_one:?}");
    let ask = |question: &&str| {
        let mut command = almanac.command_to_start(&["--json", "ask", question]);
        command
            .stdout(Stdio::piped())
            .spawn()
            .expect("almanac runs")
    };
    let asked: Vec<_> = QUESTIONS.iter().chain(&QUESTIONS).map(ask).collect();
    for (at, asked) in asked.into_iter().enumerate() {
        let output = asked.wait_with_output().expect("an end");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("one JSON line");
        assert_eq!(lasting(&answer), one_by_one[at % QUESTIONS.len()]);
    }
    assert!(!almanac.log().contains("panicked"), "{}", almanac.log());
}
