//! What operators watch: Prometheus text on the operations listener (`OPS_ADDR`), never on the
//! public one (R-40).
//!
//! Counters count what this instance did. Gauges are read from the stores when somebody looks, and
//! tell what all instances together have. No label carries anything that a client wrote.

mod times;

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::App;
use crate::base::clock::UnixMs;
use crate::http::openapi;
use crate::sessions::live;
use crate::store::database;

pub(crate) use times::answered;

/// How often measurements are folded together, so that they do not pile up unread.
const FOLD_EVERY: Duration = Duration::from_secs(5);
/// Live sessions are counted so often, or less: it costs MySQL a walk over an index, and no more
/// than this share of its time is spent on it.
const COUNT_EVERY: Duration = Duration::from_mins(1);
const SHARE_OF_TIME: u32 = 100;
/// What a count may take: it looks at every session, and nobody waits for it.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);
/// Bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

const TRANSACTIONS_REPEATED: &str = "portcullis_transactions_repeated_total";

/// Begins to count. What is counted before that is lost for good, so the service starts with it.
pub(crate) fn start() {
    handle();
}

/// Every route of the operations listener.
pub fn operations(app: App) -> Router {
    Router::new().route("/metrics", get(render)).merge(openapi::routes()).with_state(app)
}

/// An access or a refresh token was handed out.
pub(crate) fn token_issued(kind: &'static str) {
    counter!("portcullis_tokens_issued_total", "type" => kind).increment(1);
}

/// A refresh token was exchanged, or the same answer given again.
pub(crate) fn token_refreshed() {
    counter!("portcullis_tokens_refreshed_total").increment(1);
}

/// Tokens were revoked one by one.
pub(crate) fn tokens_blacklisted(kind: &'static str, count: u64) {
    counter!("portcullis_tokens_blacklisted_total", "type" => kind).increment(count);
}

/// Somebody logged in.
pub(crate) fn session_created() {
    counter!("portcullis_sessions_created_total").increment(1);
}

/// Sessions were ended before their time.
pub(crate) fn sessions_revoked(reason: &'static str, count: u64) {
    counter!("portcullis_sessions_revoked_total", "reason" => reason).increment(count);
}

/// A transaction that MySQL had sent away was run again.
pub(crate) fn transaction_repeated() {
    counter!(TRANSACTIONS_REPEATED).increment(1);
}

/// A request was answered with an error; `code` is the problem's.
pub(crate) fn refused(code: &'static str) {
    counter!("portcullis_errors_total", "kind" => code).increment(1);
}

/// Folds measurements together and counts live sessions until the service stops.
pub(crate) async fn run(app: App) {
    let mut count_at = Instant::now();
    loop {
        let started = Instant::now();
        if started >= count_at {
            let counted = tokio::select! {
                counted = live_sessions(&app) => counted,
                () = app.background.stop.cancelled() => return,
            };
            match counted {
                Ok(live) => gauge!("portcullis_sessions_active").set(live),
                Err(cause) => tracing::debug!(%cause, "live sessions could not be counted"),
            }
            count_at = started + pause_after(started.elapsed());
        }
        tokio::select! {
            () = tokio::time::sleep(FOLD_EVERY) => handle().run_upkeep(),
            () = app.background.stop.cancelled() => return,
        }
    }
}

/// When to count again, seen from the beginning of a count that took so long.
fn pause_after(took: Duration) -> Duration {
    COUNT_EVERY.max(took * SHARE_OF_TIME)
}

