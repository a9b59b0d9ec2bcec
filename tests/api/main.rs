//! The HTTP service as its clients meet it: over the wire, on real servers.
#![forbid(unsafe_code)]

mod admin;
mod answers;
mod cors;
mod gates;
mod login;
mod logout;
mod metrics;
mod outages;
mod passwords;
mod refresh;
mod register;
mod routes;
mod secrets;
mod sessions;
mod tokens;
mod verify;
