//! MySQL comes back without its last commits: data of an earlier time, or a replica in the place of the
//! primary that had not heard everything.

use portcullis_tests::{Database, Directory, Login, Redis, RedisOptions, Service};
use reqwest::Method;
use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::talk::{accepted, ask, confirming, eventually, is_ready, ready, ready_again, status};

/// What the service says about its database.
async fn said(auth: &Service) -> String {
    let told: Value = auth.raw(Method::GET, "/health").send().await.unwrap().json().await.unwrap();
    told["services"]["database"]["message"].as_str().unwrap_or_default().to_owned()
}

/// The value of a metric without labels.
async fn metric(auth: &Service, name: &str) -> u64 {
    let url = auth.operations().await + "/metrics";
    let text = auth.http.get(url).send().await.unwrap().text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

/// A service whose database can go back.
struct Stage {
    database: Database,
    url: String,
    auth: Service,
}

impl Stage {
    async fn new(redis: RedisOptions) -> Self {
        let database = Database::start_on_tcp();
        let url = database.fresh_database("back");
        let auth = Service::on(redis.start(), &url, |_| {}).await;
        ready(&auth);
        Self { database, url, auth }
    }

    /// What the database has now, once everything has been told.
    async fn save(&mut self) -> Directory {
        self.auth.settle().await;
        self.database.stop();
        let saved = self.database.saved();
        self.database.start_again();
        ready(&self.auth);
        saved
    }

    /// What was committed since then is lost.
    fn go_back(&mut self, saved: &Directory) {
        self.database.kill();
        self.database.put_back(saved);
        self.database.start_again();
    }
}

/// Keeps everybody from doing anything about what is lost, or lets them.
fn hold(database: &Database, url: &str, holds: bool) {
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    database.execute(&if holds {
        format!(
            "insert into {name}.leases (work, holder, expires_at)
                 values ('return', 'nobody', utc_timestamp(3) + interval 1 day)"
        )
    } else {
        format!("delete from {name}.leases where work = 'return'")
    });
}

/// Who has ended in what was lost.
struct Dead {
    /// Sessions that have ended.
    sessions: Vec<Login>,
    /// Sessions that have begun: Redis knows them until everybody is logged out.
    begun: Vec<Login>,
    /// Refresh tokens that were exchanged for others.
    spent: Vec<String>,
}

impl Dead {
    /// None is accepted by anybody, from now until the service says that it lacks nothing.
    async fn stay_so(&self, auth: &Service) {
        eventually("somebody has seen to it", async || {
            self.are_refused(auth).await;
            let returns = "select cast(count(*) as signed) from returns where id > ?";
            let returns = sqlx::query_scalar(returns).bind(0).fetch_one(auth.db()).await;
            returns.is_ok_and(|count: i64| count == 1) && is_ready(auth).await
        });
        self.are_refused(auth).await;
        assert_eq!(accepted(auth, &self.begun).await, 0);
        assert!(self.begun.iter().all(|login| ask(auth, login) != "OK"));
    }

    async fn are_refused(&self, auth: &Service) {
        assert_eq!(accepted(auth, &self.sessions).await, 0);
        for login in &self.sessions {
            assert_ne!(ask(auth, login), "OK");
            assert_ne!(auth.refresh(&login.refresh).await.status, 200);
        }
        for token in &self.spent {
            assert_ne!(auth.refresh(token).await.status, 200);
        }
    }
}

async fn people(auth: &Service) -> Vec<Login> {
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        people.push(auth.logged_in(name).await);
    }
    people
}

