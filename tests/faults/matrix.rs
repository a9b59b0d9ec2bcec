//! Each store × each wound × the endpoints: the documented status inside the deadline, and no
//! request half done.

use std::sync::LazyLock;
use std::time::Duration;

use portcullis_tests::{Login, MariaDb, Redis, Service};
use serde_json::json;

use crate::proxy::{Proxy, WOUNDS, Wound};
use crate::talk::{eventually, ready, status};

/// The documented sum of both deadlines and 500 ms, and what a loaded machine may add.
const BOUND: Duration = Duration::from_secs(20);

struct Stage {
    auth: Service,
    redis: Proxy,
    mysql: Proxy,
}

static MARIADB: LazyLock<MariaDb> = LazyLock::new(MariaDb::start_on_tcp);

async fn stage() -> Stage {
    let store = Redis::options().module_arguments(&["require-confirm", "yes"]).tcp().start();
    let mariadb = &*MARIADB;
    let redis = Proxy::before(store.port()).await;
    let mysql = Proxy::before(mariadb.port()).await;
    let database = mariadb
        .fresh_database("matrix")
        .replace(&format!(":{}/", mariadb.port()), &format!(":{}/", mysql.port));
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let auth = Service::on(store, &database, |settings| {
        settings.stores.redis_url = Some(url.into());
    })
    .await;
    ready(&auth);
    Stage { auth, redis, mysql }
}

async fn within_bound<T>(request: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, request).await.expect("the answer comes inside the bound")
}

async fn logout(auth: &Service, login: &Login) -> portcullis_tests::Answer {
    within_bound(auth.post_as(&login.access, "/logout", json!({}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_redis_everybody_is_served_and_nothing_dead_lives() {
    let Stage { auth, redis, .. } = &stage().await;
    let mut requests = 0;
    for (round, wound) in WOUNDS.into_iter().enumerate() {
        let name = format!("user{round}");
        let (one, two) = (auth.logged_in(&name).await, auth.logged_in(&name).await);
        redis.inflict(wound);
        assert_eq!(within_bound(status(auth, &one)).await, 200, "{wound:?}");
        let answer = logout(auth, &two).await.must_be(200);
        assert_eq!(answer.json["propagation"], "pending", "{wound:?}");
        assert_eq!(within_bound(status(auth, &two)).await, 401, "{wound:?}");
        within_bound(auth.log_in(&name)).await.must_be(200);
        within_bound(auth.refresh(&one.refresh)).await.must_be(200);
        within_bound(auth.get_as(&one.access, "/sessions")).await.must_be(200);
        within_bound(auth.refresh(&two.refresh)).await.must_be(401);
        redis.heal();
        ready(auth);
        eventually("Redis has heard of the logout", async || auth.verdict(&two) == "NO_SESSION");
        assert_eq!(auth.verdict(&one), "OK", "{wound:?}");
        assert_eq!(status(auth, &two).await, 401);
        requests += 9;
    }
    println!("Redis wounded: faults injected 4, requests {requests}, revoked accepted 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_mysql_changes_are_refused_whole_and_checks_go_on() {
    let Stage { auth, mysql, .. } = &stage().await;
    let mut requests = 0;
    for (round, wound) in WOUNDS.into_iter().enumerate() {
        let name = format!("user{round}");
        let one = auth.logged_in(&name).await;
        mysql.inflict(wound);
        assert_eq!(within_bound(status(auth, &one)).await, 200, "{wound:?}");
        let answers = [
            within_bound(auth.log_in(&name)).await,
            within_bound(auth.refresh(&one.refresh)).await,
            logout(auth, &one).await,
            within_bound(auth.get_as(&one.access, "/sessions")).await,
        ];
        for answer in answers {
            let answer = answer.must_be(503);
            assert!(!answer.header("retry-after").is_empty(), "{wound:?}");
        }
        assert_eq!(within_bound(status(auth, &one)).await, 200, "{wound:?}");
        mysql.heal();
        ready(auth);
        // Nothing half done: the same refresh token works, and there is one session.
        eventually("the refresh goes through", async || {
            auth.refresh(&one.refresh).await.status == 200
        });
        assert_eq!(auth.live_sessions(one.user_id).await, 1, "{wound:?}");
        assert_eq!(auth.live_refresh_tokens(one.user_id).await, 1, "{wound:?}");
        requests += 7;
    }
    println!("MySQL wounded: faults injected 4, requests {requests}, half done 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_stores_gone_nobody_is_called_unauthorised() {
    let Stage { auth, redis, mysql, .. } = &stage().await;
    let one = auth.logged_in("alice").await;
    redis.inflict(Wound::Refuse);
    mysql.inflict(Wound::Refuse);
    assert_eq!(within_bound(status(auth, &one)).await, 503);
    within_bound(auth.refresh(&one.refresh)).await.must_be(503);
    redis.heal();
    mysql.heal();
    ready(auth);
    assert_eq!(status(auth, &one).await, 200);
}
