//! What goes, what stays, and that two never work at once. On a real database.

use portcullis_tests::Database;
use tokio::time::{sleep, timeout};

use super::*;
use crate::base::clock::Clock;
use crate::settings::Stores;
use crate::store::database::Store;
use crate::store::transaction::Transaction;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_hours(24);

async fn database(name: &str) -> MySqlPool {
    let url = Database::shared().migrated_database(name);
    let db = MySqlPool::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "insert into users (id, email, password_hash, first_name, last_name, created_at, updated_at)
         values (1, 'a@example.com', '', 'A', 'B', '2026-01-01', '2026-01-01')",
    )
    .execute(&db)
    .await
    .unwrap();
    db
}

fn settings() -> Settings {
    Settings::for_tests("mysql://unused", "redis://unused")
}

/// A session that ends then, and a spent token of it.
async fn session(db: &MySqlPool, id: &str, expires_at: Timestamp) {
    sqlx::query(
        "insert into user_sessions
            (id, user_id, device_info, ip_address, user_agent, last_activity, created_at,
             authenticated_at, expires_at, idle_timeout_s)
         values (?, 1, '{}', '', '', now(), now(), now(), ?, 0)",
    )
    .bind(id)
    .bind(expires_at)
    .execute(db)
    .await
    .unwrap();
    sqlx::query(
        "insert into refresh_tokens
            (user_id, session_id, token_hash, device_info, ip_address, user_agent, created_at,
             expires_at, spent_at)
         values (1, ?, unhex(sha2(?, 256)), '{}', '', '', '2026-01-01', ?, '2026-01-01')",
    )
    .bind(id)
    .bind(id)
    .bind(expires_at)
    .execute(db)
    .await
    .unwrap();
}

async fn mail(db: &MySqlPool, settled_at: Option<Timestamp>) {
    sqlx::query(
        "insert into mails (kind, recipient, reference, created_at, next_try_at, settled_at)
         values ('new_device', 'a@example.com', '0123456789abcdef', '2020-01-01', '2020-01-01', ?)",
    )
    .bind(settled_at)
    .execute(db)
    .await
    .unwrap();
}

async fn count(db: &MySqlPool, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(db)
        .await
        .unwrap()
}

#[tokio::test]
async fn c_04_bug_31_a_family_goes_as_a_whole_and_only_when_its_days_are_over() {
    let db = database("cleanup_family").await;
    for (id, days) in [("over", 30), ("expired lately", 29)] {
        session(&db, id, NOW.minus(DAY * days)).await;
    }
    session(&db, "live", NOW.plus(DAY)).await;
    let deleted = clean(&db, &settings(), NOW).await.unwrap().unwrap();
    assert_eq!(deleted, Deleted { refresh_tokens: 1, user_sessions: 1, ..Deleted::default() });
    assert_eq!((count(&db, "user_sessions").await, count(&db, "refresh_tokens").await), (2, 2));
}

#[tokio::test]
async fn bug_31_batches_add_up() {
    let db = database("cleanup_batches").await;
    for id in 0..7 {
        session(&db, &id.to_string(), NOW.minus(DAY * 40)).await;
    }
    let mut settings = settings();
    settings.server.cleanup_batch = 3;
    let deleted = clean(&db, &settings, NOW).await.unwrap().unwrap();
    assert_eq!((deleted.user_sessions, deleted.refresh_tokens), (7, 7));
}

