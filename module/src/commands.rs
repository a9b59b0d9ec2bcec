//! The commands.

mod blacklist;
mod check;
pub(crate) mod confirm;
pub(crate) mod docs;
mod entries;
mod errors;
mod expiry;
mod fence;
mod session;
mod table;
mod token;
