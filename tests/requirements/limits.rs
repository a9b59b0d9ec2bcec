//! How often one may try, and what is said about it.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_api::settings::Limit;
use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::json;
use sfv::{BareItem, Item, List, ListEntry, Parser};

use crate::site::own;

/// Lets time pass for the service and for what Redis counts.
fn pass(auth: &Service, time: Duration) {
    auth.clock.advance(time);
    auth.redis.age(time);
}

async fn three_logins() -> Option<Service> {
    let auth = own(|settings| {
        settings.limits.rate_limit_login =
            Limit::Quota { quota: 3, window: Duration::from_mins(15) };
    })
    .await?;
    auth.user("alice").await;
    Some(auth)
}

/// The one member of a list of structured fields (RFC 9651), with its parameters.
fn only_member(answer: &Answer, name: &str) -> Item {
    let list: List = Parser::new(answer.header(name)).parse().unwrap();
    let [ListEntry::Item(item)] = &list[..] else { panic!("{name}: {list:?}") };
    item.clone()
}

fn parameter(item: &Item, name: &str) -> u64 {
    let Some(BareItem::Integer(number)) = item.params.get(name) else {
        panic!("{name} is no integer: {item:?}")
    };
    u64::try_from(i64::from(*number)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r_49_a_refusal_says_in_structured_fields_when_to_come_back_and_that_is_true() {
    let Some(auth) = three_logins().await else { return };
    for left in [2, 1, 0] {
        let answer = auth.log_in("alice").await.must_be(200);
        assert_eq!(parameter(&only_member(&answer, "ratelimit"), "r"), left);
        assert!(!answer.headers.contains_key("retry-after"));
    }
    let refused = auth.log_in("alice").await.must_be(429);
    assert_eq!(
        refused.json["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    let (policy, standing) =
        (only_member(&refused, "ratelimit-policy"), only_member(&refused, "ratelimit"));
    assert_eq!(policy.bare_item, standing.bare_item, "both name one policy");
    assert_eq!((parameter(&policy, "q"), parameter(&policy, "w")), (3, 900));
    assert_eq!(parameter(&standing, "r"), 0);
    for item in [&policy, &standing] {
        assert!(!item.params.contains_key("pk"), "nobody is told how clients are counted");
    }
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(wait >= parameter(&standing, "t") && wait <= 900);
    pass(&auth, Duration::from_secs(wait));
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_48_a_client_cannot_pretend_to_be_another() {
    let Some(auth) = three_logins().await else { return };
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let headers = [
        ("x-forwarded-for", "203.0.113.1"),
        ("forwarded", "for=203.0.113.2"),
        ("x-real-ip", "203.0.113.3"),
        ("x-forwarded-for", "203.0.113.4, 127.0.0.1"),
        ("cf-connecting-ip", "203.0.113.5"),
        ("x-client-ip", "203.0.113.6"),
    ];
    for (number, (name, value)) in headers.into_iter().enumerate() {
        let request = auth.request(Method::POST, "/login-enhanced").json(&body);
        let answer = send(request.header(name, value)).await;
        assert_eq!(answer.status, if number < 3 { 200 } else { 429 }, "{name}");
        if number < 3 {
            assert_eq!(answer.json["data"]["session"]["ip_address"], "127.0.0.1");
        }
    }
}

async fn guess(auth: &Service) -> Answer {
    let body = json!({ "email": "alice@example.com", "password": "a guess of a stranger" });
    auth.post("/login-enhanced", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r_47_bug_17_after_100_failures_strangers_are_refused_and_the_owner_is_not() {
    let Some(auth) = own(|settings| settings.limits.account_free_failures = 100).await else {
        return;
    };
    auth.user("alice").await;
    let known = auth.log_in("alice").await.must_be(200);
    let cookie = known.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-device="), "{cookie}");
    auth.redis.age(Duration::from_hours(24 * 90)); // the network and browser are forgotten

    for answer in join_all((0..50).map(|_| guess(&auth))).await {
        answer.must_be(401);
    }
    for _ in 0..50 {
        guess(&auth).await.must_be(401);
    }
    let refused = guess(&auth).await.must_be(429);
    let policy = only_member(&refused, "ratelimit-policy");
    assert_eq!(parameter(&policy, "q"), 100, "those at one moment count one by one");
    auth.log_in("alice").await.must_be(429);

    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let request = auth.request(Method::POST, "/login-enhanced").header("cookie", cookie);
    send(request.json(&body)).await.must_be(200);
    pass(&auth, Duration::from_hours(24));
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_47_a_success_forgets_the_failures_before_it() {
    let Some(auth) = own(|settings| {
        settings.limits.account_free_failures = 5;
        settings.limits.account_max_failures = 5;
    })
    .await
    else {
        return;
    };
    auth.user("alice").await;
    for _ in 0..3 {
        for _ in 0..4 {
            guess(&auth).await.must_be(401);
        }
        auth.log_in("alice").await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_17_instances_count_together() {
    let Some(one) = three_logins().await else { return };
    let (redis, database) = (one.redis.url(), one.app.settings.stores.database_url.clone());
    let other = own(|settings| {
        settings.stores.redis_url = Some(redis.into());
        settings.stores.database_url = database;
        settings.limits = one.app.settings.limits.clone();
    })
    .await
    .unwrap();
    for auth in [&one, &other, &one] {
        auth.log_in("alice").await.must_be(200);
    }
    other.log_in("alice").await.must_be(429);
    one.log_in("alice").await.must_be(429);
}
