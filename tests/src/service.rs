//! The HTTP service in this process, on real servers, with a clock that the test moves.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use portcullis_api::base::clock::{Clock, Timestamp};
use portcullis_api::base::random::Random;
use portcullis_api::ledger::outbox;
use portcullis_api::settings::{Limit, Settings};
use portcullis_api::store::migrate;
use portcullis_api::{App, serve};
use serde_json::json;
use sqlx::MySqlPool;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tracing_subscriber::filter::LevelFilter;

use crate::client::{Answer, Client, Login, PASSWORD};
use crate::{Database, Redis, wait_until};

/// A running service with its own database and its own Redis.
pub struct Service {
    /// The service's own state.
    pub app: App,
    /// Its Redis.
    pub redis: Redis,
    /// Its clock. It starts at the present, because Redis has a clock of its own.
    pub clock: Clock,
    client: Client,
    restarts: u64,
}

impl Deref for Service {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Service {
    /// The service with its defaults and no limits.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Redis::start(), &Database::shared().fresh_database("api"), adjust).await
    }

    /// The same, on servers that the test holds; brings the database into shape.
    pub async fn on(redis: Redis, database: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        LazyLock::force(&LOG);
        let mut settings = Settings::for_tests(database, &redis.url());
        settings.limits.rate_limit_login = Limit::Off;
        settings.limits.rate_limit_refresh = Limit::Off;
        settings.limits.rate_limit_logout = Limit::Off;
        settings.limits.rate_limit_register = Limit::Off;
        settings.limits.rate_limit_mail = Limit::Off;
        settings.limits.account_mails_per_hour = 100;
        settings.limits.rate_limit_client = Limit::Off;
        settings.accounts.mail_dir = redis.data().join("mail");
        adjust(&mut settings);
        let clock = Clock::manual(present());
        let app = App::new(settings, clock.clone(), Random::seeded(1)).expect("the service starts");
        migrate::up(&app.store.pool).await.expect("the migrations run");
        let client = served(&app).await;
        Self { app, redis, clock, client, restarts: 0 }
    }

    /// Another instance takes the place of this one: the same stores and the same clock, and
    /// nothing of what this one had in memory.
    pub async fn restart(&mut self) {
        self.restart_with(|_| {}).await;
    }

    /// The same, with other settings.
    pub async fn restart_with(&mut self, adjust: impl FnOnce(&mut Settings)) {
        self.app.background.stop.cancel();
        self.restarts += 1;
        // What is random must not be made a second time.
        let random = Random::seeded(1 + self.restarts);
        let (mut settings, clock) = (self.app.settings.clone(), self.clock.clone());
        adjust(&mut settings);
        self.app = App::new(settings, clock, random).expect("the service starts");
        self.client = served(&self.app).await;
    }

