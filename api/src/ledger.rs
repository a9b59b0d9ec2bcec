//! Redis, the fast copy: the way to it, what it is told, whether it is believed, and how it is brought
//! up to date.
//!
//! May use `base`, `settings`, `store` and `metrics`. Knows no requests, and decides nowhere what ends.

pub mod belief;
pub mod change;
pub(crate) mod fence;
pub mod hydrate;
pub(crate) mod kept;
pub mod ledgers;
pub mod line;
pub mod module_lack;
pub mod outbox;
mod recently_repaired;
mod redis_fault;
mod redis_time;
pub mod repair;
mod sentinel;
mod session_row;
pub mod telling;
pub(crate) mod watch;
