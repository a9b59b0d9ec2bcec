//! Transactions that MySQL sends away, because they stand in each other's way: they are run again,
//! and what they do is done once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use portcullis_tests::{Login, Running, Service, captured_log, running, send, tell};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::endpoints::{Called, ENDPOINTS, Endpoint, INTROSPECTOR, LOGOUT_EVERYONE, Person};
use crate::talk::{agree, eventually};

/// Everything that requests write to.
const TABLES: [&str; 8] = [
    "users",
    "user_sessions",
    "refresh_tokens",
    "token_blacklist_enhanced",
    "email_tokens",
    "mails",
    "audit_events",
    "revocation_outbox",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_of_refreshes_that_race_a_logout_everywhere_none_makes_it_fail() {
    race(40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: the full count of rounds"]
async fn f_55_of_refreshes_that_race_a_logout_everywhere_none_makes_it_fail_a_thousand_times() {
    race(1_000).await;
}

async fn race(rounds: usize) {
    let auth = Service::with(|settings| {
        settings.stores.db_deadline = Duration::from_secs(30);
        settings.stores.redis_deadline = Duration::from_secs(10);
    })
    .await;
    for round in 0..rounds {
        let name = format!("racer{}", round % 4);
        let mut logins: Vec<Login> = Vec::new();
        for _ in 0..4 {
            logins.push(auth.logged_in(&name).await);
        }
        // A refresh moves the session's last activity, which is part of an index.
        auth.clock.advance(Duration::from_secs(1));
        let refreshes = join_all(logins.iter().map(|login| auth.refresh(&login.refresh)));
        let path = ["/logout-all-devices", "/sessions?include_current=true"][round % 2];
        let method = [Method::POST, Method::DELETE][round % 2].clone();
        let ending = send(auth.request(method, path).bearer_auth(&logins[3].access));
        let one = auth.post_as(&logins[2].access, "/logout", json!({}));
        let (tokens, ended, one) = join3(refreshes, ending, one).await;
        ended.must_be(200);
        assert!([200, 401, 404].contains(&one.status.as_u16()), "{one:?}");
        for answer in tokens {
            assert!([200, 401].contains(&answer.status.as_u16()), "{answer:?}");
        }
        assert_eq!(auth.live_sessions(logins[0].user_id).await, 0);
        auth.clock.advance(Duration::from_secs(1));
    }
    tell(&format!("refreshes against a logout everywhere: rounds {rounds}, refused as outages 0"));
}

/// Makes MySQL send away the first so many statements that do this to the table, whoever sends them.
async fn send_away(auth: &Service, (deed, table): (&str, &str), first: u32) {
    // What does not take part in transactions counts the statements that were sent away as well.
    for statement in [
        "create table if not exists sent_away (id int auto_increment primary key) engine = MyISAM",
        "truncate sent_away",
        "drop trigger if exists in_the_way",
        &format!(
            "create trigger in_the_way before {deed} on {table} for each row
             begin
               insert into sent_away values ();
               if (select count(*) from sent_away) <= {first} then
                 signal sqlstate '40001' set mysql_errno = 1213, message_text = 'Deadlock found';
               end if;
             end"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(auth.db()).await.unwrap();
    }
}

async fn written(auth: &Service) -> i64 {
    sqlx::query_scalar("select count(*) from sent_away").fetch_one(auth.db()).await.unwrap()
}

/// How many rows each table has.
async fn sizes(auth: &Service) -> BTreeMap<&'static str, i64> {
    let mut sizes = BTreeMap::new();
    for table in TABLES {
        let count = AssertSqlSafe(format!("select count(*) from {table}"));
        sizes.insert(table, sqlx::query_scalar(count).fetch_one(auth.db()).await.unwrap());
    }
    sizes
}

/// What each change does at its end, and to which table.
fn last_written(path: &str) -> (&'static str, &'static str) {
    match path {
        "/refresh" => ("update", "refresh_tokens"),
        // The first of two, which changes no address yet.
        "/confirm-email" => ("update", "email_changes"),
        "/forgot-password" | "/resend-verification" => ("insert", "mails"),
        _ => TRAIL,
    }
}

const TRAIL: (&str, &str) = ("insert", "audit_events");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_every_change_that_mysql_sent_away_is_run_again_and_done_once() {
    let auth = Service::with(|settings| {
        settings.tokens.introspection_clients = Some(INTROSPECTOR.into());
        settings.accounts.notify_new_device = false;
        // A busy machine may need its time for what is run four times.
        settings.stores.db_deadline = Duration::from_secs(30);
    })
    .await;
    // Never ahead of Redis' clock: a logout that is told twice may then cost a session its ledger.
    auth.clock.set(auth.clock.now().minus(Duration::from_mins(5)));
    auth.admin("admin").await;
    let changes = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.method != "GET" && endpoint.without_mysql == 503)
        // This writes nothing.
        .filter(|endpoint| endpoint.path != "/introspect")
        .chain([&LOGOUT_EVERYONE]);
    for (number, endpoint) in changes.enumerate() {
        let once = growth(&auth, endpoint, number, 0).await;
        let again = growth(&auth, endpoint, number, 3).await;
        assert_eq!(once, again, "{} {}", endpoint.method, endpoint.path);
    }
}

/// By how much each table grows with one change that is sent away so many times.
async fn growth(
    auth: &Service,
    endpoint: &Endpoint,
    number: usize,
    times: u32,
) -> Vec<(&'static str, i64)> {
    let what = format!("{} {} sent away {times} times", endpoint.method, endpoint.path);
    if endpoint.path == LOGOUT_EVERYONE.path {
        // Nobody is left of those before, so that it is the same crowd each time.
        let admin = auth.logged_in("admin").await;
        auth.post_as(&admin.access, endpoint.path, json!({})).await.must_be(200);
    }
    let admin = auth.logged_in("admin").await;
    let called = Called { auth, admin: &admin, operations: "" };
    let person = Person::for_endpoint(auth, &format!("p{number}x{times}"), endpoint).await;
    agree(auth).await;
    auth.mails_are_out();
    auth.app.clock.advance(Duration::from_secs(1));
    let before = sizes(auth).await;
    send_away(auth, last_written(endpoint.path), times).await;
    let at_rest = auth.app.background.tracker.len();
    let answer = send(endpoint.request(&called, &person)).await;
    let is_done = async || auth.app.background.tracker.len() <= at_rest;
    eventually("what goes on behind the answer is done", is_done);
    auth.mails_are_out();
    assert_eq!(answer.status, endpoint.without_redis, "{what}: {answer:?}");
    let wrote = written(auth).await;
    assert!(wrote > i64::from(times), "{what}: written {wrote} times");
    let after = sizes(auth).await;
    TABLES.iter().map(|table| (*table, after[table] - before[table])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_what_is_sent_away_again_and_again_is_given_up_and_not_half_done() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    agree(&auth).await;
    let before = sizes(&auth).await;
    send_away(&auth, TRAIL, u32::MAX).await;
    let answer = auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(503);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(written(&auth).await, 4, "once, and three times again");
    assert_eq!(sizes(&auth).await, before);
    assert!(auth.is_good(&alice.access).await);
    send_away(&auth, TRAIL, 0).await;
    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_what_was_run_again_is_told_once() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    send_away(&auth, TRAIL, 2).await;
    let logout = auth.request(Method::POST, "/logout").bearer_auth(&alice.access);
    send(logout.header("x-request-id", "sent-away-twice")).await.must_be(200);
    let log = captured_log();
    let of_request = log.lines().filter(|line| line.contains("sent-away-twice"));
    let told = of_request.filter(|line| line.contains("\"session_ended\"")).count();
    assert_eq!(told, 1);
    assert!(log.contains("MySQL sent a transaction away"));
}

/// The logout holds the user and wants the session; another holds the session and then wants the
/// user. MySQL sends away who has changed less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_a_logout_that_lost_a_deadlock_is_done_all_the_same() {
    let auth =
        Service::with(|settings| settings.stores.db_deadline = Duration::from_secs(30)).await;
    let alice = auth.logged_in("alice").await;
    agree(&auth).await;
    let mut tx = auth.db().acquire().await.unwrap();
    tx.execute("begin").await.unwrap();
    // Heavier than the logout, so that it is not the one that goes.
    let many = "insert into audit_events (at, event, detail)
                with recursive n as (select 1 as i union all select i + 1 from n where i < 200)
                select now(3), 'weight', '{}' from n";
    sqlx::query(many).execute(&mut *tx).await.unwrap();
    let session = "select id from user_sessions where id = ? for update";
    sqlx::query(session).bind(&alice.session).execute(&mut *tx).await.unwrap();
    let logout = auth.request(Method::POST, "/logout-all-devices").bearer_auth(&alice.access);
    let going = tokio::spawn(send(logout));
    eventually("the logout waits for the session", async || {
        let waits =
            |it: &Running| it.statement.starts_with("update users u straight_join user_sessions");
        running(auth.db()).await.iter().any(waits)
    });
    let user = "select id from users where id = ? for update";
    sqlx::query(user).bind(alice.user_id).execute(&mut *tx).await.unwrap();
    tx.execute("rollback").await.unwrap();
    drop(tx);
    going.await.unwrap().must_be(200);
    assert_eq!(auth.live_sessions(alice.user_id).await, 0);
    let trail = auth.audit_trail(alice.user_id).await;
    assert_eq!(trail, ["authn_login_success", "session_ended_all"]);
}

/// MySQL gives up a lock wait after a while; the request has its own deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_55_whoever_waits_for_a_lock_in_vain_is_told_to_come_back() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    agree(&auth).await;
    let before = sizes(&auth).await;
    let mut tx = auth.db().acquire().await.unwrap();
    tx.execute("begin").await.unwrap();
    let session = "select id from user_sessions where id = ? for update";
    sqlx::query(session).bind(&alice.session).execute(&mut *tx).await.unwrap();
    let answer = auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(503);
    assert!(!answer.header("retry-after").is_empty());
    tx.execute("rollback").await.unwrap();
    drop(tx);
    eventually("no connection is waited for any more", async || {
        auth.app.store.pool.size() as usize == auth.app.store.pool.num_idle()
    });
    assert_eq!(sizes(&auth).await, before);
    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
}
