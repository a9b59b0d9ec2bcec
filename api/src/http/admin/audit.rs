//! `GET /admin/audit`: the audit trail, a page at a time.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::http::answer::Success;
use crate::http::caller::Admin;
use crate::http::paging;

/// Which events `/admin/audit` shows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only events concerning this user.
    user_id: Option<u64>,
    /// Only events with this name.
    event: Option<String>,
    /// Entries per page (1 to 200, default 50).
    limit: Option<u32>,
    /// `next` from the previous page.
    after: Option<u64>,
}

/// One page of the audit trail, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct Trail {
    events: Vec<Recorded>,
    /// Pass this as `after` to get the next page; null on the last page.
    next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
struct Recorded {
    id: u64,
    at: Timestamp,
    event: String,
    user_id: Option<u64>,
    session_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Json<Value>,
}

/// `GET /admin/audit`.
#[utoipa::path(
    get, path = "/audit", tag = "Administration",
    summary = "Shows the audit trail, newest first",
    params(Filter),
    security(("bearer" = [])),
    responses((status = 200, description = "One page of events", body = Success<Trail>)),
    extensions(("x-problems" = json!("forbidden malformed_request")))
)]
pub async fn audit(
    State(app): State<App>,
    _admin: Admin,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Success<Trail>> {
    let Query(filter) =
        filter.map_err(|_| Error::Malformed("limit, after and user_id must be numbers."))?;
    let limit = paging::size(filter.limit);
    let events = sqlx::query_as!(
        Recorded,
        r#"select id, at as "at: Timestamp", event, user_id, session_id, ip_address, user_agent,
                  request_id, detail as "detail: Json<Value>"
             from audit_events
            where id < ? and (? is null or user_id = ?) and (? is null or event = ?)
            order by id desc limit ?"#,
        filter.after.unwrap_or(u64::MAX),
        filter.user_id,
        filter.user_id,
        filter.event,
        filter.event,
        limit,
    )
    .fetch_all(&app.store.pool)
    .await?;
    let next = paging::next(&events, limit, |event| event.id);
    Ok(Success::data(Trail { events, next }))
}
