//! The daemon: the only room where the others meet.

mod error;
mod health;
pub mod logging;
mod queue;
mod reports;
mod rooms;
mod run;
mod shutdown;
mod status;
mod systemd;
mod worker;

pub use error::ServiceError;
pub use reports::{
    BoxReport, DocumentLine, EditionReport, IngestReport, LibraryStats, PassageLine, SearchHit,
    SearchLine,
};
pub use rooms::Rooms;
pub use run::serve;
pub use status::{State, StatusMessage};
