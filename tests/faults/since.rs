//! A Redis whose mark is recent: only those are looked at of whom something may have changed since.

use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Database, Login, PASSWORD, Service};
use reqwest::Method;
use serde_json::json;

use crate::endpoints::INTROSPECTOR;
use crate::talk::{
    accepted, agree, ask, confirming, eventually, mark, ready, ready_again, set_mark,
};
use crate::talk::{start_anew, waiting};
use crate::vouching::Vouching;

/// A service, and somebody whose ledger is gone: it comes back if everybody's is filled in, and only then.
struct Scene {
    auth: Service,
    bystander: Login,
}

impl Scene {
    async fn new(adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::on(&Database::shared().fresh_database("since"), adjust).await
    }

    async fn on(database: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        let auth = Service::on(confirming().tcp().start(), database, adjust).await;
        ready(&auth);
        let bystander = auth.logged_in("bystander").await;
        agree(&auth).await;
        let mut scene = Self { auth, bystander };
        scene.forget_bystander().await;
        start_anew(&mut scene.auth).await;
        scene
    }

    /// Deletes their ledger and whatever would tell of it.
    async fn forget_bystander(&self) {
        let (db, id) = (self.auth.db(), self.bystander.user_id);
        let cleaned = "delete from revocation_outbox where user_id = ?";
        sqlx::query(cleaned).bind(id).execute(db).await.unwrap();
        let idle = "update user_sessions set last_activity = last_activity - interval 1 hour where user_id = ?";
        sqlx::query(idle).bind(id).execute(db).await.unwrap();
        let mut redis = self.auth.redis.connection();
        redis::cmd("DEL").arg(format!("user:{id}")).exec(&mut redis).unwrap();
    }

    /// What is told from now on is lost when Redis is killed.
    fn save(&self) {
        redis::cmd("SAVE").exec(&mut self.auth.redis.connection()).unwrap();
    }

    fn restart_redis(&mut self) {
        self.auth.redis.kill();
        self.auth.redis.start_again();
        ready_again(&self.auth);
    }

    fn is_everybody_filled_in(&self) -> bool {
        ask(&self.auth, &self.bystander) == "OK"
    }

    async fn newest_row(&self) -> i64 {
        let newest =
            "select cast(coalesce(max(id), 0) as signed) from revocation_outbox where id > ?";
        self.auth.count(newest, 0).await
    }

    /// Changes the mark: run id, row, instant, life.
    fn change_mark(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mark = mark(&self.auth.redis);
        let mut words: Vec<String> = mark.split(' ').map(str::to_owned).collect();
        change(&mut words);
        set_mark(&self.auth.redis, &words.join(" "));
    }
}

