//! The client against a server that says what a test wants it to say (`scripted`), and against every
//! real server that is present (`real`).
//!
//! Nothing here runs inside an async runtime: a future is polled where the test stands.

mod bearer;
mod choices;
mod examples;
mod gate;
mod jwt;
mod real;
mod scripted;
mod waiting;
