//! study (being built).
