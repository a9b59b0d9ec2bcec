//! What `/health`, the log and `portcullis health` say when something lacks.

use portcullis_tests::{
    Database, Directory, Process, Redis, Service, binary_path, captured_log, free_port, wait_until,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{SECRET, portcullis};

/// The service as a process of its own.
struct Outside {
    process: Process,
    port: String,
    _directory: Directory,
}

impl Outside {
    fn start(database: &str, redis: &str, further: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        let port = free_port().to_string();
        let mail = directory.path().join("mail").display().to_string();
        let settings = [
            ("HOST", "127.0.0.1"),
            ("PORT", &port),
            ("OPS_ADDR", "127.0.0.1:0"),
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("JWT_SECRET", SECRET),
            ("MAIL_DIR", &mail),
        ];
        let settings: Vec<(String, String)> = settings
            .iter()
            .chain(further)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let log = directory.path().join("log");
        let process = Process::start(binary_path(), &["serve"], &settings, &log);
        Self { process, port, _directory: directory }
    }

    fn health(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/health", self.port);
        let asked = async { reqwest::get(url).await.ok()?.json().await.ok() };
        block_in_place(|| Handle::current().block_on(asked))
    }

    fn wait_for(&self, service: &str, message: &str) -> Value {
        wait_until(message, || {
            let health = self.health();
            health.is_some_and(|it| it["services"][service]["message"] == message)
        });
        self.health().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_35_health_says_not_migrated_and_the_log_says_it_once() {
    let (database, redis) = (Database::shared().fresh_database("no_tables"), Redis::start());
    let log_level = [("LOG_LEVEL", "info,sqlx::query=debug")];
    let service = Outside::start(&database, &redis.url(), &log_level);

    let health = service.wait_for("database", "not migrated");

    assert_eq!(health["status"], "unhealthy");
    assert_eq!(health["services"]["database"]["healthy"], false);
    assert_eq!(health["services"]["auth"]["healthy"], false);
    let lines = |words: &str| service.process.log().matches(words).count();
    wait_until("the outbox was looked for again", || lines("id > ? order by id limit") > 1);
    assert_eq!(lines("the outbox could not be read"), 1, "{}", service.process.log());
    let told = portcullis(&["health"], &[("PORT", &service.port)], b"");
    told.must_be_refused_with("not migrated");

    portcullis(&["migrate", "up"], &[("DATABASE_URL", &database)], b"").must_work();
    let health = service.wait_for("redis", "connected");
    assert_eq!(health["status"], "healthy", "{health}");
    portcullis(&["health"], &[("PORT", &service.port)], b"").must_work();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_by_command_fails_where_nothing_listens() {
    let port = free_port().to_string();
    portcullis(&["health"], &[("PORT", &port)], b"")
        .must_be_refused_with("is the service running?");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_36_a_redis_without_the_module_is_named_and_left_alone() {
    let redis = Redis::options().without_module().start();
    let auth = Service::on(redis, &Database::shared().fresh_database("bare_redis"), |_| {}).await;
    let health = auth.raw(Method::GET, "/health").send().await.unwrap();
    assert_eq!(health.status(), 503);
    let health: Value = health.json().await.unwrap();
    assert_eq!(
        health["services"]["redis"],
        json!({ "healthy": false, "message": "module missing" })
    );
    assert_eq!(health["services"]["database"]["healthy"], true);
    assert_eq!(auth.raw(Method::GET, "/readyz").send().await.unwrap().status(), 503);
    assert!(captured_log().contains("this Redis has not loaded the module: add `loadmodule"));

    auth.user("alice").await;
    let login = auth.log_in("alice").await.must_be(200);
    assert_eq!(login.json["propagation"], "pending");
    // Nothing was asked of it that it does not have.
    assert!(!captured_log().contains("unknown command"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_36_health_says_that_redis_is_away_or_not_confirmed() {
    let mut mysql = Database::start();
    let database = mysql.fresh_database("unconfirmed");
    let redis = Redis::options().module_arguments(&["require-confirm", "yes"]).start();
    let mut auth = Service::on(redis, &database, |_| {}).await;
    let runtime = Handle::current();
    let health = async || -> Value {
        auth.raw(Method::GET, "/health").send().await.unwrap().json().await.unwrap()
    };
    let message_is =
        |message: &str| runtime.block_on(health())["services"]["redis"]["message"] == message;
    let becomes = |message: &str| block_in_place(|| wait_until(message, || message_is(message)));
    becomes("connected");
    // Nobody can confirm what nobody can compare.
    mysql.kill();
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    becomes("not confirmed");
    assert_eq!(health().await["services"]["database"]["message"], "unreachable");
    auth.redis.kill();
    let redis = async || -> Value {
        auth.raw(Method::GET, "/health").send().await.unwrap().json().await.unwrap()
    };
    block_in_place(|| {
        wait_until("Redis is away", || {
            runtime.block_on(redis())["services"]["redis"]["message"] == "unreachable"
        });
    });
}
