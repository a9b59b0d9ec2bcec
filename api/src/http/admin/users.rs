//! `/admin/users`: one person's account in an administrator's hands. Whatever is taken away is
//! gone at that person's next request.

mod intervention;
pub mod listing;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::answer::Success;
use crate::http::body::Body;
use crate::http::caller::Admin;
use crate::http::caller::must_have_logged_in_lately;
use crate::http::segment::Segment;
use crate::sessions::ending::{Ended, Reason};
use crate::sessions::live::{self, Session};
use crate::store::audit::What;
use intervention::Intervention;

/// A user's live sessions.
#[derive(Serialize, ToSchema)]
pub struct TheirSessions {
    sessions: Vec<Session>,
}

/// `GET /admin/users/{id}/sessions`.
#[utoipa::path(
    get, path = "/users/{id}/sessions", tag = "Administration",
    summary = "Lists a user's live sessions",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "The sessions", body = Success<TheirSessions>)),
    extensions(("x-problems" = json!("forbidden not_found")))
)]
pub async fn sessions(
    State(app): State<App>,
    _admin: Admin,
    Segment(id): Segment,
) -> Result<Success<TheirSessions>> {
    let id = known(&app, &id).await?;
    Ok(Success::data(TheirSessions { sessions: live::list(&app.ledgers, id, None).await? }))
}

/// `DELETE /admin/users/{id}/sessions`: logs a person out everywhere.
#[utoipa::path(
    delete, path = "/users/{id}/sessions", tag = "Administration",
    summary = "Logs a user out everywhere",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "Counts of what was ended", body = Success<Ended>)),
    extensions(("x-problems" = json!("forbidden not_found")))
)]
pub async fn log_out(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Success<Ended>> {
    let id = number(&id)?;
    let (ended, done) = app
        .store
        .repeat(|| async {
            let mut it = Intervention::begin(&app, &client, &admin, id).await?;
            let ended = it.deed.end_all(Reason::Admin).await?;
            Ok::<_, Error>((ended, it.commit(What::SessionsEndedByAdmin).await?))
        })
        .await?;
    Ok(Success::data(ended).saying("Sessions revoked successfully").propagated(done))
}

/// `POST /admin/users/{id}/disable`: the person is out and stays out.
#[utoipa::path(
    post, path = "/users/{id}/disable", tag = "Administration",
    summary = "Disables a user",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "The user has been logged out and cannot log in", body = Success)),
    extensions(("x-problems" = json!("forbidden not_found last_admin")))
)]
pub async fn disable(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Success> {
    let id = number(&id)?;
    let done = app
        .store
        .repeat(|| async {
            let mut it = Intervention::begin(&app, &client, &admin, id).await?;
            it.must_leave_an_administrator().await?;
            let at = it.deed.at;
            sqlx::query!("update users set is_active = false, updated_at = ? where id = ?", at, id)
                .execute(&mut *it.deed.tx)
                .await?;
            it.deed.end_all(Reason::Disabled).await?;
            it.commit(What::UserDisabled).await
        })
        .await?;
    Ok(Success::message("User disabled").propagated(done))
}

/// `POST /admin/users/{id}/enable`: the person may log in again; no old token comes back.
#[utoipa::path(
    post, path = "/users/{id}/enable", tag = "Administration",
    summary = "Enables a user again",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    security(("bearer" = [])),
    responses((status = 200, description = "The user may log in again", body = Success)),
    extensions(("x-problems" = json!("forbidden not_found")))
)]
pub async fn enable(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Success> {
    let id = number(&id)?;
    let done = app
        .store
        .repeat(|| async {
            let mut it = Intervention::begin(&app, &client, &admin, id).await?;
            let at = it.deed.at;
            sqlx::query!("update users set is_active = true, updated_at = ? where id = ?", at, id)
                .execute(&mut *it.deed.tx)
                .await?;
            it.commit(What::UserEnabled).await
        })
        .await?;
    Ok(Success::message("User enabled").propagated(done))
}

/// Body of `/admin/users/{id}/role`.
#[derive(Deserialize, ToSchema)]
pub struct NewRole {
    role: Role,
}

/// `POST /admin/users/{id}/role`, after a recent login.
#[utoipa::path(
    post, path = "/users/{id}/role", tag = "Administration",
    summary = "Changes a user's role",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    request_body = NewRole,
    security(("bearer" = [])),
    responses((status = 200, description = "The role applies from the next request", body = Success)),
    extensions(("x-problems" = json!("forbidden not_found last_admin insufficient_user_authentication")))
)]
pub async fn set_role(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Segment(id): Segment,
    Body(NewRole { role }): Body<NewRole>,
) -> Result<Success> {
    let id = number(&id)?;
    let done = app
        .store
        .repeat(|| async {
            let mut it = Intervention::begin(&app, &client, &admin, id).await?;
            must_have_logged_in_lately(&app, &admin.0)?;
            if role != Role::Admin {
                it.must_leave_an_administrator().await?;
            }
            let (role, at) = (role.as_str(), it.deed.at);
            sqlx::query!("update users set role = ?, updated_at = ? where id = ?", role, at, id)
                .execute(&mut *it.deed.tx)
                .await?;
            it.detail["role"] = role.into();
            it.commit(What::RoleChanged).await
        })
        .await?;
    Ok(Success::message("Role changed").propagated(done))
}

/// `DELETE /admin/users/{id}`: everything of theirs dies and stays dead (BUG-06).
#[utoipa::path(
    delete, path = "/users/{id}", tag = "Administration",
    summary = "Deletes a user",
    params(("id" = u64, Path, description = "The user", minimum = 1)),
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "The user is deleted, and all of their tokens are dead",
        body = Success,
    )),
    extensions(("x-problems" = json!("forbidden not_found last_admin")))
)]
pub async fn remove(
    State(app): State<App>,
    client: Client,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Success> {
    let id = number(&id)?;
    let done = app
        .store
        .repeat(|| async {
            let mut it = Intervention::begin(&app, &client, &admin, id).await?;
            it.must_leave_an_administrator().await?;
            it.deed.end_all(Reason::Admin).await?;
            it.delete_user().await
        })
        .await?;
    Ok(Success::message("User deleted").propagated(done))
}

/// The id in a path, if there is such a user.
async fn known(app: &App, id: &str) -> Result<u64> {
    let known = sqlx::query_scalar!("select id from users where id = ?", number(id)?);
    known.fetch_optional(&app.store.pool).await?.ok_or(Error::NotFound)
}

/// What is no number is no user.
fn number(id: &str) -> Result<u64> {
    id.parse().map_err(|_| Error::NotFound)
}
