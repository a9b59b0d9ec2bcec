//! Each store × each wound × every endpoint: the documented status inside the deadline, nothing
//! half done, and all well again without help.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis_api::settings::{Limit, Stores};
use portcullis_tests::{Login, Service, send};

use crate::endpoints::{Called, ENDPOINTS, Endpoint, INTROSPECTOR, LOGOUT_EVERYONE, Person};
use crate::proxy::{Wound, wounds};
use crate::stage::{Stage, stage};
use crate::talk::{agree, ready, status};

/// Who has no answer after both deadlines and 500 ms, as promised, gives up; after a grace that a
/// busy machine may need.
const GRACE: Duration = Duration::from_secs(7);

/// Slower than Redis may be, and than MySQL may be.
const SLOW_REDIS: Duration = Duration::from_millis(400);
const SLOW_MYSQL: Duration = Duration::from_secs(5);

/// What came of one request.
struct Outcome {
    status: u16,
    retry_after: String,
    took: Duration,
}

fn promised(auth: &Service) -> Duration {
    let stores = &auth.app.settings.stores;
    stores.redis_deadline + stores.db_deadline + Duration::from_millis(500)
}

async fn ask(called: &Called<'_>, endpoint: &Endpoint, person: &Person) -> Outcome {
    let started = Instant::now();
    let request = endpoint.request(called, person).timeout(promised(called.auth) + GRACE);
    let answer = send(request).await;
    let retry_after = answer.header("retry-after").to_owned();
    Outcome { status: answer.status.as_u16(), retry_after, took: started.elapsed() }
}

/// Somebody for each endpoint.
async fn people(auth: &Service, name: &str) -> Vec<(&'static Endpoint, Person)> {
    let mut people = Vec::new();
    for (number, endpoint) in ENDPOINTS.iter().enumerate() {
        let name = format!("{name}{number}");
        people.push((endpoint, Person::for_endpoint(auth, &name, endpoint).await));
    }
    people
}

