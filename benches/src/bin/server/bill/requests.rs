//! Single requests, many of each kind.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use portcullis_tests::Database;
use serde_json::{Value, json};

use crate::bill::USERS;
use crate::bill::cost::{Cost, Meter};
use crate::bill::line::{Ask, ask_all};
use crate::http::people::{PASSWORD, Person, strangers};
use crate::http::servers::Site;

/// Who log in.
pub(crate) const LOGINS: usize = 600;
/// Refreshes of each of them.
const REFRESHES: usize = 5;
/// Checks of every token whose verdict is kept.
const CHECKS: usize = 3;
/// Logins that are refused at sight.
const REFUSED: usize = 3_000;
/// What is written down in batches has been by then.
const FLUSHED: Duration = Duration::from_secs(4);

/// The kinds and what one of each costs.
pub(crate) type Costs = Vec<(&'static str, Cost)>;

/// Somebody who is logged in.
struct Pair {
    access: String,
    refresh: String,
}

/// Measures what needs Redis and live sessions.
pub(crate) fn measure(site: &Site, mariadb: &Database, people: &[Person]) -> Result<Costs> {
    let port = site.service.port;
    let mut costs = Costs::new();
    let mut timed = |what: &'static str, asks: &[Ask], status: u16| -> Result<Vec<String>> {
        println!("bill: {what}");
        let meter = Meter::read(site, mariadb)?;
        let bodies = ask_all(port, asks, status)?;
        thread::sleep(FLUSHED);
        costs.push((what, meter.since(site, mariadb, asks.len())?));
        Ok(bodies)
    };

    // The first on a connection prepare their statements.
    let emails: Vec<String> = strangers(USERS).take(LOGINS + 100).collect();
    let logins: Vec<Ask> = emails.iter().map(|email| login(email)).collect();
    ask_all(port, &logins[LOGINS..], 200)?;
    let told = timed("login", &logins[..LOGINS], 200)?;
    let mut pairs =
        told.iter().map(|body| pair(body, "/data/tokens")).collect::<Result<Vec<_>>>()?;

    let mut all = Vec::new();
    for _ in 0..REFRESHES {
        let asks: Vec<Ask> = pairs.iter().map(|pair| refresh(&pair.refresh)).collect();
        let meter = Meter::read(site, mariadb)?;
        let told = ask_all(port, &asks, 200)?;
        all.push(meter.since(site, mariadb, asks.len())?);
        pairs = told.iter().map(|body| pair(body, "/data")).collect::<Result<Vec<_>>>()?;
    }
    let refreshed = mean(&all);

    let checks: Vec<Ask> = people.iter().map(|person| Ask::get("/verify", &person.token)).collect();
    timed("`/verify`, first of a minute", &checks, 200)?;
    timed("`/verify`, verdict kept", &vec![checks; CHECKS].concat(), 200)?;
    let bad = Ask::post("/login-enhanced", None, &json!({"email": "nobody"}));
    timed("login refused at sight", &vec![bad; REFUSED], 400)?;
    let out: Vec<Ask> =
        pairs.iter().map(|pair| Ask::post("/logout", Some(&pair.access), &json!({}))).collect();
    timed("logout", &out, 200)?;
    let late: Vec<Ask> = pairs.iter().map(|pair| refresh(&pair.refresh)).collect();
    timed("refresh of an ended session", &late, 401)?;
    costs.insert(1, ("refresh", refreshed));
    Ok(costs)
}

pub(crate) fn login(email: &str) -> Ask {
    Ask::post("/login-enhanced", None, &json!({"email": email, "password": PASSWORD}))
}

pub(crate) fn refresh(token: &str) -> Ask {
    Ask::post("/refresh", None, &json!({ "refresh_token": token }))
}

fn pair(body: &str, place: &str) -> Result<Pair> {
    let body: Value = serde_json::from_str(body)?;
    let token = |kind: &str| -> Result<String> {
        let token = body.pointer(&format!("{place}/{kind}/token")).and_then(Value::as_str);
        Ok(token.with_context(|| format!("no {kind} token in {body}"))?.to_owned())
    };
    Ok(Pair { access: token("access")?, refresh: token("refresh")? })
}

fn mean(costs: &[Cost]) -> Cost {
    let of = |figure: fn(&Cost) -> f64| costs.iter().map(figure).sum::<f64>() / costs.len() as f64;
    Cost {
        service_us: of(|it| it.service_us),
        mysql_us: of(|it| it.mysql_us),
        redis_us: of(|it| it.redis_us),
        redo_bytes: of(|it| it.redo_bytes),
    }
}
