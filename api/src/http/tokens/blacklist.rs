//! `GET /blacklist`: what has been revoked of the caller's, page by page.

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::http::answer::Success;
use crate::http::paging;
use crate::sessions::caller::Caller;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Entries per page (1 to 200, default 50).
    limit: Option<u32>,
    /// `next` from the previous page.
    after: Option<u64>,
}

/// One page of revoked tokens, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = BlacklistPage)]
pub struct Entries {
    entries: Vec<Entry>,
    /// Pass this as `after` to get the next page; null on the last page.
    next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BlacklistEntry)]
struct Entry {
    id: u64,
    token_type: String,
    reason: String,
    blacklisted_at: Timestamp,
    token_expiry: Timestamp,
    session_id: Option<String>,
    /// Start of the token's digest: enough to recognise the token, too little to misuse it.
    digest_prefix: String,
}

/// The caller's own revocations.
#[utoipa::path(
    get, path = "/blacklist", tag = "Tokens",
    summary = "Shows the caller's revoked tokens, newest first",
    params(Page),
    security(("bearer" = [])),
    responses((status = 200, description = "One page of revoked tokens", body = Success<Entries>)),
    extensions(("x-problems" = json!("malformed_request")))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    asked: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Success<Entries>> {
    let Query(asked) = asked.map_err(|_| Error::Malformed("limit and after must be numbers."))?;
    let limit = paging::size(asked.limit);
    let entries = sqlx::query_as!(
        Entry,
        r#"select id, token_type, reason, blacklisted_at as "blacklisted_at: Timestamp",
                  token_expiry as "token_expiry: Timestamp", session_id,
                  lower(left(hex(token_hash), 8)) as "digest_prefix!: String"
             from token_blacklist_enhanced
            where user_id = ? and id < ?
            order by id desc limit ?"#,
        caller.user_id,
        asked.after.unwrap_or(u64::MAX),
        limit,
    )
    .fetch_all(&app.store.pool)
    .await?;
    let next = paging::next(&entries, limit, |entry| entry.id);
    Ok(Success::data(Entries { entries, next }))
}
