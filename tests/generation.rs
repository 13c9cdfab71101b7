//! What makes writing faster must not change a word: the real model, with guesses and without, warm and cold.

#[path = "support/models.rs"]
mod models;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use almanac::model::import::adapter::import_adapter;
use almanac::model::{
    Decline, Finish, GenerateRequest, Generated, Generator as _, Message, Role, Runtime,
    TextGenerator, Together, measure,
};
use serde_json::Value;

/// One test at a time: each opens a model of hundreds of megabytes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn runtime() -> Runtime {
    let library = models::folder().join("runtime/libonnxruntime.so");
    Runtime::load(&library, 2).expect("ONNX Runtime")
}

fn decoder() -> PathBuf {
    models::folder().join("models/smollm2-135m-instruct")
}

fn open(context: usize) -> TextGenerator {
    TextGenerator::open(&runtime(), &decoder(), context).expect("opens")
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

/// What each of `requests` gives alone, and what they give at once in `slots` slots, each in a thread of its own; the
/// listener of the one at `broken` breaks off after its third word.
fn alone_and_at_once(
    requests: &[GenerateRequest],
    slots: usize,
    broken: Option<usize>,
    adapter: Option<&Path>,
) -> (Vec<Generated>, Vec<Generated>) {
    let mut generator = open(1024);
    let mut together = Together::open(&runtime(), &decoder(), 1024, slots).expect("opens");
    if let Some(adapter) = adapter {
        generator.load_adapter(adapter).expect("loads");
        together.load_adapter(adapter).expect("loads");
    }
    let alone = requests.iter().map(|one| generate(&mut generator, one));
    let alone: Vec<Generated> = alone.collect();
    let heard = |request: &GenerateRequest, broken: bool| {
        let (mut streamed, mut words) = (String::new(), 0);
        let generated = together.seat().generate(request, &mut |text| {
            streamed.push_str(text);
            words += usize::from(!text.is_empty());
            match broken && words == 3 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let generated = generated.expect("generates");
        assert_eq!(streamed, generated.text);
        generated
    };
    let at_once = std::thread::scope(|scope| {
        let heard = &heard;
        let threads: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(at, request)| scope.spawn(move || heard(request, broken == Some(at))))
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|one| one.expect("no panic")).collect()
    });
    (alone, at_once)
}

/// Eight chats, one of them longer than the others, every other one with a refusal to weigh.
fn eight() -> Vec<GenerateRequest> {
    let chats = chats().take(8).enumerate();
    let requests = chats.map(|(at, messages)| GenerateRequest {
        decline: (at % 2 == 0).then(|| Decline {
            text: "The text does not say.".to_owned(),
            from: 2.0,
        }),
        ..request(messages, if at == 5 { 64 } else { 20 })
    });
    requests.collect()
}

fn assert_the_same(alone: &[Generated], at_once: &[Generated], but: Option<usize>) {
    for (at, (one, other)) in alone.iter().zip(at_once).enumerate() {
        if but == Some(at) {
            assert_eq!(other.finish, Finish::Stopped);
            assert!(other.tokens < one.tokens, "{other:?}");
            assert!(one.text.starts_with(&other.text), "{one:?} {other:?}");
            continue;
        }
        assert_eq!(one.text, other.text, "chat {at}");
        assert_eq!(one.declined, other.declined, "chat {at}");
        assert_eq!((one.tokens, one.finish), (other.tokens, other.finish));
        assert_eq!(one.prompt_tokens, other.prompt_tokens);
    }
}

#[test]
fn eight_chats_at_once_give_the_texts_that_each_gives_alone() {
    let _alone = alone();
    let (alone, at_once) = alone_and_at_once(&eight(), 8, Some(3), None);
    assert_the_same(&alone, &at_once, Some(3));
}

#[test]
fn more_chats_than_slots_and_two_kinds_of_them_give_the_same_texts_too() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("farm.safetensors");
    let peft = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/farm-adapter");
    import_adapter(&peft, &decoder(), &file).expect("converts");
    let mut requests = eight();
    for (at, request) in requests.iter_mut().enumerate() {
        request.adapter = (at % 3 != 0).then(|| "farm".to_owned());
    }
    let (alone, at_once) = alone_and_at_once(&requests, 3, None, Some(&file));
    assert_the_same(&alone, &at_once, None);
    assert_ne!(alone[0].text, alone[1].text);
}

#[test]
fn a_seat_is_told_what_cannot_be_done_and_the_next_request_can() {
    let _alone = alone();
    let together = Together::open(&runtime(), &decoder(), 128, 2).expect("opens");
    let mut seat = together.seat();
    let mut asked = request(vec![Message::new(Role::User, "maize ".repeat(200))], 4);
    let mut go_on = |_: &str| ControlFlow::Continue(());
    let long = seat.generate(&asked, &mut go_on).expect_err("too long");
    assert!(long.to_string().contains("at most 127"), "{long}");
    asked.messages = vec![Message::new(Role::User, "Say maize.")];
    asked.adapter = Some("vet".to_owned());
    let unknown = seat.generate(&asked, &mut go_on).expect_err("unknown");
    assert!(
        unknown.to_string().contains("no adapter \"vet\""),
        "{unknown}"
    );
    asked.adapter = None;
    // To the last position of the context.
    asked.max_tokens = 500;
    let mut alone = open(128);
    let written = seat.generate(&asked, &mut go_on).expect("generates");
    let expected = generate(&mut alone, &asked);
    assert_eq!(
        (written.text, written.tokens),
        (expected.text, expected.tokens)
    );
    assert!(Together::open(&runtime(), &decoder(), 128, 0).is_err());
    assert!(Together::open(&runtime(), &decoder(), 128, 17).is_err());
}
