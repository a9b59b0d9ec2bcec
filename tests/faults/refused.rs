//! Redis answers, but takes no changes: what is ended waits, and whoever ends it is told so.

use portcullis_tests::{Answer, Service, send};
use reqwest::Method;

use crate::endpoints::INTROSPECTOR;
use crate::stage::stage;
use crate::talk::{agree, ask, eventually};

fn replicas_needed(auth: &Service, number: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("min-replicas-to-write").arg(number);
    set.exec(&mut auth.redis.connection()).unwrap();
}

async fn revoke(auth: &Service, token: &str) -> Answer {
    let (name, secret) = INTROSPECTOR.split_once(':').unwrap();
    let request = auth.request(Method::POST, "/revoke").basic_auth(name, Some(secret));
    send(request.form(&[("token", token)])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_answered_200_only_when_redis_has_confirmed_it() {
    let stage = stage(|settings| settings.tokens.introspection_clients = Some(INTROSPECTOR.into()));
    let auth = &stage.await.auth;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    agree(auth).await;
    replicas_needed(auth, "1");
    // The second time it is dead already.
    for token in [&alice.access, &alice.access, &bob.refresh, &bob.refresh] {
        let answer = revoke(auth, token).await.must_be(503);
        assert_eq!(answer.json["error"], "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(!auth.is_good(&alice.access).await && !auth.is_good(&bob.access).await);
    assert_eq!(ask(auth, &alice), "OK", "Redis does not know yet");
    revoke(auth, "unknown").await.must_be(200);

    replicas_needed(auth, "0");
    eventually("it is confirmed", async || revoke(auth, &alice.access).await.status == 200);
    assert_eq!(ask(auth, &alice), "REVOKED");
    eventually("so is the other", async || revoke(auth, &bob.refresh).await.status == 200);
    assert_ne!(ask(auth, &bob), "OK");
}
