//! Requests of one user that race each other, in rounds.

use std::collections::HashSet;

use futures_util::future::{join, join_all};
use portcullis_tests::{Login, Service};
use serde_json::json;

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
    let auth = Service::start().await;
    for round in 0..count {
        one_leaf(&auth, &format!("leaf{round}")).await;
        five_live(&auth, &format!("five{round}")).await;
        no_survivor(&auth, &format!("none{round}")).await;
    }
    println!("races: rounds {count}, false alarms 0, sessions beyond the cap 0, survivors 0");
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
    auth.settle().await;
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
    ended.must_be(200);
    if refreshed.status == 200 {
        let access = refreshed.text_at("/data/access/token");
        assert!(!auth.is_good(&access).await);
    }
    assert_eq!(auth.live_sessions(login.user_id).await, 0);
    assert!(auth.ledger_sessions(login.user_id).is_empty());
}
