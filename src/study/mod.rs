//! Question sets and what they measure: key facts right, ungrounded figures, refusals right and wrong.
//!
//! The grounding checker and the scoring here share no code with the guard of the answer room: they
//! are its second opinion. Only the development part of a set may choose a threshold.

mod calibrate;
mod checker;
mod facts;
mod figures;
mod questions;
mod report;

pub use calibrate::{Calibration, Scored, calibrate};
pub use checker::{Evidence, ungrounded};
pub use facts::is_right;
pub use questions::{Fact, Gold, Kind, Split, StudyError, StudyQuestion, read, read_text};
pub use report::{Counts, Refusals, Report, Row, run};
