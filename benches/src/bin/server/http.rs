//! The service beside what people use today: the half of the page that is about HTTP.
//!
//! All contenders answer the same requests, in turn, round after round. Ratios are of the
//! program's processor time for an answer, as in the other half; the rates stand beside them.

mod algorithms;
pub(crate) mod costs;
mod load;
pub(crate) mod people;
pub(crate) mod servers;

use std::fmt::Write;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_tests::{Database, DatabaseKind, servers as redis_servers};

use crate::chart::Bar as ChartBar;
use crate::http::costs::{Lists, Login, Refresh};
use crate::http::load::{Reached, Requests};
use crate::http::people::{FAMILIES, Person, SESSIONS_EACH, log_in_by_hashes, populate, spread};
use crate::http::servers::{CLIENT, Pinned, Programs, Site, bare, express};
use crate::report::{self, Bar, at_least, at_most};
use crate::speed::median;

const ROUNDS: usize = 3;
const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 4;
/// Accounts with sessions of the small installation.
const FEW: u64 = 200;
/// The same of the large one: a million sessions.
const MANY: u64 = 200_000;
/// Tokens in use.
const VISITORS: u64 = 1_000;

/// The contenders, in the order in which they are shown.
const NAMES: [&str; 4] =
    ["axum handler that does nothing", "Portcullis", "Express, tuned", "Express, plain"];
const BARE: usize = 0;
const OURS: usize = 1;
const TUNED: usize = 2;
const PLAIN: usize = 3;

/// Measures everything and writes the half of the page.
pub(crate) fn measure() -> Result<Vec<Bar>> {
    let programs = Programs::build()?;
    let machine = report::machine(&about_servers());
    println!("service: {} sessions are begun", MANY * SESSIONS_EACH);
    let mariadb = Database::start_kind(DatabaseKind::MariaDb);
    // What people ask about fits into memory, as on a server that is set up for it.
    mariadb.execute("set global innodb_buffer_pool_size = 1073741824");
    let hash = costs::stored_password()?;
    populate(&mariadb, "few", FEW, &hash);
    populate(&mariadb, "many", MANY, &hash);
    let (few, many) = (spread(VISITORS, FEW)?, spread(VISITORS, MANY)?);
    let small = Site::open(&programs, &mariadb, "few", &few[0], None)?;
    let large = Site::open(&programs, &mariadb, "many", &many[0], None)?;

    let verify = compare(&programs, &large, &many)?;
    let algorithms = algorithms::measure(&programs, &mariadb, (&small.service, &few))?;
    let peak_mib = large.service.peak_mib()?;
    let introspect = introspect(&large.service, &many)?;
    let costs = Costs {
        lists: costs::lists([(&small.service, &few), (&large.service, &many)], ROUNDS)?,
        refresh: costs::refresh(&mariadb, &small.service, &spread(FAMILIES, FAMILIES)?)?,
        login: costs::login(&small.service, FEW)?,
    };

    let mut bars = bars(&verify, &introspect, peak_mib, &costs);
    let [eddsa, es256] = algorithms;
    bars.push(at_most("`/verify` with EdDSA, CPU against HS256", 1.05, eddsa, ""));
    bars.push(at_most("`/verify` with ES256, CPU against HS256", 1.05, es256, ""));
    report::write(
        report::SERVICE,
        &[
            ("Machine", machine),
            ("Bars", report::bars_table(&bars)),
            ("Speed", speed_table(&verify, &introspect) + &about(&costs)),
            ("Charts", chart(&verify)?),
        ],
    )?;
    Ok(bars)
}

/// What single requests of ours cost.
struct Costs {
    lists: Lists,
    refresh: Refresh,
    login: Login,
}

/// What all contenders reached at `/verify`, by contender, one for each round.
type Rounds = [Vec<Reached>; 4];

fn compare(programs: &Programs, site: &Site, people: &[Person]) -> Result<Rounds> {
    log_in_by_hashes(&site.redis, people)?;
    let visitor = &people[0];
    let bare = bare(programs, visitor);
    let (tuned, plain) =
        (express("tuned", &site.redis, visitor)?, express("plain", &site.redis, visitor)?);
    let contenders: [&Pinned; 4] = [&bare, &site.service, &tuned, &plain];
    let requests = Requests::get("/api/v1/auth/verify", people)?;
    let mut reached = Rounds::default();
    for contender in contenders {
        load::run(contender, &requests, CONNECTIONS, 1)?;
    }
    for round in 1..=ROUNDS {
        println!("verify: round {round} of {ROUNDS}");
        for (runs, contender) in reached.iter_mut().zip(contenders) {
            runs.push(load::run(contender, &requests, CONNECTIONS, SECONDS)?);
        }
    }
    Ok(reached)
}

