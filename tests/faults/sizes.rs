//! How long it takes until everybody is there again.

use std::time::{Duration, Instant};

use portcullis_tests::{Database, Login, Redis, tell, wait_at_most};
use serde_json::json;
use sqlx::MySqlPool;
use tokio::task::block_in_place;

use crate::everybody::told;
use crate::outside::Outside;
use crate::talk::{confirming, eventually, info};

/// Until a million are filled in, on a machine that does other things as well.
const LONGEST: Duration = Duration::from_mins(10);
/// A MySQL with as much memory as a million need.
const ROOMY: [&str; 2] = ["--innodb-buffer-pool-size=2G", "--innodb-log-file-size=512M"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_there_again_after_a_wipe() {
    wipe(10_000, Database::shared()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: the full count of sessions"]
async fn a_hundred_thousand_are_there_again_after_a_wipe() {
    wipe(100_000, Database::shared()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: a million sessions"]
async fn a_million_are_there_again_after_a_wipe() {
    wipe(1_000_000, &Database::start_with(&ROOMY)).await;
}

async fn wipe(people: u64, mysql: &Database) {
    let database = mysql.fresh_database("sizes");
    let redis = confirming().start();
    let service = Outside::new(&database, &redis.url(), 0);
    populate(&MySqlPool::connect(&database).await.unwrap(), people).await;
    let process = service.serve();
    redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
    let started = Instant::now();
    block_in_place(|| wait_at_most(LONGEST, "every ledger is there", || ledgers(&redis) >= people));
    service.becomes_ready();
    let took = started.elapsed();
    drop(process);
    let rate = u128::from(people) * 1_000 / took.as_millis().max(1);
    tell(&format!(
        "hydration: sessions {people}, ready again after {took:.2?}, {rate} ledgers/s, \
         sessions lost 0"
    ));
    // Beside the ledgers there is a witness, which is lost when keys are.
    assert_eq!(ledgers(&redis), people + 1);
}

/// A hundredth of the people log out within what is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_with_a_recent_mark_costs_what_has_changed() {
    fail_over(10_000, Database::shared()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "two minutes: the full count of sessions"]
async fn a_failover_with_a_recent_mark_costs_what_has_changed_of_a_hundred_thousand() {
    fail_over(100_000, Database::shared()).await;
}

/// Ten thousand log out, and all others stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes: a million sessions"]
async fn a_failover_with_a_recent_mark_costs_what_has_changed_of_a_million() {
    fail_over(1_000_000, &Database::start_with(&ROOMY)).await;
}

async fn fail_over(people: u64, mysql: &Database) {
    let database = mysql.fresh_database("recent");
    let mut redis = confirming().tcp().start();
    let service = Outside::new(&database, &redis.url(), 0);
    let db = MySqlPool::connect(&database).await.unwrap();
    populate(&db, people).await;
    let statement = async |text: &'static str| sqlx::raw_sql(text).execute(&db).await.unwrap();
    statement("update user_sessions set last_activity = last_activity - interval 1 hour").await;
    service.command(&["hydrate"]);
    let _process = service.serve();
    redis::cmd("SAVE").exec(&mut redis.connection()).unwrap();
    // As the service would have done it, and told the Redis that is lost.
    statement(
        "update user_sessions set is_active = false, ended_at = utc_timestamp(3) where user_id % 100 = 0;
         insert into revocation_outbox (user_id, change_set, created_at, delivered_at)
         select user_id, json_array(json_object('change', 'revoke', 'sessions', json_array(id))),
                utc_timestamp(3), utc_timestamp(3)
           from user_sessions where not is_active",
    )
    .await;
    let dead: u64 = sqlx::query_scalar("select cast(count(*) as unsigned) from revocation_outbox")
        .fetch_one(&db)
        .await
        .unwrap();
    let mut restarted = |empty: bool| {
        redis.kill();
        if empty {
            std::fs::remove_file(redis.data().join("dump.rdb")).unwrap();
        }
        redis.start_again();
        let started = Instant::now();
        let is_vouched_for = || info(&redis, "portcullis_confirmed") == "1";
        block_in_place(|| wait_at_most(LONGEST, "somebody vouches", is_vouched_for));
        service.becomes_ready();
        (started.elapsed(), sessions(&redis))
    };
    let (recent, after_recent) = restarted(false);
    let (full, after_full) = restarted(true);
    tell(&format!(
        "failover: sessions {people}, changed in what was lost {dead}, ready again after {recent:.2?} \
         with a recent mark, after {full:.2?} without, {:.1} times as long",
        full.as_secs_f64() / recent.as_secs_f64(),
    ));
    assert_eq!((after_recent, after_full), (people - dead, people - dead));
}

/// How many ledgers there are, each of one session.
fn sessions(redis: &Redis) -> u64 {
    let mut connection = redis.connection();
    let mut cursor = 0_u64;
    let mut found = 0;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("TYPE").arg("authledgr").arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<String>) = scan.query(&mut connection).unwrap();
        found += keys.len() as u64;
        cursor = next;
        if cursor == 0 {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_administrator_logs_everybody_out() {
    log_everyone_out(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: the full count of sessions"]
async fn one_administrator_logs_a_hundred_thousand_out() {
    log_everyone_out(100_000).await;
}

async fn log_everyone_out(people: u64) {
    let database = Database::shared().fresh_database("everyone");
    let redis = confirming().start();
    let service = Outside::new(&database, &redis.url(), 1);
    let db = MySqlPool::connect(&database).await.unwrap();
    sqlx::query("update users set role = 'admin'").execute(&db).await.unwrap();
    populate(&db, people).await;
    let process = service.serve();
    let root = Login::from(service.log_in(0).await.must_be(200));
    let started = Instant::now();
    let answer = service.client.post_as(&root.access, "/admin/logout-everyone", json!({})).await;
    assert!(answer.must_be(200).json.get("propagation").is_none());
    let answered = started.elapsed();
    assert!(told(&redis) > 0);
    let count = async |what| sqlx::query_scalar::<_, i64>(what).fetch_one(&db).await.unwrap();
    eventually("all are marked", async || {
        count("select count(*) from user_sessions where is_active").await == 0
    });
    let marked = started.elapsed();
    drop(process);
    tell(&format!(
        "logging everybody out: people {people}, answered, and Redis told, after \
         {answered:.2?}, all marked after {marked:.2?}"
    ));
}

fn ledgers(redis: &Redis) -> u64 {
    redis::cmd("DBSIZE").query(&mut redis.connection()).unwrap()
}

/// So many people with a session each, and one for whoever is there already.
pub(crate) async fn populate(db: &MySqlPool, people: u64) {
    let statements = [
        "insert into users (email, password_hash, first_name, last_name, created_at, updated_at)
         with recursive n as (select 0 as i union all select i + 1 from n where i < 999)
         select concat('u', a.i, '.', b.i, '@example.com'), '-', 'A', 'B',
                utc_timestamp(3), utc_timestamp(3)
           from n a join n b
          where a.i <= {people} div 1000 and a.i * 1000 + b.i < {people}",
        r#"insert into user_sessions (id, user_id, device_info, ip_address, user_agent,
                last_activity, created_at, authenticated_at, expires_at, idle_timeout_s)
         select concat('session_', left(sha2(id, 256), 43)), id,
                '{"browser":"Firefox","os":"Linux","device":"Desktop"}', '192.0.2.1', '-',
                utc_timestamp(3), utc_timestamp(3), utc_timestamp(3),
                utc_timestamp(3) + interval 30 day, 604800
           from users"#,
    ];
    for statement in statements.map(|text| text.replace("{people}", &people.to_string())) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(db).await.unwrap();
    }
}
