//! Endpoints that hand tokens out, exchange, list and revoke them.

pub mod blacklist;
pub mod login;
pub mod refresh;
pub mod refresh_tokens;
