//! Several instances on the same stores: there is no truth of one's own, and each job is done once.

use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Client, Database, Directory, Instance, Login, Service};
use reqwest::Method;
use serde_json::json;

use crate::outside::hydration;
use crate::proxy::{Proxy, Wound};
use crate::stage::{Stage, stage};
use crate::talk::{agree, ask, calls, confirming, eventually, hydrations, mark, ready};

struct Three {
    stage: Stage,
    second: Instance,
    third: Instance,
}

async fn three(adjust: impl FnOnce(&mut Settings)) -> Three {
    let stage = stage(|settings| {
        // On a busy machine Redis must not seem to be wounded.
        settings.stores.redis_deadline = Duration::from_secs(5);
        adjust(settings);
    })
    .await;
    let second = stage.auth.another(2, |_| {}).await;
    let third = stage.auth.another(3, |_| {}).await;
    let three = Three { stage, second, third };
    three.all_ready();
    three
}

impl Three {
    fn clients(&self) -> [&Client; 3] {
        [&self.stage.auth, &self.second, &self.third]
    }

    fn all_ready(&self) {
        self.all_say(200);
    }

    /// What they say when asked whether they are ready.
    fn all_say(&self, status: u16) {
        for client in self.clients() {
            eventually("it is ready, or is not", async || {
                client.raw(Method::GET, "/readyz").send().await.unwrap().status() == status
            });
        }
    }

    fn count_calls_from_now(&self) {
        let mut redis = self.stage.auth.redis.connection();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
    }
}

async fn log_out(client: &Client, login: &Login) -> bool {
    let answer = client.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    answer.json["propagation"] != "pending"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_instance_ended_no_other_accepts() {
    let three = three(|_| {}).await;
    for (round, client) in three.clients().into_iter().enumerate() {
        let login = three.stage.auth.logged_in(&format!("user{round}")).await;
        for other in three.clients() {
            assert!(other.is_good(&login.access).await);
        }
        assert!(log_out(client, &login).await);
        assert!(!client.is_good(&login.access).await);
        // The others hear of it from Redis, and keep a verdict no longer than a lease.
        for other in three.clients() {
            eventually("no other accepts it", async || !other.is_good(&login.access).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_redis_is_delivered_once_and_only_if_it_still_holds() {
    let three = three(|settings| settings.sessions.max_sessions_per_user = 100).await;
    let auth = &three.stage.auth;
    let mut before = Vec::new();
    for number in 0..10 {
        before.push(auth.logged_in(&format!("user{number}")).await);
    }
    agree(auth).await;
    let before_the_outage = hydrations(&auth.redis);
    three.count_calls_from_now();
    three.stage.redis.inflict(Wound::Refuse);
    // What is tried before they know is uncertain, and told again.
    three.all_say(503);
    // Each begins a session with one instance, ends the old one with the next, and so on.
    for (number, old) in before.iter().enumerate() {
        let email = format!("user{number}@example.com");
        let body = json!({ "email": email, "password": portcullis_tests::PASSWORD });
        let mut last = old.clone();
        for turn in 0..3 {
            let [one, other] = [number + turn, number + turn + 1].map(|n| three.clients()[n % 3]);
            let answer = one.post("/login-enhanced", body.clone()).await.must_be(200);
            assert!(!log_out(other, &last).await, "Redis is away");
            last = Login::from(answer);
        }
    }
    three.stage.redis.heal();
    agree(auth).await;
    three.all_ready();
    let commands = ["auth.session|create", "auth.session|revoke"];
    let calls = commands.map(|command| calls(&mut auth.redis.connection(), command));
    // Twenty of the thirty sessions that began have ended meanwhile: nobody tells of those.
    assert_eq!(calls, [10, 30], "{commands:?}: once each");
    assert_eq!(hydrations(&auth.redis), before_the_outage, "this Redis has lost nothing");
    println!("three instances: changes that waited {}, delivered twice 0", 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_are_everybodys() {
    let three = three(|settings| {
        settings.limits.rate_limit_login = "5/15m".parse().unwrap();
    })
    .await;
    let body = json!({ "email": "nobody@example.com", "password": "not the right one" });
    for turn in 0..5 {
        three.clients()[turn % 3].post("/login-enhanced", body.clone()).await.must_be(401);
    }
    for client in three.clients() {
        client.post("/login-enhanced", body.clone()).await.must_be(429);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance_fills_an_empty_redis_and_all_believe_it_afterwards() {
    let three = three(|_| {}).await;
    let auth = &three.stage.auth;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    assert!(log_out(auth, &bob).await);
    let before = hydrations(&auth.redis);
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    agree(auth).await;
    three.all_ready();
    assert_eq!(hydrations(&auth.redis) - before, 1);
    for client in three.clients() {
        assert!(client.is_good(&alice.access).await);
        assert!(!client.is_good(&bob.access).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_while_filling_redis_another_takes_over() {
    let database = Database::shared().fresh_database("taken_over");
    let redis = confirming().tcp().start();
    // Slow enough to be met at work.
    let slow = Proxy::before(redis.port());
    slow.inflict(Wound::Delay(Duration::from_millis(300)));
    let auth = Service::on(redis, &database, |_| {}).await;
    ready(&auth);
    let mut people = Vec::new();
    for number in 0..20 {
        people.push(auth.logged_in(&format!("user{number}")).await);
    }
    let directory = Directory::new();
    let other = hydration(&directory, &database, &slow, &[]);
    eventually("the other is at work", async || mark(&auth.redis).starts_with("hydrating-"));
    for login in &people {
        let mut lose = redis::cmd("DEL");
        lose.arg(format!("user:{}", login.user_id)).exec(&mut auth.redis.connection()).unwrap();
    }
    drop(other);
    agree(&auth).await;
    ready(&auth);
    assert!(people.iter().all(|login| ask(&auth, login) == "OK"));
}
