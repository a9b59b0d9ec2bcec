//! Each rule twice: counted by a real Redis, and by this process alone.

mod accounts;
mod found;

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::Redis;
use rstest::rstest;
use secrecy::ExposeSecret as _;

use super::*;
use crate::base::allowance::whole_seconds;
use crate::base::background::Background;
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::ledger::ledgers::Surroundings;
use crate::ledger::roster;
use crate::sessions::activity;
use crate::store::database::Store;

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.1";
const ALICE: &str = "alice@example.com";
/// Nothing listens here.
const AWAY: &str = "redis://127.0.0.1:1";

/// Limiter to try, the clock they go by, and the Redis that must outlive them.
struct Bench {
    limits: Limiter,
    ledgers: Ledgers,
    clock: Clock,
    redis: Option<Redis>,
}

impl Bench {
    async fn new(shared: bool, change: impl FnOnce(&mut Settings)) -> Self {
        let redis = shared.then(|| Redis::options().without_module().start());
        let url = redis.as_ref().map_or(AWAY.to_owned(), Redis::url);
        let mut settings = Settings::for_tests("mysql://unused", &url);
        settings.limits.rate_limit_login = "3/15m".parse().unwrap();
        settings.limits.account_free_failures = 3;
        settings.limits.account_max_failures = 5;
        change(&mut settings);
        let clock = Clock::manual(Timestamp(1_800_000_000_000));
        let around = Surroundings {
            store: Store::new(&settings.stores).unwrap(),
            clock: clock.clone(),
            random: Random::seeded(1),
            background: Background::new(settings.stores.answer_deadline()),
        };
        let uses = activity::uses(&settings.sessions);
        let ledgers = Ledgers::new(&settings.stores, uses, around).unwrap();
        tokio::spawn(roster::run(ledgers.clone()));
        let limits = Limiter::new(&settings, ledgers.clone(), clock.clone());
        let bench = Self { limits, ledgers, clock, redis };
        if settings.stores.redis_url().expose_secret() != AWAY {
            bench.connected().await;
        }
        bench
    }

    /// Waits until Redis can be asked.
    async fn connected(&self) {
        let ping = || async {
            self.ledgers.ask_beside::<(String,)>("any", redis::pipe().cmd("PING")).await.is_err()
        };
        let patience = Duration::from_mins(1);
        let answered = async {
            while ping().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, answered).await.expect("Redis can be asked");
    }

    async fn login(&self, ip: &str) -> Result<(), Throttled> {
        self.limits.count(Scope::Login, ip.parse().unwrap()).await.map(drop)
    }

    async fn attempt(&self, ip: &str, cookie: Option<&str>) -> Result<Attempt, Throttled> {
        self.limits.attempt(ALICE, &client(ip), cookie).await
    }

    /// Lets time pass for whoever counts.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        if let Some(redis) = &self.redis {
            redis.age(time);
        }
    }
}

fn client(ip: &str) -> Client {
    Client { ip: ip.parse().unwrap(), ..Client::operator() }
}

#[rstest]
#[tokio::test]
async fn one_too_many_is_refused_until_the_window_ends(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
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
    let bench = Bench::new(shared, |_| ()).await;
    let verdicts = join_all((0..50).map(|_| bench.login(HOME))).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 3);
}

#[tokio::test]
async fn instances_share_one_count() {
    let one = Bench::new(true, |_| ()).await;
    let url = one.redis.as_ref().unwrap().url();
    let other = Bench::new(false, |settings| settings.stores.redis_url = Some(url.into())).await;
    for bench in [&one, &other, &one] {
        bench.login(HOME).await.unwrap();
    }
    assert!(other.login(HOME).await.is_err());
}

#[tokio::test]
async fn a_network_of_ipv6_counts_as_one_client() {
    let bench = Bench::new(false, |_| ()).await;
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
    })
    .await;
    for _ in 0..10 {
        bench.login(HOME).await.unwrap();
        bench.limits.count(Scope::Refresh, ELSEWHERE.parse().unwrap()).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn later_requests_do_not_prolong_the_window(#[values(true, false)] shared: bool) {
    let bench = Bench::new(shared, |_| ()).await;
    bench.login(HOME).await.unwrap();
    bench.pass(Duration::from_mins(10));
    bench.login(HOME).await.unwrap();
    bench.login(HOME).await.unwrap();
    let refusal = bench.login(HOME).await.unwrap_err();
    assert!(refusal.retry_after <= Duration::from_mins(5), "{refusal:?}");
}

#[tokio::test]
async fn an_outage_of_redis_neither_stops_nor_opens_and_heals() {
    let mut bench = Bench::new(true, |_| ()).await;
    bench.redis.as_mut().unwrap().stop();
    for _ in 0..3 {
        bench.login(HOME).await.unwrap();
    }
    assert!(bench.login(HOME).await.is_err());
    bench.redis.as_mut().unwrap().start_again();
    bench.connected().await;
    bench.login(HOME).await.unwrap();
    let mut redis = bench.redis.as_ref().unwrap().connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*login*").query(&mut redis).unwrap();
    assert_eq!(keys, ["portcullis:limit:login:203.0.113.7/32"]);
}
