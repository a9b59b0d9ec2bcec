//! A service that reaches each of its stores through a proxy.

use std::sync::LazyLock;
use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Database, Redis, Service};

use crate::proxy::Proxy;
use crate::talk::{confirming, ready};

/// A service between two proxies.
pub(crate) struct Stage {
    pub(crate) auth: Service,
    pub(crate) redis: Proxy,
    pub(crate) mysql: Proxy,
    /// The same database, past its proxy.
    pub(crate) direct: String,
    database: String,
}

static MYSQL: LazyLock<Database> = LazyLock::new(Database::start_on_tcp);

/// A proxy before a new database; the way past it, and the way through it.
pub(crate) fn database_behind_a_proxy() -> (Proxy, String, String) {
    let mysql = Proxy::before(MYSQL.port());
    let direct = MYSQL.fresh_database("stage");
    let url = direct.replace(&format!(":{}/", MYSQL.port()), &format!(":{}/", mysql.port));
    (mysql, direct, url)
}

/// A service that is ready, on a Redis that wants to be confirmed.
pub(crate) async fn stage(adjust: impl FnOnce(&mut Settings)) -> Stage {
    stage_on(confirming().tcp().start(), adjust).await
}

/// The same, on a Redis of the test's own.
pub(crate) async fn stage_on(store: Redis, adjust: impl FnOnce(&mut Settings)) -> Stage {
    let redis = Proxy::before(store.port());
    let (mysql, direct, url) = database_behind_a_proxy();
    let database = direct.rsplit('/').next().unwrap().to_owned();
    let redis_url = format!("redis://127.0.0.1:{}", redis.port);
    let auth = Service::on(store, &url, |settings| {
        settings.stores.redis_url = Some(redis_url.into());
        settings.stores.db_deadline = Duration::from_secs(2);
        adjust(settings);
    })
    .await;
    ready(&auth);
    Stage { auth, redis, mysql, direct, database }
}

impl Stage {
    /// Everything that requests change, as MySQL has it. Left out is what the service writes down
    /// in its own time: when a session was last used and when Redis heard of a change.
    pub(crate) fn rows(&self) -> String {
        let tables =
            ["users", "refresh_tokens", "token_blacklist_enhanced", "email_tokens", "audit_events"];
        let all = tables.map(|table| format!("select * from {table} order by id;"));
        MYSQL.execute(&format!(
            "use `{}`; {}
             select id, user_id, is_active, ended_at, ended_reason from user_sessions order by id;
             select id, user_id, change_set from revocation_outbox order by id;",
            self.database,
            all.concat(),
        ))
    }

    /// How many mails wait to be sent.
    pub(crate) fn waiting_mails(&self) -> u64 {
        self.number("select count(*) from mails where settled_at is null")
    }

    /// A number, as it is seen from outside.
    pub(crate) fn number(&self, select: &str) -> u64 {
        let told = MYSQL.execute(&format!("use `{}`; {select}", self.database));
        told.trim().parse().unwrap()
    }

    /// How many transactions MySQL has open here, whoever began them. The status is asked, since the table
    /// of transactions shows an old picture to whoever looks at it more often than each 100 ms.
    pub(crate) fn open_transactions(&self) -> usize {
        let told =
            MYSQL.execute("show processlist; show engine innodb status").replace("\\n", "\n");
        let is_of_ours = |thread: &str| {
            told.lines().any(|row| {
                let mut fields = row.split('\t');
                fields.next() == Some(thread) && fields.nth(2) == Some(self.database.as_str())
            })
        };
        let open = told.split("---TRANSACTION ").skip(1).filter_map(|one| {
            let is_open = one.lines().next().is_some_and(|state| !state.contains("not started"));
            let (_, after) = one.split_once("thread id ").filter(|_| is_open)?;
            after.split(',').next()
        });
        open.filter(|thread| is_of_ours(thread)).count()
    }
}