    /// A user who has verified their address; the same name again is the same user.
    pub async fn user(&self, name: &str) -> u64 {
        let email = email(name);
        let known = "select id from users where email = ?";
        let find = || sqlx::query_scalar(known).bind(&email).fetch_optional(&self.app.store.pool);
        if let Some(id) = find().await.expect("the database answers") {
            return id;
        }
        let hash = self.app.passwords.hash(PASSWORD.to_owned().into()).await.expect("it hashes");
        sqlx::query(
            "insert into users (email, password_hash, first_name, last_name, email_verified_at,
                                created_at, updated_at)
             values (?, ?, ?, 'Tester', ?, ?, ?)",
        )
        .bind(&email)
        .bind(hash)
        .bind(name)
        .bind(self.clock.now())
        .bind(self.clock.now())
        .bind(self.clock.now())
        .execute(&self.app.store.pool)
        .await
        .expect("the user is new");
        find().await.expect("the database answers").expect("the user is there")
    }

    /// An administrator with a new session.
    pub async fn admin(&self, name: &str) -> Login {
        let id = self.user(name).await;
        sqlx::query("update users set role = 'admin' where id = ?")
            .bind(id)
            .execute(self.db())
            .await
            .expect("the user is there");
        self.logged_in(name).await
    }

    /// A user with a new session.
    pub async fn logged_in(&self, name: &str) -> Login {
        self.user(name).await;
        self.log_in(name).await.must_be(200).into()
    }

    /// A login with the password of everybody.
    pub async fn log_in(&self, name: &str) -> Answer {
        let body = json!({ "email": email(name), "password": PASSWORD });
        self.post("/login-enhanced", body).await
    }

    /// Where operators look, from now on: `http://127.0.0.1:port`.
    pub async fn operations(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(serve::serve_operations(self.app.clone(), listener));
        url
    }

    /// The database, for looking.
    pub fn db(&self) -> &MySqlPool {
        &self.app.store.pool
    }

    /// A number from the database.
    pub async fn count(&self, sql: &'static str, user_id: u64) -> i64 {
        let row = sqlx::query_scalar(sql).bind(user_id).fetch_one(self.db()).await;
        row.expect("a count is a number")
    }

    /// The user's live refresh tokens, as MySQL sees them.
    pub async fn live_refresh_tokens(&self, user_id: u64) -> i64 {
        self.count(
            "select count(*) from refresh_tokens t join user_sessions s on s.id = t.session_id
              where t.user_id = ? and t.is_active and s.is_active",
            user_id,
        )
        .await
    }

    /// The user's live sessions, as MySQL sees them.
    pub async fn live_sessions(&self, user_id: u64) -> i64 {
        self.count("select count(*) from user_sessions where user_id = ? and is_active", user_id)
            .await
    }

    /// The ids of the user's live sessions, as Redis sees them.
    pub fn ledger_sessions(&self, user_id: u64) -> Vec<String> {
        let mut list = redis::cmd("AUTH.SESSION");
        list.arg("LIST").arg(format!("user:{user_id}"));
        let sessions: Vec<HashMap<String, String>> =
            list.query(&mut self.redis.connection()).expect("Redis answers");
        sessions.into_iter().filter_map(|mut session| session.remove("id")).collect()
    }

    /// What the module says to this token.
    pub fn verdict(&self, login: &Login) -> String {
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(format!("user:{}", login.user_id)).arg(&login.access);
        check.arg("SESSION").arg(&login.session);
        check.query(&mut self.redis.connection()).expect("Redis answers")
    }

    /// The mails sent so far, oldest first.
    pub fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(&self.app.settings.accounts.mail_dir) else {
            return Vec::new();
        };
        let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).expect("mails are text")).collect()
    }

    /// How many mails wait to be sent.
    pub async fn waiting_mails(&self) -> i64 {
        let waiting = "select count(*) from mails where settled_at is null";
        sqlx::query_scalar(waiting).fetch_one(self.db()).await.expect("the database answers")
    }

    /// Waits until no mail waits any more, without keeping the runtime from its work.
    pub fn mails_are_out(&self) {
        let runtime = Handle::current();
        let are_out = || runtime.block_on(self.waiting_mails()) == 0;
        block_in_place(|| wait_until("no mail waits", are_out));
    }

    /// All mails, once everything in the background is done; it does nothing more after that.
    pub async fn all_mails(&self) -> Vec<String> {
        self.mails_are_out();
        self.app.background.stop.cancel();
        self.app.background.tracker.close();
        self.app.background.tracker.wait().await;
        self.mails()
    }

    /// The token in the mail of this number, once it has been sent: its longest word.
    pub fn mailed_token(&self, number: usize) -> String {
        wait_until("the mail is there", || self.mails().len() > number);
        let mail = &self.mails()[number];
        let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
        words.max_by_key(|word| word.len()).unwrap_or_default().to_owned()
    }

    /// Does now what the background does from time to time; tells how many users are behind.
    pub async fn settle(&self) -> usize {
        self.app.activity.flush().await;
        outbox::deliver_waiting(&self.app.ledgers).await.expect("the database answers")
    }

    /// Names of the audit events about a user, oldest first.
    pub async fn audit_trail(&self, user_id: u64) -> Vec<String> {
        sqlx::query_scalar("select event from audit_events where user_id = ? order by id")
            .bind(user_id)
            .fetch_all(self.db())
            .await
            .expect("the database answers")
    }
}

/// Serves on a free port.
pub(crate) async fn served(app: &App) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(serve::serve(app.clone(), listener));
    Client::of(url)
}

impl Drop for Service {
    fn drop(&mut self) {
        self.app.background.stop.cancel();
    }
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

#[expect(clippy::disallowed_methods, reason = "Redis has the system's clock, so tests start there")]
fn present() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(0).plus(since)
}

/// Everything that anything in this process has logged, down to the finest level.
pub fn captured_log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

static LOG: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(|| {
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
    log.json().with_writer(|| Memory).init();
    Mutex::default()
});

struct Memory;

impl Write for Memory {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
