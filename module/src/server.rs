//! Redis as the rest of the module sees it: its functions, a command as it runs and what it
//! answers, the clock, questions to other commands, streams, whether somebody vouches for what it
//! holds, what is known of all its ledgers at once, which life of them it is in, and what may be done
//! with them.
//!
//! May use the plain types of `portcullis-core` and nothing else of ours. Knows no setting, no
//! ledger and no command. What can be done without handing out a pointer of Redis's is done here.

pub(crate) mod abilities;
pub(crate) mod all_ledgers;
pub(crate) mod allocator;
pub(crate) mod arg;
pub(crate) mod ask;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod confirmed;
pub(crate) mod ffi;
pub(crate) mod life;
pub(crate) mod load;
pub(crate) mod open_key;
pub(crate) mod reply;
pub(crate) mod streams;
mod strings;
