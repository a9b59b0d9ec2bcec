//! The HTTP service. Read `http/routes.rs` first: it lists every route.
//!
//! MySQL is the truth and commits first; the Redis module is told through the outbox. A handler is
//! a story in its own file, with its types and its SQL.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod app;
pub mod base;
pub mod http;
pub mod import;
pub mod jobs;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod serve;
pub mod sessions;
pub mod settings;
pub mod store;
pub mod tokens;

pub use crate::app::App;
