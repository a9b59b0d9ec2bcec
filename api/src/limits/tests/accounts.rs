//! Failures of one account.

use super::*;

#[rstest]
#[tokio::test]
async fn each_failure_beyond_the_free_ones_doubles_the_wait(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    for _ in 0..4 {
        bench.attempt(HOME, None).await.unwrap();
    }
    for wait in [1, 2] {
        for _ in 0..3 {
            let refusal = bench.attempt(HOME, None).await.err().unwrap();
            assert_eq!(whole_seconds(refusal.retry_after), wait);
        }
        bench.pass(Duration::from_secs(wait));
        drop(bench.attempt(HOME, None).await);
    }
    let closed = bench.attempt(HOME, None).await.err().unwrap();
    assert!(closed.retry_after > Duration::from_hours(23), "{closed:?}");
}

#[rstest]
#[tokio::test]
async fn guesses_at_the_same_moment_count_and_their_refusals_do_not(
    #[values(true, false)] shared: bool,
) {
    let bench = Bench::new(shared, |_| ()).await;
    let tries = join_all((0..50).map(|_| bench.attempt(HOME, None))).await;
    assert_eq!(tries.iter().filter(|attempt| attempt.is_ok()).count(), 4);
    bench.pass(Duration::from_secs(1));
    bench.attempt(HOME, None).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_success_forgets_the_failures_before_it(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    for _ in 0..20 {
        let attempt = bench.attempt(HOME, None).await.unwrap();
        bench.limits.succeeded(&attempt).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_try_that_nobody_could_check_is_no_failure(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    for _ in 0..20 {
        let attempt = bench.attempt(HOME, None).await.unwrap();
        let unknown = Err::<(), _>("an outage");
        let told = bench.limits.outcome(&attempt, &Client::operator(), unknown).await;
        assert_eq!(told, unknown);
    }
}

#[rstest]
#[tokio::test]
async fn no_stranger_locks_a_known_device_out(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    let owner = bench.attempt(HOME, None).await.unwrap();
    bench.limits.succeeded(&owner).await;
    let cookie = bench.limits.device_cookie(ALICE, [7; 16]);
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    assert!(bench.attempt("198.51.100.2", None).await.is_err(), "strangers share one count");
    bench.attempt(HOME, None).await.unwrap();
    bench.attempt(ELSEWHERE, Some(&cookie)).await.unwrap();
}

#[tokio::test]
async fn a_device_cookie_of_another_account_or_maker_is_worth_nothing() {
    let bench = Bench::new(false, |_| ()).await;
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    let others = bench.limits.device_cookie("bob@example.com", [7; 16]);
    for cookie in [others.as_str(), "", ".", "AAAA.AAAA", &"A".repeat(1000)] {
        assert!(bench.attempt(ELSEWHERE, Some(cookie)).await.is_err(), "{cookie:.20}");
    }
}

#[tokio::test]
async fn proof_by_mail_lets_strangers_try_again() {
    let bench = Bench::new(false, |_| ()).await;
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    bench.limits.forgive(ALICE).await;
    bench.attempt(ELSEWHERE, None).await.unwrap();
}

#[tokio::test]
async fn what_stands_in_redis_ends_by_itself_and_names_nobody() {
    let bench = Bench::new(true, |_| ()).await;
    bench.login(HOME).await.unwrap();
    for _ in 0..6 {
        if let Ok(attempt) = bench.attempt(HOME, None).await {
            bench.limits.succeeded(&attempt).await;
        }
    }
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    let mut redis = bench.redis.as_ref().unwrap().connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    assert!(keys.len() >= 4, "{keys:?}");
    for key in keys {
        let ttl_ms: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        assert!(ttl_ms > 0 && !key.contains("alice"), "{key} {ttl_ms}");
    }
}
