//! What the other requests cost: a refresh in MySQL, a login beside its password hash, a list of
//! sessions among few and among many.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use portcullis_tests::{Client, Database, send};
use reqwest::Method;
use serde_json::json;

use crate::http::load::{self, Requests};
use crate::http::people::{PASSWORD, Person, strangers};
use crate::http::servers::Pinned;
use crate::speed::median;
use crate::stage::{join_the_servers, pin_ourselves};

/// Requests that are not counted: the first on a connection prepare its statements.
const WARM_UP: usize = 30;
/// Logins that are measured.
const PAIRS: usize = 201;
const SALT: &[u8; 16] = b"salt of the load";
const JSON: &str = "Content-Type: application/json";

/// What one refresh makes MySQL do, `commit` included, as its own counters say.
pub(crate) struct Refresh {
    pub(crate) statements: f64,
    /// Looks whether a connection is still good, before and after its use.
    pub(crate) pings: f64,
}

/// Counts the statements of refreshes; the people have refresh tokens that nobody has used.
pub(crate) fn refresh(mariadb: &Database, to: &Pinned, people: &[Person]) -> Result<Refresh> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (at, person) in people.iter().enumerate() {
        let before = counted(mariadb)?;
        let between = counted(mariadb)?;
        refresh_once(to, person)?;
        let after = counted(mariadb)?;
        if at >= WARM_UP {
            without.push([between[0] - before[0], between[1] - before[1]]);
            with.push([after[0] - between[0], after[1] - between[1]]);
        }
    }
    let middle = |counts: &[[f64; 2]], of: usize| median(counts.iter().map(|it| it[of]).collect());
    let [statements, pings] = [0, 1].map(|of| middle(&with, of) - middle(&without, of));
    Ok(Refresh { statements, pings })
}

/// MySQL's counters of statements and of pings.
fn counted(mariadb: &Database) -> Result<[f64; 2]> {
    let told = mariadb
        .execute("show global status where variable_name in ('Com_admin_commands', 'Questions')");
    let count = |name: &str| -> Result<f64> {
        let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        Ok(value.with_context(|| format!("no {name} in {told}"))?.parse()?)
    };
    Ok([count("Questions")?, count("Com_admin_commands")?])
}

fn refresh_once(to: &Pinned, person: &Person) -> Result<()> {
    let body = format!(r#"{{"refresh_token":"{}"}}"#, person.refresh_token);
    let url = format!("http://127.0.0.1:{}/api/v1/auth/refresh", to.port);
    let mut ask = Command::new("curl");
    ask.args(["--silent", "--fail", "--output", "/dev/null", "--header", JSON]);
    ensure!(ask.args(["--data", &body, &url]).status()?.success(), "a refresh failed");
    Ok(())
}

/// How long a login takes, one after the other, and how long the bare hash takes.
pub(crate) struct Login {
    pub(crate) whole_ms: f64,
    pub(crate) hash_ms: f64,
    pub(crate) ratio: f64,
}

/// Measures one after the other, each login beside a hash on the same core, so that what disturbs one of
/// them disturbs the other; the database has so many users with sessions.
pub(crate) fn login(to: &Pinned, users: u64) -> Result<Login> {
    println!("login: {PAIRS} pairs");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::of(format!("http://127.0.0.1:{}", to.port));
    let (mut logins, mut hashes) = (Vec::new(), Vec::new());
    for (pair, email) in strangers(users).take(WARM_UP + PAIRS).enumerate() {
        let body = json!({ "email": email, "password": PASSWORD });
        let request = client.request(Method::POST, "/login-enhanced").json(&body);
        let begun = Instant::now();
        let answer = runtime.block_on(send(request));
        let login = begun.elapsed();
        ensure!(answer.status == 200, "a login was answered {}", answer.status);
        join_the_servers()?;
        let begun = Instant::now();
        argon2()?.hash_password_into(PASSWORD.as_bytes(), SALT, &mut [0; 32])?;
        let hash = begun.elapsed();
        pin_ourselves()?;
        if pair >= WARM_UP {
            logins.push(login.as_secs_f64() * 1e3);
            hashes.push(hash.as_secs_f64() * 1e3);
        }
    }
    let ratios = logins.iter().zip(&hashes).map(|(login, hash)| login / hash).collect();
    Ok(Login { whole_ms: median(logins), hash_ms: median(hashes), ratio: median(ratios) })
}

/// The password of everybody, as it is stored.
pub(crate) fn stored_password() -> Result<String> {
    Ok(argon2()?.hash_password_with_salt(PASSWORD.as_bytes(), SALT)?.to_string())
}

/// The parameters that the service has by default.
fn argon2() -> Result<Argon2<'static>> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None)?))
}

/// The 99th percentiles of `GET /sessions` among few and among many sessions.
pub(crate) struct Lists {
    pub(crate) few_ms: f64,
    pub(crate) many_ms: f64,
    pub(crate) ratio: f64,
}

/// Measures both in turn.
pub(crate) fn lists([few, many]: [(&Pinned, &[Person]); 2], rounds: usize) -> Result<Lists> {
    let requests = |people| Requests::get("/api/v1/auth/sessions", people);
    let (of_few, of_many) = (requests(few.1)?, requests(many.1)?);
    let (mut few_ms, mut many_ms) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        println!("sessions: round {round} of {rounds}");
        few_ms.push(load::run(few.0, &of_few, 8, 3)?.p99_ms);
        many_ms.push(load::run(many.0, &of_many, 8, 3)?.p99_ms);
    }
    let ratios = many_ms.iter().zip(&few_ms).map(|(many, few)| many / few).collect();
    Ok(Lists { few_ms: median(few_ms), many_ms: median(many_ms), ratio: median(ratios) })
}