/// Asks every endpoint at once, then the one that ends everybody.
async fn ask_all(
    called: &Called<'_>,
    people: &[(&'static Endpoint, Person)],
    bystander: &Person,
) -> Vec<(&'static Endpoint, Outcome)> {
    let requests = people
        .iter()
        .map(async |(endpoint, person)| (*endpoint, ask(called, endpoint, person).await));
    let mut outcomes = join_all(requests).await;
    outcomes.push((&LOGOUT_EVERYONE, ask(called, &LOGOUT_EVERYONE, bystander).await));
    outcomes
}

/// Every answer has its documented status, and those that send the client away say until when.
fn check(cell: &str, outcomes: &[(&Endpoint, Outcome)], expected: impl Fn(&Endpoint) -> u16) {
    for (endpoint, outcome) in outcomes {
        let what = format!("{cell}: {} {}", endpoint.method, endpoint.path);
        assert_eq!(outcome.status, expected(endpoint), "{what}");
        let is_problem = outcome.status == 503 && !["/health", "/readyz"].contains(&endpoint.path);
        assert_eq!(is_problem, !outcome.retry_after.is_empty(), "{what}: Retry-After");
    }
    let slowest = outcomes.iter().max_by_key(|(_, outcome)| outcome.took).unwrap();
    println!(
        "{cell}: requests {}, slowest {:?} ({} {})",
        outcomes.len(),
        slowest.1.took,
        slowest.0.method,
        slowest.0.path,
    );
}

async fn wounded_stage(adjust: impl FnOnce(&mut Stores)) -> Stage {
    stage(|settings| {
        adjust(&mut settings.stores);
        settings.tokens.introspection_clients = Some(INTROSPECTOR.into());
        let busy: Limit = "100000/15m".parse().unwrap();
        settings.limits.rate_limit_login = busy;
        settings.limits.rate_limit_refresh = busy;
        settings.limits.rate_limit_logout = busy;
        settings.limits.rate_limit_register = busy;
        settings.limits.rate_limit_mail = busy;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_redis_every_endpoint_serves_and_nothing_dead_lives() {
    let Stage { auth, redis, .. } = &wounded_stage(|_| {}).await;
    let operations = auth.operations().await;
    for (round, wound) in wounds(SLOW_REDIS).into_iter().enumerate() {
        let cell = format!("Redis {wound:?}");
        let admin = auth.admin("admin").await;
        let called = Called { auth, admin: &admin, operations: &operations };
        let people = people(auth, &format!("r{round}n")).await;
        let bystander = Person::of(auth, &format!("r{round}bystander")).await;
        redis.inflict(wound);
        let outcomes = ask_all(&called, &people, &bystander).await;
        check(&cell, &outcomes, |endpoint| endpoint.without_redis);
        let ended: Vec<&Login> = people
            .iter()
            .flat_map(|(endpoint, person)| person.logins(endpoint.ends))
            .chain([&bystander.first, &bystander.second, &admin])
            .collect();
        assert_dead(&cell, auth, &ended).await;
        redis.heal();
        assert_dead(&cell, auth, &ended).await;
        ready(auth);
        agree(auth).await;
        assert_dead(&cell, auth, &ended).await;
    }
    println!("Redis wounded: faults injected 4, revoked accepted 0");
}

async fn assert_dead(cell: &str, auth: &Service, ended: &[&Login]) {
    for login in ended {
        assert_eq!(status(auth, login).await, 401, "{cell}: {login:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_mysql_changes_are_refused_whole_and_checks_go_on() {
    // On a busy machine Redis must not seem to be wounded as well.
    let stage = wounded_stage(|stores| stores.redis_deadline = Duration::from_secs(3)).await;
    let Stage { auth, mysql, .. } = &stage;
    let operations = auth.operations().await;
    let admin = auth.admin("admin").await;
    let called = Called { auth, admin: &admin, operations: &operations };
    let people = people(auth, "n").await;
    let bystander = Person::of(auth, "bystander").await;
    agree(auth).await;
    ready(auth);
    let before = stage.rows();
    for wound in wounds(SLOW_MYSQL) {
        let cell = format!("MySQL {wound:?}");
        mysql.inflict(wound);
        let outcomes = ask_all(&called, &people, &bystander).await;
        check(&cell, &outcomes, |endpoint| endpoint.without_mysql);
        mysql.heal();
        ready(auth);
        assert_eq!(stage.rows(), before, "{cell}: something is half done");
    }
    // Nobody lost anything: everything that was refused works now.
    let outcomes = ask_all(&called, &people, &bystander).await;
    check("all well", &outcomes, |endpoint| match endpoint.path {
        "/health" | "/readyz" => 200,
        _ => endpoint.without_redis,
    });
    println!("MySQL wounded: faults injected 4, half done 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_uses_up_nobodys_tries_at_a_password() {
    let Stage { auth, mysql, .. } = &wounded_stage(|_| {}).await;
    auth.user("alice").await;
    mysql.inflict(Wound::CutAfter(0));
    for _ in 0..2 * auth.app.settings.limits.account_free_failures {
        auth.log_in("alice").await.must_be(503);
    }
    mysql.heal();
    ready(auth);
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_stores_wounded_nobody_is_called_unauthorised() {
    let Stage { auth, redis, mysql, .. } = &wounded_stage(|_| {}).await;
    let operations = auth.operations().await;
    let admin = auth.admin("admin").await;
    let called = Called { auth, admin: &admin, operations: &operations };
    let people = people(auth, "n").await;
    let bystander = Person::of(auth, "bystander").await;
    for wound in [Wound::Blackhole, Wound::Refuse] {
        redis.inflict(wound);
        mysql.inflict(wound);
        let outcomes = ask_all(&called, &people, &bystander).await;
        check(&format!("both {wound:?}"), &outcomes, |endpoint| match endpoint.path {
            "/livez"
            | "/metrics"
            | "/openapi.json"
            | "/docs"
            | "/.well-known/jwks.json"
            | "/.well-known/oauth-authorization-server" => 200,
            _ => 503,
        });
        redis.heal();
        mysql.heal();
        ready(auth);
        assert_eq!(status(auth, &bystander.first).await, 200);
    }
}
