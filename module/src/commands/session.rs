//! `AUTH.SESSION`: begins, shows, touches and ends the sessions of a subject. One file for each
//! subcommand, or for two that are alike, and `options` for what they read in the same way.
//!
//! May use what every command may. A subcommand uses no other subcommand.

pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod help;
mod options;
pub(crate) mod read;
pub(crate) mod touch;