async fn render(State(app): State<App>) -> impl IntoResponse {
    let (outbox, ledgers) = tokio::join!(outbox(&app), ledgers(&app));
    let up = [("mysql", outbox.is_some()), ("redis", ledgers.is_some())];
    let hashed = app.passwords.work();
    for (kind, count) in [("argon2id", hashed.argon2id), ("bcrypt", hashed.bcrypt)] {
        counter!("portcullis_password_hashes_total", "kind" => kind).absolute(count);
    }
    let mut text = handle().render();
    text.push_str("# HELP portcullis_store_up 1 if the store answered just now.\n");
    text.push_str("# TYPE portcullis_store_up gauge\n");
    text.extend(up.map(|(store, is_up)| {
        format!("portcullis_store_up{{store=\"{store}\"}} {}\n", u8::from(is_up))
    }));
    let believed = u8::from(app.ledgers.is_believed());
    text += &lines("redis_believed", "1 if Redis lacks nothing and is asked", believed);
    text.extend([outbox, ledgers].into_iter().flatten());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// How much waits for Redis, and since when.
async fn outbox(app: &App) -> Option<String> {
    let asked = sqlx::query!(
        r#"select count(*) as "waiting: i64", min(created_at) as "since: UnixMs"
             from revocation_outbox where delivered_at is null"#
    )
    .fetch_one(&app.store.pool);
    let row = app.store.in_time(asked).await.ok()?;
    let age = row.since.map_or(Duration::ZERO, |since| app.clock.now().since(since));
    let waiting = lines("outbox_waiting", "Changes that Redis has not confirmed", row.waiting);
    Some(waiting + &lines("outbox_oldest_seconds", "Age of the oldest of them", age.as_secs_f64()))
}

/// What the module says of itself (`INFO portcullis`).
async fn ledgers(app: &App) -> Option<String> {
    let info = app.ledgers.info().await.ok()?;
    Some(
        numbers(&info)
            .map(|(name, value)| lines(&format!("ledger_{name}"), "See INFO portcullis", value))
            .collect(),
    )
}

fn lines(name: &str, help: &str, value: impl Display) -> String {
    format!(
        "# HELP portcullis_{name} {help}.\n# TYPE portcullis_{name} gauge\nportcullis_{name} {value}\n"
    )
}

/// `portcullis_name:number` lines, without the prefix. A number that is a name is none.
fn numbers(info: &str) -> impl Iterator<Item = (&str, f64)> {
    let named = info.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("portcullis_")?.split_once(':')?;
        Some((name, value.parse().ok()?))
    });
    named.filter(|(name, _)| *name != "fence_life")
}

/// How many sessions are live.
pub async fn live_sessions(app: &App) -> sqlx::Result<f64> {
    database::time(COUNT_PATIENCE, live::count(app, app.clock.now())).await
}

/// The one recorder of this process.
fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = builder.unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        if ::metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("another recorder is installed: nothing is counted");
        }
        describe();
        // Shown before the first, which may be long in coming.
        counter!(TRANSACTIONS_REPEATED).increment(0);
        handle
    })
}

fn describe() {
    describe_counter!("portcullis_tokens_issued_total", "Tokens handed out");
    describe_counter!("portcullis_tokens_refreshed_total", "Refreshes answered with a token pair");
    describe_counter!("portcullis_tokens_blacklisted_total", "Tokens revoked one by one");
    describe_counter!("portcullis_sessions_created_total", "Logins");
    describe_counter!("portcullis_sessions_revoked_total", "Sessions ended before their time");
    describe_counter!(TRANSACTIONS_REPEATED, "Transactions run again because of a conflict");
    describe_counter!("portcullis_password_hashes_total", "Passwords hashed, by kind of hash");
    describe_counter!("portcullis_errors_total", "Requests answered with an error, by its code");
    describe_gauge!("portcullis_sessions_active", "Live sessions, counted once a minute at most");
    describe_histogram!("portcullis_http_request_duration_seconds", "Time to answer a request");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_takes_a_hundredth_of_the_time_at_most() {
        assert_eq!(pause_after(Duration::from_millis(1)), Duration::from_mins(1));
        assert_eq!(pause_after(Duration::from_secs(3)), Duration::from_mins(5));
    }

    #[test]
    fn what_the_module_says_becomes_numbers() {
        let info =
            "# portcullis\r\nportcullis_checks_ok:7\r\nportcullis_version:0.1.0\r\nother:1\r\n";
        assert_eq!(numbers(info).collect::<Vec<_>>(), [("checks_ok", 7.0)]);
    }
}
