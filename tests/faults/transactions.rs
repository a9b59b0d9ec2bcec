//! MySQL is lost in the middle of a transaction: before a statement, after it, at the commit.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use portcullis_tests::send;
use reqwest::Method;
use serde_json::json;

use crate::endpoints::{Called, ENDPOINTS, Endpoint, Ends, INTROSPECTOR, Person};
use crate::proxy::Wound;
use crate::stage::{Stage, stage};
use crate::talk::{agree, eventually, ready, status};
use crate::trap::Trap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_mysql_dies_in_is_done_or_not_done_and_can_be_repeated() {
    die_in(&["/login-enhanced", "/refresh", "/logout"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: every change that there is"]
async fn every_change_that_mysql_dies_in_is_done_or_not_done_and_can_be_repeated() {
    let changes: Vec<&str> = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.method != "GET" && endpoint.without_mysql == 503)
        .map(|endpoint| endpoint.path)
        .collect();
    die_in(&changes).await;
}

/// Each packet of the change's transaction is the last that MySQL hears, or the first that it does
/// not hear, until one run gets through.
async fn die_in(paths: &[&str]) {
    let stage =
        stage(|settings| settings.tokens.introspection_clients = Some(INTROSPECTOR.into())).await;
    let mut faults = BTreeMap::new();
    for (number, endpoint) in ENDPOINTS.iter().enumerate() {
        if !paths.contains(&endpoint.path) {
            continue;
        }
        for is_heard in [false, true] {
            let count = faults.entry(endpoint.path).or_insert(0);
            *count += die_at_each_packet(&stage, endpoint, &format!("e{number}"), is_heard).await;
        }
    }
    println!("MySQL dies inside a transaction: {faults:?}; half done 0, users locked out 0");
}

async fn die_at_each_packet(
    stage: &Stage,
    endpoint: &Endpoint,
    name: &str,
    is_heard: bool,
) -> usize {
    let Stage { auth, mysql, .. } = stage;
    let admin = auth.admin("admin").await;
    let called = Called { auth, admin: &admin, operations: "" };
    let mut done: Vec<String> = Vec::new();
    for packet in 0.. {
        let what = format!("{} at packet {packet}, heard: {is_heard}", endpoint.path);
        let name = format!("{name}p{packet}h{}", u8::from(is_heard));
        let person = Person::for_endpoint(auth, &name, endpoint).await;
        let before = stage.rows();
        let waiting = stage.waiting_mails();
        let wound = if is_heard { Wound::CutAfter(0) } else { Wound::Refuse };
        set_on_new_connections(stage, Trap { earlier: 0, packet, is_heard, wound });
        let at_rest = auth.app.background.tracker.len();
        let answer = send(endpoint.request(&called, &person)).await;
        eventually("what goes on behind the answer is done", async || {
            let mails_are_out = mysql.has_sprung() || stage.waiting_mails() <= waiting;
            auth.app.background.tracker.len() <= at_rest && mails_are_out
        });
        let has_sprung = mysql.has_sprung();
        mysql.heal();
        if !has_sprung {
            assert_eq!(answer.status, endpoint.without_redis, "{what}");
            return packet;
        }
        assert!(done.is_empty(), "{what}: done before the last packet: {done:#?}");
        // Some changes end behind the answer, which does not tell of them.
        assert!([503, endpoint.without_redis].contains(&answer.status.as_u16()), "{what}");
        ready(auth);
        let after = stage.rows();
        let before: HashSet<&str> = before.lines().collect();
        done = after.lines().filter(|row| !before.contains(row)).map(String::from).collect();
        assert!(is_heard || done.is_empty(), "{what}: done, though never committed: {done:#?}");
        let again = send(endpoint.request(&called, &person)).await.status.as_u16();
        // Whoever repeats an ending that was done, or sends a token from a mail again, is not known
        // any more.
        let is_used_up = endpoint.ends != Ends::Nothing || endpoint.path == "/verify-email";
        let well = again == endpoint.without_redis
            || (!done.is_empty() && is_used_up && [401, 404].contains(&again));
        assert!(well, "{what}: the repetition was answered {again}");
        agree(auth).await;
        for login in person.logins(endpoint.ends) {
            assert_eq!(status(auth, login).await, 401, "{what}");
        }
    }
    unreachable!("a transaction has an end")
}

/// The pool is small, so that connections which were not let go would soon be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_mysql_falls_silent_in_leaves_no_lock_and_no_connection_behind() {
    let stage = stage(|settings| settings.stores.db_pool_size = 3).await;
    let Stage { auth, mysql, .. } = &stage;
    let called = Called { auth, admin: &auth.admin("admin").await, operations: "" };
    let mut faults = 0;
    for path in ["/refresh", "/login-enhanced"] {
        let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == path).unwrap();
        // In the middle; then, from a run that gets through, just before and just after the commit.
        let rehearsal = Person::of(auth, "rehearsal").await;
        let trap =
            Trap { earlier: 0, packet: usize::MAX, is_heard: false, wound: Wound::Blackhole };
        set_on_new_connections(&stage, trap);
        send(endpoint.request(&called, &rehearsal)).await.must_be(200);
        let commit = mysql.packets_passed() - 1;
        for (packet, is_heard) in [(2, true), (commit, false), (commit, true)] {
            let what = format!("{path} at packet {packet} of {commit}, heard: {is_heard}");
            let person = Person::of(auth, &format!("silent{faults}")).await;
            set_on_new_connections(&stage, Trap { packet, is_heard, ..trap });
            let answer = send(endpoint.request(&called, &person)).await.must_be(503);
            assert!(mysql.has_sprung(), "{what}");
            assert!(!answer.header("retry-after").is_empty(), "{what}");
            mysql.heal_for_newcomers();
            // The server itself gives up the locks of a session that it never hears of again.
            let repeat = async || send(endpoint.request(&called, &person)).await.status == 200;
            eventually(&format!("the repetition works: {what}"), repeat);
            // The service writes something by itself now and then, which may be on its way just now.
            let none_is_left = async || stage.open_transactions() == 0;
            eventually(&format!("no transaction is left: {what}"), none_is_left);
            agree(auth).await;
            faults += 1;
        }
    }
    eventually("no connection is waited for any more", async || {
        auth.app.store.pool.size() as usize == auth.app.store.pool.num_idle()
    });
    println!("MySQL falls silent inside a transaction: faults injected {faults}, half done 0");
}

