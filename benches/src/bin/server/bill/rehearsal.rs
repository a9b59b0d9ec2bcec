//! Two things that an operator fears, done for real; `portcullis-sizing` computes them from their costs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use portcullis_sizing::costs::RETRY_AFTER_S;
use portcullis_sizing::queue::{LONGEST_BACKOFF_S, Nanos, Took, seconds};
use portcullis_sizing::random::Random;
use portcullis_sizing::rehearsal::{Row, SESSIONS, visits};
use portcullis_tests::Database;

use crate::bill::USERS;
use crate::bill::bulk;
use crate::bill::line::Line;
use crate::bill::requests::{login, refresh};
use crate::http::people::{Person, SESSIONS_EACH};
use crate::http::servers::Site;

/// There are thousands of them, and they wait most of the time.
const STACK: usize = 128 << 10;

/// What was seen.
pub(crate) type Seen = (Row, f64);

/// An empty Redis is filled with fewer sessions than their cost was measured with.
pub(crate) fn filled(site: &mut Site, mariadb: &Database) -> Result<Seen> {
    let users = SESSIONS / SESSIONS_EACH;
    let set = |value| {
        let sql =
            format!("update bill.user_sessions set is_active = {value} where user_id > {users}");
        mariadb.execute(&sql);
    };
    set(0);
    let begin = Instant::now();
    bulk::filled(site, mariadb, users)?;
    let took_s = begin.elapsed().as_secs_f64();
    set(1);
    bulk::filled(site, mariadb, USERS)?;
    Ok((Row::Filled, took_s))
}

/// Everybody has been logged out: those who are active have a refresh refused and log in again.
pub(crate) fn everybody_comes_back(site: &Site, people: &[Person]) -> Result<[Seen; 4]> {
    let visits = visits();
    println!("bill: {} come back", visits.len());
    // All of them are there before the first comes.
    let begin = Instant::now() + Duration::from_secs(1);
    let port = site.service.port;
    let visitors = people.iter().zip(visits).enumerate().map(|(number, (person, visit))| {
        let (token, email) =
            (person.refresh_token.clone(), format!("u{}@example.com", person.user_id));
        let visitor = move || comes_back(port, (&token, &email), begin, visit, number);
        thread::Builder::new().stack_size(STACK).spawn(visitor).context("a thread starts")
    });
    let visitors = visitors.collect::<Result<Vec<_>>>()?;
    let (mut took, mut refusals) = (Vec::new(), 0);
    for visitor in visitors {
        let (login, refused) = visitor.join().map_err(|_| anyhow!("a visitor panicked"))??;
        took.push(login);
        refusals += refused;
    }
    let Took { median, p99, longest } = Took::of(took);
    Ok([
        (Row::Median, seconds(median)),
        (Row::P99, seconds(p99)),
        (Row::Longest, seconds(longest)),
        (Row::Refusals, f64::from(refusals)),
    ])
}

/// One visitor: how long the login took from the first try, and how often it was refused.
fn comes_back(
    port: u16,
    (token, email): (&str, &str),
    begin: Instant,
    [noticed, back]: [f64; 2],
    number: usize,
) -> Result<(Nanos, u32)> {
    let wait_for = |s: f64| {
        let at = begin + Duration::from_secs_f64(s);
        thread::sleep(at.saturating_duration_since(Instant::now()));
    };
    wait_for(noticed);
    let (status, body) = Line::to(port)?.ask(&refresh(token))?;
    ensure!(status == 401, "a refresh after the end was answered {status}: {body}");
    wait_for(back);
    let mut random = Random::new(number as u64);
    let came = Instant::now();
    let mut refused = 0;
    loop {
        let (status, body) = Line::to(port)?.ask(&login(email))?;
        if status == 200 {
            return Ok((came.elapsed().as_nanos() as Nanos, refused));
        }
        ensure!(status == 503, "a login was answered {status}: {body}");
        let pause_s = RETRY_AFTER_S * f64::from(1_u32 << refused.min(16));
        refused += 1;
        let pause_s = pause_s.min(LONGEST_BACKOFF_S) * (0.5 + random.share());
        thread::sleep(Duration::from_secs_f64(pause_s));
    }
}
