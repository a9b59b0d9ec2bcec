//! Work in bulk: MySQL instead of Redis, an empty Redis that is filled, everybody logged out, what was
//! not delivered.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use portcullis_tests::{Database, wait_until};
use serde_json::{Value, json};

use crate::bill::USERS;
use crate::bill::cost::{Cost, Meter};
use crate::bill::line::{Ask, Line, ask_all};
use crate::bill::requests::{Costs, login};
use crate::http::people::{Person, SESSIONS_EACH, strangers};
use crate::http::servers::Site;

/// Checks that MySQL answers.
const CHECKS: usize = 5_000;

/// Takes Redis away and lets checks go to MySQL.
pub(crate) fn without_redis(
    site: &mut Site,
    mariadb: &Database,
    (people, costs): (&[Person], &mut Costs),
) -> Result<()> {
    println!("bill: Redis is away");
    let checks: Vec<Ask> = people.iter().map(|person| Ask::get("/verify", &person.token)).collect();
    site.redis.freeze();
    ask_all(site.service.port, &checks[..100], 200)?;
    let meter = Meter::read(site, mariadb)?;
    ask_all(site.service.port, &checks[..CHECKS], 200)?;
    costs.push(("`/verify`, Redis away", meter.since(site, mariadb, CHECKS)?));
    site.redis.thaw();
    Ok(())
}

/// Has Redis come back empty, and be filled with the sessions of so many users; what one takes.
pub(crate) fn filled(site: &mut Site, mariadb: &Database, users: u64) -> Result<Cost> {
    println!("bill: an empty Redis is filled for {users} users");
    let redis = site.redis.pid();
    site.redis.kill();
    site.redis.start_again();
    ensure!(site.redis.pid() != redis, "this is another Redis");
    let meter = Meter::read(site, mariadb)?;
    wait_until("the ledgers are filled in", || is_believed(site, users));
    meter.since(site, mariadb, (users * SESSIONS_EACH) as usize)
}

/// Whether Redis has so many users and is believed. The database was made without a note of its migrations,
/// so the service as a whole never calls itself ready.
fn is_believed(site: &Site, users: u64) -> bool {
    let ledgers: u64 = redis::cmd("DBSIZE").query(&mut site.redis.connection()).unwrap_or_default();
    let url = format!("http://127.0.0.1:{}/health", site.service.port);
    let told = Command::new("curl").args(["--silent", &url]).output();
    let told = told.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    ledgers >= users && told.is_ok_and(|told| told.contains(r#""redis":{"healthy":true"#))
}

/// Logs out everybody, and waits until nobody is logged in as MySQL has it; what a user costs.
pub(crate) fn everybody(site: &Site, mariadb: &Database) -> Result<Cost> {
    println!("bill: everybody is logged out");
    let email = strangers(USERS).last().context("there are strangers")?;
    mariadb.execute(&format!("update bill.users set role = 'admin' where email = '{email}'"));
    let mut line = Line::to(site.service.port)?;
    let (_, body) = line.ask(&login(&email))?;
    let body: Value = serde_json::from_str(&body)?;
    let token = body.pointer("/data/tokens/access/token").and_then(Value::as_str);
    let everybody = Ask::post(
        "/admin/logout-everyone",
        Some(token.context("the administrator is logged in")?),
        &json!({}),
    );
    let meter = Meter::read(site, mariadb)?;
    while line.ask(&everybody)?.0 == 503 {}
    wait_until("everybody's sessions are marked as ended", || {
        count(mariadb, "user_sessions where is_active") == "0"
    });
    wait_until("everybody's ledger is told", || waiting(mariadb) == "0");
    meter.since(site, mariadb, USERS as usize)
}

/// Has one session of each of many ended by the outbox, as after an outage; what a user costs.
pub(crate) fn outbox(site: &Site, mariadb: &Database) -> Result<Cost> {
    println!("bill: what waits is delivered");
    let meter = Meter::read(site, mariadb)?;
    let users = USERS / 2;
    mariadb.execute(&format!(
        "insert into bill.revocation_outbox (user_id, change_set, created_at)
         select user_id, json_array(json_object('change', 'revoke', 'sessions', json_array(min(id)))),
                utc_timestamp(3)
           from bill.user_sessions where user_id <= {users} group by user_id"
    ));
    wait_until("everything is delivered", || waiting(mariadb) == "0");
    meter.since(site, mariadb, users as usize)
}

fn waiting(mariadb: &Database) -> String {
    count(mariadb, "revocation_outbox where delivered_at is null")
}

fn count(mariadb: &Database, what: &str) -> String {
    mariadb.execute(&format!("select count(*) from bill.{what}")).trim().to_owned()
}
