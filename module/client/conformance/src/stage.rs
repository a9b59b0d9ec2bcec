//! What a scenario is played on: a server, a proxy before it, and the implementation behind that.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use redis::{Connection, Value};

use crate::adapter::{Adapter, Said};
use crate::fault::{Fault, Outcome, Played, failed};
use crate::proxy::Proxy;
use crate::server::{Programs, Server};

/// Ledger keys of the kit begin with this.
pub(crate) const PREFIX: &str = "kit:";
/// How long an implementation may take to be well again.
const RECOVERY: Duration = Duration::from_secs(30);
/// How long is asked beyond what is allowed, at least.
const BEYOND: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_micros(300);
const CALM: Duration = Duration::from_millis(5);

/// The stage.
pub(crate) struct Stage {
    // Ends first, and the server last.
    pub(crate) adapter: Adapter,
    pub(crate) proxy: Proxy,
    pub(crate) server: Server,
    pub(crate) programs: Programs,
    pub(crate) lease: Duration,
    writer: Option<Connection>,
    people: u32,
}

/// Somebody with a session and a token.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) session: String,
    pub(crate) token: String,
}

impl Person {
    pub(crate) fn key(&self) -> String {
        format!("{PREFIX}{}", self.subject)
    }

    pub(crate) fn check(&self) -> String {
        format!("check {} {} {}", self.subject, self.session, self.token)
    }

    pub(crate) fn cached(&self) -> String {
        format!("cached {}", self.token)
    }
}

impl Stage {
    pub(crate) fn set(
        programs: &Programs,
        lease: Duration,
        adapter: &[String],
    ) -> Result<Self, Fault> {
        let server = Server::start(programs)?;
        let proxy = Proxy::before(&server.socket())?;
        let mut adapter = Adapter::start(adapter)?;
        adapter.connect(&proxy.url(), lease, PREFIX)?;
        let programs =
            Programs { server: programs.server.clone(), module: programs.module.clone() };
        Ok(Self { adapter, proxy, server, programs, lease, writer: None, people: 0 })
    }

    /// Nothing of the last round is left.
    pub(crate) fn tidy(&mut self) -> Result<(), Fault> {
        self.redis(&["FLUSHALL"])?;
        Ok(())
    }

    // --- the server, beside the proxy ---

    /// Says something to the server.
    pub(crate) fn redis(&mut self, words: &[&str]) -> Result<Value, Fault> {
        if self.writer.is_none() {
            self.writer = Some(self.server.connection()?);
        }
        let writer = self.writer.as_mut().context("there is a connection by now")?;
        let answer = redis::cmd(words[0]).arg(&words[1..]).query(writer);
        if answer.is_err() {
            self.writer = None;
        }
        Ok(answer.with_context(|| format!("the server refused {words:?}"))?)
    }

    /// The connection to a server that has gone is of no use.
    pub(crate) fn forget_writer(&mut self) {
        self.writer = None;
    }

    // --- people ---

    /// Somebody whom nobody has heard of.
    pub(crate) fn stranger(&mut self) -> Person {
        self.people += 1;
        let n = self.people;
        let (subject, session) = (n.to_string(), format!("s{n}"));
        // As long as real ones, alike at both ends, and a JWT by its looks.
        let filling = "QWxsIHRva2VucyBvZiB0aGlzIGtpdCBsb29rIGFsaWtl".repeat(4);
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{filling}{n:08}{filling}.c2lnbmF0dXJl{filling}");
        Person { subject, session, token }
    }

    /// Somebody who has logged in, and of whom the implementation knows.
    pub(crate) fn someone(&mut self) -> Result<Person, Fault> {
        let person = self.newcomer(&["EX", "3600"])?;
        self.must_know(&person)?;
        Ok(person)
    }

    /// Somebody who has logged in, and of whom the implementation has not heard.
    pub(crate) fn newcomer(&mut self, until: &[&str]) -> Result<Person, Fault> {
        let person = self.stranger();
        self.log_in(&person, until)?;
        Ok(person)
    }

    pub(crate) fn log_in(&mut self, person: &Person, until: &[&str]) -> Result<(), Fault> {
        let key = person.key();
        let words = ["AUTH.SESSION", "CREATE", &key, &person.session];
        self.redis(&[&words, until].concat())?;
        Ok(())
    }

    /// The implementation says `OK`, by itself as well, or has not recovered in time.
    pub(crate) fn must_know(&mut self, person: &Person) -> Result<(), Fault> {
        let began = Instant::now();
        loop {
            let checked = self.adapter.ask(&person.check())?;
            if checked.is_ok() && self.adapter.ask(&person.cached())?.is_ok() {
                return Ok(());
            }
            if began.elapsed() > RECOVERY {
                let word = checked.word;
                return Err(failed(format!(
                    "a live session was not served from the cache within {RECOVERY:?}; the last check said {word}"
                )));
            }
            sleep(CALM);
        }
    }

    // --- judging ---

    /// Asks until long after the end: an `OK` to a question that was put later than allowed after it
    /// is one too many.
    pub(crate) fn must_end(&mut self, person: &Person, end: Instant, allowed: Duration) -> Played {
        let bound = end + allowed;
        let stop = bound.max(Instant::now()) + self.lease.max(BEYOND);
        let mut outcome = Outcome::default();
        for turn in 0_u64.. {
            let now = Instant::now();
            let is_past = now > bound;
            // Whoever checks between end and bound is told the truth and may keep it.
            let may_check = is_past || now < end;
            let question =
                if may_check && turn.is_multiple_of(8) { person.check() } else { person.cached() };
            let said = self.adapter.ask(&question)?;
            outcome.judged += 1;
            judge(&said, &question, end, allowed, &mut outcome)?;
            if is_past && Instant::now() > stop {
                return Ok(outcome);
            }
            sleep(PAUSE);
        }
        Ok(outcome)
    }

    /// The usual: what was acknowledged at `end` is heard within the lease.
    pub(crate) fn must_end_within_lease(&mut self, person: &Person, end: Instant) -> Played {
        self.must_end(person, end, self.lease)
    }
}

fn judge(
    said: &Said,
    question: &str,
    end: Instant,
    allowed: Duration,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    if !said.is_ok() {
        return Ok(());
    }
    let Some(late) = said.asked.checked_duration_since(end) else { return Ok(()) };
    outcome.last_ok = outcome.last_ok.max(Some(late));
    if late > allowed {
        let how = question.split(' ').next().unwrap_or_default();
        return Err(failed(format!(
            "{how} said OK {late:?} after the end; at most {allowed:?} is allowed"
        )));
    }
    Ok(())
}
