//! A database as the old system leaves it, in either of its versions.

use std::sync::LazyLock;

use portcullis_api::import::{self, Options, Tally};
use portcullis_tests::{Database, PASSWORD, Service};

/// Which of the old system's documents it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    A,
    B,
}

/// The old database.
pub(crate) struct Old {
    version: Version,
    pub(crate) url: String,
}

/// What somebody who is logged in at the old system holds.
pub(crate) struct Holder {
    pub(crate) session: String,
    pub(crate) refresh: String,
}

impl Old {
    pub(crate) fn new(version: Version) -> Self {
        let schema = match version {
            Version::A => include_str!("../fixtures/old-system-a.sql"),
            Version::B => include_str!("../fixtures/old-system-b.sql"),
        };
        let old = Self { version, url: Database::shared().fresh_database("old") };
        old.run(schema);
        old
    }

    pub(crate) fn run(&self, sql: &str) -> String {
        Database::shared().execute(&format!("use `{}`; {sql}", database(&self.url)))
    }

    /// A user with the password of everybody, hashed as the old system does it.
    pub(crate) fn user(&self, id: u64, name: &str) {
        static HASH: LazyLock<String> = LazyLock::new(|| bcrypt::hash(PASSWORD, 4).unwrap());
        let (first, last) = match self.version {
            Version::A => ("first_name", "last_name"),
            Version::B => ("firstName", "lastName"),
        };
        self.run(&format!(
            "insert into users (id, email, password, {first}, {last}, email_verified_at)
             values ({id}, '{name}@example.com', '{}', '{name}', 'Tester', utc_timestamp())",
            *HASH,
        ));
    }

    /// A live session of the user, used `idle_min` minutes ago, on a device of its own.
    pub(crate) fn session(&self, user_id: u64, number: u64, idle_min: u64) -> Holder {
        let id = format!("{number:064x}");
        let session = if self.version == Version::A { format!("session_{id}") } else { id };
        let refresh = format!("{number:0128x}");
        let device = format!(r#"{{"fingerprint":"{number:x}","browser":"Chrome","os":"Windows"}}"#);
        let began = format!("utc_timestamp() - interval {} minute", idle_min + 5);
        let ends = "utc_timestamp() + interval 10 day";
        let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 \
                     Safari/537.36";
        self.run(&format!(
            "insert into user_sessions (id, user_id, device_info, ip_address, user_agent,
                                        last_activity, created_at, expires_at)
             values ('{session}', {user_id}, '{device}', '::ffff:192.0.2.7', '{agent}',
                     utc_timestamp() - interval {idle_min} minute, {began}, {ends})",
        ));
        let (columns, values) = match self.version {
            Version::A => {
                ("session_id, created_at, updated_at", format!("'{session}', {began}, {began}"))
            }
            Version::B => ("createdAt, updatedAt", format!("{began}, {began}")),
        };
        self.run(&format!(
            "insert into refresh_tokens (user_id, token_hash, device_info, expires_at, {columns})
             values ({user_id}, sha2('{refresh}', 256), '{device}', {ends}, {values})",
        ));
        Holder { session, refresh }
    }

    /// The import as an operator runs it, with some options changed.
    pub(crate) async fn try_import(
        &self,
        auth: &Service,
        adjust: impl FnOnce(&mut Options),
    ) -> anyhow::Result<Tally> {
        let mut options = Options {
            from: self.url.clone().into(),
            dry_run: false,
            verified: false,
            without_sessions: false,
            users_table: "users".to_owned(),
        };
        adjust(&mut options);
        import::import(&auth.app, &options, &|_, _| {}).await
    }

    pub(crate) async fn import(&self, auth: &Service) -> Tally {
        self.try_import(auth, |_| {}).await.unwrap()
    }
}

/// The name in a database's URL.
pub(crate) fn database(url: &str) -> &str {
    let (_, path) = url.rsplit_once("localhost/").unwrap();
    path.split('?').next().unwrap()
}

/// What the service's tables hold, as a number that changes when they do.
pub(crate) async fn contents(auth: &Service) -> Vec<(String, Option<i64>)> {
    let tables = "checksum table users, user_sessions, refresh_tokens, token_blacklist_enhanced";
    sqlx::query_as(tables).fetch_all(auth.db()).await.unwrap()
}
