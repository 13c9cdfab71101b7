//! A push as it goes on: what the connection tells goes into rollout and serving, what follows goes out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::sync::mpsc::Receiver;

use super::board::Board;
use crate::edition::push::{Chunk, Move, Rollout, Serving, Want, read_state};
use crate::edition::{Blobs, Manifest};
use crate::field::{Operator, OperatorEvent, Sent};

/// How often silence is looked at, and the board drawn.
const TICK: Duration = Duration::from_millis(500);
/// How long the last messages may take when everything is over.
const FLUSH_WITHIN: Duration = Duration::from_secs(30);

/// What is pushed.
pub struct Parcel {
    /// The edition.
    pub manifest: Manifest,
    /// The offer, as it goes out.
    pub payload: Vec<u8>,
    /// The name of this push.
    pub push: String,
    /// Where the contents lie.
    pub blobs: Blobs,
}

/// The push.
pub struct Pusher {
    parcel: Parcel,
    rollout: Rollout,
    serving: Serving,
    /// Offers to give and to take back; they go before pieces.
    outbox: VecDeque<Sent>,
    sent: BTreeMap<String, u64>,
    board: Board,
    began: Instant,
    over: Option<Instant>,
}

impl Pusher {
    /// A push that has not begun.
    pub fn new(parcel: Parcel, rollout: Rollout, board: Board) -> Pusher {
        let contents = parcel.manifest.contents();
        let serving = Serving::new(parcel.manifest.serial, &parcel.push, contents);
        Pusher {
            serving,
            parcel,
            rollout,
            outbox: VecDeque::new(),
            sent: BTreeMap::new(),
            board,
            began: Instant::now(),
            over: None,
        }
    }

    /// The boxes and how they are.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The edition.
    pub fn serial(&self) -> u64 {
        self.parcel.manifest.serial
    }

    /// The name of this push.
    pub fn push(&self) -> &str {
        &self.parcel.push
    }

    /// Bytes of pieces sent to each box.
    pub fn sent(&self) -> &BTreeMap<String, u64> {
        &self.sent
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Pushes until every box has come to an end; takes what offers still stand back, and leaves.
    ///
    /// # Errors
    /// A content can no longer be read, or the offers could not be taken back.
    pub async fn run(
        &mut self,
        operator: Operator,
        events: &mut Receiver<OperatorEvent>,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut interrupt = Box::pin(tokio::signal::ctrl_c());
        let mut is_interrupted = false;
        let mut result = Ok(());
        while !self.is_done() {
            let has_work = !self.outbox.is_empty() || !self.serving.is_idle();
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => bail!("the connection to the broker ended"),
                },
                room = operator.room(), if has_work => match (room, self.next()) {
                    (Ok(room), Ok(Some(sent))) => room.send(sent),
                    (Ok(_), Ok(None)) => {}
                    (Err(error), _) => return Err(error.into()),
                    (_, Err(error)) => {
                        result = Err(error);
                        self.abandon("a content can no longer be read");
                    }
                },
                _ = ticks.tick() => {
                    let moves = self.rollout.tick(Instant::now());
                    self.make(moves);
                    self.board.draw(&self.rollout);
                }
                _ = &mut interrupt, if !is_interrupted => {
                    is_interrupted = true;
                    self.abandon("interrupted by hand");
                }
            }
        }
        self.board.finish(&self.rollout);
        operator.stop().await;
        if !self.outbox.is_empty() {
            bail!(
                "the broker was not there to take the offers back; push again, or clear them by hand"
            );
        }
        result
    }

    fn is_done(&mut self) -> bool {
        if !self.rollout.is_over() {
            return false;
        }
        let over = *self.over.get_or_insert_with(Instant::now);
        self.outbox.is_empty() || over.elapsed() > FLUSH_WITHIN
    }

    fn hear(&mut self, event: OperatorEvent) {
        let now = Instant::now();
        match event {
            OperatorEvent::Up => self.say_again(),
            OperatorEvent::Down { why } => {
                self.board
                    .line(&format!("no connection to the broker: {why}"));
            }
            OperatorEvent::Refused { why } => {
                self.abandon(&format!(
                    "the broker refuses a message ({why}); check its access rules"
                ));
            }
            OperatorEvent::Status { .. } => {}
            OperatorEvent::State { box_name, payload } => {
                if let Ok(state) = read_state(&payload)
                    && state.box_name == box_name
                {
                    let moves = self.rollout.heard(&box_name, &state, now);
                    self.make(moves);
                    self.board.draw(&self.rollout);
                }
            }
            OperatorEvent::Want { box_name, payload } => {
                let is_served = self.rollout.is_served(&box_name);
                let wanted = Want::parse(&payload);
                if is_served && wanted.is_ok_and(|want| self.serving.want(&box_name, &want).is_ok())
                {
                    self.rollout.sign(&box_name, now);
                }
            }
        }
    }

    /// What must stand at the broker, after a connection was lost.
    fn say_again(&mut self) {
        self.outbox.clear();
        let courses: Vec<(String, bool)> = self
            .rollout
            .courses()
            .iter()
            .filter(|(_, course)| course.began.is_some())
            .map(|(name, course)| (name.clone(), course.end.is_none()))
            .collect();
        for (name, is_served) in courses {
            let is_offered = is_served && self.rollout.halted().is_none();
            self.make(vec![match is_offered {
                true => Move::Offer(name),
                false => Move::Clear(name),
            }]);
        }
    }

    fn make(&mut self, moves: Vec<Move>) {
        for one in moves {
            let (to, payload) = match one {
                Move::Offer(to) => (to, self.parcel.payload.clone()),
                Move::Clear(to) => {
                    self.serving.forget(&to);
                    (to, Vec::new())
                }
            };
            self.outbox.push_back(Sent::Offer { to, payload });
        }
    }

    fn abandon(&mut self, why: &str) {
        let moves = self.rollout.abandon(why, Instant::now());
        self.make(moves);
    }

    /// The next message: what stands first, then the next piece, read from disk only now.
    fn next(&mut self) -> anyhow::Result<Option<Sent>> {
        if let Some(sent) = self.outbox.pop_front() {
            return Ok(Some(sent));
        }
        let Some(piece) = self.serving.next_piece() else {
            return Ok(None);
        };
        let data = self
            .parcel
            .blobs
            .piece(&piece.file, piece.offset, piece.length)?;
        let chunk = Chunk {
            file: piece.file,
            offset: piece.offset,
            data: &data,
        };
        let payload = chunk.encode();
        *self.sent.entry(piece.to.clone()).or_default() += payload.len() as u64;
        Ok(Some(Sent::Chunk {
            to: piece.to,
            payload,
        }))
    }
}