#[tokio::test]
async fn every_table_keeps_what_somebody_may_still_need() {
    let db = database("cleanup_tables").await;
    for (minutes, letter) in [(9, "a"), (11, "b")] {
        let expiry = NOW.minus(Duration::from_mins(minutes));
        sqlx::query(
            "insert into token_blacklist_enhanced
                (token_hash, token_type, token_expiry, blacklisted_at, reason)
             values (unhex(sha2(?, 256)), 'access', ?, now(), 'logout')",
        )
        .bind(letter)
        .bind(expiry)
        .execute(&db)
        .await
        .unwrap();
    }
    for (at, letter) in [(NOW, "a"), (NOW.plus(Duration::from_millis(1)), "b")] {
        sqlx::query(
            "insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
             values (1, unhex(sha2(?, 256)), 'verify_email', now(), ?)",
        )
        .bind(letter)
        .bind(at)
        .execute(&db)
        .await
        .unwrap();
    }
    for delivered_at in [None, Some(NOW.minus(DAY)), Some(NOW)] {
        sqlx::query(
            "insert into revocation_outbox (user_id, change_set, created_at, delivered_at)
             values (1, '[]', '2020-01-01', ?)",
        )
        .bind(delivered_at)
        .execute(&db)
        .await
        .unwrap();
    }
    for settled_at in [None, Some(NOW.minus(DAY)), Some(NOW)] {
        mail(&db, settled_at).await;
    }
    for days in [364, 365] {
        sqlx::query("insert into audit_events (at, event, detail) values (?, 'x', '{}')")
            .bind(NOW.minus(DAY * days))
            .execute(&db)
            .await
            .unwrap();
    }
    let deleted = clean(&db, &settings(), NOW).await.unwrap().unwrap();
    let one_each = Deleted {
        token_blacklist_enhanced: 1,
        email_tokens: 1,
        mails: 1,
        revocation_outbox: 1,
        audit_events: 1,
        ..Deleted::default()
    };
    assert_eq!(deleted, one_each);
    assert_eq!(count(&db, "revocation_outbox").await, 2, "what waits for delivery stays for ever");
    assert_eq!(count(&db, "mails").await, 2, "what waits to be sent stays");
}

