//! What the answering threads say, and how it reaches those who asked.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::golden;
use super::super::health::Part;
use super::super::settle::Settled;
use super::super::worker::Event;
use super::{Desk, GOLDEN, Origin, Stage, Turn};
use crate::control::{Progress, Reply};
use crate::field::Publication;
use crate::types::{Answer, Status};

impl Desk {
    /// Hears what an answering thread says.
    pub fn on_event(&mut self, event: Event, now: Instant) -> Turn {
        match event {
            Event::Made(Ok(())) => {
                self.health.is_well(Part::Model);
                if let Some(handover) = &mut self.handover {
                    self.is_handover_news |= handover.open(now);
                }
            }
            Event::Made(Err(reason)) => {
                tracing::error!(reason, "the model cannot be loaded");
                if matches!(self.stage, Stage::Starting(..)) {
                    return Turn::Fatal(reason);
                }
                self.health.is_unwell(Part::Model, reason);
            }
            Event::Part { ticket, text } => self.pass_on(ticket, text),
            Event::Abandoned { ticket } => {
                self.comes_back(ticket);
            }
            Event::Done {
                ticket,
                outcome,
                panic,
            } => {
                let beside = (self.working.len() + self.leaving.len()).max(1);
                let is_old = self.comes_back(ticket);
                self.note_health(&outcome, panic);
                if ticket == GOLDEN {
                    return self.on_golden(&outcome);
                }
                self.note_outcome(is_old, now);
                let total = Duration::from_millis(outcome.timing_ms.total);
                let queued = Duration::from_millis(outcome.timing_ms.queue);
                // Those that are worked on at once share the time.
                let share = u32::try_from(beside).unwrap_or(u32::MAX);
                self.rhythm.note(total.saturating_sub(queued) / share);
                self.end(ticket, *outcome, now);
            }
        }
        Turn::Goes
    }

    fn note_health(&mut self, outcome: &Answer, panic: Option<String>) {
        match panic {
            Some(words) => {
                tracing::error!(words, "answering panicked");
                let reason = format!("panicked: {words}");
                self.health.is_unwell(Part::Model, reason);
            }
            None if outcome.status == Status::Failed => {
                let reason = outcome.reason.clone().unwrap_or_default();
                self.health.is_unwell(Part::Model, reason);
            }
            None => self.health.is_well(Part::Model),
        }
    }

    fn on_golden(&mut self, outcome: &Answer) -> Turn {
        let Stage::Starting(golden, failures) = &mut self.stage else {
            return Turn::Goes;
        };
        let asked = golden.remove(0);
        match golden::judge(&asked, outcome) {
            Ok(()) => {
                self.stage = Stage::Ready;
                Turn::Ready
            }
            Err(reason) => {
                tracing::warn!(
                    question = asked.question,
                    reason,
                    "a golden question failed"
                );
                failures.push(format!("{:?}: {reason}", asked.question));
                if golden.is_empty() {
                    return Turn::Fatal(failures.join("; "));
                }
                Turn::Goes
            }
        }
    }

    fn pass_on(&mut self, ticket: u64, text: String) {
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        match &open.origin {
            Origin::Socket {
                stream: true,
                replies,
                ..
            } => {
                // A part that finds no room is in the whole answer.
                let (done, total) = (0, 0);
                let _ = replies.try_send(Reply::Progress(Progress { text, done, total }));
            }
            Origin::Field { accepted, .. } if accepted.stream => {
                let edition = open.edition.unwrap_or(self.terms.edition);
                let name = &self.terms.box_name;
                let id = accepted.id.clone();
                let mut part = Answer::without_text(id, Status::Answered, "", name, edition);
                (part.reason, part.answer) = (None, Some(text));
                (part.seq, part.is_final) = (open.seq, false);
                let correlation = accepted.correlation.clone();
                let part = Publication::part(&accepted.respond_to, correlation, &part);
                // A part that finds no room is lost, and its number with it: askers see the gap, and
                // the final message has the whole text.
                self.intake.post.part(part);
                open.seq += 1;
            }
            _ => {}
        }
    }

    /// Gives the question of `ticket` its outcome.
    pub(super) fn end(&mut self, ticket: u64, mut answer: Answer, now: Instant) {
        let Some(open) = self.open.remove(&ticket) else {
            return;
        };
        self.told += 1;
        answer.box_name.clone_from(&self.terms.box_name);
        answer.edition = open.edition.unwrap_or(self.terms.edition);
        (answer.seq, answer.is_final) = (open.seq, true);
        if answer.timing_ms.total == 0 {
            let waited = now.saturating_duration_since(open.arrived).as_millis();
            answer.timing_ms.total = u64::try_from(waited).unwrap_or(u64::MAX);
            answer.timing_ms.queue = answer.timing_ms.total;
        }
        match open.origin {
            Origin::Socket { id, replies, .. } => {
                answer.id = id;
                reply(&replies, &answer);
            }
            Origin::Field {
                key,
                accepted,
                token,
            } => {
                let (status, millis) = (answer.status, answer.timing_ms.total);
                tracing::info!(key = %key, ?status, millis, "done");
                answer.id = accepted.id;
                let settled = Settled {
                    key,
                    answer,
                    respond_to: accepted.respond_to,
                    correlation: accepted.correlation,
                    token,
                };
                self.errands.spawn(self.intake.clone().settle(settled));
            }
        }
    }
}

/// Gives the last line to whoever asked on the socket.
pub(super) fn reply(replies: &mpsc::Sender<Reply>, answer: &Answer) {
    // An answer is plain data: it always has a JSON form.
    let value = serde_json::to_value(answer).unwrap_or_default();
    // A full channel holds parts only: the reader stalls, and is told when it reads on.
    if let Err(mpsc::error::TrySendError::Full(last)) = replies.try_send(Reply::Result(value)) {
        let replies = replies.clone();
        tokio::spawn(async move { replies.send(last).await });
    }
}
