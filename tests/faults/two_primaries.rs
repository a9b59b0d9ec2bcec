//! Two servers call themselves primary at the same time, and each is somebody's.

use portcullis_tests::{Client, Cluster, Database, Instance, Login, Redis, Service, servers};
use serde_json::{Value, json};

use crate::everybody::{log_everybody_out, told};
use crate::proxy::Proxy;
use crate::talk::{accepted, confirming, eventually, info, is_ready, ready, verdict, waiting};
use crate::vouching::Vouching;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_at_the_old_one_of_two_primaries_stops_believing_it() {
    for server in servers() {
        let options = confirming().server(server).tcp();
        let (old, new) = (options.clone().start(), options.start());
        new.replica_of(&old);
        let address = Proxy::before(old.port());
        let url = format!("redis://127.0.0.1:{}", address.port);
        let database = Database::shared().fresh_database("two");
        let auth = Service::on(old, &database, |settings| {
            settings.stores.redis_url = Some(url.into());
        })
        .await;
        ready(&auth);
        let mut people: Vec<Login> = Vec::new();
        for number in 0..4 {
            people.push(auth.logged_in(&format!("user{number}")).await);
        }

        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut new.connection()).unwrap();
        let url = new.url();
        let other = auth.another(2, |settings| settings.stores.redis_url = Some(url.into())).await;
        eventually("the other instance is ready", async || is_ready(&other).await);
        eventually("the old primary is believed no more", async || !auth.app.ledgers.is_believed());
        let ended = other.post_as(&people[0].access, "/logout", json!({})).await.must_be(200);
        assert_eq!(ended.json["propagation"], Value::Null, "the new primary has it");
        for _ in 0..10 {
            assert_eq!(accepted(&auth, &people[..1]).await, 0, "{}", server.name);
            assert_eq!(accepted(&auth, &people[1..]).await, 3, "{}", server.name);
            assert!(!auth.app.ledgers.is_believed() && is_ready(&other).await, "{}", server.name);
        }

        address.lead_to(new.port());
        ready(&auth);
        assert_eq!(accepted(&auth, &people[..1]).await, 0, "{}", server.name);
    }
}

/// A service at a primary whose replica calls itself primary as well, and people.
struct Two {
    auth: Service,
    new: Redis,
    database: String,
}

impl Two {
    async fn start() -> Self {
        let (old, new) = (confirming().tcp().start(), confirming().tcp().start());
        new.replica_of(&old);
        let database = Database::shared().fresh_database("counting");
        let auth = Service::on(old, &database, |_| {}).await;
        ready(&auth);
        Self { auth, new, database }
    }

    /// An instance that is to believe the new primary.
    async fn other(&self) -> Instance {
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut self.new.connection()).unwrap();
        let url = self.new.url();
        self.auth.another(2, |settings| settings.stores.redis_url = Some(url.into())).await
    }
}

/// What the answer says of the propagation.
async fn end(at: &Client, login: &Login, path: &str) -> Value {
    at.post_as(&login.access, path, json!({})).await.must_be(200).json["propagation"].clone()
}

/// The old primary has been told, and still counts: whoever takes its place looks once more after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_logged_out_just_before_another_primary_takes_over_is_logged_out_there() {
    let two = Two::start().await;
    let Two { auth, new, database } = &two;
    let people = [auth.logged_in("alice").await, auth.logged_in("bob").await];
    eventually("nothing waits", async || waiting(auth).await == 0);
    let held = Vouching::hold(database).await;
    let other = two.other().await;
    eventually("the new one has been filled in", async || held.is_waited_for(auth).await);
    assert_eq!(end(auth, &people[0], "/logout").await, Value::Null, "the old one counts");
    eventually("nothing is left to be told", async || waiting(auth).await == 0);
    held.let_go().await;
    eventually("the new one is believed", async || {
        assert_ne!(verdict(new, &people[0]), "OK");
        assert_ne!(other.get_as(&people[0].access, "/verify").await.status, 200);
        is_ready(&other).await
    });
    assert_ne!(verdict(new, &people[0]), "OK");
    assert_eq!(verdict(new, &people[1]), "OK");
}

