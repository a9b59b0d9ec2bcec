//! MySQL, the truth: connections and deadlines, transactions, locks, the audit trail, and what of a
//! row's state every room must judge alike.
//!
//! May use `base`, `settings` and `metrics`. Knows neither Redis nor HTTP.

pub mod audit;
pub mod cleanup;
pub mod database;
pub(crate) mod erasure;
pub(crate) mod everybody;
pub(crate) mod held_rows;
pub(crate) mod history;
pub(crate) mod lock;
pub mod migrate;
pub(crate) mod places;
pub(crate) mod standing;
pub mod told;
pub(crate) mod transaction;
