//! Verdicts that an instance keeps: each request is answered from what this instance believes, and from
//! nothing else that it happens to remember.

use std::time::Duration;

use portcullis_tests::{Login, Redis, Service};
use redis::Connection;
use serde_json::json;

use crate::proxy::Wound;
use crate::stage::stage;
use crate::talk::{agree, calls, eventually, ready, status};

/// What is kept would outlive any test, and Redis is asked for a sign of life every five seconds.
const LONG: Duration = Duration::from_secs(20);

/// As the connection is called on which verdicts are kept.
const NAME: &str = "name=portcullis-client";

/// The numbers of those connections.
fn watches(redis: &mut Connection) -> Vec<String> {
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(redis).unwrap();
    let ours = clients.lines().filter(|client| client.contains(NAME));
    ours.filter_map(|client| client.strip_prefix("id=")?.split(' ').next())
        .map(String::from)
        .collect()
}

/// How many questions the module has been asked since they were counted.
fn asked(redis: &mut Connection) -> usize {
    calls(redis, "auth.check")
}

/// A live session whose verdict is kept by now, if verdicts are.
async fn kept(auth: &Service, name: &str) -> Login {
    let login = auth.logged_in(name).await;
    let mut redis = auth.redis.connection();
    eventually("nobody has to be asked for the verdict", async || {
        let before = asked(&mut redis);
        assert_eq!(status(auth, &login).await, 200);
        asked(&mut redis) == before && !watches(&mut redis).is_empty()
    });
    login
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_asked_once_about_a_token_or_each_time_if_nothing_is_to_be_kept() {
    for (lease, is_kept, bound) in [(LONG, true, 0..25), (Duration::ZERO, false, 50..usize::MAX)] {
        let auth = Service::with(|settings| settings.stores.verdict_lease = lease).await;
        ready(&auth);
        let mut redis = auth.redis.connection();
        let alice = auth.logged_in("alice").await;
        eventually("the first verdict is there", async || {
            status(&auth, &alice).await == 200 && (!is_kept || !watches(&mut redis).is_empty())
        });
        eventually("a verdict is kept, or none is", async || {
            let questions = questions_of_fifty(&auth, &alice).await;
            // Signs of life are questions as well.
            bound.contains(&questions)
        });
    }
}

/// How often Redis is asked while somebody who is logged in asks the service fifty times.
async fn questions_of_fifty(auth: &Service, login: &Login) -> usize {
    let before = asked(&mut auth.redis.connection());
    for _ in 0..50 {
        assert_eq!(status(auth, login).await, 200);
    }
    asked(&mut auth.redis.connection()) - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_instance_has_ended_it_refuses_at_once() {
    let auth = Service::with(|settings| settings.stores.verdict_lease = LONG).await;
    ready(&auth);
    for _ in 0..20 {
        let alice = kept(&auth, "alice").await;
        auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
        assert_eq!(status(&auth, &alice).await, 401);
    }
}

/// After a failover, or behind an address that has moved, what is kept may come from elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_server_says_counts_for_nothing() {
    let stage = stage(|_| {}).await;
    let alice = kept(&stage.auth, "alice").await;
    let key = format!("user:{}", alice.user_id);
    let elsewhere = Redis::options().tcp().start();
    let mut there = elsewhere.connection();
    let mut create = redis::cmd("AUTH.SESSION");
    create.arg("CREATE").arg(&key).arg(&alice.session).arg("EX").arg(3600);
    create.exec(&mut there).unwrap();
    stage.redis.lead_to(elsewhere.port());
    let mut here = stage.auth.redis.connection();
    for watch in watches(&mut here) {
        redis::cmd("CLIENT").arg("KILL").arg("ID").arg(watch).exec(&mut here).unwrap();
    }
    eventually("what is kept comes from elsewhere", async || asked(&mut there) > 0);
    let mut revoke = redis::cmd("AUTH.BLACKLIST");
    revoke.arg(&key).arg(&alice.access).arg("EX").arg(600).exec(&mut here).unwrap();
    for _ in 0..5 {
        assert_eq!(status(&stage.auth, &alice).await, 401, "the other server says OK");
    }
}

/// Its connection is never heard of again, and nobody is told of anything on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_before_a_doubt_is_not_found_after_it() {
    let stage = stage(|settings| settings.stores.verdict_lease = LONG).await;
    let alice = kept(&stage.auth, "alice").await;
    stage.redis.inflict(Wound::Blackhole);
    let answer = stage.auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    assert_eq!(answer.json["propagation"], "pending");
    stage.redis.heal_for_newcomers();
    agree(&stage.auth).await;
    ready(&stage.auth);
    for _ in 0..5 {
        assert_eq!(status(&stage.auth, &alice).await, 401, "it was kept from before");
    }
}
