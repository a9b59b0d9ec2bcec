//! Who may work, and until when. On a real database.

use std::future::pending;

use portcullis_tests::Database;
use tokio::time::{sleep, timeout};

use super::*;

async fn database(name: &str) -> MySqlPool {
    MySqlPool::connect(&Database::shared().migrated_database(name)).await.unwrap()
}

async fn count(db: &MySqlPool) -> i64 {
    sqlx::query_scalar("select count(*) from leases").fetch_one(db).await.unwrap()
}

/// There this server's own lock says nothing.
#[tokio::test]
async fn whoever_works_at_another_node_is_not_disturbed_until_they_are_gone() {
    let db = database("leases").await;
    let another = "insert into leases (work, holder, expires_at)
                   values ('cleanup', 'another', utc_timestamp(3) + interval 1 hour)";
    sqlx::query(another).execute(&db).await.unwrap();
    assert!(lock(&db, "cleanup").await.unwrap().is_none());
    let gone = "update leases set expires_at = utc_timestamp(3)";
    sqlx::query(gone).execute(&db).await.unwrap();
    let held = lock(&db, "cleanup").await.unwrap().unwrap();
    assert!(lock(&db, "cleanup").await.unwrap().is_none());
    held.release().await;
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn whoever_loses_the_right_to_work_stops() {
    let db = database("lost").await;
    let held = lock(&db, "cleanup").await.unwrap().unwrap();
    assert_eq!(held.lease.keep(async { 7 }).await, Some(7));
    sqlx::query("update leases set holder = 'another'").execute(&db).await.unwrap();
    let stopped = timeout(Duration::from_mins(1), held.lease.keep(pending::<()>())).await;
    assert_eq!(stopped.unwrap(), None);
    held.release().await;
    assert_eq!(count(&db).await, 1, "it is another's now");
}

#[tokio::test]
async fn what_takes_longer_than_a_lease_keeps_it() {
    let db = database("renewed").await;
    let held = lock(&db, "cleanup").await.unwrap().unwrap();
    let ends = "select cast(expires_at as char) from leases";
    let ends = || async { sqlx::query_scalar::<_, String>(ends).fetch_one(&db).await.unwrap() };
    let first = ends().await;
    let is_renewed = async {
        while ends().await == first {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_mins(1), is_renewed).await.unwrap();
    held.release().await;
}
