//! `/admin/users`: one person's account in an administrator's hands. Whatever is taken away is
//! gone at that person's next request (R-07, R-09, R-13).

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{MySql, Transaction};

use crate::App;
use crate::admin::Admin;
use crate::answer::Success;
use crate::audit::{self, Event};
use crate::body::Body;
use crate::clock::UnixMs;
use crate::ending::{self, Ended, Ending, Reason};
use crate::error::{Error, Result};
use crate::outbox;
use crate::request::Client;
use crate::sessions::{self, Session};
use crate::token::Role;

/// Which users to list.
#[derive(Deserialize)]
pub struct Filter {
    email: Option<String>,
    limit: Option<u32>,
    after: Option<u64>,
}

/// One page of users, by id.
#[derive(Serialize)]
pub struct Users {
    users: Vec<User>,
    /// Give this as `after` to see more; null on the last page.
    next: Option<u64>,
}

#[derive(Serialize)]
struct User {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
    is_active: bool,
    email_verified_at: Option<UnixMs>,
    created_at: UnixMs,
}

/// `GET /admin/users`, all or the one with an address.
pub async fn list(
    State(app): State<App>,
    _admin: Admin,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Success<Users>> {
    let Query(filter) = filter.map_err(|_| Error::Malformed("limit and after are numbers."))?;
    let limit = filter.limit.unwrap_or(50).clamp(1, 200);
    let email = filter.email.map(|email| email.trim().to_lowercase());
    let users = sqlx::query_as!(
        User,
        r#"select id, email, first_name, last_name, role as "role: Role",
                  is_active as "is_active: bool",
                  email_verified_at as "email_verified_at: UnixMs",
                  created_at as "created_at: UnixMs"
             from users
            where id > ? and (? is null or email = ?)
            order by id limit ?"#,
        filter.after.unwrap_or(0),
        email,
        email,
        limit,
    )
    .fetch_all(&app.db)
    .await?;
    let is_full = u32::try_from(users.len()).is_ok_and(|length| length == limit);
    let next = users.last().filter(|_| is_full).map(|user| user.id);
    Ok(Success::data(Users { users, next }))
}

/// A person's live sessions.
#[derive(Serialize)]
pub struct TheirSessions {
    sessions: Vec<Session>,
}

/// `GET /admin/users/{id}/sessions`.
pub async fn sessions(
    State(app): State<App>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Success<TheirSessions>> {
    let id = known(&app, &id).await?;
    Ok(Success::data(TheirSessions { sessions: sessions::live(&app, id, None).await? }))
}

/// `DELETE /admin/users/{id}/sessions`: logs a person out everywhere.
pub async fn log_out(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Success<Ended>> {
    let id = known(&app, &id).await?;
    let mut deed = Deed::begin(&app, &client, &admin, id).await?;
    let ended = deed.end_all(Reason::Admin).await?;
    let done = deed.commit("session_ended_by_admin").await?;
    Ok(Success::data(ended).saying("Sessions revoked successfully").propagated(done))
}

/// `POST /admin/users/{id}/disable`: the person is out and stays out.
pub async fn disable(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Success> {
    let id = known(&app, &id).await?;
    let mut deed = Deed::begin(&app, &client, &admin, id).await?;
    deed.must_leave_an_administrator().await?;
    sqlx::query!("update users set is_active = false, updated_at = ? where id = ?", deed.at, id)
        .execute(&mut *deed.tx)
        .await?;
    deed.end_all(Reason::Disabled).await?;
    let done = deed.commit("user_disabled").await?;
    Ok(Success::message("User disabled").propagated(done))
}

/// `POST /admin/users/{id}/enable`: the person may log in again; no old token comes back.
pub async fn enable(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Success> {
    let id = known(&app, &id).await?;
    let mut deed = Deed::begin(&app, &client, &admin, id).await?;
    sqlx::query!("update users set is_active = true, updated_at = ? where id = ?", deed.at, id)
        .execute(&mut *deed.tx)
        .await?;
    let done = deed.commit("user_enabled").await?;
    Ok(Success::message("User enabled").propagated(done))
}

/// What `/admin/users/{id}/role` takes.
#[derive(Deserialize)]
pub struct NewRole {
    role: Role,
}

/// `POST /admin/users/{id}/role`, after a recent login.
pub async fn set_role(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Path(id): Path<String>,
    Body(NewRole { role }): Body<NewRole>,
) -> Result<Success> {
    admin.0.must_have_logged_in_lately(&app)?;
    let id = known(&app, &id).await?;
    let mut deed = Deed::begin(&app, &client, &admin, id).await?;
    if role != Role::Admin {
        deed.must_leave_an_administrator().await?;
    }
    sqlx::query!(
        "update users set role = ?, updated_at = ? where id = ?",
        role.as_str(),
        deed.at,
        id,
    )
    .execute(&mut *deed.tx)
    .await?;
    let done = deed.commit("authz_change").await?;
    Ok(Success::message("Role changed").propagated(done))
}

/// `DELETE /admin/users/{id}`: everything of theirs dies and stays dead (BUG-06).
pub async fn remove(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Success> {
    let id = known(&app, &id).await?;
    let mut deed = Deed::begin(&app, &client, &admin, id).await?;
    deed.must_leave_an_administrator().await?;
    deed.end_all(Reason::Admin).await?;
    sqlx::query!("delete from users where id = ?", id).execute(&mut *deed.tx).await?;
    let done = deed.commit("user_deleted").await?;
    Ok(Success::message("User deleted").propagated(done))
}

/// Something an administrator does to a person, in one transaction with its trace in the audit.
struct Deed<'a> {
    app: &'a App,
    client: &'a Client,
    by: u64,
    user_id: u64,
    at: UnixMs,
    tx: Transaction<'static, MySql>,
}

impl<'a> Deed<'a> {
    async fn begin(
        app: &'a App,
        client: &'a Client,
        Admin(caller): &Admin,
        user_id: u64,
    ) -> Result<Self> {
        let tx = app.db.begin().await?;
        Ok(Self { app, client, by: caller.user_id, user_id, at: app.clock.now(), tx })
    }

    /// Refuses to take power from the last active administrator. The others are held until the
    /// deed is done, so that no two of them take it from each other.
    async fn must_leave_an_administrator(&mut self) -> Result<()> {
        let target = sqlx::query_scalar!(
            "select id from users where id = ? and role = 'admin' and is_active",
            self.user_id,
        );
        if target.fetch_optional(&mut *self.tx).await?.is_none() {
            return Ok(());
        }
        let others = sqlx::query_scalar!(
            "select id from users where role = 'admin' and is_active and id <> ? for update",
            self.user_id,
        )
        .fetch_all(&mut *self.tx)
        .await?;
        if others.is_empty() { Err(Error::LastAdmin) } else { Ok(()) }
    }

    async fn end_all(&mut self, reason: Reason) -> Result<Ended> {
        let ending = Ending { reason, at: self.at, client: self.client };
        Ok(ending::end_all(&mut self.tx, self.user_id, ending).await?)
    }

    async fn commit(mut self, event: &'static str) -> Result<outbox::Propagation> {
        let event = Event::of(event, self.user_id).with(json!({ "by": self.by }));
        audit::record(&mut *self.tx, self.client, self.at, event).await?;
        self.tx.commit().await?;
        Ok(outbox::deliver(self.app, self.user_id).await)
    }
}

/// The id in a path, if there is such a user.
async fn known(app: &App, id: &str) -> Result<u64> {
    let id: u64 = id.parse().map_err(|_| Error::NotFound("user"))?;
    let known = sqlx::query_scalar!("select id from users where id = ?", id);
    known.fetch_optional(&app.db).await?.ok_or(Error::NotFound("user"))
}
