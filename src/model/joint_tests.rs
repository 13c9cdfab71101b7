use std::time::Instant;

use super::*;
use crate::model::GenerateRequest;
use crate::model::vocabulary::Vocabulary;

/// Slots of which the second holds the first token of each prompt.
struct Empty(usize);

impl Kept for Empty {
    fn slots(&self) -> usize {
        self.0
    }

    fn shared(&self, slot: usize, _: &[i64], _: Option<&str>) -> usize {
        usize::from(slot == 1)
    }
}

const WORDS: [&str; 4] = ["end", "sow", "in", "May"];

fn vocabulary() -> Vocabulary {
    Vocabulary::of_words(&WORDS)
}

fn sequence(prompt: usize, max_tokens: usize) -> Sequence {
    let request = GenerateRequest::new(Vec::new(), max_tokens);
    let prompt = vec![1; prompt];
    Sequence::new(&request, prompt, 1_000, &vocabulary(), Instant::now()).expect("fits")
}

/// Runs a step in which every row says `token`; who took part, with how many tokens each.
fn step(guests: &mut Guests, slots: usize, token: usize) -> (Option<String>, Vec<(u64, usize)>) {
    let step = guests.plan(&Empty(slots));
    let adapter = step.adapter.clone();
    let parts = step.parts.iter();
    let parts = parts.map(|(place, wanted)| (place.ticket, wanted.tokens.len()));
    let parts: Vec<_> = parts.collect();
    let mut row = vec![0.0; WORDS.len()];
    row[token] = 1.0;
    let logits = step.parts.iter().map(|(_, wanted)| match wanted.rows {
        crate::model::Logits::Last => row.clone(),
        crate::model::Logits::All => row.repeat(wanted.tokens.len()),
    });
    let logits = Ok(logits.collect());
    let vocabulary = vocabulary();
    let pen = Pen {
        vocabulary: &vocabulary,
        end_tokens: &[0],
    };
    guests.deliver(step, logits, pen);
    (adapter, parts)
}

fn tickets(parts: &[(u64, usize)]) -> Vec<u64> {
    parts.iter().map(|(ticket, _)| *ticket).collect()
}

#[test]
fn prompts_are_read_one_by_one_while_all_others_write_on() {
    let mut guests = Guests::default();
    let writer = guests.enter(sequence(3, 100), None);
    // One token is in the slot that it gets.
    assert_eq!(step(&mut guests, 3, 2), (None, vec![(writer, 2)]));
    let second = guests.enter(sequence(300, 100), None);
    let third = guests.enter(sequence(2, 100), None);
    let mut read = 0;
    while read < 300 {
        let (_, parts) = step(&mut guests, 3, 2);
        assert_eq!(tickets(&parts), [writer, second], "after {read}");
        assert!(parts[1].1 <= CHUNK_BESIDE);
        read += parts[1].1;
    }
    let (_, parts) = step(&mut guests, 3, 2);
    assert_eq!(tickets(&parts), [writer, second, third]);
}

#[test]
fn kinds_with_different_adapters_take_turns() {
    let mut guests = Guests::default();
    let kinds = [None, Some("farm"), None, Some("vet")];
    for adapter in kinds {
        guests.enter(sequence(2, 100), adapter.map(str::to_owned));
    }
    let mut served = Vec::new();
    for _ in 0..6 {
        let (adapter, parts) = step(&mut guests, 4, 2);
        let own = parts.iter().map(|(ticket, _)| kinds[*ticket as usize - 1]);
        assert!(own.clone().all(|one| one == adapter.as_deref()));
        served.push(own.count());
    }
    // The second of the first kind begins to read when the first has read.
    assert_eq!(served, [1, 1, 1, 2, 1, 1]);
}

#[test]
fn who_finds_no_slot_waits_and_the_oldest_gets_the_next_one() {
    let mut guests = Guests::default();
    let all: Vec<u64> = (0..4)
        .map(|_| guests.enter(sequence(2, 50), None))
        .collect();
    for _ in 0..4 {
        let (_, parts) = step(&mut guests, 2, 2);
        assert!(tickets(&parts).iter().all(|one| all[..2].contains(one)));
    }
    assert!(guests.leave(all[0]).is_some());
    let (_, parts) = step(&mut guests, 2, 2);
    assert_eq!(tickets(&parts), [all[1], all[2]]);
    // The end of a text frees its slot, too, before anybody has heard it.
    step(&mut guests, 2, 0);
    assert!(guests.get(all[1]).expect("there").sequence.is_done());
    assert!(guests.get(all[2]).expect("there").sequence.is_done());
    let (_, parts) = step(&mut guests, 2, 2);
    assert_eq!(tickets(&parts), [all[3]]);
}

#[test]
fn a_step_that_fails_ends_those_who_took_part_and_no_others() {
    let mut guests = Guests::default();
    let first = guests.enter(sequence(2, 50), None);
    let other = guests.enter(sequence(2, 50), Some("farm".into()));
    let failing = guests.plan(&Empty(2));
    let vocabulary = vocabulary();
    let pen = Pen {
        vocabulary: &vocabulary,
        end_tokens: &[0],
    };
    guests.deliver(failing, Err(ModelError::Run("no memory".into())), pen);
    let failed = |guests: &mut Guests, ticket| guests.get(ticket).expect("there").failed.clone();
    assert_eq!(failed(&mut guests, first).as_deref(), Some("no memory"));
    assert_eq!(failed(&mut guests, other), None);
    assert_eq!(tickets(&step(&mut guests, 2, 2).1), [other]);
    assert_eq!(tickets(&step(&mut guests, 2, 2).1), [other]);
}

#[test]
fn news_says_how_many_tokens_each_piece_stands_for() {
    let mut guests = Guests::default();
    let ticket = guests.enter(sequence(2, 50), None);
    for token in [1, 2, 3] {
        step(&mut guests, 1, token);
    }
    let guest = guests.get(ticket).expect("there");
    let heard: String = guest.news.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(heard, guest.sequence.generated().text);
    let tokens: Vec<usize> = guest.news.iter().map(|piece| piece.tokens).collect();
    assert_eq!(tokens.first(), Some(&0), "the prompt");
    assert!(
        tokens.windows(2).all(|pair| pair[0] < pair[1]),
        "{tokens:?}"
    );
}
