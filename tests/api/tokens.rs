//! `/revoke-refresh-token`, `/blacklist`, `/token-stats`, `/introspect`, `/revoke`, JWKS.

use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, Service, send, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn bug_41_the_blacklist_shows_ones_own_revocations_page_by_page_and_no_digest() {
    let auth = Service::start().await;
    let gone = auth.logged_in("alice").await;
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    let alice = auth.logged_in("alice").await;
    let bob = auth.logged_in("bob").await;
    let page = async |access: &str, query: &str| {
        let answer = auth.get_as(access, &format!("/blacklist{query}")).await.must_be(200);
        (answer.json["data"]["entries"].clone(), answer.json["data"]["next"].clone())
    };

    let (entries, next) = page(&alice.access, "").await;

    let entries = entries.as_array().unwrap().clone();
    assert_eq!((entries.len(), next), (2, Value::Null));
    let access = &entries[0];
    assert_eq!(
        *access,
        json!({
            "id": access["id"], "token_type": "access", "reason": "logout",
            "blacklisted_at": auth.clock.now(), "token_expiry": access["token_expiry"],
            "session_id": gone.session, "digest_prefix": access["digest_prefix"],
        })
    );
    assert_eq!(access["digest_prefix"].as_str().unwrap().len(), 8);
    assert_eq!(entries[1]["token_type"], "refresh");
    let (first, next) = page(&alice.access, "?limit=1").await;
    assert_eq!((&first[0], &next), (access, &access["id"]));
    let (second, _) = page(&alice.access, &format!("?limit=1&after={next}")).await;
    assert_eq!(second[0], entries[1]);
    assert_eq!(page(&bob.access, "").await.0, json!([]));
    auth.get_as(&alice.access, "/blacklist?limit=x").await.must_be(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_41_token_stats_count_ones_own() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    let gone = auth.logged_in("alice").await;
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    auth.logged_in("bob").await;
    let answer = auth.get_as(&alice.access, "/token-stats").await.must_be(200);
    assert_eq!(
        answer.json["data"],
        json!({
            "sessions_active": 1, "refresh_tokens_active": 1, "refresh_tokens_issued": 3,
            "refresh_tokens_spent": 1, "blacklisted": 2,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r_21_introspection_tells_live_tokens_and_nothing_about_others() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;

    let live = ask(&auth, "/introspect", &alice.access).await.must_be(200).json;
    assert_eq!((&live["active"], &live["sid"]), (&json!(true), &json!(alice.session)));
    assert_eq!(live["sub"], alice.user_id.to_string());
    assert_eq!(live["iss"], "portcullis");
    let refresh = ask(&auth, "/introspect", &alice.refresh).await.must_be(200).json;
    assert_eq!((&refresh["active"], &refresh["sid"]), (&json!(true), &json!(alice.session)));

    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    for dead in [alice.access.as_str(), &alice.refresh, "garbage", "prt_x"] {
        let answer = ask(&auth, "/introspect", dead).await.must_be(200);
        assert_eq!(answer.text, r#"{"active":false}"#);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_21_only_known_services_may_introspect_and_revoke() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;
    let form = [("token", alice.access.as_str())];
    for path in ["/introspect", "/revoke"] {
        let request = || auth.request(Method::POST, path).form(&form);
        let answers = [
            send(request()).await,
            send(request().basic_auth("gateway", Some("wrong"))).await,
            send(request().basic_auth("nobody", Some(SECRET))).await,
            send(request().bearer_auth(&alice.access)).await,
        ];
        for answer in answers {
            let answer = answer.must_be(401);
            assert_eq!(answer.json["code"], "invalid_client");
            assert!(answer.header("www-authenticate").starts_with("Basic"));
        }
        let json = auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
        send(json.json(&json!({ "token": "x" }))).await.must_be(415);
        let empty = auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
        send(empty.form(&[("tok", "x")])).await.must_be(400);
    }
    assert!(auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_form_encode_its_name_and_secret_or_not() {
    let auth = Service::with(|settings| {
        settings.tokens.introspection_clients = Some("the gate:100% of 20+3=23 here".into());
    })
    .await;
    let form = [("token", "garbage")];
    let ask = async |id: &str, secret: &str| {
        let request = auth.request(Method::POST, "/introspect").basic_auth(id, Some(secret));
        send(request.form(&form)).await
    };
    ask("the gate", "100% of 20+3=23 here").await.must_be(200);
    ask("the+gate", "100%25+of+20%2B3%3D23+here").await.must_be(200);
    ask("the%20gate", "100%25%20of%2020%2b3%3d23%20here").await.must_be(200);
    ask("the gate", "100% of 20%2B3=23 her").await.must_be(401);
    ask("the_gate", "100% of 20+3=23 here").await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_20_a_service_revokes_an_access_token_alone_and_a_refresh_token_with_its_family() {
    let auth = with_client().await;
    let alice = auth.logged_in("alice").await;
    let answer = ask(&auth, "/revoke", &alice.access).await.must_be(200);
    assert!(answer.text.is_empty());
    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "REVOKED");
    let next = auth.refresh(&alice.refresh).await.must_be(200);
    let access = next.text_at("/data/access/token");
    assert!(auth.is_good(&access).await);

    ask(&auth, "/revoke", &next.text_at("/data/refresh/token")).await.must_be(200);
    assert!(!auth.is_good(&access).await);
    for unknown in ["garbage", "prt_x", &alice.access] {
        ask(&auth, "/revoke", unknown).await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_14_any_known_refresh_token_of_a_family_ends_it() {
    let auth = with_client().await;
    let idle = auth.app.settings.sessions.session_idle_timeout;
    for (name, wait) in [("spent", Duration::ZERO), ("idle", idle)] {
        let alice = auth.logged_in(name).await;
        let next = auth.refresh(&alice.refresh).await.must_be(200);
        let access = next.text_at("/data/access/token");
        auth.clock.advance(wait);

        ask(&auth, "/revoke", &alice.refresh).await.must_be(200);

        assert_eq!(auth.live_sessions(alice.user_id).await, 0, "{name}");
        assert_eq!(auth.live_refresh_tokens(alice.user_id).await, 0, "{name}");
        assert!(!auth.is_good(&access).await, "{name}");
        assert_eq!(auth.verdict(&alice), "NO_SESSION", "{name}");
        // The first would still be within the grace.
        for token in [&alice.refresh, &next.text_at("/data/refresh/token")] {
            auth.refresh(token).await.must_be(401);
        }
    }
    ask(&auth, "/revoke", &format!("prt_{}", "a".repeat(43))).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_20_a_revoked_token_stays_dead_while_others_of_its_age_are_taken_with_leeway() {
    let (life, leeway) = (Duration::from_secs(1), Duration::from_mins(1));
    let mut auth = with_client_and(|settings| {
        (settings.tokens.jwt_expires_in, settings.tokens.jwt_leeway) = (life, leeway);
    })
    .await;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    ask(&auth, "/revoke", &alice.access).await.must_be(200);
    let expired = auth.clock.now().plus(life);

    // Redis has a clock of its own.
    wait_until("the token has expired for Redis", || {
        let mut redis = auth.redis.connection();
        let (seconds, _): (u64, u64) = redis::cmd("TIME").query(&mut redis).unwrap();
        seconds > expired.seconds()
    });
    assert!(auth.is_good(&bob.access).await);
    assert!(!auth.is_good(&alice.access).await);

    auth.clock.set(expired.plus(leeway / 2));
    auth.redis.kill();
    assert!(auth.is_good(&bob.access).await, "MySQL says so");
    assert!(!auth.is_good(&alice.access).await, "and this");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_public_key_is_shown_while_a_secret_signs() {
    let auth = Service::start().await;
    let answer = send(auth.raw(Method::GET, "/.well-known/jwks.json")).await.must_be(200);
    assert_eq!(answer.json, json!({ "keys": [] }));
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
}

pub(crate) const SECRET: &str = "a secret of the gateway";

pub(crate) async fn with_client() -> Service {
    with_client_and(|_| ()).await
}

async fn with_client_and(adjust: impl FnOnce(&mut Settings)) -> Service {
    Service::with(|settings| {
        settings.tokens.introspection_clients = Some(format!("gateway:{SECRET}").into());
        adjust(settings);
    })
    .await
}

pub(crate) async fn ask(auth: &Service, path: &str, token: &str) -> Answer {
    let request = auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
    send(request.form(&[("token", token), ("token_type_hint", "refresh_token")])).await
}
