//! A service that asks about a token: it shows its name and secret (RFC 6749 §2.3.1), in the
//! `Authorization` header or in the form that brings the token, and in one of them only.
//!
//! Those that fail are counted per address and recorded. What keeps a secret from being guessed is its
//! length; the limit keeps failures cheap, and never refuses whoever has the secret.

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use portcullis_core::Digest;
use secrecy::ExposeSecret as _;
use serde_json::json;
use utoipa::ToSchema;

use super::body;
use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::log_targets as log;
use crate::limits::Scope;
use crate::store::audit::{self, Event, What};

/// Body of `/introspect` and `/revoke`. An empty field counts as left out.
#[derive(ToSchema)]
pub struct TokenForm {
    /// An access token or a refresh token.
    token: String,
    /// What kind of token it is thought to be. `/introspect` tells about a refresh token only if this
    /// is `refresh_token`; otherwise it is not needed, the two kinds look different.
    token_type_hint: Option<String>,
    /// The service's name, if it does not use the `Authorization` header (`client_secret_post`).
    client_id: Option<String>,
    /// Its secret.
    client_secret: Option<String>,
}

impl TokenForm {
    /// The fields of a form; a token is not asked for before it is known who asks.
    fn read(fields: Vec<(String, String)>) -> Result<Self> {
        let mut form = Self {
            token: String::new(),
            token_type_hint: None,
            client_id: None,
            client_secret: None,
        };
        let mut seen = Vec::new();
        for (name, value) in fields {
            match name.as_str() {
                "token" => value.trim().clone_into(&mut form.token),
                "token_type_hint" => form.token_type_hint = given(value),
                "client_id" => form.client_id = given(value),
                "client_secret" => form.client_secret = given(value),
                _ => continue,
            }
            if seen.contains(&name) {
                return Err(Error::Malformed("A form field is repeated."));
            }
            seen.push(name);
        }
        Ok(form)
    }
}

fn given(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

/// What a known service wants to know or to end.
pub struct Question {
    /// The name of the service.
    pub(super) service: String,
    pub(super) token: String,
    pub(super) hint: Option<String>,
}

impl FromRequest<App> for Question {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let Ok(client) = Client::from_request_parts(&mut parts, app).await;
        let headers = parts.headers.clone();
        let fields = body::form(Request::from_parts(parts, body)).await;
        let (form, fault) = match fields.and_then(TokenForm::read) {
            Ok(form) => (Some(form), None),
            Err(fault) => (None, Some(fault)),
        };
        let shown = shown(&headers, form.as_ref())?;
        // Whoever is unknown is told so, and not what else is wrong.
        let Some(service) = shown.as_ref().and_then(|shown| shown.known_as(app)) else {
            return Err(refuse(app, &client, shown.as_ref()).await);
        };
        let form = form.ok_or(fault.unwrap_or(Error::NotAForm))?;
        if form.token.is_empty() {
            return Err(Error::Malformed("The form field token is required."));
        }
        Ok(Self { service, token: form.token, hint: form.token_type_hint })
    }
}

/// A name and a secret, in every spelling that may be meant.
struct Shown {
    way: &'static str,
    id: Vec<Digest>,
    secret: Vec<Digest>,
}

impl Shown {
    /// The name of the service that this is. Digests are compared, so that the time tells nothing
    /// about secrets.
    fn known_as(&self, app: &App) -> Option<String> {
        let clients = app.settings.tokens.introspection_clients().ok()?;
        let known = clients.into_iter().find(|client| {
            let secret = client.secret.expose_secret();
            self.names(&client.id) && self.secret.contains(&Digest::of(secret.as_bytes()))
        });
        known.map(|client| client.id)
    }

    fn names(&self, id: &str) -> bool {
        self.id.contains(&Digest::of(id.as_bytes()))
    }
}

/// What the request shows, in one place (RFC 6749 §2.3).
fn shown(headers: &HeaderMap, form: Option<&TokenForm>) -> Result<Option<Shown>> {
    const ONE_WAY: Error =
        Error::Malformed("Show name and secret either in the Authorization header or in the form.");
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let id = form.and_then(|form| form.client_id.as_deref());
    let secret = form.and_then(|form| form.client_secret.as_deref());
    match (lines.next(), lines.next()) {
        (Some(_), Some(_)) => Err(ONE_WAY),
        (Some(_), None) if secret.is_some() => Err(ONE_WAY),
        (Some(line), None) => {
            let basic = basic(line);
            let contradicts = basic.as_ref().zip(id).is_some_and(|(basic, id)| !basic.names(id));
            if contradicts { Err(ONE_WAY) } else { Ok(basic) }
        }
        (None, _) => Ok(id.zip(secret).map(|(id, secret)| Shown {
            way: "client_secret_post",
            id: vec![Digest::of(id.as_bytes())],
            secret: vec![Digest::of(secret.as_bytes())],
        })),
    }
}

/// As OAuth asks for it, each part form-encoded before they are joined, and as many clients do it.
fn basic(value: &HeaderValue) -> Option<Shown> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| Shown {
        way: "client_secret_basic",
        id: spellings(id),
        secret: spellings(secret),
    })
}

fn spellings(given: &str) -> Vec<Digest> {
    let plain = given.replace('+', " ");
    let decoded: Vec<u8> = percent_decode_str(&plain).collect();
    [given.as_bytes(), &decoded].map(Digest::of).into()
}

/// Counts and records a failure. The name is recorded only if there is a service of that name: what
/// else stands there may be anything, a secret for one.
async fn refuse(app: &App, client: &Client, shown: Option<&Shown>) -> Error {
    if let Err(limit) = app.limits.take(Scope::Client, client).await {
        return limit.into();
    }
    let clients = app.settings.tokens.introspection_clients().unwrap_or_default();
    let name = clients.iter().find(|it| shown.is_some_and(|shown| shown.names(&it.id)));
    let detail = json!({
        "client": name.map(|client| client.id.as_str()),
        "method": shown.map_or("none", |shown| shown.way),
    });
    let event = Event::anonymous(What::ClientRefused).with(detail);
    let kept = audit::record_alone(&app.store.pool, client, app.clock.now(), event);
    // An outage of MySQL must not make it anything but a refusal.
    if let Err(cause) = app.store.in_time(kept).await {
        tracing::warn!(target: log::AUDIT, %cause, "an event could not be kept");
    }
    Error::BadClient
}
