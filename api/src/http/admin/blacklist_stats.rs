//! `GET /admin/blacklist-stats`: how many tokens were revoked, in MySQL and in Redis.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::base::error::Result;
use crate::http::answer::Success;
use crate::http::caller::Admin;

/// Counts of revoked tokens.
#[derive(Serialize, ToSchema)]
pub struct BlacklistStats {
    total: i64,
    active: i64,
    by_type: BTreeMap<String, i64>,
    by_reason: BTreeMap<String, i64>,
    /// `INFO portcullis`; empty while Redis is unavailable.
    ledger: BTreeMap<String, String>,
}

/// `GET /admin/blacklist-stats`.
#[utoipa::path(
    get, path = "/blacklist-stats", tag = "Administration",
    summary = "Counts revoked tokens",
    security(("bearer" = [])),
    responses((status = 200, description = "The counts", body = Success<BlacklistStats>)),
    extensions(("x-problems" = json!("forbidden")))
)]
pub async fn blacklist_stats(
    State(app): State<App>,
    _admin: Admin,
) -> Result<Success<BlacklistStats>> {
    let rows = sqlx::query!(
        r#"select token_type, reason, count(*) as "total: i64",
                  cast(sum(token_expiry > ?) as signed) as "active!: i64"
             from token_blacklist_enhanced group by token_type, reason"#,
        app.clock.now(),
    )
    .fetch_all(&app.store.pool)
    .await?;
    let info = app.ledgers.info().await.unwrap_or_default();
    let fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    let ledger = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut stats = BlacklistStats {
        total: 0,
        active: 0,
        by_type: BTreeMap::new(),
        by_reason: BTreeMap::new(),
        ledger,
    };
    for row in rows {
        stats.total += row.total;
        stats.active += row.active;
        *stats.by_type.entry(row.token_type).or_default() += row.total;
        *stats.by_reason.entry(row.reason).or_default() += row.total;
    }
    Ok(Success::data(stats))
}
