//! Several texts at once must be the texts that each would be alone: the real model, in any company.

#[path = "support/writing.rs"]
mod writing;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use almanac::model::import::adapter::import_adapter;
use almanac::model::{
    Decline, Finish, GenerateRequest, Generated, Generator as _, Message, Role, Sampling,
    TextGenerator, Together, measure,
};
use writing::{alone, chats, decoder, generate, open, request, runtime};

/// The sample farm's adapter, converted in `folder`.
fn farm_adapter(folder: &Path) -> PathBuf {
    let file = folder.join("farm.safetensors");
    let peft = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/farm-adapter");
    import_adapter(&peft, &decoder(), &file).expect("converts");
    file
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
fn drawn_texts_and_ended_ones_are_those_that_each_is_alone() {
    let _alone = alone();
    let mut requests = eight();
    for (at, request) in requests.iter_mut().enumerate() {
        request.sampling = Sampling {
            temperature: [0.0, 0.7, 1.0][at % 3],
            top_k: (at % 2 == 0).then_some(40),
            top_p: [1.0, 0.9][at / 4],
            repetition_penalty: [1.0, 1.2][at / 2 % 2],
            seed: at as u64,
        };
        request.stop = vec!["\n".to_owned(), " the s".to_owned()];
        request.max_chars = (at % 4 == 3).then_some(30);
    }
    // The same question with two seeds.
    requests[7].messages = requests[4].messages.clone();
    let (alone, at_once) = alone_and_at_once(&requests, 4, None, None);
    assert_the_same(&alone, &at_once, None);
    assert_ne!(alone[7].text, alone[4].text);
}

#[test]
fn more_chats_than_slots_and_two_kinds_of_them_give_the_same_texts_too() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = farm_adapter(folder.path());
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

/// Numbers that follow from a seed; it is printed, so that it can be set.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = setting("ALMANAC_SEED").unwrap_or(20_261_123);
        eprintln!("ALMANAC_SEED={seed}");
        Dice(seed | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("below a size")
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn logits_in_joined_steps_are_those_of_each_text_alone() {
    let _alone = alone();
    let mut generator = open(640);
    let mut together = Together::open(&runtime(), &decoder(), 640, 8).expect("opens");
    let (mut dice, rounds) = (Dice::new(), setting("ALMANAC_ROUNDS").unwrap_or(1));
    for _ in 0..rounds {
        let seed = dice.below(usize::MAX) as u64;
        let difference = measure::joint_difference(&mut generator, &mut together, 24, seed);
        assert_eq!(difference.expect("runs"), 0.0, "seed {seed}");
    }
}

/// Lets texts begin when so many pieces of others were heard, or when none is written.
struct Gate {
    state: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self, after: usize) {
        let waits = |(heard, writing): &mut (usize, usize)| *heard < after && *writing > 0;
        let state = self.state.lock().expect("no panic");
        let mut state = self.changed.wait_while(state, waits).expect("no panic");
        // Who begins at once is counted from the start on.
        state.1 += usize::from(after > 0);
    }

    fn note(&self, is_over: bool) {
        let mut state = self.state.lock().expect("no panic");
        state.0 += 1;
        state.1 -= usize::from(is_over);
        self.changed.notify_all();
    }
}

/// What of a text is the same however it is written.
fn lasting(one: &Generated) -> (&str, usize, Finish, Option<u32>) {
    let declined = one.declined.map(f32::to_bits);
    (&one.text, one.tokens, one.finish, declined)
}

/// Requests of many kinds: short prompts and long ones, few tokens and many, with a refusal, with the adapter, drawn, and
/// with an end of their own.
fn kinds(count: usize, dice: &mut Dice) -> Vec<GenerateRequest> {
    let chats: Vec<_> = chats().collect();
    let one = |_| {
        let text = &chats[dice.below(chats.len())][1].content;
        let length = [60, 150, 400, 900][dice.below(4)];
        let text: String = text.chars().skip(dice.below(200)).take(length).collect();
        GenerateRequest {
            adapter: (dice.below(3) == 0).then(|| "farm".to_owned()),
            decline: (dice.below(2) == 0).then(|| Decline {
                text: "The text does not say.".to_owned(),
                from: 2.0,
            }),
            sampling: Sampling {
                temperature: [0.0, 0.8][dice.below(2)],
                repetition_penalty: [1.0, 1.1][dice.below(2)],
                seed: dice.below(1_000) as u64,
                ..Sampling::default()
            },
            stop: Vec::from_iter((dice.below(4) == 0).then(|| ". ".to_owned())),
            max_chars: (dice.below(4) == 0).then(|| 1 + dice.below(80)),
            ..request(vec![Message::new(Role::User, text)], 1 + dice.below(32))
        }
    };
    (0..count).map(one).collect()
}

/// Writes texts of `requests` at once, which come and go at moments that follow from `dice`; each must be as in `alone`.
fn come_and_go(
    together: &Together,
    requests: &[GenerateRequest],
    alone: &[Generated],
    dice: &mut Dice,
) {
    together.set_guesses([0, 3, TextGenerator::GUESSES][dice.below(3)]);
    let drawn: Vec<_> = (0..8)
        .map(|_| {
            let after = [0, 0, 1 + dice.below(20), 1 + dice.below(60)][dice.below(4)];
            let breaks_after = (dice.below(6) == 0).then(|| dice.below(6));
            (dice.below(requests.len()), after, breaks_after)
        })
        .collect();
    let writing = drawn.iter().filter(|(_, after, _)| *after == 0).count();
    let gate = Gate {
        state: Mutex::new((0, writing)),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for (which, after, breaks_after) in &drawn {
            let gate = &gate;
            scope.spawn(move || {
                gate.pass(*after);
                let mut words = 0;
                let written = together.seat().generate(&requests[*which], &mut |text| {
                    gate.note(false);
                    words += usize::from(!text.is_empty());
                    match breaks_after {
                        Some(most) if words > *most => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                });
                gate.note(true);
                let (written, expected) = (written.expect("writes"), &alone[*which]);
                match written.finish {
                    Finish::Stopped => assert!(expected.text.starts_with(&written.text)),
                    _ => assert_eq!(
                        lasting(&written),
                        lasting(expected),
                        "{:?}",
                        requests[*which]
                    ),
                }
            });
        }
    });
}

#[test]
fn texts_that_come_and_go_at_any_moment_are_those_that_each_is_alone() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = farm_adapter(folder.path());
    let (mut dice, rounds) = (Dice::new(), setting("ALMANAC_ROUNDS").unwrap_or(2));
    let requests = kinds(if rounds > 2 { 40 } else { 10 }, &mut dice);
    let mut generator = open(1024);
    generator.load_adapter(&file).expect("loads");
    generator.set_guesses(0);
    let alone = requests.iter().map(|one| {
        generator.forget();
        generate(&mut generator, one)
    });
    let alone: Vec<Generated> = alone.collect();
    let mut together = Together::open(&runtime(), &decoder(), 1024, 6).expect("opens");
    together.load_adapter(&file).expect("loads");
    for _ in 0..rounds {
        come_and_go(&together, &requests, &alone, &mut dice);
    }
}
