//! The tables: what is kept, in which unit, and for how long.

use portcullis_api::store::migrate;
use portcullis_tests::{Database, PASSWORD, Service};
use serde_json::json;
use sqlx::MySqlPool;

use crate::site::own;

async fn database() -> Option<Service> {
    own(|_| ()).await
}

/// A column's type, and whether it may be null.
async fn column(db: &MySqlPool, table: &str, name: &str) -> (String, String) {
    sqlx::query_as(
        "select cast(column_type as char), cast(is_nullable as char)
           from information_schema.columns
          where table_schema = database() and table_name = ? and column_name = ?",
    )
    .bind(table)
    .bind(name)
    .fetch_one(db)
    .await
    .unwrap_or_else(|fault| panic!("{table}.{name}: {fault}"))
}

fn is(kind: &str, null: &str) -> (String, String) {
    (kind.to_owned(), null.to_owned())
}

async fn number(db: &MySqlPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c_01_the_old_blacklist_is_left_as_it_was() {
    let Some(_) = database().await else { return };
    let db = MySqlPool::connect(&Database::shared().fresh_database("old")).await.unwrap();
    for statement in [
        "create table token_blacklist (token_hash char(64) primary key, token_expiry bigint)",
        "insert into token_blacklist values (repeat('a', 64), 1)",
    ] {
        sqlx::query(statement).execute(&db).await.unwrap();
    }
    let before: (String, String) =
        sqlx::query_as("show create table token_blacklist").fetch_one(&db).await.unwrap();
    migrate::up(&db).await.unwrap();
    migrate::down(&db, usize::MAX).await.unwrap();
    migrate::up(&db).await.unwrap();
    let after: (String, String) =
        sqlx::query_as("show create table token_blacklist").fetch_one(&db).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(number(&db, "select count(*) from token_blacklist").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_09_every_step_of_the_schema_can_be_taken_back_and_taken_again() {
    let Some(auth) = database().await else { return };
    let tables = "select count(*) from information_schema.tables
                   where table_schema = database() and table_name <> '_sqlx_migrations'";
    let steps = migrate::status(auth.db()).await.unwrap().len();
    assert!(number(auth.db(), tables).await >= 7);
    for left in (0..steps).rev() {
        migrate::down(auth.db(), 1).await.unwrap();
        let status = migrate::status(auth.db()).await.unwrap();
        assert_eq!(status.iter().filter(|step| step.is_applied).count(), left);
    }
    assert_eq!(number(auth.db(), tables).await, 0);
    migrate::up(auth.db()).await.unwrap();
    auth.logged_in("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_03_a_digest_is_plain_sha_256_over_what_was_signed_or_over_all_of_another_token() {
    let Some(auth) = database().await else { return };
    let alice = auth.logged_in("alice").await;
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    let signed = alice.access.rsplit_once('.').unwrap().0;
    for (kind, text) in [("access", signed), ("refresh", alice.refresh.as_str())] {
        let rows: i64 = sqlx::query_scalar(
            "select count(*) from token_blacklist_enhanced
              where token_type = ? and token_hash = unhex(sha2(?, 256))",
        )
        .bind(kind)
        .bind(text)
        .fetch_one(auth.db())
        .await
        .unwrap();
        assert_eq!(rows, 1, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_04_a_spent_token_is_kept_because_its_return_is_the_alarm() {
    let Some(auth) = database().await else { return };
    let alice = auth.logged_in("alice").await;
    let mut token = alice.refresh.clone();
    for _ in 0..3 {
        token = auth.refresh(&token).await.must_be(200).text_at("/data/refresh/token");
    }
    let generations = "select cast(sum(generation) as signed) from refresh_tokens
                        where user_id = ? and revoked_at is null";
    assert_eq!(auth.count(generations, alice.user_id).await, 3);
    let rows = "select count(*) from refresh_tokens where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 1);
    auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(auth.live_sessions(alice.user_id).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_05_every_refresh_token_belongs_to_a_session() {
    let Some(auth) = database().await else { return };
    assert_eq!(column(auth.db(), "refresh_tokens", "session_id").await, is("varchar(128)", "NO"));
    let orphan = "insert into refresh_tokens
            (user_id, session_id, token_hash, device_info, ip_address, user_agent, created_at,
             expires_at)
        values (1, 'session_of_nobody', repeat('x', 32), '{}', '', '', now(3), now(3))";
    let refused = sqlx::query(orphan).execute(auth.db()).await.unwrap_err();
    assert!(refused.into_database_error().unwrap().is_foreign_key_violation());
}

#[tokio::test(flavor = "multi_thread")]
async fn c_06_c_07_bug_39_instants_have_one_unit_and_digests_one_length() {
    let Some(auth) = database().await else { return };
    let instants: Vec<(String, String)> = sqlx::query_as(
        "select cast(column_name as char), cast(column_type as char)
           from information_schema.columns
          where table_schema = database() and table_name <> '_sqlx_migrations'
            and (column_name like '%\\_at' or column_name in
                 ('at', 'last_activity', 'token_expiry', 'tokens_valid_after'))",
    )
    .fetch_all(auth.db())
    .await
    .unwrap();
    assert!(instants.len() > 15, "{instants:?}");
    assert!(instants.iter().all(|(_, kind)| kind == "datetime(3)"), "{instants:?}");
    for table in ["refresh_tokens", "token_blacklist_enhanced", "email_tokens"] {
        assert_eq!(column(auth.db(), table, "token_hash").await, is("binary(32)", "NO"));
        let mut indexes: Vec<(String, i64)> = sqlx::query_as(
            "select cast(index_name as char), cast(non_unique as signed)
               from information_schema.statistics
              where table_schema = database() and table_name = ? and column_name = 'token_hash'",
        )
        .bind(table)
        .fetch_all(auth.db())
        .await
        .unwrap();
        assert_eq!(indexes.pop().map(|index| index.1), Some(0), "{table}: unique");
        assert!(indexes.is_empty(), "{table}: one index is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_08_a_reason_is_one_of_a_list() {
    let Some(auth) = database().await else { return };
    let (kind, _) = column(auth.db(), "token_blacklist_enhanced", "reason").await;
    for reason in ["logout", "logout_all", "token_reuse", "password_change", "disabled", "admin"] {
        assert!(kind.starts_with("enum(") && kind.contains(&format!("'{reason}'")), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_06_a_deleted_user_takes_no_revocation_along() {
    let Some(auth) = database().await else { return };
    let cascades = number(
        auth.db(),
        "select count(*) from information_schema.key_column_usage
          where table_schema = database() and referenced_table_name is not null
            and table_name in ('token_blacklist_enhanced', 'revocation_outbox', 'audit_events')",
    )
    .await;
    assert_eq!(cascades, 0);
    let (gone, alice) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    let root = auth.admin("root").await;
    let path = format!("/admin/users/{}", alice.user_id);
    auth.delete_as(&root.access, &path).await.must_be(200);
    let rows = "select count(*) from token_blacklist_enhanced where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 3);
    for login in [&gone, &alice] {
        assert!(!auth.is_good(&login.access).await);
        auth.refresh(&login.refresh).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_35_an_account_has_no_session_before_its_first_login() {
    let Some(auth) = database().await else { return };
    let newcomer = json!({
        "email": "alice@example.com", "password": PASSWORD, "first_name": "A", "last_name": "B",
    });
    auth.post("/register", newcomer).await.must_be(201);
    let user_id = auth.user("alice").await;
    assert_eq!(auth.live_sessions(user_id).await, 0);
    let proof = json!({ "token": auth.mailed_token(0) });
    auth.post("/verify-email", proof).await.must_be(200);
    auth.settle().await;
    assert_eq!(auth.live_sessions(user_id).await, 0);
    assert!(auth.ledger_sessions(user_id).is_empty());
    auth.logged_in("alice").await;
    assert_eq!(auth.live_sessions(user_id).await, 1);
}
