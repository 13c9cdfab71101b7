//! Several generations at once on one model: their steps are joined, so that the weights are read once for all.
//!
//! Every text is written from a [`Seat`], in a thread of its caller's. There is no thread here: whoever waits for his
//! text runs the next step for all, one at a time. What the others get from it waits until they look; at most their
//! limit of tokens, so nothing grows. A text that ends, or whose listener breaks off, gives its slot up before the
//! next step; one that finds no slot waits, the oldest first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::adapter::Adapter;
use super::decoder::SharedSession;
use super::joint::{Guests, Piece};
use super::language::{Language, find_adapter, unknown_adapter};
use super::runtime::Runtime;
use super::sequence::{Listener, Sequence};
use super::slots::{Part, Slots};
use super::{Finish, GenerateRequest, Generated, Generator, Message, ModelError, Weights};

/// How long someone waits for the others' step before his listener is asked whether he still wants to.
const PATIENCE: Duration = Duration::from_millis(250);

/// A model that writes several texts at once.
pub struct Together {
    shared: Arc<Shared>,
}

/// A place at a model that writes several texts at once: writes one at a time, beside those of the other seats.
pub struct Seat {
    shared: Arc<Shared>,
}

/// The places of a model that writes several texts at once; does not keep it open.
#[derive(Clone, Default)]
pub struct Seats(Weak<Shared>);

impl Seats {
    /// One more place; none where the model is no longer open.
    pub fn seat(&self) -> Option<Seat> {
        let shared = self.0.upgrade()?;
        Some(Seat { shared })
    }
}

struct Shared {
    language: Language,
    slots: usize,
    capacity: usize,
    adapters: Vec<String>,
    state: Mutex<State>,
    /// A step is done, or the engine is back.
    changed: Condvar,
}

struct State {
    /// Not there while someone runs a step.
    engine: Option<Engine>,
    guests: Guests,
}

/// What runs steps.
struct Engine {
    slots: Slots,
    adapters: BTreeMap<String, Adapter>,
}

