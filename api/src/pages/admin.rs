//! The pages of administrators: how the service is, its users, its audit trail.

mod chart;
pub(super) mod overview;
pub(super) mod trail;
pub(super) mod users;
