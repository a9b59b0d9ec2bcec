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
    let servers = app.ledgers.info().await;
    let answers: Option<Vec<&str>> = servers.iter().map(|it| it.text.as_deref()).collect();
    let ledger = together(&answers.filter(|_| app.ledgers.is_whole()).unwrap_or_default());
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

/// What all servers count, in sum. What they are, rather than count, is said if it is so of each of them.
fn together(servers: &[&str]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for line in servers.iter().flat_map(|info| info.lines()) {
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        let both = all.get(name).map(|known| match (known.parse::<u64>(), value.parse::<u64>()) {
            (Ok(known), Ok(value)) if OF_EACH.contains(&name) => known.min(value).to_string(),
            (Ok(known), Ok(value)) if !name.ends_with("_life") => {
                known.saturating_add(value).to_string()
            }
            _ => known.clone(),
        });
        all.insert(name.to_owned(), both.unwrap_or_else(|| value.to_owned()));
    }
    all
}

/// These are no counts.
const OF_EACH: [&str; 3] =
    ["portcullis_confirmed", "portcullis_require_confirm", "portcullis_lease_ms"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_count_is_added_and_what_they_are_is_not() {
        let one = "# portcullis\r\nportcullis_checks_ok:7\r\nportcullis_confirmed:1\r\nportcullis_check_life:5\r\n";
        let other =
            "portcullis_checks_ok:8\r\nportcullis_confirmed:0\r\nportcullis_check_life:6\r\n";
        let all = together(&[one, other]);
        let of = |name: &str| all[name].as_str();
        assert_eq!(
            [of("portcullis_checks_ok"), of("portcullis_confirmed"), of("portcullis_check_life")],
            ["15", "0", "5"]
        );
        assert!(together(&[]).is_empty());
    }
}
