//! Ledgers are filled in while people log out.

use std::sync::Arc;
use std::time::Duration;

use portcullis_api::hydrate::{self, Extent};
use portcullis_tests::{Login, MariaDb, Redis, Service};
use serde_json::json;
use tokio::sync::Notify;

use crate::proxy::{Proxy, Wound};
use crate::talk::{agree, ask, ready};

/// By somebody whose words take so long to reach Redis that many logouts overtake them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_logs_out_while_ledgers_are_filled_is_revived_for_a_moment() {
    let redis = Redis::options().tcp().start();
    let database = MariaDb::shared().fresh_database("filling");
    let auth = Service::on(redis, &database, |settings| {
        // On a busy machine Redis must not seem to be wounded.
        settings.stores.redis_deadline = Duration::from_secs(5);
    })
    .await;
    ready(&auth);
    let mut people = Vec::new();
    for number in 0..40 {
        let name = format!("user{number}");
        people.push((auth.logged_in(&name).await, auth.logged_in(&name).await));
    }
    let slow = Proxy::before(auth.redis.port());
    slow.inflict(Wound::Lag(Duration::from_millis(200)));
    let beside = auth.another(2, |settings| {
        settings.stores.redis_url = Some(format!("redis://127.0.0.1:{}", slow.port).into());
    });
    let beside = beside.await;
    // One token is revoked, and its telling comes just before that of the sessions.
    auth.post_as(&people[0].0.access, "/logout", json!({})).await.must_be(200);
    let (app, told) = (beside.app.clone(), Arc::new(Notify::new()));
    let tell = told.clone();
    let filling = tokio::spawn(async move {
        let report = move |_: &hydrate::Counts| tell.notify_one();
        let filled = hydrate::bring_up_to_date(&app, Extent::Everything, &report).await;
        filled.unwrap().expect("everything is told")
    });
    told.notified().await;
    let mut gone: Vec<&Login> = Vec::new();
    for (other, login) in &people[1..] {
        if filling.is_finished() {
            break;
        }
        // From another session, so that the token is not revoked by itself.
        let path = format!("/sessions/{}", login.session);
        let answer = auth.delete_as(&other.access, &path).await.must_be(200);
        assert_eq!(answer.json.get("propagation"), None, "Redis has it");
        gone.push(login);
        for login in &gone {
            assert_ne!(ask(&auth, login), "OK", "after {} logouts", gone.len());
        }
    }
    let counts = filling.await.unwrap();
    agree(&auth).await;
    assert!(gone.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    assert!(people[1 + gone.len()..].iter().all(|(_, login)| ask(&auth, login) == "OK"));
    println!("ledgers filled ({counts}) while {} logged out: revived 0", gone.len());
}