impl Together {
    /// Opens the decoder in `folder` for at most `slots` texts at once (1 to [`super::MOST_SLOTS`]), each in a context of at
    /// most `context` tokens; blocking.
    ///
    /// Beside the weights it takes `8 * layers * key-value heads * head width` bytes for each token of each slot's context,
    /// as far as it is used: 46 KB a token for SmolLM2-135M.
    ///
    /// # Errors
    /// The folder holds no finished decoder of this version, or the runtime does not take it.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        context: usize,
        slots: usize,
    ) -> Result<Self, ModelError> {
        Together::open_beside(&Weights::default(), runtime, folder, (context, slots))
    }

    /// As [`Together::open`], with `weights`, which must be those of the same files opened for as many texts, where they
    /// are still open: both then read them in turn, a step at a time. It has adapters of its own.
    ///
    /// # Errors
    /// As [`Together::open`].
    pub fn open_beside(
        weights: &Weights,
        runtime: &Runtime,
        folder: &Path,
        (context, slots): (usize, usize),
    ) -> Result<Self, ModelError> {
        let language = Language::open(folder)?;
        let context = language.manifest.context_tokens.min(context);
        let engine = Engine {
            slots: match weights.0.upgrade() {
                Some(session) => Slots::on(session, folder, slots, context)?,
                None => Slots::open(runtime, folder, slots, context)?,
            },
            adapters: BTreeMap::new(),
        };
        Ok(Together {
            shared: Arc::new(Shared {
                language,
                slots,
                capacity: engine.slots.capacity(),
                adapters: Vec::new(),
                state: Mutex::new(State {
                    engine: Some(engine),
                    guests: Guests::default(),
                }),
                changed: Condvar::new(),
            }),
        })
    }

    /// Loads the adapter file at `path`, before the first seat is taken; requests may name it from then on. Blocking.
    ///
    /// # Errors
    /// It is no adapter of this decoder, or a seat is taken.
    pub fn load_adapter(&mut self, path: &Path) -> Result<String, ModelError> {
        let shared = Arc::get_mut(&mut self.shared).ok_or_else(taken)?;
        let state = shared.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let engine = state.engine.as_mut().ok_or_else(taken)?;
        let takes = engine.slots.takes();
        let adapter = Adapter::open(path, &shared.language.manifest, takes)?;
        let name = adapter.name.clone();
        if engine.adapters.insert(name.clone(), adapter).is_none() {
            shared.adapters.push(name.clone());
        }
        // What was read with another of this name is worth nothing now.
        self.forget()?;
        Ok(name)
    }

    /// Guesses at most `most` tokens a step from now on, shared out among the texts that are written; the text is the same
    /// with any number.
    pub fn set_guesses(&self, most: usize) {
        self.shared.lock().guests.guesses = most;
    }

    /// Forgets all prompts, so that the next ones are read whole; the text is the same either way.
    ///
    /// # Errors
    /// A seat is taken.
    pub fn forget(&mut self) -> Result<(), ModelError> {
        let slots = self.bare_slots()?;
        for slot in 0..slots.len() {
            slots.truncate(slot, 0);
        }
        Ok(())
    }

    /// The weights that it runs, for one beside it.
    ///
    /// # Errors
    /// A seat is taken.
    pub fn weights(&mut self) -> Result<Weights, ModelError> {
        let session = self.bare_slots()?.session();
        Ok(Weights(SharedSession::downgrade(session)))
    }

    /// How many texts at once.
    pub fn slots(&self) -> usize {
        self.shared.slots
    }

    /// One more place; there may be more of them than slots.
    pub fn seat(&self) -> Seat {
        Seat {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Where more places are to be had as long as there is one.
    pub fn seats(&self) -> Seats {
        Seats(Arc::downgrade(&self.shared))
    }

    /// What runs steps, while no seat is taken: for measuring.
    ///
    /// # Errors
    /// A seat is taken.
    pub(super) fn bare_slots(&mut self) -> Result<&mut Slots, ModelError> {
        let shared = Arc::get_mut(&mut self.shared).ok_or_else(taken)?;
        let state = shared.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let engine = state.engine.as_mut().ok_or_else(taken)?;
        Ok(&mut engine.slots)
    }
}

fn taken() -> ModelError {
    ModelError::Run("a seat is taken already".into())
}

impl Generator for Seat {
    fn name(&self) -> &str {
        &self.shared.language.name
    }

    fn context_tokens(&self) -> usize {
        self.shared.capacity
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(self.shared.language.prompt(messages)?.len())
    }

    fn adapters(&self) -> Vec<String> {
        self.shared.adapters.clone()
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, ModelError> {
        let shared = &self.shared;
        if let Some(name) = &request.adapter
            && !shared.adapters.contains(name)
        {
            return Err(unknown_adapter(name, shared.adapters.iter()));
        }
        let begun = Instant::now();
        let sequence = shared.language.begin(request, shared.capacity, begun)?;
        let adapter = request.adapter.clone();
        Visit::begin(shared, sequence, adapter).listen(on_text)
    }
}

/// One generation of a seat; ends when it is dropped, whatever the reason.
struct Visit<'a> {
    shared: &'a Shared,
    ticket: u64,
    /// What the listener got.
    heard: String,
    tokens: usize,
}

impl<'a> Visit<'a> {
    fn begin(shared: &'a Shared, sequence: Sequence, adapter: Option<String>) -> Self {
        let ticket = shared.lock().guests.enter(sequence, adapter);
        Visit {
            shared,
            ticket,
            heard: String::new(),
            tokens: 0,
        }
    }

    fn listen(mut self, on_text: Listener<'_>) -> Result<Generated, ModelError> {
        let mut pieces = vec![Piece::default()];
        loop {
            for piece in pieces {
                // The last of a text that ends in half a character stands in no token of its own.
                let closing = !piece.text.is_empty() && piece.tokens == self.tokens;
                self.heard.push_str(&piece.text);
                self.tokens = self.tokens.max(piece.tokens);
                if on_text(&piece.text).is_break() && !closing {
                    return Ok(self.broken_off());
                }
            }
            match self.shared.wait(self.ticket)? {
                News::Pieces(more) => pieces = more,
                News::Done(generated) => return Ok(*generated),
            }
        }
    }

    /// What came out so far, which may be less than was written.
    fn broken_off(&mut self) -> Generated {
        let guest = self.shared.lock().guests.leave(self.ticket);
        let generated = guest.map(|guest| guest.sequence.into_generated());
        let mut generated = generated.unwrap_or_default();
        generated.text = std::mem::take(&mut self.heard);
        generated.tokens = self.tokens;
        generated.finish = Finish::Stopped;
        generated
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.shared.lock().guests.leave(self.ticket);
    }
}

/// What is new of a generation.
enum News {
    /// What the listener is to hear.
    Pieces(Vec<Piece>),
    /// It has heard all.
    Done(Box<Generated>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked took his own text along; the others' are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news of `ticket`, or runs steps until there are some; blocking.
    fn wait(&self, ticket: u64) -> Result<News, ModelError> {
        let asked = Instant::now();
        let mut state = self.lock();
        loop {
            let state_now = &mut *state;
            let Some(guest) = state_now.guests.get(ticket) else {
                return Err(ModelError::Run("the generation has ended already".into()));
            };
            if !guest.news.is_empty() {
                return Ok(News::Pieces(std::mem::take(&mut guest.news)));
            }
            if let Some(reason) = guest.failed.take() {
                return Err(ModelError::Run(reason));
            }
            if guest.sequence.is_done() {
                let guest = state_now.guests.leave(ticket);
                let generated = guest.map(|guest| guest.sequence.into_generated());
                return Ok(News::Done(Box::new(generated.unwrap_or_default())));
            }
            // Also whoever runs the others' steps is asked whether he still wants his own.
            let Some(patience) = PATIENCE.checked_sub(asked.elapsed()) else {
                return Ok(News::Pieces(vec![Piece::default()]));
            };
            if let Some(engine) = state_now.engine.take() {
                state = self.step(state, engine);
                continue;
            }
            let waited = self.changed.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Runs one step for all; blocking, the lock given up meanwhile.
    fn step<'a>(&'a self, state: MutexGuard<'a, State>, engine: Engine) -> MutexGuard<'a, State> {
        let mut home = Home {
            shared: self,
            engine: Some(engine),
        };
        // Given up before the engine comes home, which takes the lock, also where planning panics.
        let mut state = state;
        let Some(engine) = &mut home.engine else {
            return state;
        };
        let step = state.guests.plan(&engine.slots);
        drop(state);
        for (guest, wanted) in &step.parts {
            engine.slots.truncate(guest.slot, wanted.length);
        }
        let parts: Vec<Part<'_>> = step
            .parts
            .iter()
            .map(|(guest, wanted)| Part {
                slot: guest.slot,
                tokens: &wanted.tokens,
                rows: wanted.rows,
            })
            .collect();
        let logits = find_adapter(&engine.adapters, step.adapter.as_deref())
            .and_then(|adapter| engine.slots.step(&parts, adapter));
        let mut state = self.lock();
        state.guests.deliver(step, logits, self.language.pen());
        state.engine = home.engine.take();
        self.changed.notify_all();
        state
    }
}

/// Brings the engine back, also when a step panics.
struct Home<'a> {
    shared: &'a Shared,
    engine: Option<Engine>,
}

impl Drop for Home<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.shared.lock().engine = Some(engine);
            self.shared.changed.notify_all();
        }
    }
}
