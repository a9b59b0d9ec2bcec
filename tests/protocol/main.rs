//! The protocol between MySQL, outbox, network, Redis and hydration, explored exhaustively: every
//! world that can come of a scenario's events in any order is visited. In each of them
//!
//!     1. no `AUTH.CHECK` says OK to a session whose end was answered as confirmed, or was committed
//!        before the last look of the hydration that confirmed the server,
//!     2. and none through an instance to one whose end that instance has answered at all;
//!
//! and in each at which nothing more can happen, once the service has gone on by itself for a while,
//!
//!     3. what lives in MySQL is accepted, what has ended is refused, and nothing waits.
//!
//! What is pure is the code that runs: the ledger and the fence of `portcullis-core`, and
//! `api/src/ledger/belief.rs`. The rest is told again here in steps; `ARCHITECTURE.md` says what is
//! left out. The package is its own so that it is compiled with optimisation.

mod checking;
mod cluster;
mod data;
mod delivery;
mod events;
mod everybody;
mod everybody_ends;
mod gone;
mod gone_back;
mod guards;
mod happenings;
mod healing;
mod holds;
mod hydration;
mod lives;
mod rejected;
mod rules;
mod scenarios;
mod server;
mod slots;
mod tasks;
mod telling;
mod truth;
mod two_primaries;
mod world;
