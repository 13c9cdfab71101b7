//! The words that every room shares: places, questions, readings and answers.
//!
//! Plain data with validation, no input or output. What goes over MQTT, the control socket and
//! `--json` is defined here once; the contract is `docs/mqtt.md`.

mod answer;
mod ask;
mod digest;
mod edition;
mod key;
mod place;
pub mod random;
mod reading;
pub mod senml;

pub use answer::{Answer, Citation, Status, Timing, Tokens};
pub use ask::{Ask, AskLimits, InvalidAsk, Question};
pub use digest::Digest;
pub use edition::{EditionState, Phase};
pub use key::{AskId, AskKey};
pub use place::Place;
pub use random::Random;
pub use reading::{Reading, ReadingValue};
