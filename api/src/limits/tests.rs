//! Each rule twice: counted by a real Redis, and by this process alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::Redis;
use rstest::rstest;

use super::*;
use crate::base::allowance::whole_seconds;
use crate::base::clock::Timestamp;
use crate::base::device::Device;

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.1";
const ALICE: &str = "alice@example.com";
/// Nothing listens here.
const AWAY: &str = "redis://127.0.0.1:1";

/// Limiter to try, the clock they go by, and the Redis that must outlive them.
struct Bench {
    limits: Limiter,
    clock: Clock,
    redis: Option<Redis>,
}

impl Bench {
    fn new(shared: bool, change: impl FnOnce(&mut Settings)) -> Self {
        let redis = shared.then(|| Redis::options().without_module().start());
        let url = redis.as_ref().map_or(AWAY.to_owned(), Redis::url);
        let mut settings = Settings::for_tests("mysql://unused", &url);
        settings.limits.rate_limit_login = "3/15m".parse().unwrap();
        settings.limits.account_free_failures = 3;
        settings.limits.account_max_failures = 5;
        change(&mut settings);
        let clock = Clock::manual(Timestamp(1_800_000_000_000));
        Self { limits: Limiter::new(&settings, clock.clone()).unwrap(), clock, redis }
    }

    async fn login(&self, ip: &str) -> Result<(), Throttled> {
        self.limits.count(Scope::Login, ip.parse().unwrap()).await.map(drop)
    }

    async fn attempt(&self, ip: &str, cookie: Option<&str>) -> Result<Attempt, Throttled> {
        let device = Device::unrecorded();
        let who =
            Who { email: ALICE, ip: ip.parse().unwrap(), device: &device, device_cookie: cookie };
        let attempt = self.limits.accounts.attempt(&self.limits.store, &who).await;
        self.limits.accounts.admit(&self.limits.store, &attempt).await?;
        Ok(attempt)
    }

    /// Lets time pass for whoever counts.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        if let Some(redis) = &self.redis {
            redis.age(time);
        }
    }
}

#[rstest]
#[tokio::test]
async fn one_too_many_is_refused_until_the_window_ends(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
    for _ in 0..3 {
        bench.login(HOME).await.unwrap();
    }
    let refusal = bench.login(HOME).await.unwrap_err();
    assert_eq!(
        (refusal.policy, refusal.quota, refusal.window),
        ("login", 3, Duration::from_mins(15))
    );
    bench.login(ELSEWHERE).await.unwrap();
    bench.limits.count(Scope::Refresh, HOME.parse().unwrap()).await.unwrap();
    bench.pass(refusal.retry_after);
    bench.login(HOME).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn no_number_of_requests_at_once_gets_more_through(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
    let verdicts = join_all((0..50).map(|_| bench.login(HOME))).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 3);
}

#[tokio::test]
async fn instances_share_one_count() {
    let one = Bench::new(true, |_| ());
    let url = one.redis.as_ref().unwrap().url();
    let other = Bench::new(false, |settings| settings.stores.redis_url = Some(url.into()));
    for bench in [&one, &other, &one] {
        bench.login(HOME).await.unwrap();
    }
    assert!(other.login(HOME).await.is_err());
}

#[tokio::test]
async fn a_network_of_ipv6_counts_as_one_client() {
    let bench = Bench::new(false, |_| ());
    for ip in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
        bench.login(ip).await.unwrap();
    }
    assert!(bench.login("2001:db8::4").await.is_err());
    bench.login("2001:db8:0:1::4").await.unwrap();
}

#[tokio::test]
async fn nothing_is_counted_where_the_operator_says_so() {
    let bench = Bench::new(false, |settings| {
        settings.server.trusted_ip = "203.0.113.0/24".parse().unwrap();
        settings.limits.rate_limit_refresh = Limit::Off;
    });
    for _ in 0..10 {
        bench.login(HOME).await.unwrap();
        bench.limits.count(Scope::Refresh, ELSEWHERE.parse().unwrap()).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn each_failure_beyond_the_free_ones_doubles_the_wait(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
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
    let bench = Bench::new(shared, |_| ());
    let tries = join_all((0..50).map(|_| bench.attempt(HOME, None))).await;
    assert_eq!(tries.iter().filter(|attempt| attempt.is_ok()).count(), 4);
    bench.pass(Duration::from_secs(1));
    bench.attempt(HOME, None).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn later_requests_do_not_prolong_the_window(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
    bench.login(HOME).await.unwrap();
    bench.pass(Duration::from_mins(10));
    bench.login(HOME).await.unwrap();
    bench.login(HOME).await.unwrap();
    let refusal = bench.login(HOME).await.unwrap_err();
    assert!(refusal.retry_after <= Duration::from_mins(5), "{refusal:?}");
}

#[rstest]
#[tokio::test]
async fn a_success_forgets_the_failures_before_it(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
    for _ in 0..20 {
        let attempt = bench.attempt(HOME, None).await.unwrap();
        bench.limits.succeeded(&attempt).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_try_that_nobody_could_check_is_no_failure(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ());
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
    let bench = Bench::new(shared, |_| ());
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
    let bench = Bench::new(false, |_| ());
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    let others = bench.limits.device_cookie("bob@example.com", [7; 16]);
    for cookie in [others.as_str(), "", ".", "AAAA.AAAA", &"A".repeat(1000)] {
        assert!(bench.attempt(ELSEWHERE, Some(cookie)).await.is_err(), "{cookie:.20}");
    }
}

#[tokio::test]
async fn proof_by_mail_lets_strangers_try_again() {
    let bench = Bench::new(false, |_| ());
    while bench.attempt(ELSEWHERE, None).await.is_ok() {}
    bench.limits.forgive(ALICE).await;
    bench.attempt(ELSEWHERE, None).await.unwrap();
}

#[tokio::test]
async fn what_stands_in_redis_ends_by_itself_and_names_nobody() {
    let bench = Bench::new(true, |_| ());
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

#[tokio::test]
async fn an_outage_of_redis_neither_stops_nor_opens_and_heals() {
    let mut bench = Bench::new(true, |_| ());
    bench.redis.as_mut().unwrap().stop();
    for _ in 0..3 {
        bench.login(HOME).await.unwrap();
    }
    assert!(bench.login(HOME).await.is_err());
    bench.redis.as_mut().unwrap().start_again();
    bench.clock.advance(Duration::from_secs(2));
    bench.login(HOME).await.unwrap();
    let mut redis = bench.redis.as_ref().unwrap().connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*login*").query(&mut redis).unwrap();
    assert_eq!(keys, ["portcullis:limit:login:203.0.113.7/32"]);
}

#[tokio::test]
async fn a_process_alone_keeps_no_more_counts_than_it_can_hold() {
    let bench = Arc::new(Bench::new(false, |_| ()));
    for network in 0..100_010_u32 {
        let ip = std::net::Ipv4Addr::from(network).into();
        bench.limits.count(Scope::Login, ip).await.unwrap();
    }
    assert!(bench.limits.store.held() <= 100_000);
}
