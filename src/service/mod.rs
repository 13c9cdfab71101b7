//! The daemon: the only room where the others meet.

mod answering;
mod crew;
mod desk;
mod editions;
mod error;
mod fetching;
mod golden;
mod health;
mod ingest;
mod intake;
mod joined;
mod keeping;
mod link;
pub mod logging;
mod models;
mod post;
mod pushed;
mod queue;
mod reports;
mod rooms;
mod run;
mod settle;
mod shutdown;
mod status;
mod systemd;
mod tagging;
mod trial;
mod update;
mod worker;

pub use editions::{Again, Editions, host, offer_at, trusted_keys};
pub use error::ServiceError;
pub use keeping::BackupPiece;
pub use models::{adopt_adapter, adopt_model};
pub use reports::{
    BoxReport, DocumentLine, EditionReport, HandoverReport, IngestReport, InstallReport,
    LibraryStats, PassageLine, SearchHit, SearchLine, TagsLine,
};
pub use rooms::Rooms;
pub use run::serve;
pub use trial::{Asked, ask as probe};
pub use update::{Done, Nothing, OnStep, Order, Updater, progress};
