//! commands (being built).

pub mod models;