/// For as long as the old primary's instance has not seen that another one took its place, which takes it a
/// second: nothing is confirmed then, nor afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_replaced_primary_has_heard_is_pending_and_never_confirmed() {
    let two = Two::start().await;
    let Two { auth, new, database } = &two;
    let root = auth.admin("root").await;
    let gone = [auth.logged_in("one").await, auth.logged_in("all").await];
    let bystander = auth.logged_in("bystander").await;
    assert_eq!(end(auth, &auth.logged_in("before").await, "/logout").await, Value::Null);
    eventually("nothing waits", async || waiting(auth).await == 0);
    let held = Vouching::hold(database).await;
    let other = two.other().await;
    eventually("the new one has been filled in", async || held.is_waited_for(auth).await);
    held.let_go().await;
    eventually("the new one counts", async || vouched_for(auth, new).await);

    assert_eq!(end(auth, &gone[0], "/logout").await, "pending", "it goes by itself");
    assert_eq!(end(auth, &gone[1], "/logout-all-devices").await, "pending", "with what waits");
    let answer = log_everybody_out(auth, &root).await.must_be(200);
    assert_eq!(answer.json["propagation"], "pending");
    assert_eq!(accepted(auth, &gone).await, 0);
    eventually("the new one has heard", async || told(new) > 0 && is_ready(&other).await);
    assert!(gone.iter().chain([&bystander]).all(|login| verdict(new, login) != "OK"));
    assert_eq!(accepted(auth, &[bystander]).await, 0);
}

/// Whether this is the one that counts for anybody.
async fn vouched_for(auth: &Service, redis: &Redis) -> bool {
    let counts = "select count(*) from ledger_lives where run_id = ? and is_vouched";
    let asked = sqlx::query_scalar::<_, i64>(counts).bind(info(redis, "run_id"));
    asked.fetch_one(auth.db()).await.unwrap() > 0
}

/// A cluster that has parted: one primary on its side takes all slots for its own that it had, and another
/// one has them by now on the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_logged_out_just_before_slots_are_taken_over_is_logged_out_at_their_new_server() {
    let options = confirming().arguments(&["--cluster-require-full-coverage", "no"]);
    let cluster = Cluster::start(&options);
    let [old, new, third] = &cluster.nodes[..] else { panic!("three nodes") };
    for (from, to) in [(old, new), (old, third), (new, old), (third, old)] {
        let id: String = node(to, &["MYID"]);
        node::<()>(from, &["FORGET", &id]);
    }
    let way = |redis: &Redis| Some(format!("redis+cluster://127.0.0.1:{}", redis.port()).into());
    let database = Database::shared().fresh_database("parted");
    let auth = Service::on(Redis::start(), &database, |it| it.stores.redis_url = way(old)).await;
    eventually("the old one counts", async || vouched_for(&auth, old).await);
    let mut people = Vec::new();
    for number in 0.. {
        let login = auth.logged_in(&format!("user{number}")).await;
        if cluster.node_of(&format!("user:{}", login.user_id)).pid() == old.pid() {
            people.push(login);
        }
        if people.len() == 2 {
            break;
        }
    }
    eventually("the old one has heard of them", async || {
        people.iter().all(|login| verdict(old, login) == "OK")
    });
    let other = auth.another(2, |it| it.stores.redis_url = way(new)).await;
    eventually("the new one counts for others", async || vouched_for(&auth, new).await);
    eventually("and is confirmed", async || info(new, "portcullis_confirmed") == "1");

    let held = Vouching::hold(&database).await;
    node::<()>(new, &["ADDSLOTSRANGE", "0", "5460"]);
    eventually("they have been filled in", async || held.is_waited_for(&auth).await);
    assert_eq!(end(&auth, &people[0], "/logout").await, Value::Null, "the old server counts");
    let waits = "select count(*) from revocation_outbox where user_id = ? and delivered_at is null";
    eventually("that is written down", async || auth.count(waits, people[0].user_id).await == 0);
    held.let_go().await;
    eventually("the new one is believed in these slots", async || {
        assert_ne!(other.get_as(&people[0].access, "/verify").await.status, 200);
        other.app.ledgers.is_believed()
    });
    assert_ne!(verdict(new, &people[0]), "OK");
    assert_eq!(verdict(new, &people[1]), "OK");
}

fn node<T: redis::FromRedisValue>(at: &Redis, words: &[&str]) -> T {
    redis::cmd("CLUSTER").arg(words).query(&mut at.connection()).unwrap()
}
