//! What makes writing faster must not change a word: the real model, with guesses and without, warm and cold.

#[path = "support/models.rs"]
mod models;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use almanac::model::{
    Decline, Finish, GenerateRequest, Generated, Generator as _, Message, Role, Runtime,
    TextGenerator, measure,
};
use serde_json::Value;

/// One test at a time: each opens a model of hundreds of megabytes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn open(context: usize) -> TextGenerator {
    let folder = models::folder();
    let runtime = Runtime::load(&folder.join("runtime/libonnxruntime.so"), 2);
    let decoder = folder.join("models/smollm2-135m-instruct");
    TextGenerator::open(&runtime.expect("ONNX Runtime"), &decoder, context).expect("opens")
}

/// Chats over the sample farm: the gold section of each answerable question and what follows it, then the question.
fn chats() -> impl Iterator<Item = Vec<Message>> {
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

fn request(messages: Vec<Message>, max_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        messages,
        max_tokens,
        adapter: None,
        decline: None,
    }
}

fn generate(generator: &mut TextGenerator, request: &GenerateRequest) -> Generated {
    let mut streamed = String::new();
    let generated = generator.generate(request, &mut |text| {
        streamed.push_str(text);
        ControlFlow::Continue(())
    });
    let generated = generated.expect("generates");
    assert_eq!(streamed, generated.text);
    generated
}

/// Each of `count` chats plain from an empty cache, with guesses from an empty cache, and with guesses after the
/// chat before: the same text, the same probability of the refusal, the same end.
fn writes_the_same(count: usize, max_tokens: usize) {
    let mut generator = open(2048);
    let (mut tokens, mut steps, mut reused, mut done) = (0, 0, 0, 0);
    for (at, messages) in chats().take(count).enumerate() {
        let mut request = request(messages, max_tokens);
        // Its probability has all bits of the logits in it; and the text must begin otherwise.
        request.decline = (at % 2 == 0).then(|| Decline {
            text: "The text does not say.".to_owned(),
            from: 2.0,
        });
        generator.set_guesses(TextGenerator::GUESSES);
        let warm = generate(&mut generator, &request);
        generator.forget();
        let guessed = generate(&mut generator, &request);
        generator.forget();
        generator.set_guesses(0);
        let plain = generate(&mut generator, &request);
        for other in [&warm, &guessed] {
            assert_eq!(other.text, plain.text, "{request:?}");
            assert_eq!(other.declined, plain.declined, "{request:?}");
            assert_eq!((other.tokens, other.finish), (plain.tokens, plain.finish));
        }
        assert_eq!((plain.work.reused, plain.work.guessed), (0, 0));
        assert_eq!(guessed.work.reused, 0);
        tokens += plain.tokens;
        steps += guessed.work.steps;
        reused += warm.work.reused;
        done += 1;
    }
    println!(
        "{done} chats: {tokens} tokens in {steps} steps, {reused} prompt tokens read only once"
    );
    assert_eq!(done, count);
    assert!(steps < tokens * 9 / 10, "guesses save steps");
    assert!(reused > 10 * (done - 1), "the rules are read only once");
}

#[test]
fn guesses_and_a_warm_prefix_change_no_word() {
    let _alone = alone();
    writes_the_same(10, 40);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test generation -- --ignored --nocapture"]
fn guesses_and_a_warm_prefix_change_no_word_of_a_hundred_answers() {
    let _alone = alone();
    writes_the_same(100, 96);
}

#[test]
fn a_position_has_the_same_logits_however_the_text_is_cut_into_steps() {
    let _alone = alone();
    let mut generator = open(512);
    let difference = measure::cut_difference(&mut generator, 96).expect("runs");
    assert_eq!(difference, 0.0);
}

#[test]
fn guesses_stop_at_the_limit_of_tokens_and_of_the_context() {
    let _alone = alone();
    let mut generator = open(128);
    let prompt = "Say the word maize again and again: maize maize maize maize maize maize";
    for max_tokens in [1, 2, 7, 500] {
        let asked = request(vec![Message::new(Role::User, prompt)], max_tokens);
        generator.set_guesses(0);
        let plain = generate(&mut generator, &asked);
        generator.set_guesses(8);
        let guessed = generate(&mut generator, &asked);
        assert_eq!(guessed.text, plain.text);
        assert_eq!(guessed.tokens, plain.tokens);
        assert!(guessed.tokens <= max_tokens && guessed.tokens + guessed.prompt_tokens <= 128);
    }
}

#[test]
fn a_generation_that_was_broken_off_leaves_nothing_behind() {
    let _alone = alone();
    let mut generator = open(1024);
    let chat = chats().nth(1).expect("a chat");
    let asked = request(chat, 24);
    let first = generate(&mut generator, &asked);
    for pieces in [0, 1, 3, 6] {
        let mut heard = 0;
        let broken = generator.generate(&asked, &mut |_| {
            heard += 1;
            if heard > pieces {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(broken.expect("stops").finish, Finish::Stopped);
        let again = generate(&mut generator, &asked);
        assert_eq!(again.text, first.text, "after {pieces} pieces");
        assert_eq!(again.tokens, first.tokens);
    }
}
