//! `/metrics` on the operations listener.

use portcullis_tests::Service;
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
