//! The HTTP service as its clients meet it: over the wire, on real servers.
#![forbid(unsafe_code)]

mod answers;
mod cors;
mod login;
mod logout;
mod metrics;
mod outages;
mod refresh;
mod register;
mod routes;
mod secrets;
mod sessions;
mod verify;
