//! Question sets and what they measure: key facts right, ungrounded figures, refusals right and wrong.
//!
//! The grounding checker and the scoring here share no code with the guard of the answer room: they
//! are its second opinion. The test part of a set never chooses a threshold.

mod arms;
mod calibrate;
mod check;
mod checker;
mod corpus;
mod facts;
mod figures;
mod generate;
mod meters;
mod questions;
mod report;
mod rows;

pub use arms::{AnswerRow, Arm, Asker};
pub use calibrate::{Calibration, Scored, calibrate};
pub use check::{ByKind, SetFault, SetReport, check, digest_of};
pub use checker::{Evidence, ungrounded};
pub use corpus::Corpus;
pub use facts::is_right;
pub use generate::{Plan, generate, select};
pub use meters::{EnergyMark, MeterPaths, Meters};
pub use questions::{
    Fact, Gold, Kind, SentReading, Split, StudyError, StudyQuestion, read, read_text,
};
pub use report::{Counts, Refusals, Report, Row, run};
pub use rows::{AdapterName, Rows, RowsError, RunHeader, read_rows};
