//! The HTTP service in this process, on real servers, with a clock that the test moves.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use portcullis_api::clock::{Clock, UnixMs};
use portcullis_api::config::{Limit, Settings};
use portcullis_api::secret::Random;
use portcullis_api::{App, activity, migrate, outbox, serve};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::MySqlPool;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

use crate::{MariaDb, Redis, wait_until};

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// A running service with its own database and its own Redis.
pub struct Service {
    /// The service's own state.
    pub app: App,
    /// Its Redis.
    pub redis: Redis,
    /// Its clock. It starts at the present, because Redis has a clock of its own.
    pub clock: Clock,
    /// Where it listens: `http://127.0.0.1:port`.
    pub url: String,
    /// A client that keeps no cookies and follows no redirects.
    pub http: reqwest::Client,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's id.
    pub user_id: u64,
    /// The session's id.
    pub session: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub json: Value,
}

impl Answer {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What is at this pointer of the body, as text.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}")).to_owned()
    }

    /// The same answer, if its status is this one.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the assertion is all that is wanted"
    )]
    pub fn must_be(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    fn login(&self) -> Login {
        Login {
            user_id: self.json["data"]["user"]["id"].as_u64().expect("a login names the user"),
            session: self.text_at("/data/session/id"),
            access: self.text_at("/data/tokens/access/token"),
            refresh: self.text_at("/data/tokens/refresh/token"),
        }
    }
}

impl Service {
    /// The service with its defaults and no limits.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Redis::start(), &MariaDb::shared().fresh_database("api"), adjust).await
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
        settings.accounts.mail_dir = redis.data().join("mail");
        adjust(&mut settings);
        let clock = Clock::manual(present());
        let app = App::new(settings, clock.clone(), Random::seeded(1)).expect("the service starts");
        migrate::up(&app.db).await.expect("the migrations run");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(serve::serve(app.clone(), listener));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client needs nothing");
        Self { app, redis, clock, url, http }
    }

    /// A user who has verified their address; the same name again is the same user.
    pub async fn user(&self, name: &str) -> u64 {
        let email = email(name);
        let known = "select id from users where email = ?";
        let find = || sqlx::query_scalar(known).bind(&email).fetch_optional(&self.app.db);
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
        .execute(&self.app.db)
        .await
        .expect("the user is new");
        find().await.expect("the database answers").expect("the user is there")
    }

    /// A user with a new session.
    pub async fn logged_in(&self, name: &str) -> Login {
        self.user(name).await;
        self.log_in(name).await.must_be(200).login()
    }

    /// A login with the password of everybody.
    pub async fn log_in(&self, name: &str) -> Answer {
        let body = json!({ "email": email(name), "password": PASSWORD });
        self.post("/login-enhanced", body).await
    }

    /// `POST` without a token.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` with an access token.
    pub async fn post_as(&self, access: &str, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).bearer_auth(access).json(&body)).await
    }

    /// `GET` with an access token.
    pub async fn get_as(&self, access: &str, path: &str) -> Answer {
        send(self.request(Method::GET, path).bearer_auth(access)).await
    }

    /// `DELETE` with an access token.
    pub async fn delete_as(&self, access: &str, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).bearer_auth(access)).await
    }

    /// One refresh.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/refresh", json!({ "refresh_token": token })).await
    }

    /// Whether the access token is good, as a proxy asks.
    pub async fn is_good(&self, access: &str) -> bool {
        let answer = self.get_as(access, "/verify").await;
        assert!([200, 401].contains(&answer.status.as_u16()), "{answer:?}");
        answer.status == 200
    }

    /// A request to a path under `/api/v1/auth`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1/auth{path}", self.url))
    }

    /// A request to any path.
    pub fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// The database, for looking.
    pub fn db(&self) -> &MySqlPool {
        &self.app.db
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

    /// The token in the mail of this number, once it has been sent: its longest word.
    pub fn mailed_token(&self, number: usize) -> String {
        wait_until("the mail is there", || self.mails().len() > number);
        let mail = &self.mails()[number];
        let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
        words.max_by_key(|word| word.len()).unwrap_or_default().to_owned()
    }

    /// Does now what the background does from time to time; tells how many users are behind.
    pub async fn settle(&self) -> usize {
        activity::flush(&self.app).await;
        outbox::deliver_waiting(&self.app).await.expect("the database answers")
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

impl Drop for Service {
    fn drop(&mut self) {
        self.app.stop.cancel();
    }
}

/// Sends a request and reads all of the answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("the answer is complete");
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, json }
}

impl From<Answer> for Login {
    fn from(answer: Answer) -> Self {
        answer.login()
    }
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

#[expect(clippy::disallowed_methods, reason = "Redis has the system's clock, so tests start there")]
fn present() -> UnixMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(0).plus(since)
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
