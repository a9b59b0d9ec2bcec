//! Two things that an operator fears, done for real, beside what `portcullis-sizing` makes of their costs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use portcullis_sizing::costs::{QUEUE, RETRY_AFTER_S};
use portcullis_sizing::queue::{
    Bound, Errand, LONGEST_BACKOFF_S, Nanos, Replay, STATIONS, Station, Took, nanos, seconds,
};
use portcullis_sizing::random::Random;
use portcullis_sizing::replay::{LOGIN, REFRESH};
use portcullis_tests::Database;

use crate::bill::USERS;
use crate::bill::bulk;
use crate::bill::cores::Cores;
use crate::bill::cost::Cost;
use crate::bill::line::Line;
use crate::bill::requests::{login, refresh};
use crate::http::people::{Person, SESSIONS_EACH};
use crate::http::servers::Site;

/// Who come back after everybody was logged out.
const VISITORS: usize = 1_500;
/// Mean seconds until they notice.
const NOTICE_S: f64 = 5.0;
/// Mean seconds from then on until they log in.
const RETURN_S: f64 = 10.0;
const SEED: u64 = 11;
/// There are thousands of them, and they wait most of the time.
const STACK: usize = 128 << 10;

/// A figure that was computed and seen.
pub(crate) struct Seen {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) computed: f64,
    pub(crate) seen: f64,
}

/// An empty Redis is filled with half as many sessions as its cost was measured with.
pub(crate) fn filled(site: &mut Site, mariadb: &Database, cost: &Cost) -> Result<Vec<Seen>> {
    let users = USERS / 2;
    let set = |value| {
        let sql =
            format!("update bill.user_sessions set is_active = {value} where user_id > {users}");
        mariadb.execute(&sql);
    };
    set(0);
    let cores = Cores::watched(site, mariadb)?;
    bulk::filled(site, mariadb, users)?;
    let (took_s, [service, stores]) = cores.left(site, mariadb)?;
    set(1);
    bulk::filled(site, mariadb, USERS)?;

    let sessions = (users * SESSIONS_EACH) as f64;
    let [of_service, of_stores] = cost.core_s();
    Ok(vec![Seen {
        what: format!("{sessions} sessions filled into an empty Redis"),
        unit: " s",
        computed: sessions * (of_service / service + of_stores / stores),
        seen: took_s,
    }])
}

/// Everybody has been logged out: those who are active have a refresh refused and log in again.
pub(crate) fn everybody_comes_back(
    site: &Site,
    mariadb: &Database,
    (people, costs): (&[Person], &[(&'static str, Cost)]),
) -> Result<Vec<Seen>> {
    println!("bill: {VISITORS} come back");
    let mut random = Random::new(SEED);
    let visits: Vec<[f64; 2]> = (0..VISITORS)
        .map(|_| {
            let noticed = random.wait(NOTICE_S);
            [noticed, noticed + random.wait(RETURN_S)]
        })
        .collect();
    let cores = Cores::watched(site, mariadb)?;
    let (took, refusals) = for_real(site.service.port, people, &visits)?;
    let (all_s, left) = cores.left(site, mariadb)?;
    let seen = Took::of(took);

    let arrivals: Vec<(Nanos, usize)> = visits
        .iter()
        .flat_map(|[noticed, back]| [(nanos(*noticed), REFRESH), (nanos(*back), LOGIN)])
        .collect();
    let outcome = replay(costs, left)?.run(&arrivals, None);
    let computed = &outcome.took[LOGIN];
    let row = |what: String, computed: Nanos, seen: Nanos| Seen {
        what,
        unit: " s",
        computed: seconds(computed),
        seen: seconds(seen),
    };
    Ok(vec![
        row(
            format!("{VISITORS} log in again, each from the first try: half take at most"),
            computed.median,
            seen.median,
        ),
        row("99 of 100 of them".to_owned(), computed.p99, seen.p99),
        row("all of them".to_owned(), computed.longest, seen.longest),
        row("all is normal after".to_owned(), outcome.normal_after, nanos(all_s)),
        Seen {
            what: "answers 503 to them".to_owned(),
            unit: "",
            computed: outcome.refusals as f64,
            seen: refusals as f64,
        },
    ])
}

/// What the tool makes of it: one core for the service, and one for both stores.
fn replay(costs: &[(&'static str, Cost)], [service, stores]: [f64; 2]) -> Result<Replay> {
    let cost = |what: &str| -> Result<[f64; STATIONS]> {
        let found = costs.iter().find(|(name, _)| *name == what);
        Ok(found.with_context(|| format!("{what} was not measured"))?.1.stations())
    };
    let bound = Bound {
        station: 0,
        people: QUEUE as u64,
        delay: Nanos::MAX,
        refusal_core_s: cost("login refused at sight")?[0],
        back_after_s: Some(RETRY_AFTER_S),
    };
    let refused = cost("refresh of an ended session")?;
    Ok(Replay {
        stations: [service, stores, stores].map(|cores| Station::new(cores, 1)),
        errands: vec![
            Errand { core_s: refused, bound: None, short_at: Some(0) },
            Errand { core_s: cost("login")?, bound: Some(bound), short_at: None },
        ],
        weight: 1,
        seed: SEED,
    })
}

/// Every visitor at their time; how long each login took from the first try, and how many were sent away.
fn for_real(port: u16, people: &[Person], visits: &[[f64; 2]]) -> Result<(Vec<Nanos>, usize)> {
    // All of them are there before the first comes.
    let begin = Instant::now() + Duration::from_secs(1);
    let visitors = people.iter().zip(visits).enumerate().map(|(number, (person, visit))| {
        let (token, visit) = (person.refresh_token.clone(), *visit);
        let email = format!("u{}@example.com", person.user_id);
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
    Ok((took, refusals))
}

fn comes_back(
    port: u16,
    (token, email): (&str, &str),
    begin: Instant,
    [noticed, back]: [f64; 2],
    number: usize,
) -> Result<(Nanos, usize)> {
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
