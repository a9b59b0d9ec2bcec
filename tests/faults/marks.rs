//! The mark in Redis: whose it is, and what came before it.

use portcullis_tests::{Database, Login, Redis, Service};
use sqlx::MySqlPool;

use crate::outside::Outside;
use crate::talk::{ask, confirming, eventually, info, mark, ready, ready_again};

/// Loses somebody's ledger: it comes back if everybody's is filled in, and only then.
fn lose(redis: &Redis, login: &Login) {
    let mut redis = redis.connection();
    redis::cmd("DEL").arg(format!("user:{}", login.user_id)).exec(&mut redis).unwrap();
}

fn is_there(redis: &Redis, login: &Login) -> bool {
    let mut redis = redis.connection();
    redis::cmd("EXISTS").arg(format!("user:{}", login.user_id)).query(&mut redis).unwrap()
}

/// As an earlier version leaves it: vouched for, with a mark in a key of its own that names this run.
fn as_an_earlier_version(redis: &Redis, run_id: &str) {
    let mut connection = redis.connection();
    let own = info(redis, "run_id");
    let mut say =
        |words: &[&str]| redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).unwrap();
    say(&["AUTH.CONFIRM", &own, "FORGET"]);
    say(&["AUTH.CONFIRM", &own]);
    say(&["SET", "portcullis:sentinel:user:", &format!("{run_id} 0 1700000000000")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_of_an_earlier_version_is_taken_over_if_it_is_of_this_very_life() {
    let redis = confirming().tcp().start();
    let database = Database::shared().fresh_database("earlier");
    let service = Outside::new(&database, &redis.url(), 1);
    let process = service.serve();
    let alice = Login::from(service.log_in(0).await.must_be(200));
    let db = MySqlPool::connect(&database).await.unwrap();
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    eventually("nothing is told again", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&db).await.unwrap() == 0
    });
    drop(process);

    as_an_earlier_version(&redis, &info(&redis, "run_id"));
    lose(&redis, &alice);
    let process = service.serve();
    assert!(mark(&redis).starts_with(&format!("{} 0 1700000000000 ", info(&redis, "run_id"))));
    assert!(!is_there(&redis, &alice), "nothing had to be filled in");
    drop(process);

    // Somebody copied it, and it says nothing of what is here.
    as_an_earlier_version(&redis, &"a".repeat(40));
    let _process = service.serve();
    assert!(is_there(&redis, &alice), "nobody knew what was here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_copied_makes_no_mark() {
    let mut auth = Service::on(
        confirming().tcp().start(),
        &Database::shared().fresh_database("no_key"),
        |_| {},
    )
    .await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    let mut redis = auth.redis.connection();
    let kept = mark(&auth.redis);
    redis::cmd("FLUSHALL").exec(&mut redis).unwrap();
    redis::cmd("SET").arg("portcullis:sentinel:user:").arg(&kept).exec(&mut redis).unwrap();
    eventually("all is filled in", async || ask(&auth, &alice) == "OK");
    redis::cmd("FLUSHALL").exec(&mut redis).unwrap();
    redis::cmd("SET").arg("portcullis:sentinel:user:").arg(&kept).exec(&mut redis).unwrap();
    redis::cmd("SAVE").exec(&mut redis).unwrap();
    auth.redis.kill();
    auth.redis.start_again();
    ready_again(&auth);
    assert_eq!(ask(&auth, &alice), "OK");
}

/// One server is confirmed as a whole, so the mark has to say of which ledgers it speaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_another_prefix_everybody_is_filled_in() {
    let mut auth =
        Service::on(confirming().start(), &Database::shared().fresh_database("prefix"), |_| {})
            .await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    auth.restart_with(|settings| settings.stores.ledger_key_prefix = "u:".into()).await;
    ready(&auth);
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("u:{}", alice.user_id)).arg(&alice.access).arg("SESSION").arg(&alice.session);
    let verdict: String = check.query(&mut auth.redis.connection()).unwrap();
    assert_eq!(verdict, "OK");
}

/// A key is deleted with no word to anybody, and the mark stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_filled_in_where_the_witness_was_deleted_with_the_ledgers() {
    let auth =
        Service::on(confirming().start(), &Database::shared().fresh_database("witness"), |_| {})
            .await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    let mut redis = auth.redis.connection();
    let script = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end";
    redis::cmd("EVAL").arg(script).arg(0).exec(&mut redis).unwrap();
    eventually("all is filled in", async || is_there(&auth.redis, &alice));
    assert_eq!(ask(&auth, &alice), "OK");
}
