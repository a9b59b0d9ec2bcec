//! `/metrics` on the operations listener.

use std::collections::HashSet;
use std::time::Duration;

use portcullis_api::sessions::live::count_patiently;
use portcullis_tests::{Service, captured_log};
use reqwest::Method;
use serde_json::json;

/// What Prometheus would get.
async fn metrics(auth: &Service) -> String {
    let url = auth.operations().await + "/metrics";
    auth.http.get(url).send().await.unwrap().text().await.unwrap()
}

/// The value in the one line that starts like this.
fn value<'t>(text: &'t str, line: &str) -> &'t str {
    let found = text.lines().find_map(|there| there.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in\n{text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_what_happened() {
    let auth = Service::start().await;
    metrics(&auth).await;
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    let text = metrics(&auth).await;

    for counter in [
        "portcullis_tokens_issued_total{type=\"access\"}",
        "portcullis_tokens_refreshed_total",
        "portcullis_tokens_blacklisted_total{type=\"access\"}",
        "portcullis_sessions_created_total",
        "portcullis_sessions_revoked_total{reason=\"logout\"}",
    ] {
        assert_ne!(value(&text, counter), "0", "{counter}");
    }
    let refresh = "method=\"POST\",route=\"/api/v1/auth/refresh\",status=\"200\"";
    assert_ne!(
        value(&text, &format!("portcullis_http_request_duration_seconds_count{{{refresh}}}")),
        "0"
    );
    assert_eq!(value(&text, "portcullis_store_up{store=\"redis\"}"), "1");
    assert_eq!(value(&text, "portcullis_outbox_waiting"), "0");
    assert_ne!(value(&text, "portcullis_ledger_checks_ok"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_51_the_process_and_the_build_are_shown() {
    let auth = Service::start().await;
    let text = metrics(&auth).await;
    for name in [
        "process_open_fds",
        "process_max_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_threads",
    ] {
        assert_ne!(value(&text, name), "0", "{name}");
    }
    // Whole seconds, of which there may be none yet.
    assert_ne!(value(&text, "process_cpu_seconds_total"), "");
    assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("portcullis_build_info{{version=\"{version}\",build=\"debug\"}}");
    assert_eq!(value(&text, &build), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_51_what_the_module_counts_is_typed_as_a_counter_and_keeps_its_name() {
    let auth = Service::start().await;
    auth.logged_in("alice").await;
    let text = metrics(&auth).await;
    let kinds: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE portcullis_ledger_")?.split_once(' '))
        .collect();
    assert!(kinds.len() > 12, "{kinds:?}");
    let states =
        ["before", "check_life", "confirmed", "fence_endings", "lease_ms", "require_confirm"];
    for (name, kind) in kinds {
        let is_state = states.contains(&name);
        assert_eq!(kind, if is_state { "gauge" } else { "counter" }, "{name}");
    }
    assert_eq!(value(&text, "portcullis_ledger_sessions_created"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_51_statements_are_logged_without_values_and_slow_ones_as_warnings() {
    let auth = Service::with(|settings| {
        settings.stores.db_slow_query = Duration::from_millis(1);
    })
    .await;
    auth.logged_in("somebody.who.is.logged").await;
    sqlx::query("select sleep(0.05) as slow_as_this").execute(auth.db()).await.unwrap();
    let log = captured_log();
    let statements = || log.lines().filter(|line| line.contains("\"target\":\"sqlx::query\""));
    assert!(statements().any(|line| line.contains("insert into user_sessions")));
    assert!(!statements().any(|line| line.contains("somebody.who.is.logged")));
    let slow = statements().find(|line| line.contains("slow_as_this")).expect("it is logged");
    assert!(slow.contains("\"level\":\"WARN\"") && slow.contains("slow"), "{slow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_51_each_area_says_what_it_does_at_the_level_debug() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    assert!(auth.is_good(&alice.access).await);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    assert!(!auth.is_good(&alice.access).await);
    let said = |target: &str| {
        let target = format!("\"target\":\"portcullis_api::{target}\"");
        captured_log().lines().any(|line| line.contains("DEBUG") && line.contains(&target))
    };
    for target in ["request", "problem", "ledger::check", "ledger::telling", "lock"] {
        assert!(said(target), "nothing of {target}");
    }
}

/// The gauge itself belongs to all services of this process.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_ended_or_expired_are_not_counted_as_live() {
    let auth = Service::start().await;
    let (alice, _) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    let live =
        async || count_patiently(&auth.app.store, auth.clock.now()).await.unwrap().to_string();
    assert_eq!(live().await, "2");
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    assert_eq!(live().await, "1");
    auth.clock.advance(auth.app.settings.sessions.session_expires_in);
    assert_eq!(live().await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_redis_shows() {
    let mut auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.redis.stop();
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    let text = metrics(&auth).await;

    assert_ne!(value(&text, "portcullis_outbox_waiting"), "0");
    assert_eq!(value(&text, "portcullis_store_up{store=\"redis\"}"), "0");
    assert_eq!(value(&text, "portcullis_store_up{store=\"mysql\"}"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_or_path_that_a_client_invents_is_no_label() {
    let auth = Service::start().await;
    let invented = Method::from_bytes(b"INVENTED").unwrap();
    auth.http.request(invented, format!("{}/made-up-path", auth.url)).send().await.unwrap();
    let text = metrics(&auth).await;
    assert!(text.contains("method=\"OTHER\",route=\"-\",status=\"404\""), "{text}");
    assert!(!text.contains("INVENTED") && !text.contains("made-up"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_every_metric_and_none_that_is_not_there() {
    let live = metrics_of_everything().await;
    let dashboard = include_str!("../../api/docs/grafana.json");
    let shown = named_in(dashboard);
    let unknown: Vec<_> = shown.iter().filter(|name| !live.contains(family(name))).collect();
    assert_eq!(unknown, Vec::<&&str>::new(), "in the dashboard, but not in /metrics");
    let shown: HashSet<&str> = shown.into_iter().map(family).collect();
    let missing: Vec<_> = live.iter().filter(|name| !shown.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "in /metrics, but not in the dashboard");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_the_page_for_operators_name_metrics_that_are_there() {
    let live = metrics_of_everything().await;
    let alerts = include_str!("../../api/docs/alerts.yml");
    let page = include_str!("../../api/docs/operations.md");
    assert!(named_in(alerts).len() > 5);
    for name in named_in(alerts).into_iter().chain(named_in(page)) {
        // `portcullis_ledger_…` and `portcullis_api::watch` of the page are no metrics.
        let is_metric = !["portcullis_ledger_", "portcullis_api", "process_"].contains(&name);
        assert!(!is_metric || live.contains(family(name)), "{name}");
    }
}

/// The names of all metrics of a service at which everything has happened once.
async fn metrics_of_everything() -> HashSet<String> {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    auth.refresh("garbage").await.must_be(401);
    let text = loop {
        let text = metrics(&auth).await;
        // Counted by the background, which has just begun.
        if text.contains("portcullis_sessions_active") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Every word of a file that could be a metric of ours or of the process.
fn named_in(file: &str) -> Vec<&str> {
    let words = file.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    // Packages have a version there.
    let is_ours = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_metric = |word: &str| {
        word.starts_with("process_") || word.strip_prefix("portcullis_").is_some_and(is_ours)
    };
    words.filter(|word| is_metric(word)).collect()
}

/// A histogram is one metric of three names.
fn family(name: &str) -> &str {
    let ends = ["_bucket", "_sum", "_count"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}
