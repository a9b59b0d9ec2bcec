//! The HTTP service: the list of its rooms, and the app.
//!
//! What each room may use is said at its head and in *Rooms* in `ARCHITECTURE.md`. Begin with
//! `http/routes.rs`, which lists every route. A handler is a story in its own file, with its types and its
//! SQL; MySQL is the truth and commits first, and the Redis module is told through the outbox.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod app;
pub mod base;
pub mod http;
pub mod import;
pub mod inspect;
pub mod jobs;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod pages;
pub mod serve;
pub mod sessions;
pub mod settings;
pub mod store;
pub mod tokens;

pub use crate::app::App;
