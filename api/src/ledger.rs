//! Redis, the fast copy: the way to it, what it is told, whether it is believed, and how it is brought
//! up to date.
//!
//! May use `base`, `settings`, `store` and `metrics`. Knows no requests, and decides nowhere what ends.

mod asking;
pub mod belief;
mod by_server;
pub mod change;
mod confirming;
mod ended_until;
pub(crate) mod everybody;
pub(crate) mod fence;
pub(crate) mod health;
mod hearsay;
pub mod hydrate;
pub(crate) mod kept;
pub mod ledgers;
pub mod line;
mod lives;
pub mod module_lack;
mod noting;
pub mod outbox;
mod recently_repaired;
mod redis_fault;
mod redis_time;
pub mod repair;
pub(crate) mod returning;
mod reviving;
pub(crate) mod roster;
mod sentinel;
mod session_row;
mod shards;
pub mod telling;
pub mod vouching;
mod watch;
pub mod way;
