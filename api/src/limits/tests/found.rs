//! What was found in use: networks, unknown tokens, sessions, keys without an end.

use super::*;

#[rstest]
#[tokio::test]
async fn f_17_whoever_has_a_48_is_limited_and_takes_nothing_from_neighbours(
    #[values(true, false)] shared: bool,
) {
    let bench = Bench::new(shared, |_| ()).await;
    let admitted = async |network: fn(u32) -> String| {
        let mut admitted = 0;
        for number in 0..40 {
            admitted += u32::from(bench.login(&network(number)).await.is_ok());
        }
        admitted
    };
    assert_eq!(admitted(|_| "2001:db8:1:100::1".into()).await, 3, "one household");
    assert_eq!(admitted(|n| format!("2001:db8:1:1{n:02x}::1")).await, 3, "a /56, and itself");
    assert_eq!(admitted(|n| format!("2001:db8:1:{n:02x}00::1")).await, 6, "a /48, and those two");
    assert_eq!(admitted(|n| format!("2001:db8:2:{n:02x}00::1")).await, 12, "another /48");
    let refusal = bench.login("2001:db8:1:ffff::1").await.unwrap_err();
    assert_eq!((refusal.policy, refusal.quota), ("login", 12));
    bench.pass(refusal.retry_after);
    bench.login("2001:db8:1:ffff::1").await.unwrap();
}

#[tokio::test]
async fn f_17_whoever_goes_on_after_a_refusal_leaves_no_keys_behind() {
    let bench = Bench::new(true, |_| ()).await;
    for number in 0..200_u32 {
        let _refused = bench.login(&format!("2001:db8:1:{number:02x}00::1")).await;
    }
    let mut redis = bench.redis.as_ref().unwrap().connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    // Of the thirteenth is learned that it is one too many.
    assert_eq!(keys.len(), 13 + 13 + 1, "{keys:?}");
}

#[tokio::test]
async fn f_20_the_keys_of_an_account_share_a_slot_and_all_keys_end() {
    let bench = Bench::new(true, |_| ()).await;
    let mut redis = bench.redis.as_ref().unwrap().connection();
    let attempt = bench.attempt(HOME, None).await.unwrap();
    // Its window ends while the password is looked at.
    redis::cmd("FLUSHALL").exec(&mut redis).unwrap();
    let outage = Err::<(), _>("an outage");
    bench.limits.outcome(&attempt, &client(HOME), outage).await.unwrap_err();
    for _ in 0..6 {
        if let Ok(attempt) = bench.attempt(HOME, None).await {
            bench.limits.succeeded(&attempt).await;
        }
    }
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    let keys: Vec<String> = redis::cmd("KEYS").arg("*account*").query(&mut redis).unwrap();
    assert!(keys.len() >= 3, "{keys:?}");
    let tag = |key: &String| key.split(['{', '}']).nth(1).map(str::to_owned);
    assert!(keys.iter().all(|key| tag(key).is_some() && tag(key) == tag(&keys[0])), "{keys:?}");
    for key in keys {
        let ttl_ms: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        assert!(ttl_ms > 0, "{key} {ttl_ms}");
    }
}

#[rstest]
#[tokio::test]
async fn f_20_taking_back_what_has_ended_gives_nobody_a_try_more(
    #[values(true, false)] shared: bool,
) {
    let bench = Bench::new(shared, |_| ()).await;
    for _ in 0..3 {
        let attempt = bench.attempt(HOME, None).await.unwrap();
        bench.pass(Duration::from_hours(25));
        let outage = Err::<(), _>("an outage");
        bench.limits.outcome(&attempt, &client(HOME), outage).await.unwrap_err();
    }
    // Three are free, the fourth shuts the gate behind it.
    for _ in 0..4 {
        bench.attempt(HOME, None).await.unwrap();
    }
    bench.attempt(HOME, None).await.err().expect("one too many");
}

#[rstest]
#[tokio::test]
async fn f_16_a_session_is_counted_by_itself(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |settings| {
        settings.limits.rate_limit_refresh = "3/15m".parse().unwrap();
    })
    .await;
    let sessions = [1, 2].map(|seed| SessionId::random(&Random::seeded(seed)));
    let take =
        async |session| bench.limits.take_in_session(Scope::Refresh, &client(HOME), session).await;
    for _ in 0..3 {
        take(&sessions[0]).await.unwrap();
        take(&sessions[1]).await.unwrap();
    }
    let refusal = take(&sessions[0]).await.unwrap_err();
    assert_eq!((refusal.policy, refusal.quota), ("refresh", 3));
    for _ in 0..3 {
        let told = bench.limits.unknown(Scope::Refresh, &client(HOME), Error::DeadToken).await;
        assert!(matches!(told, Error::DeadToken), "{told:?}");
    }
    let told = bench.limits.unknown(Scope::Refresh, &client(HOME), Error::DeadToken).await;
    assert!(matches!(told, Error::Throttled(_)), "{told:?}");
}

#[tokio::test]
async fn f_16_of_whoever_sent_too_many_unknown_tokens_few_are_looked_up_at_a_time() {
    let bench = Bench::new(false, |_| ()).await;
    let (flooding, other) = (client(HOME), client(ELSEWHERE));
    for _ in 0..3 {
        bench.limits.unknown(Scope::Login, &flooding, Error::DeadToken).await;
    }
    assert!(bench.limits.turn(Scope::Login, &flooding).await.is_none(), "not too many yet");
    bench.limits.unknown(Scope::Login, &flooding, Error::DeadToken).await;
    let turn = async || bench.limits.turn(Scope::Login, &flooding).await;
    let (one, two) = (turn().await, turn().await);
    assert!(one.is_some() && two.is_some());
    let mut third = Box::pin(turn());
    assert!(futures_util::poll!(&mut third).is_pending());
    assert!(bench.limits.turn(Scope::Login, &other).await.is_none(), "others need none");
    drop(one);
    assert!(third.await.is_some());
}

#[rstest]
#[tokio::test]
async fn f_16_what_is_left_is_told_without_counting(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    let told = async || {
        let asking = client(HOME);
        bench.limits.tell(Scope::Login, &asking).await;
        asking.allowance.get().unwrap()
    };
    let untouched = told().await;
    assert_eq!((untouched.left, untouched.resets_in), (3, Duration::from_mins(15)));
    bench.login(HOME).await.unwrap();
    assert_eq!((told().await.left, told().await.left), (2, 2));
}

#[rstest]
#[tokio::test]
async fn f_16_no_stranger_stops_whoever_is_logged_in(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    let session = SessionId::random(&Random::seeded(1));
    let attempt =
        async || bench.limits.attempt_in_session(ALICE, &client(ELSEWHERE), &session).await;
    for _ in 0..4 {
        attempt().await.unwrap();
    }
    attempt().await.err().expect("a session has a count of its own");
}
