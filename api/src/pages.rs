//! The pages for people: login, registration, sessions, password, profile, administration.
//!
//! They are a client of the API as any other front end is: a form becomes a call of an endpoint, in this
//! process and with the cookies of its browser, and the answer becomes a page. So limits, CSRF tokens, the
//! audit trail and every other rule stand where they stood. Nothing here knows SQL or Redis; everything
//! works without script. `routes.rs` lists the pages, `visit.rs` is what they have in common.
//!
//! May use `base`, `settings`, `tokens`, `app` and `http`.

mod admin;
mod api;
mod assets;
mod entrance;
mod files;
mod form;
mod jar;
mod links;
mod mailed;
mod password;
mod problem;
mod profile;
pub(crate) mod routes;
mod sessions;
mod shared;
mod templates;
mod texts;
mod visit;
