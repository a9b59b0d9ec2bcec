//! Sessions: how they begin, how they end, and whether one is live.
//!
//! May use `base`, `settings`, `metrics`, `store`, `tokens` and `ledger`. Knows neither accounts nor
//! HTTP.

pub mod activity;
pub mod bearer;
pub mod caller;
pub(crate) mod deed;
pub mod ending;
pub mod fallback;
pub(crate) mod family;
pub mod gate;
pub(crate) mod leaver;
pub mod live;
pub(crate) mod log_out_everywhere;
pub mod opening;
mod revoke_token;
pub(crate) mod rows;
pub mod signed;
