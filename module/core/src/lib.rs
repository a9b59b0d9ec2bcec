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
#![cfg_attr(test, expect(clippy::indexing_slicing, reason = "a test may fail by panicking"))]

mod digest;

pub use digest::{Digest, jws_signing_input};
