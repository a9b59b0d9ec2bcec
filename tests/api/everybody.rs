//! A logout of everybody: one instant in MySQL, one word to Redis, whatever happens meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_api::base::clock::{Clock, Timestamp};
use portcullis_api::settings::Settings;
use portcullis_api::store::migrate;
use portcullis_tests::{Login, Service, wait_until};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Waits, without keeping the runtime from its work.
fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let runtime = Handle::current();
    block_in_place(|| wait_until(what, || runtime.block_on(holds())));
}

async fn log_out_everyone(auth: &Service, root: &Login) -> Value {
    auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await.must_be(200).json
}

/// What Redis has been told; 0 for nothing.
fn told(auth: &Service) -> u64 {
    let mut redis = auth.redis.connection();
    let info: String = redis::cmd("INFO").arg("portcullis").query(&mut redis).unwrap();
    let field = info.lines().find_map(|line| line.trim_end().strip_prefix("portcullis_before:"));
    field.and_then(|at| at.parse().ok()).expect("the module says so")
}

/// What Redis is to be told.
async fn to_tell(auth: &Service) -> Timestamp {
    let asked = "select redis_valid_after from everybody where id = 1";
    sqlx::query_scalar(asked).fetch_one(auth.db()).await.unwrap()
}

async fn ended_until(auth: &Service) -> Timestamp {
    let asked = "select tokens_valid_after from everybody where id = 1";
    sqlx::query_scalar(asked).fetch_one(auth.db()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_down_for_each_user_and_all_are_marked_as_ended() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    for name in ["alice", "bob", "alice"] {
        auth.logged_in(name).await;
    }
    let rows = "select count(*) from revocation_outbox where ? > 0";
    let before = auth.count(rows, 1).await;
    let answer = log_out_everyone(&auth, &root).await;
    assert_eq!(answer["data"], json!({ "users": 3, "sessions_revoked": 4 }));
    assert_eq!(auth.count(rows, 1).await, before, "a row a user");
    assert_eq!(told(&auth), ended_until(&auth).await.0);
    assert_eq!(to_tell(&auth).await, ended_until(&auth).await);
    let left = "select count(*) from user_sessions where is_active and ? > 0";
    assert_eq!(auth.count(left, 1).await, 0);
    let recorded = "select count(*) from everybody where recorded_at is not null and ? > 0";
    eventually("it is said that all are marked", async || auth.count(recorded, 1).await == 1);
    let again = auth.logged_in("root").await;
    let first = ended_until(&auth).await;
    assert_eq!(
        log_out_everyone(&auth, &again).await["data"],
        json!({ "users": 1, "sessions_revoked": 1 })
    );
    assert!(ended_until(&auth).await > first);
}

/// Nobody has marked the sessions yet, say because whoever was about to do it has died.
#[tokio::test(flavor = "multi_thread")]
async fn mysql_alone_refuses_all_of_them_before_any_is_marked() {
    let mut auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    auth.redis.kill();
    log_out_everyone(&auth, &root).await;
    sqlx::query("update user_sessions set is_active = true, ended_at = null, ended_reason = null")
        .execute(auth.db())
        .await
        .unwrap();
    for person in [&root, &alice] {
        assert!(!auth.is_good(&person.access).await);
        auth.refresh(&person.refresh).await.must_be(401);
        auth.get_as(&person.access, "/me").await.must_be(401);
    }
    let again = auth.logged_in("alice").await;
    let listed = auth.get_as(&again.access, "/sessions").await.must_be(200);
    assert!(listed.text.contains(&again.session) && !listed.text.contains(&alice.session));
    let stats = auth.get_as(&again.access, "/token-stats").await.must_be(200);
    assert_eq!(stats.json["data"]["sessions_active"], 1);
    let refused = auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(refused.json["ended_reason"], "admin", "{}", refused.json);
    let said = "select ended_at from everybody where id = 1";
    let said: Timestamp = sqlx::query_scalar(said).fetch_one(auth.db()).await.unwrap();
    assert_eq!(refused.json["ended_at"], said.rfc3339(), "{}", refused.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_pending_and_redis_hears_of_it_later() {
    let mut auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    auth.redis.freeze();
    let answer = log_out_everyone(&auth, &root).await;
    assert_eq!(answer["propagation"], "pending");
    assert!(!auth.is_good(&alice.access).await);
    let again = auth.logged_in("alice").await;
    assert!(auth.is_good(&again.access).await);
    auth.redis.thaw();
    wait_until("Redis has heard", || told(&auth) > 0);
    assert_ne!(auth.verdict(&alice), "OK");
    wait_until("the new session is there", || auth.verdict(&again) == "OK");
    // One that comes back without anything is told while it is filled in.
    auth.redis.kill();
    auth.redis.start_again();
    wait_until("it was told", || told(&auth) > 0);
    wait_until("it was filled in", || auth.verdict(&again) == "OK");
    assert_ne!(auth.verdict(&alice), "OK");
    assert!(!auth.is_good(&alice.access).await && auth.is_good(&again.access).await);
}

/// By then Redis may have taken its session to begin before the instant; and it may be believed.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_afterwards_lives_in_both_stores_although_a_clock_is_ahead() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let ahead = Clock::manual(auth.clock.now().plus(Duration::from_hours(1)));
    let fast = auth.another_with(2, ahead, |_| {}).await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": portcullis_tests::PASSWORD });
    let early: Login = fast.post("/login-enhanced", body.clone()).await.must_be(200).into();
    assert_eq!(auth.verdict(&early), "OK");

    log_out_everyone(&auth, &root).await;

    assert!(ended_until(&auth).await >= auth.clock.now().plus(Duration::from_hours(1)));
    assert_eq!(auth.verdict(&early), "LOGGED_OUT");
    assert!(!fast.is_good(&early.access).await && !auth.is_good(&early.access).await);
    fast.refresh(&early.refresh).await.must_be(401);
    let late: Login = fast.post("/login-enhanced", body).await.must_be(200).into();
    // Of each other's tokens one is too early for them and the other too late.
    let by_the_slow = auth.logged_in("alice").await;
    assert!(fast.is_good(&late.access).await && auth.is_good(&by_the_slow.access).await);
    for after in [&late, &by_the_slow] {
        assert_eq!(auth.verdict(after), "OK");
    }
    // Nor does a Redis that has lost everything take what is filled in for what had ended.
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    wait_until("it was filled in", || auth.verdict(&late) == "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_that_has_not_heard_refuses_once_it_looks() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let other = auth.another(2, |_| {}).await;
    assert!(other.is_good(&alice.access).await);
    log_out_everyone(&auth, &root).await;
    // Redis was told before the answer came, and what is kept of it ends with the lease at the latest.
    eventually("the other one refuses", async || !other.is_good(&alice.access).await);
    other.refresh(&alice.refresh).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_back_leaves_nobody_logged_in() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    log_out_everyone(&auth, &root).await;
    let again = auth.logged_in("alice").await;
    sqlx::query("update user_sessions set is_active = true, ended_at = null, ended_reason = null")
        .execute(auth.db())
        .await
        .unwrap();
    let steps = migrate::status(auth.db()).await.unwrap();
    let later = steps.iter().filter(|step| step.version >= 23).count();
    migrate::down(auth.db(), later).await.unwrap();
    let left = "select id from user_sessions where is_active";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(auth.db()).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&again.session));
    migrate::up(auth.db()).await.unwrap();
    // While the tables were others, nobody could say anything of anybody.
    eventually("she is refused", async || {
        let status = auth.get_as(&alice.access, "/verify").await.status.as_u16();
        assert!([401, 503].contains(&status), "{status}");
        status == 401
    });
}

/// Its clock is so far ahead that Redis takes no such instant, whatever is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_out_of_all_bounds_neither_survives_nor_keeps_redis_from_hearing() {
    let auth = Service::start().await;
    auth.admin("root").await;
    let mad = Clock::manual(auth.clock.now().plus(Duration::from_hours(24 * 500)));
    let far = auth.another_with(2, mad, |_| {}).await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": portcullis_tests::PASSWORD });
    let early: Login = far.post("/login-enhanced", body.clone()).await.must_be(200).into();
    // The second is not as far ahead as the first, and still ends what began after it.
    let shorter = |settings: &mut Settings| {
        settings.sessions.session_expires_in = Duration::from_hours(1);
    };
    let second = auth.another(3, shorter).await;
    eventually("it can be told", async || second.app.ledgers.is_believed());
    for instance in [&*auth, &*second] {
        let (root, alice) = (auth.logged_in("root").await, auth.logged_in("alice").await);
        wait_until("Redis has the session", || auth.verdict(&alice) == "OK");
        let path = "/admin/logout-everyone";
        let answer = instance.post_as(&root.access, path, json!({})).await.must_be(200);
        assert!(answer.json.get("propagation").is_none(), "{}", answer.json);
        assert_eq!(told(&auth), to_tell(&auth).await.0);
        assert!(ended_until(&auth).await > to_tell(&auth).await);
        for person in [&root, &alice] {
            assert_ne!(auth.verdict(person), "OK");
        }
    }
    assert_ne!(auth.verdict(&early), "OK");
    assert!(!far.is_good(&early.access).await);
    far.refresh(&early.refresh).await.must_be(401);
    // Even by the clock that is right one begins after those that had ended.
    let late = auth.logged_in("alice").await;
    assert!(auth.is_good(&late.access).await);
    wait_until("Redis has the session", || auth.verdict(&late) == "OK");
}

/// Whoever logs in at the same time is gone or there, and both stores say the same of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_meanwhile_is_dead_or_alive_and_not_both() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
    for name in &names {
        auth.user(name).await;
    }
    let amid = join_all(names.iter().map(|name| auth.logged_in(name)));
    let (amid, _) = tokio::join!(amid, log_out_everyone(&auth, &root));
    let standing =
        "select s.created_at > e.tokens_valid_after from user_sessions s join everybody e
                     where s.id = ?";
    let mut alive = 0;
    for login in &amid {
        let stands = sqlx::query_scalar(standing).bind(&login.session).fetch_one(auth.db());
        let stands: bool = stands.await.unwrap();
        alive += usize::from(stands);
        assert_eq!(auth.is_good(&login.access).await, stands);
        assert_eq!(auth.refresh(&login.refresh).await.status == 200, stands);
        wait_until("Redis says the same", || (auth.verdict(login) == "OK") == stands);
    }
    println!("logged in meanwhile: {alive} of 8 live");
    let gone = auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await;
    assert_eq!(gone.status, 401);
}
