//! People: their accounts, passwords, and what is mailed to them.
//!
//! May use `base`, `settings`, `metrics`, `store`, `tokens` and `mail`. Knows neither sessions nor HTTP.

pub mod addresses;
pub(crate) mod email_change;
pub(crate) mod email_token;
pub(crate) mod new_device;
pub mod outgoing;
pub mod password;
pub mod user;
