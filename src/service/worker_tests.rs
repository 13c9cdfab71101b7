use super::*;
use std::sync::mpsc as std_mpsc;

/// Says each word of the question; panics on `panic`; waits on `wait` until it is let go.
struct Script {
    gate: Arc<std::sync::Mutex<std_mpsc::Receiver<()>>>,
}

impl Answering for Script {
    fn answer(
        &mut self,
        job: &Job,
        on_progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Answer {
        for word in job.question.text.split(' ') {
            assert_ne!(word, "panic", "told to");
            if word == "wait" {
                let _ = self.gate.lock().expect("one user").recv();
            }
            if on_progress(Progress::Text(word)).is_break() {
                break;
            }
        }
        Answer::without_text(None, Status::Answered, "", "", 0)
    }
}

fn worker() -> (Worker, mpsc::Receiver<Event>, std_mpsc::Sender<()>) {
    let (open, gate) = std_mpsc::channel();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let make: Make = Box::new(move || {
        let gate = Arc::clone(&gate);
        Ok(Box::new(Script { gate }))
    });
    let (events, incoming) = mpsc::channel(EVENTS);
    let worker = Worker::start(make, events).expect("a thread");
    (worker, incoming, open)
}

fn job(ticket: u64, text: &str, deadline: Duration) -> Job {
    Job {
        ticket,
        question: Question {
            text: text.into(),
            ..Question::default()
        },
        readings: Vec::new(),
        deadline: Instant::now() + deadline,
        arrived: Instant::now(),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn words_come_as_parts_and_the_outcome_last() {
    let (worker, mut events, _open) = worker();
    assert_eq!(events.blocking_recv(), Some(Event::Made(Ok(()))));
    worker.give(job(7, "two words", MINUTE)).expect("free");
    for text in ["two", "words"] {
        let text = text.to_owned();
        assert_eq!(
            events.blocking_recv(),
            Some(Event::Part { ticket: 7, text })
        );
    }
    assert!(matches!(
        events.blocking_recv(),
        Some(Event::Done { ticket: 7, outcome, panic: None }) if outcome.status == Status::Answered
    ));
}

#[test]
fn a_panic_fails_its_question_and_the_next_one_is_answered_by_a_new_model() {
    let (worker, mut events, _open) = worker();
    assert_eq!(events.blocking_recv(), Some(Event::Made(Ok(()))));
    worker.give(job(1, "panic", MINUTE)).expect("free");
    let Some(Event::Done { outcome, panic, .. }) = events.blocking_recv() else {
        panic!("expected an outcome");
    };
    assert_eq!(outcome.status, Status::Failed);
    assert!(panic.is_some_and(|words| words.contains("told to")));
    worker.give(job(2, "fine", MINUTE)).expect("free");
    assert_eq!(events.blocking_recv(), Some(Event::Made(Ok(()))));
}

#[test]
fn an_answer_that_comes_after_its_deadline_is_expired() {
    let (worker, mut events, _open) = worker();
    assert_eq!(events.blocking_recv(), Some(Event::Made(Ok(()))));
    worker.give(job(1, "late", Duration::ZERO)).expect("free");
    assert!(matches!(
        events.blocking_recv(),
        Some(Event::Done { outcome, .. }) if outcome.status == Status::Expired
    ));
}

#[test]
fn stopping_abandons_the_current_question_without_an_outcome() {
    let (mut worker, mut events, open) = worker();
    assert_eq!(events.blocking_recv(), Some(Event::Made(Ok(()))));
    worker
        .give(job(1, "first wait never", MINUTE))
        .expect("free");
    assert!(matches!(events.blocking_recv(), Some(Event::Part { .. })));
    worker.stop();
    open.send(()).expect("the script waits");
    assert_eq!(events.blocking_recv(), Some(Event::Abandoned { ticket: 1 }));
    assert!(worker.join(MINUTE));
}
