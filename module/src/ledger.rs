//! A ledger in a server.

mod aof;
pub(crate) mod data_type;
mod digest;
pub(crate) mod effect;
pub(crate) mod endings;
pub(crate) mod key;
