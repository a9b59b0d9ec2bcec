//! Refresh tokens of the earlier form, which has a row for each: taken once and exchanged, and handed
//! out while instances of an earlier version share the database.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, Client, Login, PASSWORD, Service};
use serde_json::json;

fn in_earlier_form(settings: &mut Settings) {
    settings.tokens.refresh_token_earlier_form = true;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_earlier_form_is_taken_once_and_exchanged() {
    let mut auth = Service::with(in_earlier_form).await;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    let second = successor(&auth.refresh(&alice.refresh).await.must_be(200));
    assert_eq!([alice.refresh.len(), second.len()], [47, 47]);

    auth.restart_with(|settings| settings.tokens.refresh_token_earlier_form = false).await;

    // What was exchanged before is answered again as it was.
    assert_eq!(successor(&auth.refresh(&alice.refresh).await.must_be(200)), second);
    let third = successor(&auth.refresh(&second).await.must_be(200));
    assert_eq!(third.len(), 74);
    assert_eq!(successor(&auth.refresh(&second).await.must_be(200)), third, "a lost answer");
    let fourth = successor(&auth.refresh(&third).await.must_be(200));
    assert_eq!(auth.live_refresh_tokens(alice.user_id).await, 1);
    let rows = "select count(*) from refresh_tokens where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 3);
    auth.refresh(&second).await.must_be(401);
    auth.refresh(&fourth).await.must_be(401);
    assert_eq!(auth.live_sessions(alice.user_id).await, 0);

    let access = auth.refresh(&bob.refresh).await.must_be(200).text_at("/data/access/token");
    auth.clock.advance(Duration::from_millis(30_001));
    auth.refresh(&bob.refresh).await.must_be(401);
    assert!(!auth.is_good(&access).await, "late, it is a theft");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_exchanges_of_the_earlier_form_all_get_the_same_successor() {
    let mut auth = Service::with(in_earlier_form).await;
    let alice = auth.logged_in("alice").await;
    auth.restart_with(|settings| settings.tokens.refresh_token_earlier_form = false).await;
    let answers = join_all((0..16).map(|_| auth.refresh(&alice.refresh))).await;
    let first = successor(answers.first().unwrap());
    for answer in answers {
        assert_eq!(successor(&answer.must_be(200)), first);
    }
    auth.refresh(&first).await.must_be(200);
    assert_eq!(auth.live_refresh_tokens(alice.user_id).await, 1);
}

/// While an upgrade is rolled out, any instance may be asked next.
#[tokio::test(flavor = "multi_thread")]
async fn instances_that_hand_out_either_form_share_a_database() {
    let present = Service::start().await;
    let earlier = present.another(2, in_earlier_form).await;
    let user_id = present.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let alice: Login = earlier.post("/login-enhanced", body).await.must_be(200).into();
    let mut token = alice.refresh.clone();
    // Whoever exchanges it last says in which form the next one is.
    let steps: [(&Client, usize); 4] =
        [(&earlier, 47), (&present, 74), (&earlier, 74), (&present, 74)];
    for (client, length) in steps {
        let answer = client.refresh(&token).await.must_be(200);
        let next = successor(&answer);
        assert_eq!(next.len(), length);
        for other in [&*earlier, &*present] {
            assert_eq!(successor(&other.refresh(&token).await.must_be(200)), next);
            assert!(other.is_good(&answer.text_at("/data/access/token")).await);
        }
        token = next;
    }
    // The very first comes back, to one that has never seen it.
    present.refresh(&alice.refresh).await.must_be(401);
    for client in [&*earlier, &*present] {
        client.refresh(&token).await.must_be(401);
    }
    assert_eq!(present.live_sessions(user_id).await, 0);
}

fn successor(answer: &Answer) -> String {
    answer.text_at("/data/refresh/token")
}
