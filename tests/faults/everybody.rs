//! Everybody is logged out by one instant, and a store is lost in the midst of it.

use std::time::Duration;

use portcullis_api::base::clock::{Clock, Timestamp};
use portcullis_tests::{Answer, Login, PASSWORD, Redis, Service};
use reqwest::Method;
use serde_json::json;
use sqlx::MySqlPool;

use crate::failover::pair;
use crate::proxy::Wound;
use crate::stage::{Stage, stage};
use crate::talk::{accepted, ask, confirming, eventually, ready, status};
use crate::transactions::set_on_new_connections;
use crate::trap::Trap;

pub(crate) async fn log_everybody_out(auth: &Service, root: &Login) -> Answer {
    auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await
}

/// Up to when this server has heard that everything has ended; 0 for never.
pub(crate) fn told(redis: &Redis) -> u64 {
    let mut redis = redis.connection();
    let info: String = redis::cmd("INFO").arg("portcullis").query(&mut redis).unwrap();
    let field = info.lines().find_map(|line| line.trim_end().strip_prefix("portcullis_before:"));
    field.and_then(|at| at.parse().ok()).expect("the module says so")
}

/// Two people and an administrator.
async fn people(auth: &Service) -> (Login, Vec<Login>) {
    let root = auth.admin("root").await;
    (root, vec![auth.logged_in("alice").await, auth.logged_in("bob").await])
}

