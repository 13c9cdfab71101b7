//! field (being built).
