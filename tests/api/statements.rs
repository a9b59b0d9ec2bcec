//! How often the frequent requests ask MySQL: each statement is a round trip.

use portcullis_tests::{Answer, Database, Redis, Service, send, wait_until};
use reqwest::Method;
use serde_json::json;

/// What the service asks by itself now and then: what waits, what was delivered, how many sessions live,
/// who was seen, whether everybody was logged out.
const BESIDE: [&str; 9] = [
    "delivered_at is null and id >",
    "set delivered_at =",
    "as double",
    "s.last_ip_address from user_sessions s force index",
    "set s.last_activity = greatest(s.last_activity, cast(",
    "from mails where settled_at",
    "from ledger_lives",
    "select redis_valid_after as",
    "recorded_at is null",
];
const ID: &str = "proxy";
const SECRET: &str = "a secret that only the proxy knows";

#[tokio::test(flavor = "multi_thread")]
async fn the_frequent_requests_ask_mysql_no_more_than_they_must() {
    let mysql = Database::start();
    let database = mysql.fresh_database("counted");
    let auth = Service::on(Redis::start(), &database, |settings| {
        settings.accounts.notify_new_device = false;
        settings.tokens.introspection_clients = Some(format!("{ID}:{SECRET}").into());
    })
    .await;
    let alice = auth.logged_in("alice").await;

    let login = asked(&mysql, &auth, auth.log_in("alice")).await;
    assert_eq!(
        login.join(" "),
        "select BEGIN select update select select insert insert insert insert COMMIT select select"
    );

    let refresh = asked(&mysql, &auth, auth.refresh(&alice.refresh)).await;
    assert_eq!(refresh.join(" "), "select BEGIN update COMMIT");

    let verify = asked(&mysql, &auth, auth.get_as(&alice.access, "/verify")).await;
    assert_eq!(verify.join(" "), "");

    let form = [("token", alice.access.as_str())];
    let ask = auth.request(Method::POST, "/introspect").basic_auth(ID, Some(SECRET)).form(&form);
    let introspect = asked(&mysql, &auth, send(ask)).await;
    assert_eq!(introspect.join(" "), "");

    let logout = asked(&mysql, &auth, auth.post_as(&alice.access, "/logout", json!({}))).await;
    assert_eq!(logout.join(" "), "BEGIN update insert insert insert COMMIT");
    let rows = "select count(*) from revocation_outbox where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 3, "two logins and a logout");
}

/// The first word of each statement that the request made the service send.
async fn asked(
    mysql: &Database,
    auth: &Service,
    request: impl Future<Output = Answer>,
) -> Vec<String> {
    let rest = || auth.app.store.pool.size() as usize == auth.app.store.pool.num_idle();
    let pause = || tokio::task::block_in_place(|| wait_until("every connection is back", rest));
    pause();
    mysql.execute(
        "set global log_output = 'TABLE'; truncate mysql.general_log; set global general_log = 1",
    );
    request.await.must_be(200);
    pause();
    let told = mysql.execute(
        "set global general_log = 0;
         select regexp_replace(convert(argument using latin1), '[[:space:]]+', ' ')
           from mysql.general_log
          where command_type in ('Query', 'Execute') and argument not like '%general_log%'",
    );
    told.lines()
        .filter(|statement| !BESIDE.iter().any(|part| statement.contains(part)))
        // What a new connection of the pool says first.
        .filter(|statement| !statement.to_lowercase().starts_with("set "))
        .map(|statement| statement.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}
