//! The primary is lost and its replica takes over.

use std::time::Duration;

use portcullis_tests::{Database, Login, Redis, RedisOptions, Service, servers};
use serde_json::{Value, json};

use crate::proxy::{Proxy, Wound};
use crate::talk::{accepted, agree, ask, confirming, eventually, ready, waiting};

/// A service, and a replica that may take its primary's place.
pub(crate) struct Pair {
    pub(crate) auth: Service,
    replica: Redis,
    address: Proxy,
    /// From the primary to the replica.
    pub(crate) stream: Proxy,
}

/// Both started so, and a service that waits for that many replicas, for half of the deadline.
pub(crate) async fn pair(options: RedisOptions, replicas: u8, deadline: Duration) -> Pair {
    let (primary, replica) = (options.clone().tcp().start(), options.tcp().start());
    let stream = Proxy::before(primary.port());
    replica.follow(stream.port);
    let address = Proxy::before(primary.port());
    let url = format!("redis://127.0.0.1:{}", address.port);
    let auth = Service::on(primary, &Database::shared().fresh_database("pair"), |settings| {
        settings.stores.redis_url = Some(url.into());
        settings.stores.redis_wait_replicas = replicas;
        settings.stores.redis_deadline = deadline;
    })
    .await;
    ready(&auth);
    Pair { auth, replica, address, stream }
}

impl Pair {
    async fn people(&self, count: usize) -> Vec<Login> {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.auth.logged_in(&format!("user{number}")).await);
        }
        people
    }

    /// What the answer to a logout says of its propagation.
    async fn log_out(&self, login: &Login) -> Value {
        let answer = self.auth.post_as(&login.access, "/logout", json!({})).await.must_be(200);
        answer.json["propagation"].clone()
    }

    /// Kills the primary; the replica is the primary from now on.
    pub(crate) fn fail_over(self) -> Service {
        let Self { mut auth, replica, address, .. } = self;
        auth.redis.kill();
        let mut connection = replica.connection();
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut connection).unwrap();
        address.lead_to(replica.port());
        auth.redis = replica;
        // The proxy stays as long as the test.
        std::mem::forget(address);
        auth
    }
}

/// The replica has it before the answer is given, so it holds whatever becomes of the primary, also
/// for those who ask the replica themselves and whose module wants no confirmation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_acknowledged_is_dead_the_moment_it_takes_over() {
    let pair = pair(Redis::options(), 1, Duration::from_secs(20)).await;
    let people = pair.people(6).await;
    let (dead, alive) = people.split_at(3);
    // Whoever does not wait for the replica is ahead of it.
    pair.stream.inflict(Wound::Delay(Duration::from_millis(50)));
    for login in dead {
        assert_eq!(pair.log_out(login).await, Value::Null, "a replica has it");
    }
    let auth = pair.fail_over();
    assert!(dead.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    assert_eq!(accepted(&auth, dead).await, 0);
    assert_eq!(accepted(&auth, alive).await, 3);
    ready(&auth);
    assert!(dead.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    assert!(alive.iter().all(|login| ask(&auth, login) == "OK"));
    println!("failover: revocations acknowledged 3, revoked accepted 0, sessions lost 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_replica_acknowledged_is_told_to_be_pending_until_one_has_it() {
    let pair = pair(Redis::options(), 1, Duration::from_secs(3)).await;
    let people = pair.people(2).await;
    pair.stream.inflict(Wound::Blackhole);
    assert_eq!(pair.log_out(&people[0]).await, "pending");
    assert_eq!(accepted(&pair.auth, &people).await, 1, "this instance acts on it already");
    pair.stream.heal();
    agree(&pair.auth).await;
    assert_eq!(pair.log_out(&people[1]).await, Value::Null);
}

/// Told again on another connection the change changes nothing, and servers since Redis 7.2 then say
/// of every connected replica that it has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_replica_acknowledged_stays_pending_when_it_is_told_again_on_another_connection() {
    for server in servers() {
        let pair = pair(Redis::options().server(server), 1, Duration::from_secs(3)).await;
        let people = pair.people(1).await;
        pair.stream.inflict(Wound::Blackhole);
        assert_eq!(pair.log_out(&people[0]).await, "pending");
        let untold = waiting(&pair.auth).await;
        let mut primary = pair.auth.redis.connection();
        let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
        let killed: u32 = redis::cmd("CLIENT").arg(&kill).query(&mut primary).unwrap();
        assert!(killed > 0, "the service has lost its connections");
        let before = waits(&mut primary);
        eventually("the change is told again, and again", async || {
            waits(&mut primary) >= before + 2
        });
        assert_eq!(waiting(&pair.auth).await, untold, "no replica has it: {}", server.name);
        pair.stream.heal();
        agree(&pair.auth).await;
    }
}

/// How often the server was told to wait for replicas.
fn waits(connection: &mut redis::Connection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(connection).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_that_missed_a_logout_is_brought_up_to_date() {
    let pair = pair(confirming(), 0, Duration::from_secs(3)).await;
    let people = pair.people(4).await;
    // The replica hears nothing more: what follows is lost with the primary.
    pair.stream.inflict(Wound::Blackhole);
    assert_eq!(pair.log_out(&people[0]).await, Value::Null, "nobody asked for replicas");
    let auth = pair.fail_over();
    assert_ne!(ask(&auth, &people[0]), "OK", "direct callers are told to wait");
    assert_eq!(accepted(&auth, &people[..1]).await, 0);
    ready(&auth);
    assert_eq!(accepted(&auth, &people[..1]).await, 0);
    assert_eq!(accepted(&auth, &people[1..]).await, 3);
    assert_eq!(ask(&auth, &people[0]), "NO_SESSION");
    assert_eq!(ask(&auth, &people[1]), "OK");
}

/// Counts how often somebody tried to log in, as this server has it.
fn counted(redis: &Redis) -> u32 {
    let mut count = redis::cmd("GET");
    count.arg("portcullis:limit:login:127.0.0.1/32");
    count.query::<Option<u32>>(&mut redis.connection()).unwrap().unwrap_or(0)
}

/// As before; the primary is not lost but becomes the replica, so that no connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_20_limits_are_counted_by_whoever_is_the_primary_and_by_whoever_comes_back() {
    let (primary, replica) = (Redis::options().tcp().start(), Redis::options().tcp().start());
    replica.follow(primary.port());
    let address = Proxy::before(primary.port());
    let url = format!("redis://127.0.0.1:{}", address.port);
    let database = Database::shared().fresh_database("counts");
    let mut auth = Service::on(primary, &database, |settings| {
        settings.stores.redis_url = Some(url.into());
        settings.limits.rate_limit_login = "1000/15m".parse().unwrap();
        settings.limits.account_free_failures = 100;
    })
    .await;
    ready(&auth);
    auth.logged_in("alice").await;
    assert_eq!(counted(&auth.redis), 1);

    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut replica.connection()).unwrap();
    auth.redis.follow(replica.port());
    address.lead_to(replica.port());
    // Of a login that fails nothing else is told.
    eventually("the new primary counts", async || {
        auth.log_in("nobody").await;
        counted(&replica) > 1
    });

    auth.redis = replica;
    auth.redis.kill();
    auth.log_in("alice").await.must_be(200);
    auth.redis.start_again();
    eventually("whoever comes back counts", async || {
        auth.log_in("nobody").await;
        counted(&auth.redis) > 0
    });
}
