//! Almanac answers farm questions from a local library, on a small computer, over MQTT.
//!
//! # The house
//! Floors, from the ground up; a room imports only from lower floors (`tests/architecture.rs` checks it):
//!
//! | floor | rooms |
//! |---|---|
//! | ground | [`types`] (shared words), [`clock`], [`durable`] (the only file writer), [`config`] |
//! | sources | [`documents`] (files to sections and passages), [`model`] (ONNX Runtime), [`journal`] (questions in, outcomes out), [`field`] (MQTT), [`edition`] |
//! | library | [`library`] (passages, vectors, postings, search) |
//! | answer | [`answer`] (retrieve, prompt, generate, ground, cite) |
//! | study | [`study`] (question sets and measures) |
//! | data sets | [`dataset`] (questions and answers made from documents, for tuning) |
//! | service | [`service`] (the daemon: where the rooms meet), [`control`] (its local socket) |
//! | commands | [`commands`] (one file a subcommand) |
//!
//! # The life of one question
//! A client publishes on `almanac/<site>/ask/<client>`. [`field`] receives the packet and parses it into a
//! [`types::Ask`]; [`journal`] writes it down and syncs; only then is the packet acknowledged. A bounded queue
//! in [`service`] holds it until the one answering thread is free. [`answer`] searches the [`library`] for
//! passages of the asker's place and crop, refuses when nothing is relevant enough, builds the prompt, lets
//! [`model`] write a draft, and checks each sentence against the passages before it lets it go. The outcome is
//! written to the journal, synced, and published until the broker has acknowledged it.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod answer;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
pub mod dataset;
pub mod documents;
pub mod durable;
pub mod edition;
pub mod field;
pub mod journal;
pub mod library;
pub mod model;
pub mod service;
pub mod study;
pub mod types;
