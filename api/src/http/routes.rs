//! Every route of the public listener, and what lies around all of them.

use axum::Router;
use axum::middleware;
use axum::routing::{any, delete, get, post};
use tower::util::option_layer;

use crate::App;
use crate::base::error;
use crate::http::accounts::change_email;
use crate::http::accounts::change_password;
use crate::http::accounts::deletion;
use crate::http::accounts::export;
use crate::http::accounts::me;
use crate::http::accounts::register;
use crate::http::accounts::reset_password;
use crate::http::admin;
use crate::http::admin::logout_everyone;
use crate::http::admin::users;
use crate::http::cors;
use crate::http::health;
use crate::http::request;
use crate::http::services::introspect;
use crate::http::services::jwks;
use crate::http::services::metadata;
use crate::http::services::verify;
use crate::http::sessions;
use crate::http::sessions::logout;
use crate::http::tokens::blacklist;
use crate::http::tokens::login;
use crate::http::tokens::refresh;
use crate::http::tokens::refresh_tokens;

/// Every route of the public listener: the API, and what stands beside it.
pub fn app(app: App, beside: Router<App>) -> Router {
    api(&app)
        .merge(beside)
        .fallback(async || error::Error::NotFound)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), request::handle))
        .with_state(app)
}

/// The routes of the API, without what lies around them.
pub(crate) fn api(app: &App) -> Router<App> {
    let admin = Router::new()
        .route("/overview", get(admin::overview::overview))
        .route("/blacklist-stats", get(admin::blacklist_stats::blacklist_stats))
        .route("/users", get(users::listing::list))
        .route("/users/{id}", delete(users::remove))
        .route("/users/{id}/sessions", get(users::sessions).delete(users::log_out))
        .route("/users/{id}/disable", post(users::disable))
        .route("/users/{id}/enable", post(users::enable))
        .route("/users/{id}/role", post(users::set_role))
        .route("/logout-everyone", post(logout_everyone::log_out_everyone))
        .route("/audit", get(admin::audit::audit));
    let auth = Router::new()
        .route("/register", post(register::register))
        .route("/verify-email", post(register::verify_email))
        .route("/resend-verification", post(register::resend_verification))
        .route("/login-enhanced", post(login::login_enhanced))
        .route("/login", post(login::login))
        .route("/forgot-password", post(reset_password::forgot))
        .route("/reset-password", post(reset_password::reset))
        .route("/change-password", post(change_password::change_password))
        .route("/refresh", post(refresh::refresh))
        .route("/return", get(refresh::way_back::way_back))
        .route("/revoke-refresh-token", post(refresh_tokens::revoke))
        .route("/logout", post(logout::logout))
        .route("/logout-all-devices", post(logout::logout_all_devices))
        .route("/sessions", get(sessions::list).delete(sessions::revoke_others))
        .route("/sessions/{id}", delete(sessions::revoke))
        .route("/change-email", post(change_email::change_email))
        .route("/confirm-email", post(change_email::confirm_email))
        .route("/me", get(me::me).patch(me::change).delete(deletion::delete))
        .route("/me/export", get(export::export))
        .route("/blacklist", get(blacklist::list))
        .route("/token-stats", get(refresh_tokens::stats))
        .route("/introspect", post(introspect::introspect))
        .route("/revoke", post(introspect::revoke))
        .nest("/admin", admin)
        .method_not_allowed_fallback(not_allowed)
        .layer(option_layer(cors::layer(&app.settings.server)));
    Router::new()
        .nest("/api/v1/auth", auth)
        .route("/api/v1/auth/verify", any(verify::verify))
        .route("/api/v1/auth/verify/", any(verify::verify))
        .route("/api/v1/auth/verify/{*rest}", any(verify::verify))
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .merge(published())
}

/// What is the same for everybody, pages of any origin included.
fn published() -> Router<App> {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .method_not_allowed_fallback(not_allowed)
        .layer(cors::for_everybody())
}

async fn not_allowed() -> error::Error {
    error::Error::MethodNotAllowed
}
