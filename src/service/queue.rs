//! The waiting questions: bounded, fair between askers, expired ones never reach the model. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Questions waiting for an answering thread.
///
/// Each asker (a client of the broker, or the control socket) has its own line; the lines take
/// turns, so a flood by one costs the others at most one answer's time each. Askers that give way, sensors, have
/// their turn when no other line waits, or after [`PATIENCE`] others. Questions restored from the journal stand
/// before all of them.
#[derive(Debug)]
pub struct Queue<T> {
    bound: usize,
    restored: VecDeque<Waiting<T>>,
    lines: HashMap<String, VecDeque<Waiting<T>>>,
    turns: VecDeque<String>,
    /// Questions answered one after another while one waited that gives way.
    passed: usize,
    waiting: usize,
}

/// Questions that go before one that gives way, at most: it comes late, but it comes.
const PATIENCE: usize = 4;

#[derive(Debug)]
struct Waiting<T> {
    deadline: Instant,
    item: T,
}

/// What [`Queue::pop`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped<T> {
    /// To be answered, before the given moment.
    Ready(T, Instant),
    /// Its deadline passed while it waited.
    Expired(T),
}

impl<T> Queue<T> {
    /// A queue of at most `bound` questions.
    pub fn new(bound: usize) -> Self {
        Queue {
            bound,
            restored: VecDeque::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            passed: 0,
            waiting: 0,
        }
    }

    /// Questions that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether one more would be refused.
    pub fn is_full(&self) -> bool {
        self.waiting >= self.bound
    }

    /// Puts `item` into the line of `asker`; hands it back when the queue is full.
    pub fn push(&mut self, asker: &str, deadline: Instant, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        let line = self.lines.entry(asker.to_owned()).or_default();
        if line.is_empty() {
            self.turns.push_back(asker.to_owned());
        }
        line.push_back(Waiting { deadline, item });
        self.waiting += 1;
        Ok(())
    }

    /// Puts a question that was accepted in an earlier life before all others; it counts, but is
    /// never refused: the journal, which is bounded as this queue is, holds no more than once fitted.
    pub fn restore(&mut self, deadline: Instant, item: T) {
        self.restored.push_back(Waiting { deadline, item });
        self.waiting += 1;
    }

    /// Takes the next question out; `gives_way` says which askers let others go first.
    pub fn pop(&mut self, now: Instant, gives_way: impl Fn(&str) -> bool) -> Option<Popped<T>> {
        let next = match self.restored.pop_front() {
            Some(next) => next,
            None => self.next_in_turn(gives_way)?,
        };
        self.waiting -= 1;
        Some(if next.deadline <= now {
            Popped::Expired(next.item)
        } else {
            Popped::Ready(next.item, next.deadline)
        })
    }

    /// Takes out every question whose deadline has passed: an asker is told so when it happens, not
    /// when its turn would come.
    pub fn take_expired(&mut self, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        sift(&mut self.restored, now, &mut expired);
        for line in self.lines.values_mut() {
            sift(line, now, &mut expired);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.turns.retain(|asker| self.lines.contains_key(asker));
        self.waiting -= expired.len();
        expired
    }

    fn next_in_turn(&mut self, gives_way: impl Fn(&str) -> bool) -> Option<Waiting<T>> {
        let first = self.turns.iter().position(|asker| !gives_way(asker));
        let late = self.turns.iter().position(|asker| gives_way(asker));
        let (at, passed) = match (first, late) {
            (Some(first), Some(_)) if self.passed < PATIENCE => (first, self.passed + 1),
            (_, Some(late)) => (late, 0),
            (first, None) => (first?, 0),
        };
        self.passed = passed;
        let asker = self.turns.remove(at)?;
        let line = self.lines.get_mut(&asker)?;
        let next = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&asker);
        } else {
            self.turns.push_back(asker);
        }
        next
    }
}

fn sift<T>(line: &mut VecDeque<Waiting<T>>, now: Instant, expired: &mut Vec<T>) {
    if line.iter().any(|waiting| waiting.deadline <= now) {
        for waiting in std::mem::take(line) {
            if waiting.deadline <= now {
                expired.push(waiting.item);
            } else {
                line.push_back(waiting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    fn nobody(_: &str) -> bool {
        false
    }

    fn drain(queue: &mut Queue<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop(now, |asker| asker.starts_with("probe")))
            .map(|popped| match popped {
                Popped::Ready(item, _) | Popped::Expired(item) => item,
            })
            .collect()
    }

    #[test]
    fn a_flood_by_one_asker_delays_another_by_one_question() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        for item in ["a1", "a2", "a3"] {
            queue.push("a", now + MINUTE, item).expect("room");
        }
        queue.push("b", now + MINUTE, "b1").expect("room");
        assert_eq!(drain(&mut queue, now), ["a1", "b1", "a2", "a3"]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_full_queue_hands_the_question_back_and_has_room_after_one_left() {
        let (mut queue, now) = (Queue::new(1), Instant::now());
        queue.push("a", now + MINUTE, "first").expect("room");
        assert_eq!(queue.push("b", now + MINUTE, "second"), Err("second"));
        assert!(queue.pop(now, nobody).is_some());
        assert_eq!(queue.push("b", now + MINUTE, "second"), Ok(()));
    }

    #[test]
    fn restored_questions_stand_before_new_ones_and_are_never_refused() {
        let (mut queue, now) = (Queue::new(1), Instant::now());
        queue.push("a", now + MINUTE, "new").expect("room");
        queue.restore(now + MINUTE, "old1");
        queue.restore(now + MINUTE, "old2");
        assert_eq!(queue.len(), 3);
        assert_eq!(drain(&mut queue, now), ["old1", "old2", "new"]);
    }

    #[test]
    fn expired_questions_are_told_apart_whether_taken_early_or_in_turn() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.push("a", now, "late").expect("room");
        queue.push("a", now + MINUTE, "in time").expect("room");
        queue.push("b", now, "late too").expect("room");
        assert_eq!(queue.pop(now, nobody), Some(Popped::Expired("late")));
        assert_eq!(queue.take_expired(now), ["late too"]);
        let in_time = Popped::Ready("in time", now + MINUTE);
        assert_eq!(queue.pop(now, nobody), Some(in_time));
        assert_eq!((queue.pop(now, nobody), queue.len()), (None, 0));
    }

    #[test]
    fn a_sensor_lets_people_go_first_but_not_for_ever() {
        let (mut queue, now) = (Queue::new(16), Instant::now());
        for item in ["s1", "s2"] {
            queue.push("probe-1", now + MINUTE, item).expect("room");
        }
        for item in ["a1", "a2", "a3", "a4", "a5"] {
            queue.push("a", now + MINUTE, item).expect("room");
        }
        queue.push("b", now + MINUTE, "b1").expect("room");
        let order = ["a1", "b1", "a2", "a3", "s1", "a4", "a5", "s2"];
        assert_eq!(drain(&mut queue, now), order);
    }
}
