//! A ledger in a server: how it lies in a key, how it is opened and settled, in which words its
//! changes are told, and what is remembered of endings beside it.
//!
//! May use `server`, `config` and `counters`. Knows no command and reads no option. What a ledger
//! does is decided in `portcullis-core`.

mod aof;
pub(crate) mod data_type;
mod digest;
pub(crate) mod effect;
pub(crate) mod endings;
pub(crate) mod key;
