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
use crate::ledger::line::Condition;
use crate::store::migrate;
use crate::store::told::told;

/// What its lines in the log are about.
const DATABASE: &str = "the database's health";
const REDIS: &str = "the health of Redis";

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
    message: Message,
}

/// What can be said of a part in public. Whoever watches the service may compare with these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Message {
    /// It answers and lacks nothing.
    Connected,
    /// It does not answer.
    Unreachable,
    /// The database lacks tables: run `portcullis migrate up`.
    #[serde(rename = "not migrated")]
    NotMigrated,
    /// MySQL lacks commits that it has confirmed before: everybody is about to be logged out.
    #[serde(rename = "gone back")]
    GoneBack,
    /// Redis has no module, or one that is too old.
    #[serde(rename = "module missing")]
    ModuleMissing,
    /// Nobody has seen yet that Redis is up to date; MySQL answers meanwhile.
    #[serde(rename = "not confirmed")]
    NotConfirmed,
}

impl From<Message> for Service {
    fn from(message: Message) -> Self {
        Self { healthy: message == Message::Connected, message }
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
    let (database, redis) = tokio::join!(database_state(&app), redis_state(&app));
    let services =
        Services { database: database.into(), redis: redis.into(), auth: database.into() };
    let well = services.database.healthy && services.redis.healthy;
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

/// `GET /readyz`: both stores answer, the tables are there, Redis lacks nothing, and not much waits for it.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    summary = "Reports whether the instance is ready for requests",
    responses((status = 200, description = "Ready; the body is empty"),
        (status = 503, description = "Not ready; the body is empty")),
)]
pub async fn readyz(State(app): State<App>) -> StatusCode {
    let (waiting, database, redis) =
        tokio::join!(waiting(&app), database_state(&app), redis_state(&app));
    let is_well = [database, redis] == [Message::Connected; 2];
    let limit = i64::from(app.settings.stores.outbox_limit);
    let lacks = app.ledgers.lacks_since().map(|since| app.clock.now().since(since));
    let is_late = lacks.is_some_and(|age| age >= app.settings.stores.outbox_max_age);
    let is_short = waiting.is_some_and(|waiting| waiting < limit);
    code(is_well && is_short && !is_late)
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

async fn database_state(app: &App) -> Message {
    if app.store.history.is_doubted() {
        return Message::GoneBack;
    }
    match migrate::is_complete(&app.store).await {
        Ok(true) => {
            app.background.said.is_over(DATABASE);
            Message::Connected
        }
        Ok(false) => {
            if app.background.said.is_news(DATABASE, "not migrated") {
                tracing::warn!(
                    target: log::HEALTH,
                    "the database is not migrated: run `portcullis migrate up`"
                );
            }
            Message::NotMigrated
        }
        Err(cause) => {
            say_unhealthy(app, &cause);
            Message::Unreachable
        }
    }
}

async fn in_time<T>(app: &App, asked: impl Future<Output = sqlx::Result<T>>) -> Option<T> {
    app.store.in_time(asked).await.inspect_err(|cause| say_unhealthy(app, cause)).ok()
}

fn say_unhealthy(app: &App, cause: &sqlx::Error) {
    let cause = told(cause);
    if app.background.said.is_news(DATABASE, &cause) {
        tracing::warn!(target: log::HEALTH, cause, "the database is unhealthy");
    }
}

async fn redis_state(app: &App) -> Message {
    let answer = app.ledgers.ping().await;
    match app.ledgers.condition(&answer) {
        Condition::Believed => {
            app.background.said.is_over(REDIS);
            Message::Connected
        }
        Condition::NotConfirmed => Message::NotConfirmed,
        Condition::NoModule => {
            say_redis_unhealthy(app, "it has no module that this service can use");
            Message::ModuleMissing
        }
        Condition::Unreachable => {
            say_redis_unhealthy(app, &answer.err().map(|it| it.to_string()).unwrap_or_default());
            Message::Unreachable
        }
    }
}

fn say_redis_unhealthy(app: &App, cause: &str) {
    if app.background.said.is_news(REDIS, cause) {
        tracing::warn!(target: log::HEALTH, cause, "Redis is unhealthy");
    }
}
