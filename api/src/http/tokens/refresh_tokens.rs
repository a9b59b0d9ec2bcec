//! `POST /revoke-refresh-token` and `GET /token-stats`: a user's own refresh tokens.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::{Body, pasted};
use crate::http::cookies;
use crate::sessions::caller::Caller;
use crate::sessions::family::Family;
use crate::sessions::live;
use crate::store::standing::standing;
use crate::tokens::secret::RefreshToken;

/// Body of `/revoke-refresh-token`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RefreshTokenToRevoke)]
pub struct Request {
    /// The refresh token, spent or not.
    #[serde(deserialize_with = "pasted")]
    refresh_token: String,
}

/// Ends the family of one of the caller's own refresh tokens, spent or not (BUG-41).
#[utoipa::path(
    post, path = "/revoke-refresh-token", tag = "Tokens",
    summary = "Ends one of the caller's refresh tokens and its session",
    request_body = Request,
    security(("bearer" = [])),
    responses((status = 200, description = "The token and its session have ended", body = Success)),
    extensions(("x-problems" = json!("not_found")))
)]
pub async fn revoke(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(request): Body<Request>,
) -> Result<Response> {
    let token = RefreshToken::parse(&request.refresh_token).ok_or(Error::NotFound)?;
    let family = Family::of(&app.store, &app.refresh_keys, &token).await?;
    let family = family.filter(|it| it.user_id == caller.user_id).ok_or(Error::NotFound)?;
    let propagation = family.end(&app.ledgers, &client, json!({})).await?;
    let done = Success::message("Refresh token revoked successfully").propagated(propagation);
    let own = family.session == caller.session;
    Ok(if own { (cookies::forget(&app), done).into_response() } else { done.into_response() })
}

/// Counts of the caller's sessions and tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenStats)]
pub struct Stats {
    sessions_active: i64,
    refresh_tokens_active: i64,
    refresh_tokens_issued: i64,
    refresh_tokens_spent: i64,
    blacklisted: i64,
}

/// Counts of the caller's own.
#[utoipa::path(
    get, path = "/token-stats", tag = "Tokens",
    summary = "Counts the caller's sessions and tokens",
    security(("bearer" = [])),
    responses((status = 200, description = "The counts", body = Success<Stats>)),
)]
pub async fn stats(State(app): State<App>, caller: Caller) -> Result<Success<Stats>> {
    let now = app.clock.now();
    let mut live = standing!(query!(
        r#"select s.id as "id: SessionId", s.last_activity as "last_activity: Timestamp",
                  s.idle_timeout_s,
                  (select count(*) from refresh_tokens t
                    where t.session_id = s.id and t.is_active and t.expires_at > ?) as "tokens!: i64"
             from user_sessions s where s.user_id = ? and "#
            + STANDING,
        now,
        caller.user_id,
        now,
    ))
    .fetch_all(&app.store.pool)
    .await?;
    live.retain(|it| {
        let (seen, idle_s) = (it.last_activity, it.idle_timeout_s);
        live::is_still_used(&app.ledgers.uses, &it.id, seen, idle_s, now)
    });
    let ever = sqlx::query!(
        r#"select
             (select cast(coalesce(sum(generation + 1), 0) as signed) from refresh_tokens
               where user_id = ?) as "issued!: i64",
             (select cast(coalesce(sum(generation + (spent_at is not null)), 0) as signed)
                from refresh_tokens where user_id = ?) as "spent!: i64",
             (select count(*) from token_blacklist_enhanced where user_id = ?)
                 as "blacklisted!: i64""#,
        caller.user_id,
        caller.user_id,
        caller.user_id,
    )
    .fetch_one(&app.store.pool)
    .await?;
    Ok(Success::data(Stats {
        sessions_active: i64::try_from(live.len()).unwrap_or(i64::MAX),
        refresh_tokens_active: live.iter().map(|it| it.tokens).sum(),
        refresh_tokens_issued: ever.issued,
        refresh_tokens_spent: ever.spent,
        blacklisted: ever.blacklisted,
    }))
}
