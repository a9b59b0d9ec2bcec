//! Servers that close connections on which nothing is said.

use portcullis_tests::{Database, Redis, Service, captured_log, wait_until};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, MySqlConnection};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// After so many seconds.
const CLOSING: [&str; 2] = ["--timeout", "2"];

/// Comes back once the server has closed a connection that said something before this was called, and
/// another one that began then.
fn quiet_spell(redis: &Redis) {
    for _ in 0..2 {
        let mut idle = redis.connection();
        let id: u64 = redis::cmd("CLIENT").arg("ID").query(&mut idle).unwrap();
        let mut watcher = redis.connection();
        wait_until("an idle connection is closed", || {
            let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut watcher).unwrap();
            !clients.lines().any(|line| line.starts_with(&format!("id={id} ")))
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_30_after_a_quiet_spell_a_logout_is_confirmed_and_the_service_was_ready_all_along() {
    let database = Database::shared().fresh_database("idle");
    let auth = Service::on(Redis::with(&CLOSING), &database, |settings| {
        settings.limits.rate_limit_login = "100/15m".parse().unwrap();
    })
    .await;
    let alice = auth.logged_in("alice").await;
    let runtime = Handle::current();
    let ready = async || auth.raw(Method::GET, "/readyz").send().await.unwrap().status() == 200;
    block_in_place(|| wait_until("it is ready", || runtime.block_on(ready())));
    let run_id: String =
        redis::cmd("INFO").arg("server").query(&mut auth.redis.connection()).unwrap();
    let run_id = run_id.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().to_owned();

    block_in_place(|| quiet_spell(&auth.redis));

    assert!(ready().await);
    let answer = auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    assert!(answer.json.get("propagation").is_none_or(|it| it == "confirmed"), "{}", answer.json);
    assert!(ready().await);
    auth.log_in("alice").await.must_be(200);
    let log = captured_log();
    let lost = log.lines().find(|line| line.contains("was lost") && line.contains(&run_id));
    assert_eq!(lost, None);
    // The count went on where it was: this instance did not count by itself.
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("portcullis:limit:login:*")
        .query(&mut auth.redis.connection())
        .unwrap();
    let count: u32 = redis::cmd("GET").arg(&keys[0]).query(&mut auth.redis.connection()).unwrap();
    assert_eq!((keys.len(), count), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_30_a_mysql_that_closes_what_is_idle_is_not_noticed() {
    let server = Database::start_with(&["--wait-timeout=2", "--interactive-timeout=2"]);
    let database = server.fresh_database("idle");
    let auth = Service::on(Redis::start(), &database, |_| {}).await;
    let alice = auth.logged_in("alice").await;
    let mut idle = MySqlConnection::connect(&database).await.unwrap();
    let id: u64 = sqlx::query_scalar("select connection_id()").fetch_one(&mut idle).await.unwrap();
    block_in_place(|| {
        wait_until("an idle connection is closed", || {
            let list = server.execute("show processlist");
            !list.lines().any(|line| line.starts_with(&format!("{id}\t")))
        });
    });
    auth.refresh(&alice.refresh).await.must_be(200);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
}
