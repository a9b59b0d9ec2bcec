//! What an installation of so many users takes, and what it goes through when a primary fails, when
//! everybody is logged out and when everybody comes in the morning.
//!
//! Nothing here is measured: [`costs`] has what was, with where. What is needed at any time is
//! arithmetic ([`needs`]); what piles up when much comes at once is replayed event by event ([`queue`],
//! [`replay`]). The same population and the same seed give the same figures on every machine, because a
//! page of the documentation shows them.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "people, bytes and nanoseconds, all far below 2^52, and none below zero"
)]

pub mod costs;
pub mod needs;
pub mod page;
pub mod population;
pub mod queue;
pub mod random;
pub mod rehearsal;
pub mod replay;
pub mod tables;
