//! Questions and answers for tuning, made from documents: written, answered, measured, filtered.
//!
//! The paper's sections 2.3, 2.4 and 4.1 (arXiv:2401.08406). [`build()`] goes over the sections of a library,
//! lets a [`Teacher`] write questions, has them answered where they came without, measures every pair and
//! keeps those that pass [`Thresholds`]. It works offline, on the operator's machine; the only room besides
//! the study that may use an endpoint. Nothing here trains a model.

mod answers;
mod build;
mod chat;
mod check;
mod context;
mod embedded;
mod error;
mod filter;
mod judge;
mod kept;
mod material;
mod measures;
mod mode;
mod pair;
mod report;
mod rules;
mod teacher;
mod wordless;

pub use answers::{Answers, NoGenerator, RoomAnswers};
pub use build::{Built, Dropped, Hands, Plan, build};
pub use chat::{EndpointAnswers, EndpointTeacher};
pub use check::{CheckReport, check};
pub use context::{ContextTags, Named};
pub use embedded::GeneratorTeacher;
pub use error::DatasetError;
pub use filter::{HeldOut, Meaning, Reason, Thresholds};
pub use judge::{Grades, Judge};
pub use kept::line;
pub use material::{Origin, Unit};
pub use mode::Mode;
pub use pair::{Pair, Provenance, Scores, Turn};
pub use report::{Report, Row, Used};
pub use rules::RuleTeacher;
pub use teacher::{Draft, Job, Manner, QUESTIONS, Reply, Teacher};
pub use wordless::Wordless;
