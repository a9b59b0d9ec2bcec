//! The rule in its plainest form, to be read beside `README.md`: a caching client in a few hundred lines
//! of blocking Rust that needs nothing but the standard library.
//!
//! It is no client to be used: it allocates, it locks, and it bounds no memory. It is there to be
//! ported, and to show that each guard is needed: `--without GUARD` takes one out, and the kit finds
//! out. `--naive` is what is written without any of this.
#![forbid(unsafe_code)]

mod cache;
mod client;
mod naive;
mod resp;

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use client::{Client, Question};
use naive::Naive;

/// What may be taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Beats keep the lease.
    Beats,
    /// No answer counts beyond the lease.
    Lease,
    /// The lease counts from when its question was sent.
    Sent,
    /// Pushes are heeded.
    Pushes,
    /// What came while a question was on its way voids its answer.
    Order,
    /// An answer says until when it stands.
    Until,
    /// Another life of the ledgers voids everything.
    Life,
    /// Another connection voids everything.
    Era,
    /// An error is no sign of life.
    Errors,
    /// A token is found by all of its bytes.
    Bytes,
    /// An answer is for the question that it was given to.
    Question,
}

const GUARDS: [(&str, Guard); 11] = [
    ("beats", Guard::Beats),
    ("lease", Guard::Lease),
    ("sent", Guard::Sent),
    ("pushes", Guard::Pushes),
    ("order", Guard::Order),
    ("until", Guard::Until),
    ("life", Guard::Life),
    ("era", Guard::Era),
    ("errors", Guard::Errors),
    ("bytes", Guard::Bytes),
    ("question", Guard::Question),
];

/// All guards, or all but one.
#[derive(Clone, Copy)]
struct Guards(Option<Guard>);

impl Guards {
    fn without(name: &str) -> Option<Self> {
        let found = GUARDS.iter().find(|(known, _)| *known == name);
        found.map(|(_, guard)| Self(Some(*guard)))
    }

    fn have(self, guard: Guard) -> bool {
        self.0 != Some(guard)
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let guards = match words.as_slice() {
        [] => Some(Guards(None)),
        ["--without", guard] => Guards::without(guard),
        ["--naive"] => return serve_naively(),
        _ => None,
    };
    let usage = || io::Error::other("usage: conformance-reference [--naive | --without GUARD]");
    serve(guards.ok_or_else(usage)?)
}

fn serve(guards: Guards) -> io::Result<()> {
    let mut client = None;
    answer_each(|words| match (words, &client) {
        (["connect", url, lease_ms, prefix], _) => {
            let Ok(lease_ms) = lease_ms.parse() else { return Ok("ERROR what lease?".into()) };
            let lease = Duration::from_millis(lease_ms);
            client = Some(Client::start(url, lease, prefix, guards)?);
            Ok("OK".into())
        }
        (["check", subject, session, token], Some(client)) => {
            Ok(client.check(&Question { subject, session, token }).into())
        }
        (["cached", token], Some(client)) => Ok(client.cached(token).unwrap_or("MISS").into()),
        _ => Ok("ERROR what is that?".into()),
    })
}

fn serve_naively() -> io::Result<()> {
    let mut client = None;
    answer_each(|words| {
        Ok(match (words, &mut client) {
            (["connect", url, _, prefix], _) => {
                client = Some(Naive::new(url, prefix));
                "OK".into()
            }
            (["check", subject, session, token], Some(client)) => {
                client.check(&Question { subject, session, token })
            }
            (["cached", token], Some(client)) => {
                client.cached(token).unwrap_or_else(|| "MISS".into())
            }
            _ => "ERROR what is that?".into(),
        })
    })
}

/// One line for each, until there are no more.
fn answer_each(mut answer: impl FnMut(&[&str]) -> io::Result<String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        writeln!(out, "{}", answer(&words)?)?;
        out.flush()?;
    }
    Ok(())
}