/// Everything that ends something, and a login.
async fn deeds(auth: &Service, people: &[Login]) -> Dead {
    let [alice, bob, carol, _] = people else { panic!("four people") };
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    auth.post_as(&bob.access, "/logout-all-devices", json!({})).await.must_be(200);
    auth.refresh(&carol.refresh).await.must_be(200);
    let again = auth.logged_in("alice").await;
    let sessions = vec![alice.clone(), bob.clone()];
    Dead { sessions, begun: vec![again], spent: vec![carol.refresh.clone()] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_nothing_that_a_restored_database_has_forgotten_comes_back() {
    let mut stage = Stage::new(confirming()).await;
    let people = people(&stage.auth).await;
    let saved = stage.save().await;
    let dead = deeds(&stage.auth, &people).await;

    stage.go_back(&saved);
    let Stage { database, url, auth } = &stage;
    hold(database, url, true);
    eventually("the service says so", async || said(auth).await == "gone back");
    assert!(!is_ready(auth).await);
    assert_eq!(metric(auth, "portcullis_database_gone_back").await, 1);
    // Others go back in this process as well.
    let before = metric(auth, "portcullis_database_returns_total").await;
    dead.are_refused(auth).await;
    assert_eq!(auth.log_in("dave").await.status, 503);
    assert_eq!(status(auth, &people[3]).await, 200, "Redis knows");
    hold(database, url, false);
    dead.stay_so(auth).await;
    assert_eq!(said(auth).await, "connected");
    assert_eq!(metric(auth, "portcullis_database_gone_back").await, 0);
    assert!(metric(auth, "portcullis_database_returns_total").await > before);
    assert_eq!(status(auth, &people[3]).await, 401, "everybody logs in again");
    let dave = auth.logged_in("dave").await;
    assert!(auth.is_good(&dave.access).await && ask(auth, &dave) == "OK");
    assert_eq!(auth.refresh(&dave.refresh).await.status, 200);
}

/// Whoever knows it may be gone in a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_a_restored_redis_is_told_what_it_has_lost_before_it_is_believed() {
    let database = Database::shared().fresh_database("told_again");
    let mut auth = Service::on(confirming().tcp().start(), &database, |_| {}).await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    auth.settle().await;
    redis::cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    auth.settle().await;
    let noted = |redis: &Redis| -> Vec<String> {
        let mut read = redis::cmd("LRANGE");
        read.arg("portcullis:commits:user:").arg(0).arg(-1);
        read.query(&mut redis.connection()).unwrap()
    };
    let before = noted(&auth.redis);
    auth.redis.kill();
    auth.redis.start_again();
    assert!(noted(&auth.redis).len() < before.len(), "the logout is noted after the snapshot");
    ready_again(&auth);
    let after = noted(&auth.redis);
    assert!(before.iter().all(|note| after.contains(note)), "{before:?} {after:?}");
}

/// What was noted stands in Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_an_instance_that_has_just_started_knows_what_was_committed() {
    let mut stage = Stage::new(confirming()).await;
    let people = people(&stage.auth).await;
    let saved = stage.save().await;
    let dead = deeds(&stage.auth, &people).await;

    stage.go_back(&saved);
    stage.auth.restart().await;
    dead.stay_so(&stage.auth).await;
    assert!(stage.auth.is_good(&stage.auth.logged_in("dave").await.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_a_replica_that_had_not_heard_everything_brings_no_one_back() {
    let mut primary = Database::start_repeated();
    let replica = primary.replica();
    let way = Proxy::before(primary.port());
    let url = primary.fresh_database("back");
    let url = url.replace(&format!(":{}/", primary.port()), &format!(":{}/", way.port));
    let auth = Service::on(confirming().start(), &url, |_| {}).await;
    let beside = auth.another(2, |_| {}).await;
    ready(&auth);
    let people = people(&auth).await;
    auth.settle().await;
    primary.stop_repeating(&replica);
    let dead = deeds(&auth, &people).await;

    primary.kill();
    way.lead_to(replica.port());
    dead.stay_so(&auth).await;
    ready(&beside);
    for login in &dead.sessions {
        assert!(!beside.is_good(&login.access).await);
        assert_ne!(beside.refresh(&login.refresh).await.status, 200);
    }
    let dave = auth.logged_in("dave").await;
    assert!(beside.is_good(&dave.access).await && ask(&auth, &dave) == "OK");
}

/// A refresh leaves no row of its own; whoever has done it knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_a_token_that_was_spent_in_what_is_lost_stays_so() {
    let mut stage = Stage::new(Redis::options()).await;
    let alice = stage.auth.logged_in("alice").await;
    let saved = stage.save().await;
    stage.auth.refresh(&alice.refresh).await.must_be(200);

    stage.go_back(&saved);
    let spent = vec![alice.refresh.clone()];
    Dead { sessions: Vec::new(), begun: Vec::new(), spent }.stay_so(&stage.auth).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_03_a_logout_of_everybody_that_was_lost_holds() {
    let mut stage = Stage::new(confirming()).await;
    let (admin, alice) = (stage.auth.admin("root").await, stage.auth.logged_in("alice").await);
    let saved = stage.save().await;
    stage.auth.post_as(&admin.access, "/admin/logout-everyone", json!({})).await.must_be(200);

    stage.go_back(&saved);
    stage.auth.restart().await;
    let sessions = vec![admin, alice];
    Dead { sessions, begun: Vec::new(), spent: Vec::new() }.stay_so(&stage.auth).await;
}
