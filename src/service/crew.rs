//! The answering threads of one edition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::rooms::Rooms;
use super::worker::{Event, Job, Make, Worker};

/// For `threads` answering threads of `rooms`.
pub fn makes(rooms: &Arc<Rooms>, threads: usize) -> Vec<Make> {
    let make = |_| -> Make {
        let rooms = Arc::clone(rooms);
        Box::new(move || rooms.answering())
    };
    (0..threads).map(make).collect()
}

/// Threads that answer, each one question at a time.
#[derive(Debug)]
pub struct Crew(Vec<Hand>);

#[derive(Debug)]
struct Hand {
    worker: Worker,
    /// The ticket of its job.
    at_work: Option<u64>,
}

impl Crew {
    /// Starts a thread for each of `makes`; the first event of each is [`Event::Made`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(makes: Vec<Make>, events: &mpsc::Sender<Event>) -> std::io::Result<Crew> {
        let hand = |make| {
            let worker = Worker::start(make, events.clone())?;
            let at_work = None;
            Ok(Hand { worker, at_work })
        };
        makes
            .into_iter()
            .map(hand)
            .collect::<Result<_, _>>()
            .map(Crew)
    }

    /// Hands a job over; back when no thread is free, or the free one has ended.
    pub fn give(&mut self, job: Job) -> Result<(), Box<Job>> {
        let ticket = job.ticket;
        let Some(free) = self.0.iter_mut().find(|hand| hand.at_work.is_none()) else {
            return Err(Box::new(job));
        };
        free.worker.give(job)?;
        free.at_work = Some(ticket);
        Ok(())
    }

    /// Whoever says that a job is over is free.
    pub fn hear(&mut self, event: &Event) {
        let (Event::Done { ticket, .. } | Event::Abandoned { ticket }) = event else {
            return;
        };
        for hand in &mut self.0 {
            hand.at_work.take_if(|at_work| at_work == ticket);
        }
    }

    /// What each thread's signs of life have grown to; feeds the watchdog.
    pub fn steps(&self) -> Vec<u64> {
        self.0.iter().map(|hand| hand.worker.step()).collect()
    }

    /// Whether a thread has ended, which none does unless stopped or out of its mind.
    pub fn has_lost_one(&self) -> bool {
        self.0.iter().any(|hand| hand.worker.is_dead())
    }

    /// Whether all threads have ended.
    pub fn is_gone(&self) -> bool {
        self.0.iter().all(|hand| hand.worker.is_dead())
    }

    /// Gives them no more work: each thread ends when it is done with what it has.
    pub fn retire(&mut self) {
        self.0.iter_mut().for_each(|hand| hand.worker.retire());
    }

    /// Breaks the current jobs off at their next word and ends the threads after it.
    pub fn stop(&mut self) {
        self.0.iter_mut().for_each(|hand| hand.worker.stop());
    }

    /// Waits until all threads have ended, at most `patience`; blocking. False when they have not.
    pub fn join(&mut self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut joined = true;
        for hand in &mut self.0 {
            let left = end.saturating_duration_since(Instant::now());
            joined &= hand.worker.join(left);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Barrier;

    use super::*;
    use crate::answer::Progress;
    use crate::service::worker::{Answering, EVENTS, failed};
    use crate::types::{Answer, Question};

    /// Goes on with a job only when all others of the crew are at one, too.
    struct Meets(Arc<Barrier>);

    impl Answering for Meets {
        fn answer(
            &mut self,
            _: &Job,
            _: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
        ) -> Answer {
            self.0.wait();
            failed("met")
        }
    }

    fn job(ticket: u64) -> Job {
        let now = Instant::now();
        Job {
            ticket,
            question: Question::default(),
            readings: Vec::new(),
            deadline: now + Duration::from_secs(60),
            arrived: now,
        }
    }

    #[test]
    fn each_thread_has_a_job_of_its_own_and_is_free_when_it_says_so() {
        let barrier = Arc::new(Barrier::new(2));
        let make = |_| -> Make {
            let barrier = Arc::clone(&barrier);
            Box::new(move || Ok(Box::new(Meets(barrier.clone()))))
        };
        let (events, mut said) = mpsc::channel(EVENTS);
        let mut crew = Crew::start((0..2).map(make).collect(), &events).expect("threads");
        for round in [0, 2] {
            crew.give(job(round + 1)).expect("free");
            assert_eq!(crew.steps().len(), 2);
            // Alone it would wait for ever.
            crew.give(job(round + 2)).expect("free");
            let refused = crew.give(job(9)).expect_err("none is free");
            assert_eq!(refused.ticket, 9);
            let mut over = 0;
            while over < 2 {
                let event = said.blocking_recv().expect("an event");
                over += usize::from(matches!(event, Event::Done { .. }));
                crew.hear(&event);
            }
        }
        assert!(!crew.has_lost_one());
        crew.retire();
        assert!(crew.join(Duration::from_secs(60)) && crew.is_gone());
    }
}
