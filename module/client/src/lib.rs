//! Is this access token still good, right now? Answered in the process, in nanoseconds.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable
)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may fail by panicking"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod answers;
#[cfg(feature = "tower")]
mod bearer;
mod cells;
mod clock;
mod gate;
mod hit;
#[cfg(feature = "jsonwebtoken")]
mod jwt;
mod lease;
mod line;
#[cfg(feature = "axum")]
mod live;
mod net;
mod options;
mod question;
mod resp;
mod shared;
mod tokens;
mod verifier;
mod watch;

pub use portcullis_core::Verdict;

pub use answers::{State, Stats, Unavailable, Why};
#[cfg(feature = "tower")]
pub use bearer::{Bearer, BearerLayer};
pub use gate::{Gate, Refused};
#[cfg(feature = "jsonwebtoken")]
pub use jwt::{BadKey, JwtRefusal, JwtVerifier, ServiceClaims, ServiceVerifier};
#[cfg(feature = "axum")]
pub use live::{Live, NoLayer};
pub use options::{BadOptions, Options};
pub use question::Question;
pub use verifier::{Known, Remedy, Verifier};
pub use watch::Watch;