fn introspect(to: &Pinned, people: &[Person]) -> Result<Vec<Reached>> {
    let headers = format!(
        "Authorization: Basic {}\r\nContent-Type: application/x-www-form-urlencoded",
        STANDARD.encode(CLIENT)
    );
    let bodies = people.iter().map(|person| format!("token={}", person.token));
    let requests = Requests::post("/api/v1/auth/introspect", &headers, bodies)?;
    (1..=ROUNDS)
        .map(|round| {
            println!("introspect: round {round} of {ROUNDS}");
            load::run(to, &requests, CONNECTIONS, SECONDS)
        })
        .collect()
}

/// The middle of one figure of some runs.
fn middle(runs: &[Reached], figure: fn(&Reached) -> f64) -> f64 {
    median(runs.iter().map(figure).collect())
}

/// How many times as fast as another contender ours is, by processor time.
fn ratio(verify: &Rounds, to: usize) -> f64 {
    let pairs = verify[OURS].iter().zip(&verify[to]);
    median(pairs.map(|(ours, other)| other.cpu_us / ours.cpu_us).collect())
}

fn bars(verify: &Rounds, introspect: &[Reached], peak_mib: f64, costs: &Costs) -> Vec<Bar> {
    let Costs { lists, refresh, login } = costs;
    let (rate, p99_ms) = (middle(introspect, |it| it.rate), middle(introspect, |it| it.p99_ms));
    vec![
        at_least("`/verify` against an axum handler that does nothing", 0.62, ratio(verify, BARE)),
        at_least("`/verify` against Express, plain", 12.0, ratio(verify, PLAIN)),
        at_least("`/verify` against Express, tuned", 3.0, ratio(verify, TUNED)),
        at_least("`/introspect`, answers a second", 20_000.0, rate),
        at_most("`/introspect`, p99", 10.0, p99_ms, "ms"),
        at_most("most memory of the service under both", 64.0, peak_mib, "MiB"),
        at_most("`/refresh`, statements in MySQL, `commit` included", 5.0, refresh.statements, ""),
        at_most("login, time against the bare argon2id hash", 1.1, login.ratio, ""),
        at_most("`/sessions`, p99 among 10⁶ sessions against 10³", 2.0, lists.ratio, ""),
    ]
}

fn speed_table(verify: &Rounds, introspect: &[Reached]) -> String {
    let mut table = "| request | answers a second | CPU for one | p50 | p99 |\n".to_owned();
    table += "|---|---|---|---|---|\n";
    let introspection = ("Portcullis, `/introspect`".to_owned(), introspect);
    let rows = NAMES.map(|name| format!("{name}, `/verify`")).into_iter();
    for (name, runs) in rows.zip(verify.iter().map(Vec::as_slice)).chain([introspection]) {
        let (rate, cpu_us) = (middle(runs, |it| it.rate), middle(runs, |it| it.cpu_us));
        let (p50_ms, p99_ms) = (middle(runs, |it| it.p50_ms), middle(runs, |it| it.p99_ms));
        writeln!(
            table,
            "| {name} | {rate:.0} | {cpu_us:.1} µs | {p50_ms:.2} ms | {p99_ms:.2} ms |"
        )
        .expect("a string takes text");
    }
    table
}

fn about(costs: &Costs) -> String {
    let Costs { lists, refresh, login } = costs;
    format!(
        "\nwrk with {CONNECTIONS} connections, {VISITORS} tokens in turn; medians of {ROUNDS} \
         rounds of {SECONDS} s. Ratios are of the program's CPU time for an answer. *Express, \
         plain* gives jsonwebtoken the secret as text and asks Redis three questions one after \
         the other; *tuned* prepares the key once and asks them in one write.\n\n\
         `/sessions` on 8 connections: p99 {:.2} ms among 10³ sessions, {:.2} ms among 10⁶.\n\n\
         A login takes {:.1} ms, the bare hash {:.1} ms.\n\n\
         A refresh also makes sqlx look {:.0} times whether a connection is still good.\n",
        lists.few_ms, lists.many_ms, login.whole_ms, login.hash_ms, refresh.pings
    )
}

fn chart(verify: &Rounds) -> Result<String> {
    let mut shown_in = String::new();
    let bar = |(name, runs): (&str, &Vec<Reached>)| {
        let cpu_us = middle(runs, |it| it.cpu_us);
        (name.to_owned(), cpu_us, format!("{cpu_us:.1} µs"))
    };
    let bars: Vec<ChartBar> = NAMES.into_iter().zip(verify).map(bar).collect();
    report::chart(&mut shown_in, "verify", "/verify: processor time for one answer", &bars)?;
    Ok(shown_in)
}

fn about_servers() -> [String; 3] {
    let version = |program: &str, argument: &str| report::first_line(program, &[argument]);
    [
        format!(
            "contenders: one after the other on core 0; Node.js {}, Express and ioredis as in \
             tests/install",
            version("node", "--version")
        ),
        format!(
            "on core 1, with the load: {}, {}",
            redis_servers()[0].name,
            version("mariadbd", "--version")
        ),
        format!("load: {}", version("wrk", "--version")),
    ]
}
