//! What the tests of writing share: the real model, chats over the sample farm.

#![allow(dead_code)] // Every test program uses a part of it.

#[path = "models.rs"]
mod models;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use almanac::model::{
    GenerateRequest, Generated, Generator as _, Message, Role, Runtime, TextGenerator,
};
use serde_json::Value;

/// One test at a time: each opens a model of hundreds of megabytes.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// ONNX Runtime, with two threads.
pub fn runtime() -> Runtime {
    let library = models::folder().join("runtime/libonnxruntime.so");
    Runtime::load(&library, 2).expect("ONNX Runtime")
}

/// The folder of the language model.
pub fn decoder() -> PathBuf {
    models::folder().join("models/smollm2-135m-instruct")
}

/// The model that writes one text at a time.
pub fn open(context: usize) -> TextGenerator {
    TextGenerator::open(&runtime(), &decoder(), context).expect("opens")
}

/// Chats over the sample farm: the gold section of each answerable question and what follows it, then the question.
pub fn chats() -> impl Iterator<Item = Vec<Message>> {
    let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm");
    let questions = fs::read_to_string(farm.join("questions.jsonl")).expect("the questions");
    let questions: Vec<Value> = questions
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    // Every seventh: neighbours in the file ask of the same section.
    questions.into_iter().step_by(7).filter_map(move |one| {
        let gold = one["gold"]["document"].as_str()?;
        let document = fs::read_to_string(farm.join("documents").join(gold)).ok()?;
        let section = document.find(&format!("## {}", one["gold"]["section"].as_str()?))?;
        let text: String = document[section..].chars().take(1_600).collect();
        let asked = format!("Text:\n{text}\n\nQuestion: {}", one["question"].as_str()?);
        Some(vec![
            Message::new(
                Role::System,
                "You are a farm adviser. Answer only with what the text says.",
            ),
            Message::new(Role::User, asked),
        ])
    })
}

/// A greedy request without an adapter or a refusal.
pub fn request(messages: Vec<Message>, max_tokens: usize) -> GenerateRequest {
    GenerateRequest::new(messages, max_tokens)
}

/// What the model writes; what it streams is the same.
pub fn generate(generator: &mut TextGenerator, request: &GenerateRequest) -> Generated {
    let mut streamed = String::new();
    let generated = generator.generate(request, &mut |text| {
        streamed.push_str(text);
        ControlFlow::Continue(())
    });
    let generated = generated.expect("generates");
    assert_eq!(streamed, generated.text);
    generated
}
