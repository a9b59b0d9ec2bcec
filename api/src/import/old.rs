//! The old database: what its tables and columns are called, and its rows.
//!
//! The two versions of the old system name and type some columns differently, and its ORM may write
//! `createdAt` for `created_at`; so columns are looked up, and rows come out alike.

mod roles;

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use secrecy::ExposeSecret as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, FromRow, MySqlConnection};

use super::ids::Ids;
use super::options::Options;
use super::rows::{OldRevocation, OldSession, OldToken, OldUser};
use crate::settings::check_mysql_url;

/// How many users are handled at a time; their rows here are locked meanwhile.
const USERS: u32 = 100;
/// How many revocations are handled at a time.
const REVOCATIONS: u32 = 1000;

/// How roles are read.
#[derive(Default)]
struct Roles {
    /// Each selects a user's number and a role's name, of the users from one number to another.
    queries: Vec<String>,
    /// Tables and columns that seem to hold roles and cannot be read, with the reason.
    unread: Vec<(String, String)>,
}

/// One unchanging view of the old database.
pub(super) struct Old {
    db: MySqlConnection,
    /// By table and plain name: the name as it is written, and the type.
    columns: HashMap<(String, String), (String, String)>,
    users: String,
    roles: Roles,
}

impl Old {
    /// Connects and fixes the view, so that users, sessions and tokens are of one instant.
    pub(super) async fn open(options: &Options) -> anyhow::Result<Self> {
        check_mysql_url("OLD_DATABASE_URL", options.from.expose_secret())?;
        let address: MySqlConnectOptions = options.from.expose_secret().parse().context(
            "--from (OLD_DATABASE_URL) must be like mysql://user:password@host:3306/name",
        )?;
        let connected = address.disable_statement_logging().connect().await;
        let mut db = connected.context("the old database (--from, OLD_DATABASE_URL)")?;
        for setting in [
            "set time_zone = '+00:00'",
            "set session transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        ] {
            db.execute(setting).await?;
        }
        let columns = columns(&mut db).await?;
        let (users, roles) = (options.users_table.clone(), Roles::default());
        let mut old = Self { db, columns, users, roles };
        ensure!(
            !old.has("_sqlx_migrations"),
            "--from (OLD_DATABASE_URL) names a database of Portcullis; it must name the old one"
        );
        old.check_users()?;
        old.roles = old.find_roles();
        Ok(old)
    }

    fn check_users(&self) -> anyhow::Result<()> {
        let table = &self.users;
        ensure!(
            self.has(table) && !table.contains('`'),
            "the old database has no table or view {table:?}; name one with --users-table"
        );
        let Some((_, kind)) = self.column(table, &["id"]) else {
            bail!("{table} has no column id; use --users-table to name a view that has one");
        };
        ensure!(
            kind.ends_with("int"),
            "{table}.id is of type {kind}; only whole numbers can be imported"
        );
        for (what, names) in [("email", &["email"] as &[_]), ("password", &PASSWORD)] {
            ensure!(
                self.column(table, names).is_some(),
                "{table} has no column {what}; use --users-table to name a view that has one"
            );
        }
        Ok(())
    }

    /// Whether there is a table or view of this name.
    pub(super) fn has(&self, table: &str) -> bool {
        self.columns.keys().any(|(name, _)| name == table)
    }

