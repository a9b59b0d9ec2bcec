//! The rules of Portcullis: what a token's digest is, what a ledger holds, what a verdict is.
//!
//! Nothing here knows Redis, reads a clock or does I/O: time is an argument, so every rule can be
//! tested at the exact instant it speaks of.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unreachable
)]
#![cfg_attr(
    test,
    expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test may fail by panicking"
    )
)]

mod all_ledgers;
mod claims;
mod cluster;
mod digest;
pub mod encoding;
mod fence;
mod hosts;
mod ledger;
mod pieces;
mod requests;
mod revoked;
mod session;
mod slots;
mod time;
mod verdict;

pub use all_ledgers::{AllLedgers, Mark};
pub use claims::exp_ms;
pub use cluster::{Claim, Node, View};
pub use digest::{Digest, jws_signing_input};
pub use fence::{Beginning, Fence, FenceToken, LogOut, MonotonicMs, REMEMBERED_MS, TOKEN_LIFE_MS};
pub use hosts::{Host, HostList, NoHostList, is_cut_short};
pub use ledger::{Ledger, Relocate};
pub use requests::{Create, Created, LoggedOut, Refusal, Touched};
pub use revoked::{Revocation, Row};
pub use session::{Facts, Session, State};
pub use slots::{SLOTS, Slots, slot_of, tag_of};
pub use time::{Now, Present, UnixMs};
pub use verdict::{Question, Standing, TokenRef, Verdict};
