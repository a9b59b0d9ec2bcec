//! What operators watch: Prometheus text on the operations listener (`OPS_ADDR`), never on the
//! public one (R-40).
//!
//! Counters count what this instance did. Gauges are read from the stores when somebody looks, and
//! tell what all instances together have.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use super::openapi;
use crate::App;
use crate::base::clock::Timestamp;
use crate::ledger::health::Info;
use crate::ledger::outbox::marking::mark_now;
use crate::metrics;

/// Every route of the operations listener.
pub(crate) fn routes(app: App) -> Router {
    Router::new().route("/metrics", get(render)).merge(openapi::routes()).with_state(app)
}

async fn render(State(app): State<App>) -> impl IntoResponse {
    let (outbox, mails, servers) = tokio::join!(outbox(&app), mails(&app), app.ledgers.info());
    let is_up = app.ledgers.is_whole() && servers.iter().all(|server| server.text.is_some());
    let up = [("mysql", outbox.is_some()), ("redis", is_up)];
    let hashed = app.passwords.work();
    for (kind, count) in [("argon2id", hashed.argon2id), ("bcrypt", hashed.bcrypt)] {
        metrics::passwords_hashed(kind, count);
    }
    let mut text = metrics::text();
    text.push_str("# HELP portcullis_store_up 1 if the store is answering.\n");
    text.push_str("# TYPE portcullis_store_up gauge\n");
    text.extend(up.map(|(store, is_up)| {
        format!("portcullis_store_up{{store=\"{store}\"}} {}\n", u8::from(is_up))
    }));
    let gone_back = u8::from(app.store.history.is_doubted());
    text += &lines(
        "database_gone_back",
        "gauge",
        "1 while MySQL lacks commits that it has confirmed",
        gone_back,
    );
    let believed = u8::from(app.ledgers.is_believed());
    text += &lines("redis_believed", "gauge", "1 if Redis is up to date and trusted", believed);
    text += &shards(&servers);
    text += &ledgers(&servers);
    text.extend([outbox, mails].into_iter().flatten());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Each primary of a cluster by itself; none where there is no cluster.
fn shards(servers: &[Info]) -> String {
    let mut text = String::new();
    for (what, help, is_so) in [
        ("up", "1 if this primary of the cluster answers", |it| it.text.is_some()),
        ("believed", "1 if this primary is up to date and trusted about all its users", |it| {
            it.is_believed && it.text.is_some()
        }),
    ] as [(&str, &str, fn(&Info) -> bool); 2]
    {
        let values = servers.iter().filter(|it| !it.shard.is_empty());
        let values = values.map(|it| (it.shard.as_str(), f64::from(u8::from(is_so(it)))));
        text += &of_shards(&format!("redis_shard_{what}"), "gauge", help, values);
    }
    text
}

/// How much waits for Redis, and since when.
async fn outbox(app: &App) -> Option<String> {
    mark_now(&app.ledgers).await;
    let asked = sqlx::query!(
        r#"select count(*) as "waiting: i64", min(created_at) as "since: Timestamp"
             from revocation_outbox where delivered_at is null"#
    )
    .fetch_one(&app.store.pool);
    let row = app.store.in_time(asked).await.ok()?;
    let helps =
        ["Changes that Redis has not confirmed yet", "Age of the oldest unconfirmed change"];
    Some(waiting(app, "outbox", helps, row.waiting, row.since))
}

/// How many mails wait, and since when.
async fn mails(app: &App) -> Option<String> {
    let asked = sqlx::query!(
        r#"select count(*) as "waiting: i64", min(created_at) as "since: Timestamp"
             from mails where settled_at is null"#
    )
    .fetch_one(&app.store.pool);
    let row = app.store.in_time(asked).await.ok()?;
    let helps = ["Mails that wait to be sent", "Age of the oldest waiting mail"];
    Some(waiting(app, "mails", helps, row.waiting, row.since))
}

/// How much of something waits, and for how long.
fn waiting(
    app: &App,
    what: &str,
    [number, age]: [&str; 2],
    count: i64,
    since: Option<Timestamp>,
) -> String {
    let oldest = since.map_or(Duration::ZERO, |since| app.clock.now().since(since));
    lines(&format!("{what}_waiting"), "gauge", number, count)
        + &lines(&format!("{what}_oldest_seconds"), "gauge", age, oldest.as_secs_f64())
}

/// What the module of each server says of itself (`INFO portcullis`).
fn ledgers(servers: &[Info]) -> String {
    let mut all: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for server in servers {
        for (name, value) in server.text.as_deref().map(numbers).into_iter().flatten() {
            all.entry(name).or_default().push((&server.shard, value));
        }
    }
    let told = all.into_iter().map(|(name, values)| {
        of_shards(&format!("ledger_{name}"), kind(name), "See INFO portcullis", values)
    });
    told.collect()
}

/// One metric with a value for each primary of a cluster, or with one where there is no cluster.
fn of_shards<'v>(
    name: &str,
    kind: &str,
    help: &str,
    values: impl IntoIterator<Item = (&'v str, f64)>,
) -> String {
    let name = format!("portcullis_{name}");
    let mut text = format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    text.extend(values.into_iter().map(|(shard, value)| match shard {
        "" => format!("{name} {value}\n"),
        shard => format!("{name}{{shard=\"{shard}\"}} {value}\n"),
    }));
    text
}

/// What the module tells as it is now. All else it counts from its server's start on.
fn kind(name: &str) -> &'static str {
    const GAUGES: [&str; 6] =
        ["before", "check_life", "confirmed", "fence_endings", "lease_ms", "require_confirm"];
    if GAUGES.contains(&name) { "gauge" } else { "counter" }
}

