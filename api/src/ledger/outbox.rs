//! How a change gets from MySQL to Redis without being lost.
//!
//! The transaction that decides a change also writes down what the ledger must be told; after the
//! commit it is told. Redis may therefore be behind but never ahead:
//!
//!     login    insert + row -> commit -> AUTH.SESSION CREATE -> answer, row marked
//!     revoke   update + row -> commit -> AUTH.SESSION REVOKE -> answer, row marked
//!
//! From the commit until Redis has confirmed, this instance asks MySQL about the user. Telling
//! twice, late or in another order does no harm (`outbox/reading.rs`), so nobody waits for anybody: whoever
//! finds a row waiting tells it (`outbox/worker.rs`).

pub(crate) mod delivery;
pub(crate) mod marking;
mod owed;
pub(super) mod position;
mod reading;
pub(super) mod refusing_users;
pub(super) mod settled_row;
pub(super) mod unmarked;
pub(crate) mod worker;
pub(crate) mod writing;

pub(crate) use delivery::{Decided, commit};
pub(super) use owed::tell_owed;
pub(super) use reading::{doubt_waiting, mark};
pub(crate) use worker::deliver_due;
pub use worker::deliver_waiting;
pub use writing::add;
