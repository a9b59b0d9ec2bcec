//! Is this access token still good, right now? Answered in the process, in nanoseconds.
//!
//! [Portcullis](https://docs.rs/portcullis-core) keeps in Redis which tokens and sessions are good, and
//! `AUTH.CHECK` answers. Services that ask for every request pay a round trip for each. A [`Watch`] asks
//! once, keeps the verdict, and is told by Redis of every change; a short **lease** bounds how old a verdict
//! can be, whatever fails.
//!
//! ```no_run
//! use portcullis_client::{Options, Question, Verdict, Watch};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let watch = Watch::connect("redis://127.0.0.1", Options::default())?;
//! // The token has been verified: signature, issuer, audience, times.
//! let question = Question {
//!     subject: "42",
//!     token: token.as_bytes(),
//!     session: Some("the session that the token names"),
//!     issued_ms: None,
//!     expires: None,
//! };
//! match watch.check(&question).await {
//!     Ok(Verdict::Ok) => println!("welcome"),
//!     Ok(verdict) => println!("dead: {verdict:?}"),
//!     Err(cause) => println!("nobody can tell, so no: {cause}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Gate`] does both: it has a [`Verifier`] verify a token once and watches it from then on.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `tls`, on unless turned off | `rediss://`, by rustls |
//! | `tower` | `BearerLayer`, for whatever speaks `tower` and `http` |
//! | `axum` | `Live`, an extractor; and `tower` |
//! | `jsonwebtoken` | `JwtVerifier`, for a secret, a key or a key set that is kept up to date; `ServiceVerifier`, for the Portcullis service's own tokens |
//!
//! # What is promised
//!
//! **No `Ok` is told to a call that began later than [`Options::lease`] after Redis confirmed the change
//! that made the token dead**: whether the server stops, the network holds back what it says, or this
//! machine sleeps. Where nothing fails it is a matter of microseconds. What a lease cannot bound is how late it is
//! known that another server has taken the place of the one that is asked: see *Sentinels and clusters*.
//!
//! # Why it holds
//!
//! The watch has a thread with one connection of its own, on which it asks and on which Redis tells it, by
//! `CLIENT TRACKING ON`, of changes to the keys that were asked about. Redis answers and tells on one
//! connection in the order in which things happened, and the thread reads in that order. Three rules follow.
//!
//! 1. **An answer is stamped before it is asked for.** Each ledger has a counter (65,536 of them are shared
//!    by a hash with a random key), and all have one together, the era. A push raises the ledger's counter; a
//!    push about everything, another life of the ledgers, a clock that is set back, an error, and the end of
//!    the connection raise the era. A verdict carries both as they were *before its question was sent*, and
//!    counts while both are still so. So a push that comes between question and answer makes the answer dead
//!    on arrival.
//! 2. **A lease begins when its question was sent.** Several times a second the watch asks `AUTH.CHECK` about
//!    nobody, a beat; it passes every gate that a real question passes. When the beat is answered, everything
//!    that Redis had done before the beat was *sent* has been read, for it came earlier on the connection. So
//!    until one lease after that instant, what is known is no older than one lease. The clock counts the time
//!    that the machine was suspended. Without an answer the lease ends by itself: every check asks.
//! 3. **What nobody tells is in the answer.** `AUTH.CHECK … UNTIL` says until when its word stands if
//!    nothing is written (a session's end, an idle limit, the key's own end, a revocation's end), what the
//!    server's clock shows, and which life its ledgers are in: it changes with a flush, `SWAPDB`, a load, a
//!    role, a lost link, a voided confirmation. A verdict counts strictly before `until`, by the latest that
//!    the server's clock can show by now.
//!
//! An answer that arrives later than a lease after its question was sent is handed to nobody. A replica is
//! asked only if it says, in the very life that its answers come from, that somebody must confirm it
//! (`portcullis.require-confirm yes`), for nothing else would tell when it falls behind.
//!
//! # Sentinels and clusters
//!
//! Whom to ask is then for others to say, and a server that was cut off together with those who still name it
//! goes on answering. So more than half of all sentinels of the address, or of all primaries with slots that
//! any node knows, must name it, and it must say itself that it is a primary, and of a cluster that the slot is
//! its own. They are asked each second, and a server is believed for 5 s after they were asked, whatever is
//! asked of it: **in these ways no `Ok` rests on a server that most have not named for 5 s**. Of a cluster the
//! whole of rules 1 to 3 holds for each primary by itself; no two ever share an era, and when a slot goes
//! elsewhere its counters rise, so that what was known of it is dead even if it comes back. `MOVED`, `ASK`,
//! `TRYAGAIN` and `CLUSTERDOWN` are never verdicts. An answer that was on its way while its slot moved is handed
//! to nobody.
//!
//! What it rests on: that the two clocks go about equally fast for the length of a lease, and that a
//! virtual machine that is paused has a clock that says so afterwards.
//!
//! The 5 s are fixed and measured by the clock of this machine alone. They bound what a lease cannot: for so
//! long, whoever is cut off together with an old primary may be told `OK` by it though another one has taken its
//! place and has confirmed a change. They assume that a primary is given up no sooner, and by nobody's order: with
//! `down-after-milliseconds` of the sentinels, or `cluster-node-timeout`, of 5 s or more, nothing of an old one
//! that was cut off counts any more by the time that there is another. With less, an `Ok` may be late by the
//! difference. And whoever can reach those who choose knows of another primary only once most of them do, which
//! is a matter of gossip, and a look later.
//!
//! # What it costs
//!
//! A hit reads the clock, a counter and the token, and writes nothing that threads share, so that cores do
//! not wait for each other. Memory is `most_tokens × (token + 110 B) + 256 KiB` at most, and what the
//! connection needs; a [`Gate`] keeps what tokens say beside that. Each watch costs the server a connection
//! and, with a lease of 250 ms, 16 questions a second. The server remembers who asked about which key:
//! `tracking-table-max-keys` (1,000,000 unless set) should be above the number of users whose tokens are in
//! use at once, for beyond that Redis says of some that they have changed. What it tells counts in
//! `client-output-buffer-limit normal`, which has no limit unless set; a connection that is ended for it is
//! made again.
//!
//! # Logging
//!
//! State changes are events of the crate `tracing`. No token is ever printed.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable
)]
#![cfg_attr(test, expect(clippy::indexing_slicing, reason = "a test may fail by panicking"))]
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
mod map;
mod net;
mod options;
mod question;
mod resp;
mod seen;
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
pub use seen::Seen;
pub use verifier::{Known, Remedy, Verifier};
pub use watch::Watch;

/// The example of the README, compiled as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
