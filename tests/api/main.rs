//! The HTTP service as its clients meet it: over the wire, on real servers.
#![forbid(unsafe_code)]

mod addresses;
mod admin;
mod answers;
mod command;
mod connections;
mod cors;
mod databases;
mod fair_limits;
mod gates;
mod keys;
mod limits;
mod live;
mod login;
mod logout;
mod mailed_links;
mod mails;
mod metrics;
mod new_device;
mod nginx;
mod openapi;
mod outages;
mod own_account;
mod passwords;
mod personal_data;
mod plans;
mod refresh;
mod register;
mod routes;
mod schemathesis;
mod secrets;
mod sessions;
mod statements;
mod tls;
mod tokens;
mod verify;