/// A statement is two packets on a connection that has not prepared it, so only these are countable.
pub(crate) fn set_on_new_connections(stage: &Stage, trap: Trap) {
    stage.mysql.heal();
    ready(&stage.auth);
    stage.mysql.set_trap(trap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_its_client_gave_up_swallows_nobody_elses_change() {
    let stage = stage(|settings| settings.stores.db_pool_size = 3).await;
    let Stage { auth, mysql, .. } = &stage;
    let alice = auth.logged_in("alice").await;
    agree(auth).await;
    let _others = [auth.db().acquire().await.unwrap(), auth.db().acquire().await.unwrap()];
    let slowly = Wound::Delay(Duration::from_millis(300));
    mysql.set_trap(Trap { earlier: 0, packet: 0, is_heard: true, wound: slowly });
    let refresh = json!({ "refresh_token": alice.refresh });
    let request = auth.request(Method::POST, "/refresh").json(&refresh).send();
    let given_up = tokio::spawn(request);
    eventually("MySQL has begun a transaction", async || mysql.has_sprung());
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    mysql.inflict(Wound::None);
    // The one connection that is left was in a transaction that nobody commits.
    auth.log_in("nobody").await.must_be(401);
    let failures = "select count(*) from audit_events where event = 'authn_login_fail'";
    assert_eq!(stage.number(failures), 1);
}

/// What runs beside the requests must not wait for ever for a connection that says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_silence_of_mysql_endings_are_delivered_and_redis_is_looked_after() {
    let Stage { auth, redis, mysql, .. } = &stage(|_| {}).await;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    mysql.inflict(Wound::Blackhole);
    // As long as these take, everything that asks MySQL now and then has asked and waits.
    for _ in 0..2 {
        auth.refresh(&alice.refresh).await.must_be(503);
    }
    mysql.heal_for_newcomers();
    eventually("the refresh goes through", async || {
        auth.refresh(&alice.refresh).await.status == 200
    });
    redis.inflict(Wound::Blackhole);
    eventually("the logout is told to be pending", async || {
        let answer = auth.post_as(&bob.access, "/logout", json!({})).await;
        answer.json["propagation"] == "pending"
    });
    redis.heal();
    ready(auth);
    agree(auth).await;
    assert_eq!(auth.verdict(&bob), "NO_SESSION");
    assert_eq!(auth.verdict(&alice), "OK");
    assert_eq!(auth.raw(Method::GET, "/health").send().await.unwrap().status(), 200);
}
