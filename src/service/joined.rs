//! What writes the answers: one text at a time, or those of several answering threads in the same steps.

use std::sync::{MutexGuard, PoisonError};

use super::error::ServiceError;
use super::models::Models;
use crate::config::MOST_AT_ONCE;
use crate::edition::Role;
use crate::model::{Generator, MOST_SLOTS, Seat, Seats, Together, Weights};

const _: () = assert!(MOST_AT_ONCE <= MOST_SLOTS, "each thread has a slot");

/// A language model that writes several texts at once, as far as it is open.
#[derive(Clone, Default)]
pub struct Joined {
    /// Of the model that was opened last.
    weights: Weights,
    /// At that model.
    seats: Seats,
}

impl Joined {
    /// For an edition with the same language model: its weights, none of its places.
    pub fn beside(&self) -> Joined {
        Joined {
            weights: self.weights.clone(),
            seats: Seats::default(),
        }
    }
}

impl Models {
    /// What writes the answers of one thread: where several questions are answered at once, a place at the model that all
    /// threads of this edition share; else a model of its own. Opened as long as somebody has it; blocking, for seconds.
    ///
    /// # Errors
    /// The edition has no language model, or the runtime does not take it.
    pub fn writer(&self) -> Result<Box<dyn Generator>, ServiceError> {
        if self.config.model.at_once == 1 {
            return Ok(Box::new(self.generator()?));
        }
        // Held while it is opened: the other threads wait for the same one.
        let mut joined = self.joined();
        match self.seat(&mut joined) {
            Ok(seat) => Ok(Box::new(seat)),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the texts of several questions are not written in the same steps, but in turns"
                );
                Ok(Box::new(self.generator()?))
            }
        }
    }

    pub(super) fn joined(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self, joined: &mut Joined) -> Result<Seat, ServiceError> {
        if let Some(seat) = joined.seats.seat() {
            return Ok(seat);
        }
        let model = &self.config.model;
        let mut together = Together::open_beside(
            &joined.weights,
            &self.runtime()?,
            &self.folder(Role::Decoder)?,
            (model.context_tokens, model.at_once),
        )?;
        for adapter in self.adapters() {
            together.load_adapter(&adapter)?;
        }
        joined.weights = together.weights()?;
        joined.seats = together.seats();
        Ok(together.seat())
    }
}
