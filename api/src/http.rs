//! All that knows HTTP: routes, what requests and answers have in common, and the endpoints.
//!
//! May use the app and everything below it, but neither `jobs` nor `import`. An endpoint is a story in
//! a file of its own, with its types and its SQL, and never imports another endpoint.

pub mod accounts;
pub mod admin;
pub mod answer;
pub mod body;
mod cached;
pub mod caller;
pub(crate) mod client;
pub(crate) mod connections;
pub mod cookies;
pub(crate) mod cors;
pub mod health;
mod held_sessions;
mod mailed;
mod oauth_error;
pub mod openapi;
pub(crate) mod operations;
pub(crate) mod our_pages;
mod paging;
pub(crate) mod problem;
mod ratelimit_headers;
pub mod request;
pub mod routes;
pub(crate) mod segment;
pub mod service;
pub mod services;
pub mod sessions;
pub mod tokens;
