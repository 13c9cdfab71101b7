//! edition (being built).
