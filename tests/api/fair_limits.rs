//! Limits hit those whom they mean, and nobody beside them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, PASSWORD, Service, send, wait_until};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

const NEW: &str = "seven new words for an old gate";
/// Looks like a token and is nobody's.
const JUNK_OF_MAILS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const JUNK: &str = "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const FLOOD: &str = "198.51.100.9";

/// A service that believes what its clients say of their addresses.
async fn service(adjust: impl FnOnce(&mut Settings)) -> Service {
    Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
        adjust(settings);
    })
    .await
}

async fn from(auth: &Service, ip: &str, path: &str, body: Value) -> Answer {
    let request = auth.request(Method::POST, path).json(&body);
    send(request.header("x-forwarded-for", ip)).await
}

/// Sends it until it is one too many, and tells how often it was not.
async fn until_refused(mut sent: impl AsyncFnMut() -> Answer) -> usize {
    for number in 0..100 {
        let answer = sent().await;
        if answer.status == 429 {
            return number;
        }
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    panic!("nothing was one too many")
}

#[tokio::test(flavor = "multi_thread")]
async fn f_16_no_limit_refuses_whoever_ends_something_with_a_token_of_theirs() {
    let auth = Service::with(|settings| {
        settings.limits.rate_limit_logout = "2/1h".parse().unwrap();
        settings.limits.rate_limit_refresh = "2/1h".parse().unwrap();
        settings.limits.rate_limit_mail = "3/1h".parse().unwrap();
    })
    .await;
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(auth.logged_in(&format!("user{number}")).await);
    }
    let other = auth.logged_in("user3").await;
    auth.post("/forgot-password", json!({ "email": "user7@example.com" })).await.must_be(200);
    let mailed = auth.mailed_token(0);

    let log_out = async |token: &str| auth.post_as(token, "/logout", json!({})).await;
    let reset = |token: &str| json!({ "token": token, "new_password": NEW });
    assert_eq!(until_refused(async || log_out("no.token.ofours").await).await, 2);
    assert_eq!(until_refused(async || auth.refresh(JUNK).await).await, 2);
    let junk = reset(JUNK_OF_MAILS);
    assert_eq!(until_refused(async || auth.post("/reset-password", junk.clone()).await).await, 2);

    for person in &people[..3] {
        log_out(&person.access).await.must_be(200);
        log_out(&person.access).await.must_be(401);
    }
    let session = format!("/sessions/{}", other.session);
    auth.delete_as(&people[3].access, &session).await.must_be(200);
    auth.delete_as(&people[3].access, "/sessions").await.must_be(200);
    auth.post_as(&people[4].access, "/logout-all-devices", json!({})).await.must_be(200);
    let own = json!({ "refresh_token": people[5].refresh });
    auth.post_as(&people[5].access, "/revoke-refresh-token", own).await.must_be(200);
    auth.refresh(&people[6].refresh).await.must_be(200);
    auth.post("/reset-password", reset(&mailed)).await.must_be(200);
    let used = auth.post("/reset-password", reset(&mailed)).await;
    assert_ne!(used.status, 429, "it was somebody's: {used:?}");
    // Time has not passed for the limits.
    auth.clock.advance(Duration::from_mins(16));
    log_out(&people[6].access).await.must_be(401);
    log_out("no.token.ofours").await.must_be(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_16_people_behind_one_address_do_not_use_up_each_others_refreshes() {
    let auth = Service::with(|settings| {
        settings.limits.rate_limit_refresh = "3/15m".parse().unwrap();
    })
    .await;
    let mut tokens = Vec::new();
    for number in 0..6 {
        tokens.push(auth.logged_in(&format!("user{number}")).await.refresh);
    }
    for left in [2, 1, 0] {
        for token in &mut tokens {
            let answer = auth.refresh(token).await.must_be(200);
            assert_eq!(answer.header("ratelimit-policy"), r#""refresh";q=3;w=900"#);
            assert!(answer.header("ratelimit").starts_with(&format!(r#""refresh";r={left};"#)));
            *token = answer.text_at("/data/refresh/token");
        }
    }
    auth.refresh(&tokens[0]).await.must_be(429);
    assert_eq!(until_refused(async || auth.refresh(JUNK).await).await, 3, "junk has its own count");
    auth.clock.advance(Duration::from_mins(15));
    auth.redis.age(Duration::from_mins(15));
    auth.refresh(&tokens[0]).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_16_junk_counts_against_whoever_sends_it() {
    let auth = service(|settings| {
        settings.limits.rate_limit_refresh = "5/15m".parse().unwrap();
    })
    .await;
    for junk in [JUNK, "junk"] {
        let junk = json!({ "refresh_token": junk });
        until_refused(async || from(&auth, FLOOD, "/refresh", junk.clone()).await).await;
        from(&auth, "203.0.113.7", "/refresh", junk).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_16_strangers_do_not_keep_an_owner_from_changing_the_password() {
    let auth = service(|settings| {
        settings.limits.account_free_failures = 5;
        settings.limits.account_max_failures = 5;
    })
    .await;
    let alice = auth.logged_in("alice").await;
    auth.redis.age(Duration::from_hours(24 * 90)); // the network and browser are forgotten
    let guess = json!({ "email": "alice@example.com", "password": "a guess of a stranger" });
    until_refused(async || from(&auth, FLOOD, "/login-enhanced", guess.clone()).await).await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    auth.post_as(&alice.access, "/change-password", change).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_17_an_address_a_try_does_not_get_round_the_limit() {
    let auth = service(|settings| {
        settings.limits.rate_limit_login = "5/15m".parse().unwrap();
        settings.limits.rate_limit_refresh = "4/15m".parse().unwrap();
    })
    .await;
    let mut number = 0;
    let mut anew = || {
        number += 1;
        format!("2001:db8:1:{number:x}00::1")
    };
    let junk = json!({ "refresh_token": JUNK });
    let refreshed = until_refused(async || from(&auth, &anew(), "/refresh", junk.clone()).await);
    assert_eq!(refreshed.await, 16);
    for turn in 0..30 {
        let body = json!({ "email": format!("user{turn}@example.com"), "password": "not theirs" });
        let expected = if turn < 20 { 401 } else { 429 };
        from(&auth, &anew(), "/login-enhanced", body).await.must_be(expected);
    }
    let body = json!({ "email": "user@example.com", "password": "not theirs" });
    from(&auth, "2001:db8:2::1", "/login-enhanced", body).await.must_be(401);
}

/// Strangers who try to log in, each from a network of their own.
#[derive(Default)]
struct Flood {
    over: AtomicBool,
    number: AtomicU32,
    /// The networks of those for whom there was no room.
    refused: Mutex<HashSet<String>>,
}

impl Flood {
    async fn run(self: Arc<Self>, request: RequestBuilder) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let ip = format!("2001:db8:{number:x}::");
            let body = json!({ "email": format!("user{number}@example.com"), "password": "x" });
            let request = request.try_clone().unwrap().header("x-forwarded-for", &ip);
            if send(request.json(&body)).await.status == 503 {
                self.refused.lock().unwrap().insert(format!("{ip}/64"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f_17_owners_log_in_while_strangers_fill_the_queue_and_these_leave_nothing_behind() {
    let auth = service(|settings| {
        settings.limits.rate_limit_login = "100000/15m".parse().unwrap();
        (settings.accounts.password_workers, settings.accounts.password_queue) = (1, 1);
        (settings.accounts.password_memory_kib, settings.accounts.password_iterations) =
            (19_456, 4);
    })
    .await;
    auth.user("alice").await;
    let cookie = auth.log_in("alice").await.must_be(200).header("set-cookie").to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();

    let flood = Arc::new(Flood::default());
    let strangers: Vec<_> = (0..6)
        .map(|_| tokio::spawn(flood.clone().run(auth.request(Method::POST, "/login-enhanced"))))
        .collect();
    tokio::task::block_in_place(|| {
        wait_until("strangers are refused", || !flood.refused.lock().unwrap().is_empty());
    });
    for _ in 0..10 {
        let body = json!({ "email": "alice@example.com", "password": PASSWORD });
        let request = auth.request(Method::POST, "/login-enhanced").header("cookie", &cookie);
        send(request.json(&body)).await.must_be(200);
    }
    flood.over.store(true, Ordering::Relaxed);
    for stranger in strangers {
        stranger.await.unwrap();
    }
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("portcullis:limit:login:*")
        .query(&mut auth.redis.connection())
        .unwrap();
    let refused = flood.refused.lock().unwrap();
    let counted: Vec<_> = refused
        .iter()
        .filter(|network| keys.contains(&format!("portcullis:limit:login:{network}")))
        .collect();
    assert!(counted.is_empty(), "{counted:?} of {}", refused.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn f_19_who_has_a_hash_that_is_too_dear_is_told_what_a_wrong_password_is_told() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap().replacen("$04$", "$17$", 1);
    let argon2 = "$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
                  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let wrong = json!({ "email": "alice@example.com", "password": "not the right one" });
    let expected = auth.post("/login-enhanced", wrong).await.must_be(401);
    for hash in [&bcrypt, argon2] {
        sqlx::query("update users set password_hash = ?")
            .bind(hash)
            .execute(auth.db())
            .await
            .unwrap();
        auth.app.passwords.look_for_old_hashes(auth.db()).await.unwrap();
        let before = auth.app.passwords.work();
        for _ in 0..4 {
            let refused = auth.log_in("alice").await.must_be(401);
            assert_eq!(refused.text, expected.text);
        }
        let after = auth.app.passwords.work();
        assert_eq!(after.bcrypt, before.bcrypt, "nobody waits for such a hash");
        assert_eq!(after.argon2id, before.argon2id + 4, "as without an account");
    }
    auth.post("/forgot-password", json!({ "email": "alice@example.com" })).await.must_be(200);
    let reset = json!({ "token": auth.mailed_token(0), "new_password": NEW });
    auth.post("/reset-password", reset).await.must_be(200);
    let body = json!({ "email": "alice@example.com", "password": NEW });
    auth.post("/login-enhanced", body).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_19_what_is_evened_out_is_no_dearer_than_what_a_login_may_cost() {
    let auth = Service::start().await;
    for (name, cost) in [("cheap", "$05$"), ("dear", "$17$")] {
        let hash = bcrypt::hash(PASSWORD, 4).unwrap().replacen("$04$", cost, 1);
        let user = auth.user(name).await;
        let update = sqlx::query("update users set password_hash = ? where id = ?");
        update.bind(hash).bind(user).execute(auth.db()).await.unwrap();
    }
    auth.app.passwords.look_for_old_hashes(auth.db()).await.unwrap();
    for name in ["nobody", "dear"] {
        let before = auth.app.passwords.work();
        auth.log_in(name).await.must_be(401);
        let after = auth.app.passwords.work();
        let work = (after.argon2id - before.argon2id, after.bcrypt - before.bcrypt);
        assert_eq!(work, (1, 1), "{name}");
    }
}