/// MySQL hears of the end of a connection a little later than whoever ends it.
async fn cleaned(db: &MySqlPool) {
    while clean(db, &settings(), NOW).await.unwrap().is_none() {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn c_19_bug_31_two_instances_never_clean_at_once_and_the_lock_comes_back() {
    let db = database("cleanup_lock").await;
    let held = lock(&db, "cleanup").await.unwrap().unwrap();
    assert_eq!(clean(&db, &settings(), NOW).await.unwrap(), None);
    held.release().await;
    for _ in 0..2 {
        timeout(Duration::from_mins(1), cleaned(&db)).await.unwrap();
    }
}

#[tokio::test]
async fn another_database_on_the_same_server_has_a_lock_of_its_own() {
    let (one, other) = (database("cleanup_one").await, database("cleanup_other").await);
    let _held = lock(&one, "cleanup").await.unwrap().unwrap();
    assert!(clean(&other, &settings(), NOW).await.unwrap().is_some());
}

/// The months that the trail has, by the days before which they end.
async fn months(db: &MySqlPool) -> Vec<String> {
    let months = "select cast(trim(both '''' from partition_description) as char)
                    from information_schema.partitions
                   where table_schema = database() and table_name = 'audit_events'
                   order by partition_ordinal_position";
    sqlx::query_scalar(months).fetch_all(db).await.unwrap()
}

async fn event(db: &MySqlPool, at: Timestamp) {
    let event = "insert into audit_events (at, event, detail) values (?, 'x', '{}')";
    sqlx::query(event).bind(at).execute(db).await.unwrap();
}

/// Midnight of a day, in MySQL's words.
async fn midnight(db: &MySqlPool, day: &str) -> Timestamp {
    let at = "select cast(unix_timestamp(?) * 1000 as signed)";
    let at: i64 = sqlx::query_scalar(at).bind(day).fetch_one(db).await.unwrap();
    Timestamp(at.unsigned_abs())
}

/// A trail with one event in each of the months that the first cleanup has made, and their bounds; the
/// present is the real one, because the steps of the database's shape go by that.
async fn trail(name: &str) -> (String, MySqlPool, Vec<String>) {
    let url = Database::shared().migrated_database(name);
    let db = Store::new(&stores(&url)).unwrap().pool;
    clean(&db, &settings(), Clock::system().now()).await.unwrap().unwrap();
    let months = months(&db).await;
    assert_eq!(months.len(), 4, "what was there, two months to come and the rest: {months:?}");
    for month in &months[..3] {
        event(&db, midnight(&db, month).await.minus(Duration::from_millis(1))).await;
    }
    event(&db, midnight(&db, &months[2]).await).await;
    (url, db, months)
}

fn stores(url: &str) -> Stores {
    Settings::for_tests(url, "redis://unused").stores
}

#[tokio::test]
async fn a_month_of_the_trail_goes_as_a_whole_once_its_last_event_is_past_its_days() {
    let (_, db, first) = trail("cleanup_months").await;
    let kept = settings().server.audit_retention;
    let last_of_second = midnight(&db, &first[1]).await;
    let early = last_of_second.plus(kept).minus(Duration::from_millis(1));
    let deleted = clean(&db, &settings(), early).await.unwrap().unwrap();
    // What was there before is over as well, and a month that is not over loses nothing.
    assert_eq!(deleted.audit_events, 1);
    assert_eq!(count(&db, "audit_events").await, 3);
    let deleted = clean(&db, &settings(), last_of_second.plus(kept)).await.unwrap().unwrap();
    assert_eq!(deleted.audit_events, 1);
    assert_eq!(count(&db, "audit_events").await, 2);
    let now = months(&db).await;
    assert!(!now.contains(&first[0]) && !now.contains(&first[1]), "{now:?}");
    // Nobody has made one for a year: the first of those that follow takes what lay in the last.
    let newest = midnight(&db, &now[now.len() - 2]).await;
    assert!(newest > last_of_second.plus(kept + DAY * 58), "two months to come: {now:?}");
    let in_last = count(&db, "audit_events partition (later)").await;
    assert_eq!(in_last, 0);
    clean(&db, &settings(), last_of_second.plus(kept)).await.unwrap().unwrap();
    assert_eq!(months(&db).await, now, "nothing is made twice");
}

#[tokio::test]
async fn who_may_not_change_tables_deletes_row_by_row() {
    let (url, db, first) = trail("cleanup_clerk").await;
    Database::shared().execute(
        "create user clerk@localhost;
         grant select, insert, update, delete on cleanup_clerk.* to clerk@localhost",
    );
    let clerk = Store::new(&stores(&url.replace("root@", "clerk@"))).unwrap().pool;
    let now = midnight(&db, &first[1]).await.plus(settings().server.audit_retention);
    let deleted = clean(&clerk, &settings(), now).await.unwrap().unwrap();
    assert_eq!((deleted.audit_events, count(&db, "audit_events").await), (2, 2));
    assert_eq!(months(&db).await, first);
}

#[tokio::test]
async fn somebody_who_reads_the_trail_for_long_keeps_its_months_and_holds_up_nothing() {
    let (_, db, first) = trail("cleanup_reader").await;
    let mut reader = Transaction::begin(&db).await.unwrap();
    sqlx::query("select count(*) from audit_events").fetch_one(&mut *reader).await.unwrap();
    let now = midnight(&db, &first[1]).await.plus(settings().server.audit_retention);
    let deleted = clean(&db, &settings(), now).await.unwrap().unwrap();
    assert_eq!(deleted.audit_events, 1, "what was there before the months goes by rows");
    assert_eq!(months(&db).await, first);
    event(&db, now).await;
    drop(reader);
    let deleted = clean(&db, &settings(), now).await.unwrap().unwrap();
    assert_eq!(deleted.audit_events, 1);
}

#[tokio::test]
async fn a_trail_without_months_is_deleted_row_by_row() {
    let db = database("cleanup_plain").await;
    let plain = "alter table audit_events remove partitioning";
    sqlx::raw_sql(plain).execute(&db).await.unwrap();
    event(&db, NOW.minus(DAY * 365)).await;
    let deleted = clean(&db, &settings(), NOW).await.unwrap().unwrap();
    assert_eq!(deleted.audit_events, 1);
}
