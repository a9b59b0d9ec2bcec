//! Secrets and tokens as types: how they are made, read and derived from each other.
//!
//! May use `base`, `settings` and `metrics`. Knows neither SQL nor HTTP, and not whether a token was
//! revoked.

pub mod access;
pub(crate) mod csrf;
pub mod derived;
pub mod issue;
pub mod place;
pub mod secret;
