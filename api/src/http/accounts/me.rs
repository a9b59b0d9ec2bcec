//! `GET /me`: the caller's own account.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::answer::Success;
use crate::http::our_pages;
use crate::sessions::caller::Caller;

/// Answer of `/me`.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: Account,
    /// Only in cookie mode: what calls that change something must send as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    csrf_token: Option<String>,
    /// How the user showed who they are (RFC 8176).
    #[schema(example = json!(["pwd"]))]
    amr: Vec<String>,
    /// When they last did, in seconds since 1970: the claim of the access token.
    auth_time: u64,
    /// When the access token expires.
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Account {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    is_active: bool,
    role: Role,
    created_at: Timestamp,
}

/// The user behind the access token.
#[utoipa::path(
    get, path = "/me", tag = "Accounts",
    summary = "Shows the caller's account",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Success<Me>)),
)]
pub async fn me(State(app): State<App>, caller: Caller) -> Result<Success<Me>> {
    let user = sqlx::query_as!(
        Account,
        r#"select id, email, first_name, last_name, is_active as "is_active: bool",
                  role as "role: Role",
                  created_at as "created_at: Timestamp"
             from users where id = ?"#,
        caller.user_id,
    )
    .fetch_optional(&app.store.pool)
    .await?;
    let csrf_token = our_pages::csrf_token(&app, &caller);
    Ok(Success::data(Me {
        user: user.ok_or(Error::DeadToken)?,
        csrf_token,
        amr: caller.amr,
        auth_time: caller.auth_time_s,
        expires_at: Timestamp::from_seconds(caller.expires_at_s),
    }))
}
