//! What makes writing faster must not change a word: the real model, with guesses and without, warm and cold.

#[path = "support/writing.rs"]
mod writing;

use std::ops::ControlFlow;

use almanac::model::{Decline, Finish, Generator as _, Message, Role, TextGenerator, measure};
use writing::{alone, chats, generate, open, request};

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
