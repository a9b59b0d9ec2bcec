//! The service itself is killed with -9 while people refresh and log out.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use portcullis_tests::{Directory, MariaDb, PASSWORD, Process, Redis, binary_path, free_port};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use tokio::sync::Notify;

use crate::talk::eventually;

const PEOPLE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_amid_refreshes_locks_nobody_out() {
    kill_loop(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: the full count of kills"]
async fn a_service_killed_a_hundred_times_amid_refreshes_locks_nobody_out() {
    kill_loop(100).await;
}

struct World {
    settings: Vec<(String, String)>,
    url: String,
    http: Client,
    directory: Directory,
}

/// What each kill interrupts depends on the moment; what must hold afterwards does not.
async fn kill_loop(kills: usize) {
    let redis = Redis::options().module_arguments(&["require-confirm", "yes"]).tcp().start();
    let database = MariaDb::shared().fresh_database("kills");
    let world = Arc::new(World::new(&database, &redis.url()));
    world.command(&["migrate", "up"]);
    for number in 0..PEOPLE {
        let email = email(number);
        let words = ["user", "create", "--email", &email, "--first-name", "A", "--last-name", "B"];
        world.command(&[&words[..], &["--verified", "--password-env", "SECRET"]].concat());
    }
    let mut service = world.serve();
    let mut tokens = Vec::new();
    for number in 0..PEOPLE {
        tokens.push(world.log_in(number).await);
    }
    let mut answered = 0;
    for round in 0..kills {
        let gone = world.log_in_and_out(round % PEOPLE).await;
        let (done, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let chains = tokens.drain(..).map(|token| {
            tokio::spawn(refresh_on(world.clone(), token, done.clone(), enough.clone()))
        });
        let chains: Vec<_> = chains.collect();
        // Some refreshes are on their way whenever this number has been answered.
        eventually("enough refreshes are answered", async || {
            done.load(Ordering::SeqCst) >= 5 + round % 7
        });
        drop(service);
        service = world.serve();
        enough.notify_waiters();
        eventually("each goes on with its token", async || {
            done.load(Ordering::SeqCst) >= PEOPLE + 12 + round % 7
        });
        done.store(usize::MAX / 2, Ordering::SeqCst);
        for chain in join_all(chains).await {
            let (token, count) = chain.unwrap();
            tokens.push(token);
            answered += count;
        }
        assert_eq!(world.refresh(&gone).await.unwrap().0, 401, "what was ended stays so");
    }
    let db = MySqlPool::connect(&database).await.unwrap();
    let alarms = "select count(*) from audit_events where event = 'authn_token_reuse'";
    let alarms: i64 = sqlx::query_scalar(alarms).fetch_one(&db).await.unwrap();
    assert_eq!(alarms, 0);
    agree(&db, &redis).await;
    println!(
        "kill -9 of the service: faults injected {kills}, requests {answered}, false alarms 0, \
         users locked out 0"
    );
}

/// Each live session is in its ledger, and no other.
async fn agree(db: &MySqlPool, redis: &Redis) {
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    eventually("the outbox is empty", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(db).await.unwrap() == 0
    });
    let live: Vec<(u64, String)> =
        sqlx::query_as("select user_id, id from user_sessions where is_active order by id")
            .fetch_all(db)
            .await
            .unwrap();
    let mut held = Vec::new();
    for user_id in 1..=PEOPLE as u64 {
        let list: Vec<std::collections::HashMap<String, redis::Value>> = redis::cmd("AUTH.SESSION")
            .arg("LIST")
            .arg(format!("user:{user_id}"))
            .query(&mut redis.connection())
            .unwrap();
        let id = |session: &std::collections::HashMap<String, redis::Value>| {
            redis::from_redis_value::<String>(session["id"].clone()).unwrap()
        };
        held.extend(list.iter().map(|session| (user_id, id(session))));
    }
    held.sort_by(|one, two| one.1.cmp(&two.1));
    assert_eq!(held, live);
}

/// Refreshes again and again; a token is only given up for its successor. Stops when `done` is
/// far beyond any count.
async fn refresh_on(
    world: Arc<World>,
    mut token: String,
    done: Arc<AtomicUsize>,
    enough: Arc<Notify>,
) -> (String, usize) {
    let mut count = 0;
    while done.load(Ordering::SeqCst) < usize::MAX / 4 {
        match world.refresh(&token).await {
            Some((200, body)) => {
                let next = body.pointer("/data/refresh/token").and_then(Value::as_str);
                next.unwrap().clone_into(&mut token);
                done.fetch_add(1, Ordering::SeqCst);
                count += 1;
            }
            Some((503, _)) => tokio::task::yield_now().await,
            Some((status, body)) => panic!("locked out: {status} {body}"),
            None => {
                let again = std::time::Duration::from_millis(50);
                drop(tokio::time::timeout(again, enough.notified()).await);
            }
        }
    }
    (token, count)
}

impl World {
    fn new(database: &str, redis: &str) -> Self {
        let (port, ops) = (free_port(), format!("127.0.0.1:{}", free_port()));
        let directory = Directory::new();
        let mail = directory.path().join("mail").display().to_string();
        let settings = [
            ("HOST", "127.0.0.1"),
            ("PORT", &port.to_string()),
            ("OPS_ADDR", &ops),
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("JWT_SECRET", "a secret for tests and of no use elsewhere"),
            ("MAIL_DIR", &mail),
            ("RATE_LIMIT_LOGIN", "off"),
            ("RATE_LIMIT_REFRESH", "off"),
            ("RATE_LIMIT_LOGOUT", "off"),
            ("SECRET", PASSWORD),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { settings, url: format!("http://127.0.0.1:{port}"), http: Client::new(), directory }
    }

    fn command(&self, arguments: &[&str]) {
        let settings = self.settings.iter().cloned();
        let output = Command::new(binary_path()).args(arguments).envs(settings).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Ended by `kill -9` when dropped.
    fn serve(&self) -> Process {
        let log = self.directory.path().join("log");
        let service = Process::start(binary_path(), &["serve"], &self.settings, &log);
        let ready = format!("{}/readyz", self.url);
        eventually("the service is ready", async || {
            self.http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200)
        });
        service
    }

    async fn post(&self, path: &str, bearer: &str, body: Value) -> Option<(u16, Value)> {
        let url = format!("{}/api/v1/auth{path}", self.url);
        let answer = self.http.post(url).bearer_auth(bearer).json(&body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    async fn login(&self, number: usize) -> Value {
        let url = format!("{}/api/v1/auth/login-enhanced", self.url);
        let body = json!({ "email": email(number), "password": PASSWORD });
        self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn log_in(&self, number: usize) -> String {
        self.login(number).await["data"]["tokens"]["refresh"]["token"].as_str().unwrap().to_owned()
    }

    /// The refresh token of a session that was begun and ended.
    async fn log_in_and_out(&self, number: usize) -> String {
        let tokens = &self.login(number).await["data"]["tokens"];
        let access = tokens["access"]["token"].as_str().unwrap();
        let (status, _) = self.post("/logout", access, json!({})).await.unwrap();
        assert_eq!(status, 200);
        tokens["refresh"]["token"].as_str().unwrap().to_owned()
    }

    async fn refresh(&self, token: &str) -> Option<(u16, Value)> {
        let url = format!("{}/api/v1/auth/refresh", self.url);
        let body = json!({ "refresh_token": token });
        let answer = self.http.post(url).json(&body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}

fn email(number: usize) -> String {
    format!("person{number}@example.com")
}
