//! The HTTP service. Read `http/routes.rs` first: it lists every route.
//!
//! MySQL is the truth and commits first; the Redis module is told through the outbox. A handler is
//! a story in its own file, with its types and its SQL.

#![forbid(unsafe_code)]

pub mod activity;
pub mod admin;
pub mod admin_users;
pub mod answer;
pub mod audit;
pub mod blacklist;
pub mod body;
pub mod caller;
pub mod change_password;
pub mod cleanup;
pub mod clock;
pub mod config;
mod connections;
pub mod cookies;
mod cors;
pub mod database;
pub mod device;
pub mod ending;
pub mod error;
pub mod fallback;
pub mod gate;
pub mod health;
mod held;
pub mod http;
pub mod hydrate;
pub mod import;
pub mod introspect;
pub mod issue;
pub mod jwks;
pub mod keys;
pub mod ledger;
pub mod limit;
pub mod line;
mod live;
mod log;
pub mod login;
pub mod logout;
pub mod logout_everyone;
pub mod mail;
pub mod me;
pub mod metrics;
pub mod migrate;
mod new_device;
pub mod openapi;
pub mod opening;
pub mod outbox;
pub mod password;
pub mod refresh;
pub mod refresh_tokens;
pub mod register;
pub mod repair;
pub mod request;
pub mod reset_password;
pub mod secret;
mod sentinel;
pub mod serve;
pub mod session_id;
pub mod sessions;
pub mod state;
pub mod token;
mod transaction;
pub mod user;
pub mod verify;
mod watch;

pub use crate::state::App;
