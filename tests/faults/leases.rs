//! `CONFIRM_LEASE`: a Redis that nobody vouches for any more stops answering by itself.

use std::time::Duration;

use nix::sys::signal::Signal;
use portcullis_tests::{Database, Directory, Login, Redis, Service};
use serde_json::json;
use sqlx::MySqlPool;

use crate::outside::{Outside, hydration};
use crate::proxy::{Proxy, Wound};
use crate::stage::stage;
use crate::talk::{agree, ask, confirming, eventually, info, mark, ready};

const LEASE: Duration = Duration::from_secs(5);

fn is_confirmed(redis: &Redis) -> bool {
    info(redis, "portcullis_confirmed") == "1"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_and_without_the_setting_there_is_none() {
    let database = Database::shared().fresh_database("renewed");
    let mut auth = Service::on(confirming().start(), &database, |_| {}).await;
    ready(&auth);
    assert_eq!(info(&auth.redis, "portcullis_lease_ms"), "0");
    auth.restart_with(|settings| settings.stores.confirm_lease = Duration::from_mins(10)).await;
    let left = |auth: &Service| info(&auth.redis, "portcullis_lease_ms").parse::<u64>().unwrap();
    eventually("there is a lease", async || (500_000..=600_000).contains(&left(&auth)));
    auth.restart_with(|settings| settings.stores.confirm_lease = Duration::ZERO).await;
    eventually("it is taken back", async || left(&auth) == 0);
    assert!(is_confirmed(&auth.redis));
}

/// All of its instances, as far as Redis can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_answers_nobody_while_the_service_is_frozen_and_everybody_when_it_goes_on() {
    let redis = confirming().tcp().start();
    let database = Database::shared().fresh_database("frozen");
    let mut service = Outside::new(&database, &redis.url(), 2);
    service.set("CONFIRM_LEASE", "5s");
    let process = service.serve();
    let alice = Login::from(service.log_in(0).await.must_be(200));
    let bob = Login::from(service.log_in(1).await.must_be(200));
    let db = MySqlPool::connect(&database).await.unwrap();
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    eventually("nothing is told again", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&db).await.unwrap() == 0
    });

    process.signal(Signal::SIGSTOP);
    eventually("the lease ends", async || verdict(&redis, &alice).contains("NOTREADY"));
    assert!(!is_confirmed(&redis));
    // It comes back only if everybody's ledger is filled in, of which nothing is needed.
    redis::cmd("DEL").arg(format!("user:{}", bob.user_id)).exec(&mut redis.connection()).unwrap();
    process.signal(Signal::SIGCONT);
    eventually("it is vouched for again", async || verdict(&redis, &alice) == "OK");
    service.becomes_ready();
    assert_eq!(verdict(&redis, &bob), "NO_SESSION");
}

fn verdict(redis: &Redis, login: &Login) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", login.user_id)).arg(&login.access);
    check.arg("SESSION").arg(&login.session);
    check.query(&mut redis.connection()).unwrap_or_else(|error| error.to_string())
}

/// Somebody on its side of the cut may ask it still, and a replica that took its place may know better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_cut_off_from_all_instances_stops_answering_and_so_do_its_replicas() {
    let (primary, replica) = (confirming().tcp().start(), confirming().tcp().start());
    replica.follow(primary.port());
    let way = Proxy::before(primary.port());
    let url = format!("redis://127.0.0.1:{}", way.port);
    let auth = Service::on(primary, &Database::shared().fresh_database("cut_off"), |settings| {
        settings.stores.redis_url = Some(url.into());
        settings.stores.confirm_lease = LEASE;
    })
    .await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    assert_eq!(ask(&auth, &alice), "OK");
    eventually("the replica answers", async || verdict(&replica, &alice) == "OK");
    way.inflict(Wound::Blackhole);
    eventually("the primary is silent", async || ask(&auth, &alice).contains("NOTREADY"));
    eventually("so is the replica", async || verdict(&replica, &alice).contains("NOTREADY"));
    assert!(auth.is_good(&alice.access).await, "MySQL answers");
    way.heal();
    eventually("both answer", async || {
        ask(&auth, &alice) == "OK" && verdict(&replica, &alice) == "OK"
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ends_while_ledgers_are_filled_in_is_given_anew_when_they_are() {
    let redis = confirming().tcp().start();
    let slow = Proxy::before(redis.port());
    slow.inflict(Wound::Delay(Duration::from_millis(300)));
    let database = Database::shared().fresh_database("amid");
    let auth =
        Service::on(redis, &database, |settings| settings.stores.confirm_lease = LEASE).await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    let directory = Directory::new();
    let other = hydration(&directory, &database, &slow, &[("CONFIRM_LEASE", "5s")]);
    eventually("it is at work", async || mark(&auth.redis).starts_with("hydrating-"));
    other.signal(Signal::SIGSTOP);
    eventually("the lease ends", async || !is_confirmed(&auth.redis));
    assert!(auth.is_good(&alice.access).await, "MySQL answers");
    other.signal(Signal::SIGCONT);
    eventually("it is vouched for again", async || ask(&auth, &alice) == "OK");
    ready(&auth);
    eventually("and stays so", async || {
        !mark(&auth.redis).starts_with("hydrating-") && is_confirmed(&auth.redis)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_while_mysql_does_not_answer() {
    let stage = stage(|settings| settings.stores.confirm_lease = LEASE).await;
    let auth = &stage.auth;
    let left = || info(&auth.redis, "portcullis_lease_ms").parse::<u64>().unwrap();
    stage.mysql.inflict(Wound::Blackhole);
    let (mut last, mut renewals, mut has_ended) = (left(), 0, false);
    eventually("it is renewed more often than would do for its length", async || {
        let now = left();
        renewals += usize::from(now > last);
        has_ended |= !is_confirmed(&auth.redis);
        last = now;
        renewals >= 6
    });
    assert!(!has_ended);
}

/// Whoever asks Redis alone knows nothing of what waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_refused_it_is_told_before_it_is_vouched_for_again() {
    let database = Database::shared().fresh_database("refused");
    let redis = confirming().start();
    let auth =
        Service::on(redis, &database, |settings| settings.stores.confirm_lease = LEASE).await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    agree(&auth).await;
    assert_eq!(ask(&auth, &alice), "OK");
    let replicas = |number: &str| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("min-replicas-to-write").arg(number);
        set.exec(&mut auth.redis.connection()).unwrap();
    };
    replicas("1");
    let left = auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    assert_eq!(left.json["propagation"], "pending");
    assert!(!auth.is_good(&alice.access).await, "MySQL answers");
    eventually("the lease ends", async || ask(&auth, &alice).contains("NOTREADY"));
    replicas("0");
    let mut first = String::new();
    eventually("it is vouched for again", async || {
        first = ask(&auth, &alice);
        !first.contains("NOTREADY")
    });
    assert_ne!(first, "OK", "the session had ended before");
    agree(&auth).await;
    ready(&auth);
}
