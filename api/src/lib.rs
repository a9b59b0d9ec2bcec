//! The HTTP service. Read `app` first: it lists every route.
//!
//! MySQL is the truth and commits first; the Redis module is told through the outbox. A handler is
//! a story in its own file, with its types and its SQL.

#![forbid(unsafe_code)]

pub mod activity;
pub mod answer;
pub mod audit;
pub mod body;
pub mod caller;
pub mod cleanup;
pub mod clock;
pub mod config;
mod cors;
pub mod device;
pub mod ending;
pub mod error;
pub mod health;
pub mod issue;
pub mod keys;
pub mod ledger;
pub mod limit;
pub mod login;
pub mod logout;
pub mod mail;
pub mod me;
pub mod metrics;
pub mod migrate;
pub mod outbox;
pub mod password;
pub mod refresh;
pub mod register;
pub mod request;
pub mod secret;
pub mod serve;
pub mod session_id;
pub mod sessions;
pub mod state;
pub mod token;
pub mod user;
pub mod verify;

use axum::Router;
use axum::middleware;
use axum::routing::{any, delete, get, post};
use tower::util::option_layer;

pub use crate::state::App;

/// Every route of the public listener.
pub fn app(app: App) -> Router {
    let not_allowed = async || error::Error::MethodNotAllowed;
    let auth = Router::new()
        .route("/register", post(register::register))
        .route("/verify-email", post(register::verify_email))
        .route("/resend-verification", post(register::resend_verification))
        .route("/login-enhanced", post(login::login_enhanced))
        .route("/login", post(login::login))
        .route("/refresh", post(refresh::refresh))
        .route("/logout", post(logout::logout))
        .route("/logout-all-devices", post(logout::logout_all_devices))
        .route("/sessions", get(sessions::list).delete(sessions::revoke_others))
        .route("/sessions/{id}", delete(sessions::revoke))
        .route("/me", get(me::me))
        .method_not_allowed_fallback(not_allowed)
        .layer(option_layer(cors::layer(&app.settings.server)))
        .route("/verify", any(verify::verify))
        .route("/verify/{*rest}", any(verify::verify));
    Router::new()
        .nest("/api/v1/auth", auth)
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(async || error::Error::NotFound("route"))
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), request::handle))
        .with_state(app)
}
