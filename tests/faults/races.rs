//! Requests of one user that race each other, in rounds.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::{join, join_all};
use portcullis_tests::{Login, Service, tell};
use serde_json::json;

use crate::talk::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_end_in_one_truth() {
    rounds(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: the full count of rounds"]
async fn racing_requests_end_in_one_truth_a_thousand_times() {
    rounds(1_000).await;
}

async fn rounds(count: usize) {
    // Racing requests queue; on a loaded machine that may take long and proves nothing.
    let auth = Service::with(|settings| {
        settings.stores.db_deadline = Duration::from_secs(30);
        settings.stores.redis_deadline = Duration::from_secs(10);
    })
    .await;
    // First, while the tables are small: MySQL then reads them whole, and who searches locks it all.
    for _ in 0..count {
        no_circle(&auth).await;
    }
    for round in 0..count {
        one_leaf(&auth, &format!("leaf{round}")).await;
        five_live(&auth, &format!("five{round}")).await;
        no_survivor(&auth, &format!("none{round}")).await;
    }
    tell(&format!(
        "races: rounds {count} of each, false alarms 0, sessions beyond the cap 0, survivors 0"
    ));
}

async fn one_leaf(auth: &Service, name: &str) {
    let login = auth.logged_in(name).await;
    let answers = join_all((0..64).map(|_| auth.refresh(&login.refresh))).await;
    let successors: HashSet<String> = answers
        .into_iter()
        .map(|answer| answer.must_be(200).text_at("/data/refresh/token"))
        .collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(auth.live_refresh_tokens(login.user_id).await, 1);
    let alarms = auth.audit_trail(login.user_id).await;
    assert!(!alarms.iter().any(|event| event == "authn_token_reuse"), "{alarms:?}");
}

async fn five_live(auth: &Service, name: &str) {
    let user_id = auth.user(name).await;
    for answer in join_all((0..20).map(|_| auth.log_in(name))).await {
        answer.must_be(200);
    }
    settled(auth);
    assert_eq!(auth.live_sessions(user_id).await, 5);
    assert_eq!(auth.ledger_sessions(user_id).len(), 5);
}

async fn no_survivor(auth: &Service, name: &str) {
    let login: Login = auth.logged_in(name).await;
    let (refreshed, ended) = join(
        auth.refresh(&login.refresh),
        auth.post_as(&login.access, "/logout", json!({ "logout_all": true })),
    )
    .await;
    if ended.must_be(200).json["propagation"] == "pending" {
        settled(auth);
    }
    if refreshed.status == 200 {
        let access = refreshed.text_at("/data/access/token");
        assert!(!auth.is_good(&access).await);
    }
    assert_eq!(auth.live_sessions(login.user_id).await, 0);
    assert!(auth.ledger_sessions(login.user_id).is_empty());
}

/// Logouts of several people, two sessions each: none waits for another so that one must give up.
async fn no_circle(auth: &Service) {
    let mut logins = Vec::new();
    for number in 0..8 {
        logins.push(auth.logged_in(&format!("circle{}", number % 4)).await);
    }
    let ended = logins.iter().map(|login| auth.post_as(&login.access, "/logout", json!({})));
    for answer in join_all(ended).await {
        answer.must_be(200);
    }
}

/// Waits until Redis has heard everything.
fn settled(auth: &Service) {
    eventually("Redis has heard everything", async || auth.settle().await == 0);
}
