//! documents (being built).
