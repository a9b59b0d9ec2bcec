//! Every page, and what lies around all of them: their headers, and a page in place of a bare problem.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::admin::{overview, trail, users};
use super::api::seconds;
use super::links::see_other;
use super::problem::Problem;
use super::shared::Pages;
use super::visit::language_of;
use super::{entrance, files, mailed, password, profile, sessions};
use crate::App;
use crate::base::error::Error;
use crate::http::routes::app as around_api;

/// So much earlier than everybody else pages give up, so that there is time to say so.
const EARLIER: Duration = Duration::from_millis(100);
/// The longest problem there is.
const LONGEST: usize = 64 * 1024;
/// What is said of pages: programs that list pages leave them out.
const ROBOTS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));

/// The public listener: the API, and beside it the pages if the operator wants them.
pub(crate) fn beside_api(app: &App) -> Router {
    if !app.settings.pages.pages {
        return around_api(app.clone(), Router::new());
    }
    match Pages::new(app) {
        Ok(pages) => around_api(app.clone(), routes(&pages))
            .layer(middleware::from_fn_with_state(pages, in_html)),
        Err(fault) => {
            tracing::error!(?fault, "the pages cannot be shown");
            around_api(app.clone(), Router::new())
        }
    }
}

fn routes(pages: &Pages) -> Router<App> {
    let below = Router::new()
        .route("/login", get(entrance::login_form).post(entrance::log_in))
        .route("/register", get(entrance::register_form).post(entrance::register))
        .route("/logout", post(entrance::log_out))
        .route("/verify-email", get(mailed::verify_form).post(mailed::verify))
        .route("/resend-verification", post(mailed::resend))
        .route("/forgot-password", get(mailed::forgot_form).post(mailed::forgot))
        .route("/reset-password", get(mailed::reset_form).post(mailed::reset))
        .route("/confirm-email", get(mailed::confirm_form).post(mailed::confirm))
        .route("/sessions", get(sessions::list).post(sessions::end))
        .route("/password", get(password::shown).post(password::change))
        .route("/profile", get(profile::shown).post(profile::save))
        .route("/profile/email", post(profile::change_email))
        .route("/profile/export", get(profile::export))
        .route("/profile/delete", post(profile::delete))
        .route("/admin", get(overview::shown))
        .route("/admin/logout-everyone", post(overview::log_out_everyone))
        .route("/admin/users", get(users::list))
        .route("/admin/users/{id}", get(users::shown).post(users::act))
        .route("/admin/audit", get(trail::shown))
        .layer(middleware::from_fn_with_state(pages.clone(), in_time))
        .route("/assets/{name}", get(files::file))
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed);
    let front = format!("{}/sessions", pages.base);
    let password = format!("{}/password", pages.base);
    let to = |page: String| get(async move || see_other(&page));
    Router::new()
        .route(&pages.base, to(front.clone()))
        .route(&format!("{}/", pages.base), to(front))
        .route("/.well-known/change-password", to(password))
        .nest(&pages.base, below)
        .with_state(pages.clone())
}

/// Whoever writes a slash behind a page means the page. Everything else is not there.
async fn elsewhere(OriginalUri(uri): OriginalUri, method: Method) -> Response {
    let page = uri.path().trim_end_matches('/');
    if !method.is_safe() || page.len() == uri.path().len() {
        return Error::NotFound.into_response();
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    see_other(&format!("{page}{query}"))
}

/// Gives up a little before the request as a whole is given up.
async fn in_time(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let deadline = pages.app.settings.stores.answer_deadline().saturating_sub(EARLIER);
    let answer = tokio::time::timeout(deadline, next.run(request)).await;
    answer.unwrap_or_else(|_| Error::Late.into_response())
}

/// Makes a page of every refusal, whoever has refused, and sets the headers of pages.
async fn in_html(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let below = path.strip_prefix(&pages.base);
    if !below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
        return next.run(request).await;
    }
    let here = path.to_owned();
    let asked = request.headers().clone();
    let mut response = next.run(request).await;
    if response.headers().get(CONTENT_TYPE).is_some_and(|it| it == "application/problem+json") {
        response = shown(&pages, &asked, &here, response).await;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, pages.policy.clone());
    // Without it browsers would not say where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.extend([ROBOTS]);
    response
}

async fn shown(pages: &Pages, asked: &HeaderMap, here: &str, refusal: Response) -> Response {
    let (mut parts, body) = refusal.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let json: Value = serde_json::from_slice(&text).unwrap_or_default();
    let problem = Problem::of(&json, parts.headers.get("retry-after").and_then(seconds));
    let language = language_of(asked);
    let context = json!({
        "page": "problem", "here": here, "lang": language.as_str(), "languages": [],
        "person": null, "csrf": "", "done": "", "pending": false,
        "retry_after": problem.retry_after, "problem": problem,
        "own": { "status": parts.status.as_u16() },
    });
    for name in [CONTENT_TYPE, CONTENT_LENGTH, WWW_AUTHENTICATE] {
        parts.headers.remove(name);
    }
    match pages.templates.render(language, "problem.html", &context) {
        Ok(page) => (parts.status, parts.headers, Html(page)).into_response(),
        Err(fault) => {
            tracing::error!(%fault, "a page cannot be shown");
            (parts.status, parts.headers, Body::from(text)).into_response()
        }
    }
}
