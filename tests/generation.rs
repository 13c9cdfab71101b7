//! What makes writing faster must not change a word: the real model, with guesses and without, warm and cold.

#[path = "support/writing.rs"]
mod writing;

use std::ops::ControlFlow;

use almanac::model::{
    Decline, Finish, GenerateRequest, Generator as _, Message, Role, Sampling, TextGenerator,
    measure,
};
use writing::{alone, chats, generate, open, request};

/// Each of `count` chats plain from an empty cache, with guesses from an empty cache, and with guesses after the
/// chat before: the same text, the same probability of the refusal, the same end. What the guesses saved: tokens, and steps
/// that they took.
fn writes_the_same(count: usize, max_tokens: usize, sampling: &Sampling) -> (usize, usize) {
    let mut generator = open(2048);
    let (mut tokens, mut steps, mut reused, mut done) = (0, 0, 0, 0);
    for (at, messages) in chats().take(count).enumerate() {
        let mut request = request(messages, max_tokens);
        request.sampling = sampling.clone();
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
    assert!(reused > 10 * (done - 1), "the rules are read only once");
    (tokens, steps)
}

#[test]
fn guesses_and_a_warm_prefix_change_no_word() {
    let _alone = alone();
    let (tokens, steps) = writes_the_same(10, 40, &Sampling::default());
    assert!(steps < tokens * 9 / 10, "guesses save steps");
}

#[test]
#[ignore = "takes minutes: cargo test --release --test generation -- --ignored --nocapture"]
fn guesses_and_a_warm_prefix_change_no_word_of_a_hundred_answers() {
    let _alone = alone();
    let (tokens, steps) = writes_the_same(100, 96, &Sampling::default());
    assert!(steps < tokens * 9 / 10, "guesses save steps");
}

#[test]
fn guesses_and_a_warm_prefix_change_no_drawn_word_either() {
    let _alone = alone();
    let drawn = Sampling {
        temperature: 0.7,
        top_p: 0.95,
        seed: 11,
        ..Sampling::default()
    };
    let (tokens, steps) = writes_the_same(4, 32, &drawn);
    assert!(steps < tokens, "some guesses are drawn");
    // The penalty is that of the tokens before each position, also where several are verified in one step.
    let penalised = Sampling {
        top_k: Some(40),
        repetition_penalty: 1.1,
        ..drawn
    };
    writes_the_same(4, 32, &penalised);
}

#[test]
fn another_seed_draws_another_text_and_the_same_one_the_same() {
    let _alone = alone();
    let mut generator = open(512);
    let messages = vec![Message::new(Role::User, "Tell a story of a farmer.")];
    let mut written = |seed| {
        let asked = GenerateRequest {
            sampling: Sampling {
                temperature: 1.0,
                seed,
                ..Sampling::default()
            },
            ..request(messages.clone(), 24)
        };
        generate(&mut generator, &asked).text
    };
    let (first, second, again) = (written(1), written(2), written(1));
    assert_ne!(first, second);
    assert_eq!(first, again);
    let greedy = generate(&mut generator, &request(messages.clone(), 24)).text;
    assert!(![&first, &second].contains(&&greedy));
    let asked = GenerateRequest {
        sampling: Sampling {
            temperature: 1.5,
            top_k: Some(1),
            ..Sampling::default()
        },
        ..request(messages, 24)
    };
    assert_eq!(generate(&mut generator, &asked).text, greedy);
}

#[test]
fn a_text_ends_before_a_stop_string_and_at_a_number_of_characters() {
    let _alone = alone();
    let mut generator = open(1024);
    let plain = request(chats().nth(1).expect("a chat"), 32);
    let whole = generate(&mut generator, &plain).text;
    // The end of one word and the beginning of the next: never a token.
    let (begin, _) = whole.match_indices(' ').nth(3).expect("words");
    let stop = whole[begin - 2..begin + 3].to_owned();
    let before = &whole[..whole.find(&stop).expect("its own")];
    for guesses in [0, TextGenerator::GUESSES] {
        generator.set_guesses(guesses);
        let asked = GenerateRequest {
            stop: vec!["\u{fffd}".to_owned(), stop.clone()],
            ..plain.clone()
        };
        // What is streamed is the text: nothing of the stop string was given out.
        let stopped = generate(&mut generator, &asked);
        assert_eq!(
            (stopped.text.as_str(), stopped.finish),
            (before, Finish::StopString)
        );
        assert!(stopped.tokens < 32);
        for most in [0, 1, 7, begin] {
            let asked = GenerateRequest {
                max_chars: Some(most),
                ..plain.clone()
            };
            let cut = generate(&mut generator, &asked);
            let expected: String = whole.chars().take(most).collect();
            assert_eq!((cut.text, cut.finish), (expected, Finish::Length), "{most}");
        }
    }
    let again = generate(&mut generator, &plain).text;
    assert_eq!(again, whole);
    let wrong = GenerateRequest {
        sampling: Sampling {
            top_p: 0.0,
            ..Sampling::default()
        },
        ..plain
    };
    let error = generator.generate(&wrong, &mut |_| ControlFlow::Continue(()));
    assert!(error.expect_err("refused").to_string().contains("top-p"));
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
