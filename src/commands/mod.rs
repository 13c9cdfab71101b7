//! commands (being built).

pub mod bench;
pub mod models;
