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

use portcullis_client::Question;

/// Of a session, and no more.
pub(crate) fn about<'a>(subject: &'a str, token: &'a str, session: &'a str) -> Question<'a> {
    let token = token.as_bytes();
    Question { subject, token, session: Some(session), issued_ms: None, expires: None }
}
