//! Whoever asks: about so many users with a session and a token each.

use std::time::Duration;

use anyhow::{Result, ensure};
use portcullis_client::{Options, Question, Verdict, Watch};
use portcullis_tests::Redis;

use crate::pipe::{Pipe, command};
use crate::subjects::{TTL_S, session_id};

/// Longer than any pause of a busy machine: what is measured are hits.
const LEASE: Duration = Duration::from_secs(10);

pub(crate) struct Caller {
    pub(crate) watch: Watch,
    pub(crate) people: Vec<Person>,
    runtime: tokio::runtime::Runtime,
}

pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) session: String,
    pub(crate) token: String,
}

impl Caller {
    /// Everybody has a live session, and the verdict on each token is kept.
    pub(crate) fn of(redis: &Redis, count: usize) -> Result<Self> {
        let people: Vec<Person> = (0..count).map(person).collect();
        Pipe::to(redis)?.fill(count, 1, |n, to| {
            let (key, session) = (format!("user:{n}"), &people[n].session);
            command(to, &["AUTH.SESSION", "CREATE", &key, session, "EX", TTL_S, "IDLE", TTL_S]);
        })?;
        let options = Options {
            lease: LEASE,
            beat: LEASE / 40,
            most_tokens: 2 * count.max(100),
            ..Options::default()
        };
        let watch = Watch::connect(&redis.url(), options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let caller = Self { watch, people, runtime };
        for person in &caller.people {
            ensure!(caller.knows(person), "a live session is refused");
        }
        Ok(caller)
    }

    /// Whether a live session is accepted, asked for as often as it takes.
    pub(crate) fn knows(&self, person: &Person) -> bool {
        (0..10_000).any(|_| self.check(person) && self.is_kept(person))
    }

    pub(crate) fn check(&self, person: &Person) -> bool {
        let question = Question {
            subject: &person.subject,
            token: person.token.as_bytes(),
            session: Some(&person.session),
            issued_ms: None,
            expires: None,
        };
        self.runtime.block_on(self.watch.check(&question)) == Ok(Verdict::Ok)
    }

    pub(crate) fn is_kept(&self, person: &Person) -> bool {
        self.keeps(person.token.as_bytes())
    }

    pub(crate) fn keeps(&self, token: &[u8]) -> bool {
        self.watch.cached(token) == Some(Verdict::Ok)
    }
}

/// A token as it comes in with a request: written to the same memory again and again.
pub(crate) struct Incoming([u8; 295]);

impl Incoming {
    pub(crate) fn new() -> Self {
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
        let token = format!("{header}.eyJ{}.{}", "a".repeat(207), "A".repeat(43));
        let mut bytes = [b'a'; 295];
        bytes[..token.len()].copy_from_slice(token.as_bytes());
        Self(bytes)
    }

    /// The token of this person. It differs from all others in its middle and at its end, as signed
    /// ones do.
    pub(crate) fn of(&mut self, n: usize) -> &[u8] {
        let signature = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0[44..60].copy_from_slice(&letters(n as u64));
        self.0[279..].copy_from_slice(&letters(signature));
        &self.0
    }
}

/// A number in sixteen letters.
fn letters(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b'a' + (number >> (4 * place)) as u8 % 16)
}

fn person(n: usize) -> Person {
    let token = String::from_utf8_lossy(Incoming::new().of(n)).into_owned();
    Person { subject: n.to_string(), session: session_id(n), token }
}
