//! Tests of the arms with a scripted model.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::questions::read_text;
use super::*;
use crate::answer::testing::Shelf;
use crate::config::Config;
use crate::model::{Finish, Generated, Generator};
use crate::types::Place;

/// Says one sentence and keeps what it was asked.
struct Heard {
    reply: String,
    requests: Arc<Mutex<Vec<GenerateRequest>>>,
}

impl Generator for Heard {
    fn name(&self) -> &str {
        "heard"
    }

    fn context_tokens(&self) -> usize {
        2_048
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(messages.len())
    }

    fn adapters(&self) -> Vec<String> {
        vec!["farm".into()]
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        self.requests
            .lock()
            .expect("unpoisoned")
            .push(request.clone());
        let _ = on_text(&self.reply);
        Ok(Generated {
            text: self.reply.clone(),
            prompt_tokens: 10,
            tokens: 5,
            first_token: std::time::Duration::from_millis(1),
            finish: Finish::EndOfText,
            declined: None,
            work: Default::default(),
        })
    }
}

const QUESTION: &str = r#"{"id":"a","split":"test","kind":"answerable","question":"Is the soil warm enough to sow maize?","place":{"country":"US","region":"Iowa"},"crop":"maize","gold":{"document":"d","section":"s"},"facts":[{"name":"limit","numbers":[10],"unit":"°C"}],"answer":"No.","readings":[{"name":"soil-temperature","unit":"°C","value":8.5}]}"#;

fn asker(reply: &str, adapter: Option<&str>) -> (Asker, Arc<Mutex<Vec<GenerateRequest>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let mut config = Config::defaults(None).expect("valid").answer;
    config.refuse_below = 0.99;
    let answerer = Answerer::new(AnswererParts {
        passages: Box::new(Shelf::default().with(
            &Place::new("US", "Iowa"),
            "Soil temperature",
            "Sow maize when the soil has 10 °C.",
        )),
        generator: Box::new(Heard {
            reply: reply.to_owned(),
            requests: Arc::clone(&requests),
        }),
        embedder: None,
        config,
        top_k: 3,
        place: Place::default(),
        adapter: Some("the-boxs-own".into()),
    });
    let asker = Asker::new(answerer, adapter.map(str::to_owned)).expect("known");
    (asker, requests)
}

fn question() -> StudyQuestion {
    read_text(QUESTION, Path::new("set"))
        .expect("sound")
        .remove(0)
}

#[test]
fn a_closed_book_arm_is_told_place_crop_and_readings_and_no_passage() {
    let (mut asker, requests) = asker("No, 8.5 °C is too cold.", None);
    let row = asker.ask(Arm::Base, &question());
    assert_eq!(
        (row.status, row.text.as_str()),
        (Status::Answered, "No, 8.5 °C is too cold.")
    );
    assert_eq!((row.tokens.prompt, row.tokens.generated), (10, 5));
    let requests = requests.lock().expect("unpoisoned");
    let told = &requests[0].messages[1].content;
    for part in ["Iowa", "maize", "8.5 °C", "warm enough"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("10 °C"), "{told}");
}

#[test]
fn only_the_product_refuses() {
    let (mut asker, _) = asker("Sow at 10 °C.", None);
    assert_eq!(
        asker.ask(Arm::BaseProduct, &question()).status,
        Status::Refused
    );
    let raw = asker.ask(Arm::BaseRag, &question());
    assert_eq!(
        (raw.status, raw.text.as_str()),
        (Status::Answered, "Sow at 10 °C.")
    );
    // The product's settings are back after the raw arm.
    assert_eq!(
        asker.ask(Arm::BaseProduct, &question()).status,
        Status::Refused
    );
}

#[test]
fn an_adapter_is_for_the_tuned_arms_alone() {
    let (mut asker, requests) = asker("Sow at 10 °C.", Some("farm"));
    for arm in [Arm::Base, Arm::BaseRag, Arm::Tuned, Arm::TunedRag] {
        asker.ask(arm, &question());
    }
    let requests = requests.lock().expect("unpoisoned");
    let used: Vec<Option<&str>> = requests
        .iter()
        .map(|request| request.adapter.as_deref())
        .collect();
    assert_eq!(used, [None, None, Some("farm"), Some("farm")]);
}

#[test]
fn an_unknown_adapter_is_told_before_anything_is_asked() {
    let (known, _) = asker("x", None);
    let answerer = Answerer::new(known.parts.expect("whole"));
    let error = Asker::new(answerer, Some("desert".into()))
        .err()
        .expect("unknown");
    assert!(error.to_string().contains("farm"), "{error}");
}

#[test]
fn an_arm_is_written_as_it_is_read() {
    for arm in Arm::ALL {
        assert_eq!(arm.name().parse(), Ok(arm));
        assert_eq!(
            serde_json::to_string(&arm).expect("plain"),
            format!("\"{arm}\"")
        );
        assert_eq!(arm.twin().twin(), arm);
    }
    assert!("best".parse::<Arm>().is_err());
}
