//! Sessions: how they begin, how they end, and whether one is live.
//!
//! May use `base`, `settings`, `metrics`, `store`, `tokens` and `ledger`. Knows neither accounts nor
//! HTTP.

pub mod activity;
pub mod bearer;
pub mod caller;
pub mod ending;
pub mod fallback;
pub mod gate;
pub mod live;
pub mod opening;
