//! `/introspect` and `/revoke` as OAuth has them, and what is published for OAuth clients.

use portcullis_tests::{Answer, Service, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::{SECRET, with_client};

const PATHS: [&str; 2] = ["/introspect", "/revoke"];

async fn post(auth: &Service, path: &str, form: &[(&str, &str)]) -> Answer {
    send(auth.request(Method::POST, path).form(form)).await
}

async fn post_as(auth: &Service, path: &str, form: &[(&str, &str)]) -> Answer {
    let request = auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
    send(request.form(form)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_a_refusal_names_its_error_as_oauth_does_inside_the_problem_document() {
    let auth = with_client().await;
    for path in PATHS {
        let request = || auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
        let long = [("token", "x".repeat(20_000))];
        for (answer, status, code, error) in [
            (post(&auth, path, &[("token", "x")]).await, 401, "invalid_client", "invalid_client"),
            (post_as(&auth, path, &[]).await, 400, "malformed_request", "invalid_request"),
            (send(request().json(&json!({}))).await, 415, "not_a_form", "invalid_request"),
            (send(request().form(&long)).await, 413, "body_too_large", "invalid_request"),
            (
                send(auth.request(Method::GET, path)).await,
                405,
                "method_not_allowed",
                "invalid_request",
            ),
        ] {
            let answer = answer.must_be(status);
            assert_eq!(
                (&answer.json["code"], &answer.json["error"]),
                (&json!(code), &json!(error))
            );
            assert_eq!(answer.json["status"], status);
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
    }
    let elsewhere = auth.post("/refresh", json!({})).await.must_be(400);
    assert_eq!(elsewhere.json["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_whoever_accepts_plain_json_only_is_told_that_it_is_json() {
    let auth = with_client().await;
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("application/json, text/plain", "application/json"),
        ("application/json, application/problem+json", "application/problem+json"),
        ("*/*", "application/problem+json"),
    ] {
        let request = auth.request(Method::POST, "/introspect").header("accept", accept);
        let answer = send(request.form(&[("token", "x")])).await.must_be(401);
        assert_eq!(answer.header("content-type"), kind, "{accept}");
        assert_eq!(answer.json["error"], "invalid_client");
        let other = auth.request(Method::GET, "/me").header("accept", accept);
        let other = send(other).await.must_be(401);
        assert_eq!(other.header("content-type"), "application/problem+json", "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_an_empty_field_counts_as_left_out_and_a_repeated_one_is_refused() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;
    let token = alice.access.as_str();
    for path in PATHS {
        for form in [
            &[("token", "")][..],
            &[("token", ""), ("token_type_hint", "access_token")],
            &[("token_type_hint", "access_token")],
            &[("token", "garbage"), ("token", "garbage")],
            &[("token", "garbage"), ("token_type_hint", "a"), ("token_type_hint", "a")],
        ] {
            let answer = post_as(&auth, path, form).await.must_be(400);
            assert_eq!(answer.json["error"], "invalid_request", "{form:?}");
        }
    }
    assert!(auth.is_good(token).await);
    let form = [("token", token), ("token_type_hint", ""), ("client_secret", ""), ("more", "1")];
    let answer = post_as(&auth, "/introspect", &form).await.must_be(200);
    assert_eq!(answer.json["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_a_service_shows_its_secret_in_the_header_or_in_the_form_and_not_in_both() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;
    let token = ("token", alice.access.as_str());
    let (id, secret) = (("client_id", "gateway"), ("client_secret", SECRET));
    let live = post(&auth, "/introspect", &[token, id, secret]).await.must_be(200);
    assert_eq!(live.json["active"], true);
    // Many libraries name themselves in the form as well.
    post_as(&auth, "/introspect", &[token, id]).await.must_be(200);
    for path in PATHS {
        for form in [
            &[token, id][..],
            &[token, secret],
            &[token, id, ("client_secret", "wrong")],
            &[token, ("client_id", "nobody"), secret],
            &[token, id, ("client_secret", "")],
        ] {
            let answer = post(&auth, path, form).await.must_be(401);
            assert_eq!(answer.json["error"], "invalid_client", "{form:?}");
            assert!(answer.header("www-authenticate").starts_with("Basic "));
        }
        for form in [&[token, id, secret][..], &[token, secret], &[token, ("client_id", "other")]] {
            let answer = post_as(&auth, path, form).await.must_be(400);
            assert_eq!(answer.json["error"], "invalid_request", "{form:?}");
        }
    }
    assert!(auth.is_good(&alice.access).await);
    post(&auth, "/revoke", &[token, id, secret]).await.must_be(200);
    assert!(!auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_a_refresh_token_is_active_only_for_whoever_asks_for_one() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;
    let told = async |token: &str, hint: Option<&str>| {
        let mut form = vec![("token", token)];
        form.extend(hint.map(|hint| ("token_type_hint", hint)));
        post_as(&auth, "/introspect", &form).await.must_be(200).text
    };
    for hint in [None, Some("access_token"), Some("whatever"), Some("Refresh_Token")] {
        assert_eq!(told(&alice.refresh, hint).await, r#"{"active":false}"#, "{hint:?}");
    }
    assert!(told(&alice.refresh, Some("refresh_token")).await.contains(r#""active":true"#));
    // Whoever is wrong about an access token hears of it all the same.
    for hint in [None, Some("access_token"), Some("refresh_token"), Some("whatever")] {
        assert!(told(&alice.access, hint).await.contains(r#""active":true"#), "{hint:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_failed_authentications_are_limited_and_recorded_and_a_right_secret_never_refused() {
    let auth = Service::with(|settings| {
        settings.tokens.introspection_clients = Some(format!("gateway:{SECRET}").into());
        settings.limits.rate_limit_client = "3/15m".parse().unwrap();
    })
    .await;
    let token = ("token", "garbage");
    let wrong = [token, ("client_id", "gateway"), ("client_secret", "a wrong guess of it")];
    post(&auth, "/introspect", &wrong).await.must_be(401);
    post(&auth, "/revoke", &[token]).await.must_be(401);
    let secret_as_name = auth.request(Method::POST, "/revoke").basic_auth(SECRET, Some("gateway"));
    send(secret_as_name.form(&[token])).await.must_be(401);
    for path in PATHS {
        let answer = post(&auth, path, &wrong).await.must_be(429);
        assert_eq!(answer.json["error"], "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
        post_as(&auth, path, &[token]).await.must_be(200);
    }

    let kept = "select count(*) from audit_events where event = 'authn_client_fail' and id > ?";
    while auth.count(kept, 0).await < 3 {
        tokio::task::yield_now().await;
    }
    let details: Vec<Value> = sqlx::query_scalar(
        "select detail from audit_events where event = 'authn_client_fail' order by id",
    )
    .fetch_all(auth.db())
    .await
    .unwrap();
    assert_eq!(details.len(), 3, "what the limit refused is not recorded");
    for expected in [
        json!({ "client": "gateway", "method": "client_secret_post" }),
        json!({ "client": null, "method": "none" }),
        json!({ "client": null, "method": "client_secret_basic" }),
    ] {
        assert!(details.contains(&expected), "{expected}: {details:?}");
    }
    assert!(!format!("{details:?}").contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_a_wrong_secret_is_refused_while_mysql_is_away() {
    let mut auth = with_client().await;
    let form = [("token", "garbage")];
    auth.restart_with(|settings| {
        settings.stores.database_url = Some("mysql://nobody@127.0.0.1:1/none".into());
    })
    .await;
    for path in PATHS {
        post(&auth, path, &form).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_the_metadata_leads_to_what_is_there() {
    let auth = with_client().await;
    let path = "/.well-known/oauth-authorization-server";
    let told = send(auth.raw(Method::GET, path)).await.must_be(200).json;
    assert_eq!(told["issuer"], "portcullis");
    let get = auth.http.get(told["jwks_uri"].as_str().unwrap());
    assert_eq!(send(get).await.must_be(200).json, json!({ "keys": [] }));
    for endpoint in ["introspection_endpoint", "revocation_endpoint"] {
        let post = auth.http.post(told[endpoint].as_str().unwrap()).form(&[("token", "x")]);
        send(post.basic_auth("gateway", Some(SECRET))).await.must_be(200);
        let methods = &told[format!("{endpoint}_auth_methods_supported")];
        assert_eq!(*methods, json!(["client_secret_basic", "client_secret_post"]));
    }

    let named = Service::with(|settings| {
        settings.tokens.jwt_issuer = "https://auth.example.com/".into();
    })
    .await;
    let told = send(named.raw(Method::GET, path)).await.must_be(200).json;
    assert_eq!(told["issuer"], "https://auth.example.com/");
    assert_eq!(told["jwks_uri"], "https://auth.example.com/.well-known/jwks.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_what_is_published_is_kept_for_a_while_and_read_by_pages_of_any_origin() {
    let auth = with_client().await;
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        let get = |tag: &str| {
            let request = auth.raw(Method::GET, path).header("origin", "https://any.example");
            request.header("if-none-match", tag)
        };
        let first = send(get("\"other\"")).await.must_be(200);
        assert_eq!(first.header("cache-control"), "public, max-age=300");
        assert_eq!(first.header("access-control-allow-origin"), "*");
        let tag = first.header("etag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let again = send(get(&known)).await.must_be(304);
            assert_eq!((again.text.as_str(), again.header("etag")), ("", tag.as_str()), "{known}");
            assert_eq!(again.header("cache-control"), "public, max-age=300");
        }
        let before = auth.raw(Method::OPTIONS, path).header("origin", "https://any.example");
        let before = before.header("access-control-request-method", "GET");
        let before = send(before).await.must_be(200);
        assert_eq!(before.header("access-control-allow-origin"), "*");
        assert_eq!(before.header("access-control-allow-credentials"), "");
    }
}
