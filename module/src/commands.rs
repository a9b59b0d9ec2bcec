//! The commands, one file each: parse, apply, replicate, reply. Beside them stand what several of
//! them read (`token`, `expiry`) and refuse (`errors`), the way in (`entries`), and how they are
//! made known (`arguments`, `table`, `docs`).
//!
//! May use `server`, `config`, `counters` and `ledger`. A command uses no other command: what two
//! of them share lies below or beside them. Holds no rule, and none of the words in which a
//! ledger's changes are told.

mod arguments;
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
