//! Whichever database the tests run on: the service works on it, and asks for nothing that MySQL
//! has given notice of.

use std::fs;

use portcullis_api::store::cleanup;
use portcullis_tests::{
    Database, DatabaseKind, Redis, Service, committed_queries, wait_until, workspace,
};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, MySqlPool, Row as _};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// A MySQL that counts the warnings it gives.
const COUNTING: [&str; 1] = ["--performance-schema=ON"];
const NOTICES: &str = "select concat(error_name, ' ', sum_error_raised)
   from performance_schema.events_errors_summary_global_by_error
  where sum_error_raised > 0
    and (error_name like '%deprecated%' or error_name = 'er_sql_mode_merged')";

/// As a MySQL is that nobody has told otherwise: passwords travel in TLS.
const WITH_TLS: [&str; 1] = ["--auto-generate-certs=ON"];
/// One to which passwords can travel only under the key that it shows whoever asks.
const WITH_KEYS: [&str; 1] = ["--caching-sha2-password-auto-generate-rsa-keys=ON"];

/// Of a server with these arguments, as a user with a password over TCP.
fn as_keeper(of_mysql: &[&str]) -> (Database, String) {
    let server = match DatabaseKind::chosen() {
        DatabaseKind::MySql => Database::start_with(of_mysql),
        DatabaseKind::MariaDb => Database::start_on_tcp(),
    };
    let url = server.fresh_database("keeper");
    server.execute(
        "create user keeper@'127.0.0.1' identified by 'a password';
         grant all on `keeper%`.* to keeper@'127.0.0.1'",
    );
    (server, url.replace("root@", "keeper:a%20password@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn f_45_the_service_becomes_ready_and_cleans_up() {
    let (_server, url) = as_keeper(&WITH_TLS);
    becomes_ready_and_cleans_up(&url).await;
}

/// There the end of a connection is noticed at once, before TLS has taken its leave.
#[tokio::test(flavor = "multi_thread")]
async fn f_45_the_service_becomes_ready_and_cleans_up_over_a_unix_socket() {
    let (server, _) = as_keeper(&WITH_TLS);
    let database = server.fresh_database("socket");
    let (database, socket) = (database.rsplit('/').next().unwrap(), server.socket());
    let url = format!("mysql://root@localhost/{database}?socket={}", socket.display());
    becomes_ready_and_cleans_up(&url).await;
}

async fn becomes_ready_and_cleans_up(url: &str) {
    // Not ready before the ledgers are filled in, which is done under a lock in the database.
    let redis = Redis::options().module_arguments(&["require-confirm", "yes"]).start();
    let auth = Service::on(redis, url, |_| {}).await;
    let asked = async || auth.raw(Method::GET, "/readyz").send().await.unwrap().status();
    let runtime = Handle::current();
    block_in_place(|| wait_until("the service is ready", || runtime.block_on(asked()) == 200));
    let alice = auth.logged_in("alice").await;
    assert_eq!(auth.verdict(&alice), "OK");
    let old = "insert into audit_events (at, event, detail) values ('2020-01-01', 'x', '{}')";
    sqlx::query(old).execute(auth.db()).await.unwrap();
    let deleted = cleanup::clean(auth.db(), &auth.app.settings, auth.clock.now()).await.unwrap();
    assert_eq!(deleted.unwrap().audit_events, 1);
}

#[tokio::test]
async fn f_45_a_mysql_without_tls_gets_no_password_and_the_refusal_says_so() {
    let (_server, url) = as_keeper(&WITH_KEYS);
    let refusal = MySqlPool::connect(&url).await.err().map(|refusal| refusal.to_string());
    match DatabaseKind::chosen() {
        DatabaseKind::MySql => assert!(refusal.is_some_and(|it| it.contains("or use TLS"))),
        // Its logins never send the password itself.
        DatabaseKind::MariaDb => assert_eq!(refusal, None),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_45_nothing_is_asked_of_mysql_that_it_has_given_notice_of() {
    let kind = DatabaseKind::chosen();
    let server = match kind {
        DatabaseKind::MySql => Database::start_with(&COUNTING),
        DatabaseKind::MariaDb => Database::start(),
    };
    let database = server.fresh_database("notices");
    let auth = Service::on(Redis::start(), &database, |_| {}).await;
    if kind == DatabaseKind::MySql {
        server.execute("truncate performance_schema.events_errors_summary_global_by_error");
    }
    take_the_steps_again(&server).await;
    prepare_every_statement(auth.db()).await;
    live(&auth).await;
    if kind == DatabaseKind::MySql {
        assert_eq!(server.execute(NOTICES), "");
        server.execute("select sql_calc_found_rows 1");
        assert_eq!(server.execute(NOTICES).trim(), "ER_WARN_DEPRECATED_SYNTAX 1", "it would show");
    }
}

/// MySQL knows no such word, and MariaDB does although it is in no group.
#[tokio::test]
async fn every_connection_waits_for_what_other_nodes_of_a_group_have_committed() {
    let auth = Service::start().await;
    for _ in 0..3 {
        let mut db = auth.db().acquire().await.unwrap();
        db.close_on_drop();
        let waits = sqlx::query_scalar::<_, u64>("select cast(@@wsrep_sync_wait as unsigned)");
        let waits = waits.fetch_one(&mut *db).await;
        match DatabaseKind::chosen() {
            DatabaseKind::MariaDb => assert_eq!(waits.unwrap(), 1),
            DatabaseKind::MySql => assert!(waits.is_err_and(|it| it.to_string().contains("1193"))),
        }
    }
}

/// Both ways.
async fn take_the_steps_again(server: &Database) {
    let db = MySqlPool::connect(&server.fresh_database("steps")).await.unwrap();
    let steps = fs::read_dir(workspace().join("migrations")).unwrap().flatten();
    let mut steps: Vec<_> = steps.map(|step| step.path()).collect();
    steps.sort();
    let (up, down): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.to_string_lossy().ends_with(".up.sql"));
    for step in up.iter().chain(down.iter().rev()) {
        let sql = fs::read_to_string(step).unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&db).await.unwrap();
    }
}

/// Each that stands in the source, one by one, so that the one that does not work is named.
async fn prepare_every_statement(db: &MySqlPool) {
    let queries = committed_queries();
    let mut db = db.acquire().await.unwrap();
    for query in queries.values() {
        let sql = query["query"].as_str().unwrap();
        let prepare = format!("prepare it from '{}'", sql.replace('\'', "''"));
        let prepared = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *db).await;
        prepared.unwrap_or_else(|refusal| panic!("{refusal}: {sql}"));
        let told = sqlx::raw_sql("show warnings").fetch_optional(&mut *db).await.unwrap();
        let told: Option<String> = told.map(|warning| warning.get("Message"));
        assert_eq!(told, None, "{sql}");
    }
}

/// What is put together while the service runs, as well.
async fn live(auth: &Service) {
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    auth.refresh(&alice.refresh).await.must_be(200);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    let root = auth.admin("root").await;
    auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await.must_be(200);
    auth.refresh(&bob.refresh).await.must_be(401);
    auth.settle().await;
    cleanup::clean(auth.db(), &auth.app.settings, auth.clock.now()).await.unwrap().unwrap();
}
