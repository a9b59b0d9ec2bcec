//! Endpoints for administrators. Whether the caller is one is asked of MySQL each time, never of the
//! token (`Admin` in `caller.rs`).

pub mod audit;
pub mod blacklist_stats;
pub mod logout_everyone;
pub mod overview;
pub mod users;
