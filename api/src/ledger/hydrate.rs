//! Brings the ledgers in Redis up to date with MySQL after a start, a loss, a failover or a restore
//! from old data: at once by any instance that sees it (one works, under a lock), or by
//! `portcullis hydrate`.
//!
//! While it runs nobody believes Redis; the order of the steps makes it true again:
//!
//!     mark     the sentinel says that work goes on; a FLUSHALL in between removes it
//!     sweep    sessions that MySQL does not have are ended; only if it is unknown how old the data
//!              is, for otherwise the outbox still has every ending that may be missing
//!     fill     watermarks and revocations first, then every live session; only those of users of
//!              whom something may have changed since the mark, if that is known
//!     end      endings from the outbox are told again: those that the data is too old for, and
//!              those that happened while the sessions were being filled in
//!     wait     so are the endings that wait now, whoever else is telling them; about users for
//!              whom anything else waits nobody will believe Redis
//!     confirm  sentinel and AUTH.CONFIRM in one step, unless the mark has gone or the module says
//!              that the ledgers are others now
//!
//! Ending twice is harmless, and a session is only filled in before the endings are read and behind
//! a fence (`ledger/telling.rs`): whatever is dead in MySQL is dead in Redis when the last step is
//! done.

mod endings;
mod everywhere;
mod fill;
mod parts;
mod run;
mod since;
mod sweep;
mod work;

pub use everywhere::bring_all_up_to_date;
pub(crate) use run::bring_up_to_date;
pub use run::{Extent, size};
pub use work::{Counts, Fault};
