//! Whether the service is well: for people (`/health`) and for orchestrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;

#[derive(Serialize, ToSchema)]
struct Health {
    /// `healthy` or `unhealthy`.
    #[schema(pattern = "^(un)?healthy$", example = "healthy")]
    status: &'static str,
    timestamp: Timestamp,
    services: Services,
}

#[derive(Serialize, ToSchema)]
struct Services {
    database: Service,
    redis: Service,
    auth: Service,
}

#[derive(Serialize, ToSchema)]
struct Service {
    healthy: bool,
    message: &'static str,
}

impl Service {
    const fn new(healthy: bool, good: &'static str, bad: &'static str) -> Self {
        Self { healthy, message: if healthy { good } else { bad } }
    }
}

/// `GET /health`: each part by name; 503 if one is not well. Causes stay in the log (BUG-29).
#[utoipa::path(
    get, path = "/health", tag = "Health",
    summary = "Reports the health of each component",
    responses((status = 200, description = "Every component is healthy", body = Health),
        (status = 503, description = "A component is unhealthy", body = Health)),
)]
pub async fn health(State(app): State<App>) -> Response {
    let (database, redis) = tokio::join!(database_answers(&app), redis_answers(&app));
    let services = Services {
        database: Service::new(database, "Database connected", "Database not reachable"),
        redis: Service::new(redis, "Redis connected", "Redis not reachable"),
        auth: Service::new(database, "Authentication works", "Authentication unavailable"),
    };
    let well = database && redis;
    let status = if well { "healthy" } else { "unhealthy" };
    let body = Health { status, timestamp: app.clock.now(), services };
    (code(well), Json(body)).into_response()
}

/// `GET /livez`: the process runs.
#[utoipa::path(
    get, path = "/livez", tag = "Health",
    summary = "Reports that the process is running",
    responses((status = 200, description = "The process is running; the body is empty")),
)]
pub async fn livez() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: both stores answer, Redis lacks nothing, and not much waits for it.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    summary = "Reports whether the instance is ready for requests",
    responses((status = 200, description = "Ready; the body is empty"),
        (status = 503, description = "Not ready; the body is empty")),
)]
pub async fn readyz(State(app): State<App>) -> StatusCode {
    let (waiting, redis) = tokio::join!(waiting(&app), redis_answers(&app));
    let limit = i64::from(app.settings.stores.outbox_limit);
    let lacks = app.ledgers.lacks_since().map(|since| app.clock.now().since(since));
    let is_late = lacks.is_some_and(|age| age >= app.settings.stores.outbox_max_age);
    let is_short = waiting.is_some_and(|waiting| waiting < limit);
    code(redis && app.ledgers.is_believed() && is_short && !is_late)
}

/// Counted no further than it matters.
async fn waiting(app: &App) -> Option<i64> {
    let asked = sqlx::query_scalar!(
        r#"select count(*) as "waiting: i64"
             from (select 1 as one from revocation_outbox where delivered_at is null limit ?) w"#,
        app.settings.stores.outbox_limit,
    )
    .fetch_one(&app.store.pool);
    in_time(app, asked).await
}

const fn code(well: bool) -> StatusCode {
    if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn database_answers(app: &App) -> bool {
    let asked = sqlx::query!("select 1 as one").fetch_one(&app.store.pool);
    in_time(app, asked).await.is_some()
}

async fn in_time<T>(app: &App, asked: impl Future<Output = sqlx::Result<T>>) -> Option<T> {
    app.store
        .in_time(asked)
        .await
        .inspect_err(
            |cause| tracing::warn!(target: log::HEALTH, %cause, "the database is unhealthy"),
        )
        .ok()
}

async fn redis_answers(app: &App) -> bool {
    let answer = app.ledgers.ping().await;
    if let Err(cause) = &answer {
        tracing::warn!(target: log::HEALTH, %cause, "Redis is unhealthy");
    }
    answer.is_ok()
}