fn lines(name: &str, kind: &str, help: &str, value: impl Display) -> String {
    format!(
        "# HELP portcullis_{name} {help}.\n# TYPE portcullis_{name} {kind}\nportcullis_{name} {value}\n"
    )
}

/// `portcullis_name:number` lines, without the prefix. A number that is a name is none.
fn numbers(info: &str) -> impl Iterator<Item = (&str, f64)> {
    let named = info.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("portcullis_")?.split_once(':')?;
        Some((name, value.parse().ok()?))
    });
    named.filter(|(name, _)| !["fence_life", "mark"].contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_module_says_becomes_numbers() {
        let info = "# portcullis\r\nportcullis_checks_ok:7\r\nportcullis_version:0.1.0\r\nother:1\r\n\
             portcullis_mark:8\r\nportcullis_lease_ms:9\r\n";
        let told: Vec<_> = numbers(info).map(|(name, number)| (kind(name), name, number)).collect();
        assert_eq!(told, [("counter", "checks_ok", 7.0), ("gauge", "lease_ms", 9.0)]);
    }

    fn server(shard: &str, is_believed: bool, text: Option<&str>) -> Info {
        Info { shard: shard.to_owned(), is_believed, text: text.map(str::to_owned) }
    }

    fn samples(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn each_primary_of_a_cluster_is_shown_by_itself() {
        let said = "portcullis_checks_ok:7\r\nportcullis_confirmed:1\r\n";
        let all = [
            server("a", true, Some(said)),
            server("b", false, Some(said)),
            server("c", true, None),
        ];
        assert_eq!(
            samples(&shards(&all)),
            [
                "portcullis_redis_shard_up{shard=\"a\"} 1",
                "portcullis_redis_shard_up{shard=\"b\"} 1",
                "portcullis_redis_shard_up{shard=\"c\"} 0",
                "portcullis_redis_shard_believed{shard=\"a\"} 1",
                "portcullis_redis_shard_believed{shard=\"b\"} 0",
                "portcullis_redis_shard_believed{shard=\"c\"} 0",
            ]
        );
        let text = ledgers(&all);
        assert_eq!(text.matches("# TYPE portcullis_ledger_checks_ok counter").count(), 1, "{text}");
        assert_eq!(
            samples(&text),
            [
                "portcullis_ledger_checks_ok{shard=\"a\"} 7",
                "portcullis_ledger_checks_ok{shard=\"b\"} 7",
                "portcullis_ledger_confirmed{shard=\"a\"} 1",
                "portcullis_ledger_confirmed{shard=\"b\"} 1",
            ]
        );
    }

    #[test]
    fn one_server_has_no_name() {
        let one = [server("", true, Some("portcullis_checks_ok:7\r\n"))];
        assert_eq!(samples(&ledgers(&one)), ["portcullis_ledger_checks_ok 7"]);
        assert_eq!(samples(&shards(&one)), [""; 0]);
    }
}
