//! `GET /admin/overview`: how many users and sessions there are, how logins went, and what waits.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::http::answer::Success;
use crate::http::caller::Admin;
use crate::store::audit::What;
use crate::store::standing::standing;

/// How far back logins are counted, and in which steps.
const HOURS: u32 = 24;
const HOUR: Duration = Duration::from_hours(1);

/// The service at a glance. A number is null if there is too much to count in the time of an answer.
#[derive(Serialize, ToSchema)]
pub struct Overview {
    users: Option<i64>,
    /// Users with the role `admin` who are not disabled.
    administrators: Option<i64>,
    disabled: Option<i64>,
    /// Sessions that `/admin/logout-everyone` would end.
    live_sessions: Option<i64>,
    users_with_sessions: Option<i64>,
    /// Logins of the last 24 hours, by the hour, oldest first.
    logins: Vec<Logins>,
    /// Changes that Redis has not confirmed yet.
    outbox_waiting: Option<i64>,
    mails_waiting: Option<i64>,
}

/// Logins of one hour.
#[derive(Serialize, ToSchema)]
struct Logins {
    /// When the hour began.
    at: Timestamp,
    succeeded: i64,
    failed: i64,
}

/// `GET /admin/overview`.
#[utoipa::path(
    get, path = "/overview", tag = "Administration",
    summary = "Shows users, sessions, logins and what is waiting at a glance",
    security(("bearer" = [])),
    responses((status = 200, description = "The numbers", body = Success<Overview>)),
    extensions(("x-problems" = json!("forbidden")))
)]
pub async fn overview(State(app): State<App>, _admin: Admin) -> Result<Success<Overview>> {
    let now = app.clock.now();
    let (users, sessions, logins, waiting) =
        tokio::join!(users(&app), sessions(&app, now), logins(&app, now), waiting(&app));
    let (users, sessions, waiting) = (users.ok(), sessions.ok(), waiting.ok());
    Ok(Success::data(Overview {
        users: users.as_ref().map(|it| it.all),
        administrators: users.as_ref().map(|it| it.administrators),
        disabled: users.as_ref().map(|it| it.disabled),
        live_sessions: sessions.as_ref().map(|it| it.live),
        users_with_sessions: sessions.as_ref().map(|it| it.users),
        logins: logins.unwrap_or_default(),
        outbox_waiting: waiting.as_ref().map(|it| it.outbox),
        mails_waiting: waiting.as_ref().map(|it| it.mails),
    }))
}

struct Users {
    all: i64,
    administrators: i64,
    disabled: i64,
}

async fn users(app: &App) -> sqlx::Result<Users> {
    let counted = sqlx::query_as!(
        Users,
        r#"select count(*) as "all: i64",
                  cast(coalesce(sum(role = 'admin' and is_active), 0) as signed)
                     as "administrators!: i64",
                  cast(coalesce(sum(not is_active), 0) as signed) as "disabled!: i64"
             from users"#
    );
    app.store.in_time(counted.fetch_one(&app.store.pool)).await
}

struct Sessions {
    live: i64,
    users: i64,
}

/// By the uses that MySQL has heard of.
async fn sessions(app: &App, now: Timestamp) -> sqlx::Result<Sessions> {
    let counted = standing!(query_as!(
        Sessions,
        r#"select count(*) as "live: i64", count(distinct s.user_id) as "users: i64"
             from user_sessions s
            where (s.idle_timeout_s = 0
                   or s.last_activity > ? - interval s.idle_timeout_s second) and "#
            + STANDING,
        now,
        now,
    ));
    app.store.in_time(counted.fetch_one(&app.store.pool)).await
}

async fn logins(app: &App, now: Timestamp) -> sqlx::Result<Vec<Logins>> {
    let since = now.minus(HOUR * HOURS);
    let [succeeded, failed] = [What::LoginSucceeded, What::LoginFailed].map(What::name);
    let counted = sqlx::query!(
        r#"select cast(floor(timestampdiff(second, ?, at) / 3600) as signed) as "hour!: i64",
                  cast(sum(event = ?) as signed) as "succeeded!: i64",
                  cast(sum(event = ?) as signed) as "failed!: i64"
             from audit_events force index (idx_audit_event_at)
            where at > ? and event in (?, ?)
            group by 1"#,
        since,
        succeeded,
        failed,
        since,
        succeeded,
        failed,
    );
    let rows = app.store.in_time(counted.fetch_all(&app.store.pool)).await?;
    let hours = (0..HOURS).map(|hour| {
        // What happened at this very instant belongs to the hour that ends with it.
        let of_hour = |it: i64| it.clamp(0, i64::from(HOURS) - 1) == i64::from(hour);
        let rows = || rows.iter().filter(|row| of_hour(row.hour));
        Logins {
            at: since.plus(HOUR * hour),
            succeeded: rows().map(|row| row.succeeded).sum(),
            failed: rows().map(|row| row.failed).sum(),
        }
    });
    Ok(hours.collect())
}

struct Waiting {
    outbox: i64,
    mails: i64,
}

async fn waiting(app: &App) -> sqlx::Result<Waiting> {
    let counted = sqlx::query_as!(
        Waiting,
        r#"select (select count(*) from revocation_outbox where delivered_at is null)
                     as "outbox!: i64",
                  (select count(*) from mails where settled_at is null) as "mails!: i64""#
    );
    app.store.in_time(counted.fetch_one(&app.store.pool)).await
}
