//! What the service promises, asked for over HTTP as an outsider would: one test for each number of
//! `tests/REQUIREMENTS.md` that is not proven elsewhere.
//!
//! By itself it starts the service. With `PORTCULLIS_URL` it judges the one that is there.
#![forbid(unsafe_code)]

mod access_tokens;
mod browser;
mod credentials;
mod endings;
mod example_client;
mod flows;
mod forged;
mod hostile;
mod leaving;
mod limits;
mod mixed_cookies;
mod our_pages;
mod passwords;
mod records;
mod refresh_tokens;
mod requests;
mod routes;
mod sessions;
mod site;
mod start;
mod trail;
mod transport;