    /// How many users there are.
    pub(super) async fn count_users(&mut self) -> sqlx::Result<u64> {
        let sql = format!("select cast(count(*) as unsigned) from `{}`", self.users);
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.db).await
    }

    /// The next users after this id.
    pub(super) async fn users(&mut self, after: u64) -> sqlx::Result<Vec<OldUser>> {
        let table = &self.users;
        let columns = self.select(
            table,
            &[
                ("id", Kind::Id, &["id"]),
                ("email", Kind::Text, &["email"]),
                ("hash", Kind::Text, &PASSWORD),
                ("first_name", Kind::Text, &["firstname", "name", "username"]),
                ("last_name", Kind::Text, &["lastname", "surname"]),
                ("role", Kind::Text, &["role", "userrole", "rolename", "roles"]),
                ("is_admin", Kind::Number, &["isadmin", "admin"]),
                ("is_active", Kind::Number, &["isactive", "active"]),
                ("is_verified", Kind::Number, &VERIFIED),
                ("verified_at", Kind::Instant, &["emailverifiedat"]),
                ("deleted_at", Kind::Instant, &["deletedat"]),
                ("created_at", Kind::Instant, &["createdat"]),
                ("updated_at", Kind::Instant, &["updatedat"]),
            ],
        );
        let sql = format!(
            "select {columns} from `{table}` where id > ? order by `{table}`.id limit {USERS}"
        );
        self.rows(sql, &[after]).await
    }

    /// All sessions of these users, of each the latest used first.
    pub(super) async fn sessions(&mut self, ids: Ids) -> sqlx::Result<Vec<OldSession>> {
        let table = "user_sessions";
        if !self.has(table) {
            return Ok(Vec::new());
        }
        let columns = self.select(
            table,
            &[
                ("id", Kind::Text, &["id"]),
                ("user_id", Kind::Id, &["userid"]),
                ("device", Kind::Text, &["deviceinfo"]),
                ("ip", Kind::Text, &["ipaddress"]),
                ("user_agent", Kind::Text, &["useragent"]),
                ("is_active", Kind::Number, &["isactive"]),
                ("last_activity", Kind::Instant, &["lastactivity"]),
                ("created_at", Kind::Instant, &["createdat"]),
                ("expires_at", Kind::Instant, &["expiresat"]),
            ],
        );
        let sql = format!(
            "select {columns} from {table} where user_id between ? and ?
              order by {table}.user_id, {table}.last_activity desc, {table}.id"
        );
        self.rows(sql, &[ids.first, ids.last]).await
    }

    /// All refresh tokens of these users, the newest first.
    pub(super) async fn tokens(&mut self, ids: Ids) -> sqlx::Result<Vec<OldToken>> {
        let table = "refresh_tokens";
        if !self.has(table) {
            return Ok(Vec::new());
        }
        let columns = self.select(
            table,
            &[
                ("hash", Kind::Text, &["tokenhash"]),
                ("user_id", Kind::Id, &["userid"]),
                ("session_id", Kind::Text, &["sessionid"]),
                ("device", Kind::Text, &["deviceinfo"]),
                ("is_active", Kind::Number, &["isactive"]),
                ("created_at", Kind::Instant, &["createdat"]),
                ("expires_at", Kind::Instant, &["expiresat"]),
            ],
        );
        let sql = format!(
            "select {columns} from {table} where user_id between ? and ?
              order by created_at desc, {table}.id desc"
        );
        self.rows(sql, &[ids.first, ids.last]).await
    }

    /// The next revocations after this id.
    pub(super) async fn revocations(
        &mut self,
        table: &str,
        after: u64,
    ) -> sqlx::Result<Vec<OldRevocation>> {
        let columns = self.select(
            table,
            &[
                ("id", Kind::Id, &["id"]),
                ("hash", Kind::Text, &["tokenhash"]),
                ("kind", Kind::Text, &["tokentype"]),
                ("expires_at", Kind::Instant, &["tokenexpiry"]),
                ("at", Kind::Instant, &["blacklistedat", "createdat"]),
                ("reason", Kind::Text, &["reason"]),
                ("user_id", Kind::Id, &["userid"]),
                ("session_id", Kind::Text, &["sessionid"]),
                ("ip", Kind::Text, &["ipaddress"]),
            ],
        );
        let sql = format!(
            "select {columns} from {table} where id > ? order by {table}.id limit {REVOCATIONS}"
        );
        self.rows(sql, &[after]).await
    }

    async fn rows<R>(&mut self, sql: String, ids: &[u64]) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, MySqlRow> + Send + Unpin,
    {
        let query = sqlx::query_as(AssertSqlSafe(sql));
        ids.iter().fold(query, |query, id| query.bind(*id)).fetch_all(&mut self.db).await
    }

    /// What to select so that every column has our name and one of four types.
    fn select(&self, table: &str, wanted: &[(&str, Kind, &[&str])]) -> String {
        let columns = wanted.iter().map(|(ours, kind, names)| {
            let Some((name, stored)) = self.column(table, names) else {
                return format!("null as {ours}");
            };
            let value = format!("`{table}`.`{name}`");
            let value = match kind {
                Kind::Id => format!("cast({value} as unsigned)"),
                Kind::Text => format!("cast({value} as char)"),
                Kind::Number => format!("cast({value} as signed)"),
                // One version keeps milliseconds in a BIGINT (C-06).
                Kind::Instant if stored.ends_with("int") => format!("cast({value} as signed)"),
                Kind::Instant => {
                    format!("timestampdiff(microsecond, '1970-01-01', {value}) div 1000")
                }
            };
            format!("{value} as {ours}")
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The first of these columns that the table has, as it is written there, and its type.
    fn column(&self, table: &str, names: &[&str]) -> Option<(&str, &str)> {
        let of = |name: &&str| self.columns.get(&(table.to_owned(), (*name).to_owned()));
        names.iter().find_map(of).map(|(name, kind)| (name.as_str(), kind.as_str()))
    }
}

const PASSWORD: [&str; 2] = ["password", "passwordhash"];
const VERIFIED: [&str; 4] = ["emailverified", "isverified", "isemailverified", "verified"];

#[derive(Clone, Copy)]
enum Kind {
    Id,
    Text,
    Number,
    Instant,
}

/// A name without what its spellings differ in.
fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

async fn columns(
    db: &mut MySqlConnection,
) -> sqlx::Result<HashMap<(String, String), (String, String)>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select cast(table_name as char), cast(column_name as char), cast(data_type as char)
           from information_schema.columns where table_schema = database()",
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().filter(|(_, column, _)| !column.contains('`'));
    Ok(rows.map(|(table, column, kind)| ((table, plain(&column)), (column, kind))).collect())
}
