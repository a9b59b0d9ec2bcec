//! Counters of what this instance did, and the recorder that keeps them. What all instances together
//! have is read when somebody looks (`http/operations.rs`). No label carries anything that a client
//! wrote.
//!
//! Uses nothing of ours and reads no store, so that everybody may count.

mod times;

use std::sync::{LazyLock, OnceLock};

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

pub(crate) use times::answered;

/// Bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

const BUILD_INFO: &str = "portcullis_build_info";
const TRANSACTIONS_REPEATED: &str = "portcullis_transactions_repeated_total";
const RETURNS: &str = "portcullis_database_returns_total";
const MAILS_SENT: &str = "portcullis_mails_sent_total";
const MAILS_FAILED: &str = "portcullis_mails_failed_total";
const MAILS_GIVEN_UP: &str = "portcullis_mails_given_up_total";

/// Begins to count. What is counted before that is lost for good, so the service starts with it.
pub(crate) fn start() {
    handle();
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

/// MySQL had lost commits, and this instance goes on from what it has now.
pub(crate) fn database_returned() {
    counter!(RETURNS).increment(1);
}

/// The mail server, or the directory for mails, has taken a mail.
pub(crate) fn mail_sent() {
    counter!(MAILS_SENT).increment(1);
}

/// A try to send a mail came to nothing.
pub(crate) fn mail_failed() {
    counter!(MAILS_FAILED).increment(1);
}

/// A mail will not be sent.
pub(crate) fn mail_given_up(reason: &'static str) {
    counter!(MAILS_GIVEN_UP, "reason" => reason).increment(1);
}

/// A request was answered with an error; `code` is the problem's.
pub(crate) fn refused(code: &'static str) {
    counter!("portcullis_errors_total", "kind" => code).increment(1);
}

/// So many passwords were hashed since the start, by kind of hash.
pub(crate) fn passwords_hashed(kind: &'static str, count: u64) {
    counter!("portcullis_password_hashes_total", "kind" => kind).absolute(count);
}

/// So many sessions are live.
pub(crate) fn sessions_live(count: f64) {
    gauge!("portcullis_sessions_active").set(count);
}

/// Folds measurements together, so that they do not pile up unread.
pub(crate) fn fold() {
    handle().run_upkeep();
}

/// Everything that was counted, and what the process takes of its host, as Prometheus text.
pub(crate) fn text() -> String {
    let handle = handle();
    process().collect();
    handle.render()
}

/// Looks at this process; the names are those that every Prometheus client uses.
fn process() -> &'static Collector {
    static PROCESS: LazyLock<Collector> = LazyLock::new(Collector::default);
    &PROCESS
}

/// The one recorder of this process.
fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = builder.unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        if ::metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("another metrics recorder is installed; nothing is recorded");
        }
        describe();
        // Shown before the first, which may be long in coming.
        counter!(TRANSACTIONS_REPEATED).increment(0);
        counter!(RETURNS).increment(0);
        counter!(MAILS_SENT).increment(0);
        counter!(MAILS_FAILED).increment(0);
        for reason in ["refused", "too_old"] {
            counter!(MAILS_GIVEN_UP, "reason" => reason).increment(0);
        }
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let version = env!("CARGO_PKG_VERSION");
        gauge!(BUILD_INFO, "version" => version, "build" => build).set(1.0);
        handle
    })
}

fn describe() {
    describe_counter!("portcullis_tokens_issued_total", "Tokens issued");
    describe_counter!("portcullis_tokens_refreshed_total", "Refreshes answered with a token pair");
    describe_counter!("portcullis_tokens_blacklisted_total", "Tokens revoked individually");
    describe_counter!("portcullis_sessions_created_total", "Logins");
    describe_counter!("portcullis_sessions_revoked_total", "Sessions ended early, by reason");
    describe_counter!(TRANSACTIONS_REPEATED, "Transactions run again because of a conflict");
    describe_counter!(RETURNS, "Times everybody was logged out because MySQL had lost commits");
    describe_counter!(MAILS_SENT, "Mails sent");
    describe_counter!(MAILS_FAILED, "Attempts to send a mail that failed");
    describe_counter!(MAILS_GIVEN_UP, "Mails that will not be sent, by reason");
    describe_counter!("portcullis_password_hashes_total", "Passwords hashed, by kind of hash");
    process().describe();
    describe_gauge!(BUILD_INFO, "Always 1; its labels say which program this is");
    describe_counter!("portcullis_errors_total", "Requests answered with an error, by error code");
    describe_gauge!("portcullis_sessions_active", "Live sessions, counted at most once a minute");
    describe_histogram!("portcullis_http_request_duration_seconds", "Time to answer a request");
}
