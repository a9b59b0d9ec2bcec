//! `portcullis import`: takes over what the system that Portcullis replaces has in its database.
//!
//! The old database is only read, in one snapshot. Taken over is what still means the same here:
//!
//!     users          with their ids and password hashes
//!     sessions       live ones, with the refresh token that their holder has
//!     revocations    of refresh tokens; an access token of the old system is accepted nowhere here
//!
//! Whatever is in doubt is left out and counted: that costs its holder a login, no more (BUG-35).
//! Users come in batches, each of them a transaction with its sessions, and every row is decided by
//! what is here already. So the import can be cut short and repeated, and a dry run is the same
//! work without the commits.
//!
//! May use `app` and every room below it, but neither `http` nor `jobs`.

mod ids;
mod old;
mod options;
mod revocations;
mod revoked;
mod roles;
mod rows;
mod sessions;
mod steps;
mod tally;
mod users;
mod work;

pub use options::Options;
pub use steps::import;
pub use tally::Tally;