/// The place of the commit in the transaction that ends everybody's sessions.
async fn commit_of_the_end(stage: &Stage) -> usize {
    let root = stage.auth.admin("rehearsal").await;
    let trap = Trap { earlier: 0, packet: usize::MAX, is_heard: false, wound: Wound::Refuse };
    set_on_new_connections(stage, trap);
    log_everybody_out(&stage.auth, &root).await.must_be(200);
    stage.mysql.packets_passed() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_that_dies_before_the_commit_has_ended_nobody_and_after_it_everybody() {
    let stage = stage(|_| {}).await;
    let Stage { auth, mysql, .. } = &stage;
    let commit = commit_of_the_end(&stage).await;
    let heard_before = told(&auth.redis);
    let (root, people) = people(auth).await;

    let trap = Trap { earlier: 0, packet: commit, is_heard: false, wound: Wound::Refuse };
    set_on_new_connections(&stage, trap);
    log_everybody_out(auth, &root).await.must_be(503);
    assert!(mysql.has_sprung());
    mysql.heal();
    ready(auth);
    assert_eq!(accepted(auth, &people).await, 2, "nothing was done");
    assert!(people.iter().all(|login| ask(auth, login) == "OK"));
    assert_eq!(told(&auth.redis), heard_before);

    // Its answer is lost. Until MySQL says what became of it Redis is not asked, and MySQL is not there.
    set_on_new_connections(&stage, Trap { is_heard: true, ..trap });
    log_everybody_out(auth, &root).await.must_be(503);
    assert!(mysql.has_sprung());
    for login in &people {
        assert_eq!(status(auth, login).await, 503);
    }
    mysql.heal();
    eventually("MySQL says that it was done", async || status(auth, &people[0]).await == 401);
    assert_eq!(accepted(auth, &people).await, 0);
    eventually("Redis has heard", async || told(&auth.redis) > heard_before);
    assert!(people.iter().chain([&root]).all(|login| ask(auth, login) != "OK"));
    log_everybody_out(auth, &root).await.must_be(401);
    let again = auth.logged_in("alice").await;
    assert_eq!(status(auth, &again).await, 200);
}

/// So many that they are marked in two steps; the second does not happen, and the instance dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_instance_could_not_mark_as_ended_is_marked_by_another() {
    let stage = stage(|_| {}).await;
    let Stage { auth, mysql, .. } = &stage;
    let root = auth.admin("root").await;
    let alice = auth.logged_in("alice").await;
    let others = "insert into users (email, password_hash, first_name, last_name, created_at, updated_at)
         with recursive n as (select 1 as i union all select i + 1 from n where i < 600)
         select concat('u', i, '@example.com'), '-', 'A', 'B', utc_timestamp(3), utc_timestamp(3) from n";
    sqlx::raw_sql(others).execute(auth.db()).await.unwrap();
    let last = auth.logged_in("zoe").await;

    // The end is one transaction, and each step of marking is one.
    let trap = Trap { earlier: 2, packet: 0, is_heard: false, wound: Wound::Refuse };
    set_on_new_connections(&stage, trap);
    let answer = log_everybody_out(auth, &root).await.must_be(200);
    assert!(mysql.has_sprung());
    assert_eq!(answer.json["data"], json!({ "users": 2, "sessions_revoked": 2 }));
    auth.app.background.stop.cancel();
    mysql.heal();
    let db = MySqlPool::connect(&stage.direct).await.unwrap();
    let marked = async |login: &Login| {
        let ended = "select ended_at from user_sessions where id = ? and not is_active";
        let ended = sqlx::query_scalar::<_, Timestamp>(ended);
        ended.bind(&login.session).fetch_optional(&db).await.unwrap()
    };
    let said = auth.clock.now();
    assert_eq!(marked(&alice).await, Some(said));
    assert_eq!(marked(&last).await, None, "nobody has");

    auth.clock.advance(Duration::from_mins(1));
    let other = auth.another(2, |_| {}).await;
    let verdict = other.get_as(&last.access, "/verify").await;
    assert_eq!(verdict.status, 401, "it counts as ended all the same");
    eventually("another has marked it", async || marked(&last).await.is_some());
    assert_eq!(marked(&last).await, Some(said), "when it ended, and not when it was marked");
    eventually("nothing is left to be marked", async || {
        let left = "select count(*) from everybody where recorded_at is null";
        stage.number(left) == 0
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_from_before_everybody_was_logged_out_brings_no_one_back() {
    let Stage { mut auth, .. } = stage(|_| {}).await;
    let (root, people) = people(&auth).await;
    redis::cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    let answer = log_everybody_out(&auth, &root).await.must_be(200);
    assert!(answer.json.get("propagation").is_none());
    let newcomer = auth.logged_in("newcomer").await;
    let heard = told(&auth.redis);
    auth.redis.kill();
    auth.redis.start_again();
    assert_eq!(accepted(&auth, &people).await, 0);
    assert!(
        people.iter().all(|login| ask(&auth, login) != "OK"),
        "direct callers are told to wait"
    );
    ready(&auth);
    assert_eq!(told(&auth.redis), heard);
    assert!(people.iter().all(|login| ask(&auth, login) != "OK"));
    assert_eq!(accepted(&auth, &people).await, 0);
    assert_eq!((status(&auth, &newcomer).await, &*ask(&auth, &newcomer)), (200, "OK"));
}

/// The instant lies in the future of Redis, where a session that begins afterwards would begin now, and so
/// before it, had Redis not heard of it first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tells_redis_of_a_later_session_tells_it_of_the_end_before_that() {
    let stage = stage(|_| {}).await;
    let Stage { auth, redis, .. } = &stage;
    let (root, _) = people(auth).await;
    let straight = format!("redis://127.0.0.1:{}", auth.redis.port());
    let ahead = Clock::manual(auth.clock.now().plus(Duration::from_hours(1)));
    let fast = auth.another_with(2, ahead, |_| {}).await;
    let other = auth.another(3, |settings| settings.stores.redis_url = Some(straight.into())).await;
    eventually("the other one believes Redis", async || other.app.ledgers.is_believed());
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let early: Login = fast.post("/login-enhanced", body.clone()).await.must_be(200).into();
    fast.app.background.stop.cancel();
    redis.inflict(Wound::Blackhole);
    let answer = log_everybody_out(auth, &root).await.must_be(200);
    assert_eq!(answer.json["propagation"], "pending");
    let late: Login = other.post("/login-enhanced", body).await.must_be(200).into();
    eventually("Redis has heard", async || told(&auth.redis) > 0);
    assert_eq!(ask(auth, &late), "OK");
    assert_ne!(ask(auth, &early), "OK");
}

/// Its module wants no confirmation: whoever asks it is answered at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_acknowledged_the_end_of_everybody_refuses_them_the_moment_it_takes_over() {
    let pair = pair(Redis::options(), 1, Duration::from_secs(20)).await;
    let (root, people) = people(&pair.auth).await;
    // Longer than the answer takes that does not wait for the replica.
    pair.stream.inflict(Wound::Delay(Duration::from_secs(2)));
    let answer = log_everybody_out(&pair.auth, &root).await.must_be(200);
    assert!(answer.json.get("propagation").is_none(), "a replica has it");
    let auth = pair.fail_over();
    assert!(people.iter().all(|login| ask(&auth, login) == "LOGGED_OUT"));
    assert_eq!(accepted(&auth, &people).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_that_missed_the_end_of_everybody_is_not_believed_until_it_has_heard() {
    let pair = pair(confirming(), 0, Duration::from_secs(3)).await;
    let (root, people) = people(&pair.auth).await;
    pair.stream.inflict(Wound::Blackhole);
    log_everybody_out(&pair.auth, &root).await.must_be(200);
    let auth = pair.fail_over();
    assert_eq!(told(&auth.redis), 0);
    assert_eq!(accepted(&auth, &people).await, 0);
    assert!(people.iter().all(|login| ask(&auth, login) != "OK"));
    ready(&auth);
    assert!(told(&auth.redis) > 0);
    assert_eq!(accepted(&auth, &people).await, 0);
    assert!(people.iter().all(|login| ask(&auth, login) != "OK"));
    let newcomer = auth.logged_in("alice").await;
    assert_eq!((status(&auth, &newcomer).await, &*ask(&auth, &newcomer)), (200, "OK"));
}

/// MySQL alone knows it, and is gone: Redis, which has not heard of it, is not asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mysql_a_redis_that_has_not_heard_is_not_asked() {
    let stage = stage(|_| {}).await;
    let Stage { auth, redis, mysql, .. } = &stage;
    let (root, people) = people(auth).await;
    redis.inflict(Wound::Blackhole);
    let answer = log_everybody_out(auth, &root).await.must_be(200);
    assert_eq!(answer.json["propagation"], "pending");
    mysql.inflict(Wound::Refuse);
    // Redis answers again, and nobody can say whether it may be believed but those who know what it lacks.
    redis.heal();
    eventually("Redis has heard", async || {
        told(&auth.redis) > 0 || {
            assert_eq!(accepted(auth, &people).await, 0);
            false
        }
    });
    assert_eq!(accepted(auth, &people).await, 0);
    mysql.heal();
    ready(auth);
    assert_eq!(accepted(auth, &people).await, 0);
    assert_eq!(auth.raw(Method::GET, "/readyz").send().await.unwrap().status(), 200);
}