/// Waits until nothing is on its way.
fn told(auth: &Service) {
    eventually("the outbox is empty", async || waiting(auth).await == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_since_the_mark_is_there_again() {
    let mut scene = Scene::new(|settings| {
        settings.tokens.introspection_clients = Some(INTROSPECTOR.into());
        settings.sessions.max_sessions_per_user = 2;
    })
    .await;
    let auth = &scene.auth;
    let root = auth.admin("root").await;
    let mut people = Vec::new();
    for name in ["one", "all", "other", "token", "password", "ended", "gone", "cap", "refresh"] {
        people.push((auth.logged_in(name).await, auth.logged_in(name).await));
    }
    let [one, all, other, token, password, ended, gone, cap, refresh] = &people[..] else {
        panic!("as many as names")
    };
    told(auth);
    // None of these is among the changes since the mark.
    let newest = scene.newest_row().await;
    scene.change_mark(|words| words[1] = newest.to_string());
    scene.save();

    let newcomer = auth.logged_in("newcomer").await;
    auth.post_as(&one.0.access, "/logout", json!({})).await.must_be(200);
    auth.post_as(&all.0.access, "/logout-all-devices", json!({})).await.must_be(200);
    auth.delete_as(&other.0.access, &format!("/sessions/{}", other.1.session)).await.must_be(200);
    let (name, secret) = INTROSPECTOR.split_once(':').unwrap();
    let revoke = auth.request(Method::POST, "/revoke").basic_auth(name, Some(secret));
    let form = [("token", &token.0.access)];
    assert_eq!(revoke.form(&form).send().await.unwrap().status(), 200);
    let words = "another horse battery staple";
    let change = json!({ "current_password": PASSWORD, "new_password": words });
    auth.post_as(&password.0.access, "/change-password", change).await.must_be(200);
    let sessions = format!("/admin/users/{}/sessions", ended.0.user_id);
    auth.delete_as(&root.access, &sessions).await.must_be(200);
    auth.delete_as(&root.access, &format!("/admin/users/{}", gone.0.user_id)).await.must_be(200);
    let third = auth.logged_in("cap").await;
    let refreshed = auth.refresh(&refresh.0.refresh).await.must_be(200);
    told(auth);
    let verdicts = |auth: &Service| {
        let all = people.iter().flat_map(|(first, second)| [first, second]);
        let all = all.chain([&newcomer, &third, &root]);
        all.map(|login| ask(auth, login)).collect::<Vec<_>>()
    };
    let before = verdicts(auth);
    assert_eq!(before.iter().filter(|verdict| *verdict == "OK").count(), 9, "{before:?}");

    scene.restart_redis();
    let auth = &scene.auth;
    assert_eq!(verdicts(auth), before);
    told(auth);
    let access = refreshed.text_at("/data/access/token");
    assert_eq!(ask(auth, &Login { access, ..refresh.0.clone() }), "OK");
    assert_eq!(before_the_watermark(auth, all.0.user_id), "LOGGED_OUT");
    assert_eq!(ask(auth, &token.0), "REVOKED");
    assert_eq!(accepted(auth, &[all.1.clone(), one.0.clone(), gone.0.clone()]).await, 0);
    assert_eq!(accepted(auth, &[cap.0.clone(), cap.1.clone()]).await, 1);
    assert!(!scene.is_everybody_filled_in(), "only those of whom something has changed");
}

/// What the module says to a token from long ago.
fn before_the_watermark(auth: &Service, user_id: u64) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{user_id}")).arg("a token").arg("IAT").arg(1);
    check.query(&mut auth.redis.connection()).unwrap()
}

/// Its use has no row in the outbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_in_use_since_the_mark_is_not_called_idle() {
    let mut scene = Scene::new(|settings| {
        settings.sessions.session_idle_timeout = Duration::from_hours(1);
        settings.sessions.session_touch_interval = Duration::from_mins(1);
    })
    .await;
    let auth = &scene.auth;
    let alice = auth.logged_in("alice").await;
    told(auth);
    let newest = scene.newest_row().await;
    scene.change_mark(|words| words[1] = newest.to_string());
    // As Redis would have it, had she been away for most of the limit.
    let long_ago = seen(auth, &alice) - 3_590_000;
    let mut redis = auth.redis.connection();
    let key = format!("user:{}", alice.user_id);
    redis::cmd("AUTH.SESSION")
        .arg("REVOKE")
        .arg(&key)
        .arg(&alice.session)
        .exec(&mut redis)
        .unwrap();
    let mut create = redis::cmd("AUTH.SESSION");
    create.arg("CREATE").arg(&key).arg(&alice.session).arg("EX").arg(86_400).arg("IDLE").arg(3600);
    create.arg("CREATED").arg(long_ago).arg("SEEN").arg(long_ago);
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("portcullis.require-fence")
        .arg("no")
        .exec(&mut redis)
        .unwrap();
    create.exec(&mut redis).unwrap();
    assert_eq!(seen(auth, &alice), long_ago);
    scene.save();

    scene.restart_redis();
    assert!(seen(&scene.auth, &alice) > long_ago + 3_580_000);
    assert!(!scene.is_everybody_filled_in());
}

/// When Redis knows a session to have been used last.
fn seen(auth: &Service, login: &Login) -> u64 {
    let mut get = redis::cmd("AUTH.SESSION");
    get.arg("GET").arg(format!("user:{}", login.user_id)).arg(&login.session);
    let fields: std::collections::HashMap<String, String> =
        get.query(&mut auth.redis.connection()).unwrap();
    fields["seen_ms"].parse().unwrap()
}

