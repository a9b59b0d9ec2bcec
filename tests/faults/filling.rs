//! Ledgers are filled in while people log out.

use std::time::Duration;

use portcullis_api::ledger::hydrate;
use portcullis_api::ledger::hydrate::Extent;
use portcullis_tests::{Database, Login, Redis, Service};

use crate::proxy::{Proxy, Wound};
use crate::talk::{agree, ask, calls, eventually, ready};

/// By somebody whose words take so long to reach Redis that many logouts overtake them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_logs_out_while_ledgers_are_filled_is_revived_for_a_moment() {
    let redis = Redis::options().tcp().start();
    let database = Database::shared().fresh_database("filling");
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
    let asked_before = times_asked(&auth);
    let app = beside.app.clone();
    let filling = tokio::spawn(async move {
        let filled = hydrate::bring_all_up_to_date(&app.ledgers, Extent::Everything, &|_| {}).await;
        filled.unwrap().expect("everything is told")
    });
    // Once for the watermarks, and then just before the sessions are read.
    eventually("sessions are read", async || times_asked(&auth) >= asked_before + 2);
    let mut gone: Vec<&Login> = Vec::new();
    let mut people_left = people.iter();
    while !filling.is_finished() {
        if let Some((other, login)) = people_left.next() {
            // From another session, so that the token is not revoked by itself.
            let path = format!("/sessions/{}", login.session);
            let answer = auth.delete_as(&other.access, &path).await.must_be(200);
            assert_eq!(answer.json.get("propagation"), None, "Redis has it");
            gone.push(login);
        }
        for login in &gone {
            assert_ne!(ask(&auth, login), "OK", "after {} logouts", gone.len());
        }
    }
    let counts = filling.await.unwrap();
    agree(&auth).await;
    assert!(gone.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    assert!(people_left.all(|(_, login)| ask(&auth, login) == "OK"));
    println!("ledgers filled ({counts}) while {} logged out: revived 0", gone.len());
}

/// How often Redis has been asked for its time.
fn times_asked(auth: &Service) -> usize {
    calls(&mut auth.redis.connection(), "time")
}