/// Its row is read past by whoever moves the mark in a group of servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_was_committed_behind_the_mark_is_there_again() {
    let mut scene = Scene::new(|_| {}).await;
    let newest = scene.newest_row().await;
    scene.change_mark(|words| words[1] = (newest + 1).to_string());
    scene.save();
    let alice = scene.auth.logged_in("alice").await;
    told(&scene.auth);
    scene.restart_redis();
    assert_eq!(ask(&scene.auth, &alice), "OK");
    assert!(!scene.is_everybody_filled_in());
}

/// Each of these leaves in doubt what the ledgers lack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_filled_in_where_the_mark_proves_nothing() {
    let mut scene = Scene::new(|_| {}).await;
    let newest = scene.newest_row().await;
    let (ahead, other) = ((newest + 1000).to_string(), "a".repeat(40));
    let wrong: [(&str, &[(usize, &str)]); 5] = [
        ("of a life that this database does not know", &[(3, &other)]),
        ("older than the outbox", &[(2, "1000")]),
        ("of unknown age", &[(2, "0")]),
        ("ahead of an outbox that was lost or is of another database", &[(1, &ahead)]),
        (
            "of somebody who fills in everything",
            &[(0, "hydrating-0123456789abcdef"), (1, "0"), (2, "0")],
        ),
    ];
    for (what, changes) in wrong {
        scene.change_mark(|words| replace(words, changes));
        scene.save();
        scene.restart_redis();
        assert!(scene.is_everybody_filled_in(), "{what}");
        scene.forget_bystander().await;
    }
    scene.save();
    scene.restart_redis();
    assert!(!scene.is_everybody_filled_in(), "the mark proves something again");
}

fn replace(words: &mut [String], changes: &[(usize, &str)]) {
    for (place, word) in changes {
        (*word).clone_into(&mut words[*place]);
    }
}

/// Among what was thrown out there may have been ledgers, and nobody is told which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_filled_in_once_redis_has_evicted_something() {
    let mut scene = Scene::new(|_| {}).await;
    let mut redis = scene.auth.redis.connection();
    let mut set = |name: &str, value: &str| {
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut redis).unwrap();
    };
    set("maxmemory-policy", "volatile-random");
    let key = ["k", "v", "EX", "100"];
    redis::cmd("SET").arg(&key).exec(&mut scene.auth.redis.connection()).unwrap();
    set("maxmemory", "1");
    let mut other = scene.auth.redis.connection();
    eventually("something is evicted", async || {
        // Refused, once nothing is left to evict.
        drop(redis::cmd("SET").arg("l").arg("v").arg("EX").arg(100).exec(&mut other));
        let info: String = redis::cmd("INFO").arg("stats").query(&mut other).unwrap();
        !info.contains("evicted_keys:0")
    });
    set("maxmemory", "0");
    let instant = || mark(&scene.auth.redis).split(' ').nth(2).unwrap().to_owned();
    eventually("the mark says so", async || instant() == "0");
    scene.save();
    scene.restart_redis();
    assert!(scene.is_everybody_filled_in());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_filled_in_where_more_has_changed_meanwhile_than_is_compared() {
    let database = Database::shared().fresh_database("meanwhile");
    let mut scene = Scene::on(&database, |_| {}).await;
    scene.auth.app.ledgers.most_compared.store(2, Ordering::Relaxed);
    scene.save();
    let held = Vouching::hold(&database).await;
    scene.auth.redis.kill();
    scene.auth.redis.start_again();
    let auth = &scene.auth;
    eventually("those are compared who have changed", async || held.is_waited_for(auth).await);
    let mut people = Vec::new();
    for number in 0..3 {
        people.push(auth.logged_in(&format!("user{number}")).await);
    }
    held.let_go().await;
    ready(auth);
    assert!(scene.is_everybody_filled_in());
    assert!(people.iter().all(|login| ask(auth, login) == "OK"));
}
